"""The folder that an interrupted run goes on from."""

import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from jointvos.errors import ConfigError, OutputError, os_errors_as
from jointvos.files.lock import alone
from jointvos.files.staged import StagedSink
from jointvos.files.whole_file import hidden_beside, remove, whole_file
from jointvos.media.writing import STDOUT
from jointvos.runs.fingerprint import Fingerprint, require_same

_RUN = "run.json"


class ResumeFolder:
    """Fingerprint, results and session state of a run, in a hidden folder beside an output.

    `run.json` says whose they are; without it the folder is nobody's. It also names the hidden
    files that the outputs are being built in, so that the next run can take them away, and whether
    outputs had begun to get their names.

    Attributes:
        folder: `.NAME.jointvos-resume`, NAME being that of the first output.
    """

    def __init__(self, outputs: Sequence[Path], source: Path) -> None:
        """Find its place: beside the first output that is a file or a folder, else here."""
        files = [path for path in outputs if path != STDOUT]
        first = files[0].absolute() if files else Path(Path(os.path.realpath(source)).name)
        if not first.name:
            raise OutputError(f"{files[0]} is not a place for an output; name a folder in it")
        self.folder = hidden_beside(first, ".jointvos-resume")

    @property
    def exists(self) -> bool:
        """Whether there is an interrupted run."""
        return (self.folder / _RUN).is_file()

    def named(self) -> list[Path]:
        """Outputs that the interrupted run may have put in place.

        Raises:
            OutputError: The folder is damaged.
        """
        return [Path(path) for path in self._read()["named"]] if self.exists else []

    @contextmanager
    def hold(self, fingerprint: Fingerprint) -> Iterator[None]:
        """Begin, or go on with the interrupted run; no other process may do so meanwhile.

        Raises:
            ConfigError: It was another run, or another process is at it.
            OutputError: The folder cannot be used.
        """
        with self._alone():
            with self._as_error:
                named: list[str] = []
                if self.exists:
                    found = self._read()
                    require_same(found["fingerprint"], fingerprint, self.folder)
                    named = found["named"]  # or a run killed before it names them again loses it
                    self._sweep()
                else:
                    self._empty()
                self._write({"fingerprint": fingerprint, "staged": [], "named": named})
            yield

    def discard(self) -> None:
        """Give the interrupted run up.

        Raises:
            ConfigError: Another process is at it.
            OutputError: The folder cannot be used.
        """
        with self._alone(), self._as_error:
            self._sweep()
            self.remove()

    def note_staged(self, sinks: Sequence[StagedSink]) -> None:
        """Remember where outputs are being built."""
        pairs = [[str(sink.path.absolute()), str(sink.staging.absolute())] for sink in sinks]
        with self._as_error:
            self._write({**self._read(), "staged": pairs})

    def note_naming(self, outputs: Sequence[Path]) -> None:
        """Remember that outputs are about to get their names."""
        with self._as_error:
            self._write({**self._read(), "named": [str(path.absolute()) for path in outputs]})

    def remove(self) -> None:
        """Take it away, `run.json` last."""
        if self.folder.is_dir():
            self._empty()
            (self.folder / _RUN).unlink(missing_ok=True)
            shutil.rmtree(self.folder, ignore_errors=True)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        def refuse() -> None:
            raise ConfigError(f"{self.folder} is in use by another run; wait until it has ended")

        with self._as_error:
            self.folder.mkdir(exist_ok=True)
        with alone(self.folder / "lock", refuse):
            yield

    @property
    def _as_error(self) -> AbstractContextManager[None]:
        return os_errors_as(OutputError, str(self.folder))

    def _empty(self) -> None:
        """Take everything away but `run.json` and the lock."""
        for path in self.folder.iterdir():
            if path.name not in (_RUN, "lock"):
                remove(path)

    def _sweep(self) -> None:
        """Take away what a killed run was building, and put back what it was replacing."""
        for final, staged in self._read()["staged"]:
            staging = Path(staged)
            replaced = staging.with_name(f"{staging.name}.old")
            if replaced.is_dir() and not os.path.lexists(final):
                replaced.rename(final)
            remove(staging)
            remove(replaced)

    def _read(self) -> dict[str, Any]:
        path = self.folder / _RUN
        try:
            values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise OutputError(f"{path} is damaged; delete {self.folder}") from error
        return values

    def _write(self, values: Mapping[str, Any]) -> None:
        with whole_file(self.folder / _RUN) as partial:
            partial.write_text(json.dumps(values, indent=1), encoding="utf-8")
