"""The folder of a run, from which it can be continued.

::

    RESULTS/
      Annotations/<sequence>/<frame>.png   what was found, palette PNGs
      manifest/<sequence>.json             written last: this sequence is whole
      settings.json                        what the masks depend on, see `runs.fingerprint`
      global_results-<split>.csv           the official tables, as are
      per-sequence_results-<split>.csv
      results.json                         all figures
      report.html
      submission.zip                       for a server, if the data set has one

An entry of the manifest holds the hash of every file, and the seconds of every step. Only a
sequence with an entry whose files are all there and unchanged is taken over by a later run, which
must have the same settings; that there are files says nothing. A sequence is built in a hidden
folder and gets its name when it is whole; its entry is written after that, in one step.
"""

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from jointvos.errors import ConfigError, OutputError, OutputExists, os_errors_as
from jointvos.files.lock import alone
from jointvos.files.png import is_marked
from jointvos.files.whole_file import hidden_beside, whole_file
from jointvos.masks import write_mask_png
from jointvos.runs.fingerprint import Fingerprint, require_same
from jointvos.types import LabelMap

MASKS = "Annotations"
MANIFEST = "manifest"
SETTINGS = "settings.json"
_LOCK = ".eval.lock"


@dataclass
class SequenceWriter:
    """A sequence in the making.

    Attributes:
        folder: Where its files are built.
        files: Hash of each file that is written.
        step_seconds: Time of each step of the session.
    """

    folder: Path
    files: dict[str, str] = field(default_factory=dict)
    step_seconds: list[float] = field(default_factory=list)

    def write(self, stem: str, labels: LabelMap) -> None:
        """Add the masks of a frame.

        Raises:
            OutputError: They cannot be written.
        """
        path = self.folder / f"{stem}.png"
        write_mask_png(path, labels)
        self.files[path.name] = _file_hash(path)


class ResultsFolder:
    """Where a run keeps what is finished.

    Attributes:
        root: The folder.
        masks: The folder of the masks.
    """

    def __init__(self, root: Path, *, resume: bool = False) -> None:
        """Make the folder.

        Raises:
            OutputExists: It holds a run, and that is not to be continued.
            OutputError: It cannot be made.
        """
        self.root = root
        self.masks = root / MASKS
        self._manifest = root / MANIFEST
        self._settings = root / SETTINGS
        if not resume and self._manifest.is_dir():
            raise OutputExists(
                f"{root} already contains a run",
                hint="continue it (`resume=True`) or choose another folder",
            )
        if self.masks.is_dir() and not self._manifest.is_dir():
            raise OutputExists(
                f"{self.masks} already exists and is not from a run", hint="choose another folder"
            )
        self._unwritable = f"{root} cannot be written"
        with os_errors_as(OutputError, self._unwritable):
            self.masks.mkdir(parents=True, exist_ok=True)
            self._manifest.mkdir(exist_ok=True)

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Keep other evaluations out of the folder.

        Raises:
            ConfigError: One is at work in it.
            OutputError: The lock cannot be made.
        """

        def refuse() -> None:
            raise ConfigError(
                f"another evaluation is at work in {self.root}; wait until it has ended"
            )

        with ExitStack() as stack:
            with os_errors_as(OutputError, self._unwritable):
                stack.enter_context(alone(self.root / _LOCK, refuse))
            yield

    def begin(self, settings: Fingerprint) -> None:
        """Begin, or go on with the run that is there.

        Args:
            settings: All that the masks depend on.

        Raises:
            OtherRun: Finished sequences depend on something else.
            OutputError: The folder cannot be used.
        """
        with os_errors_as(OutputError, self._unwritable):
            if any(self._manifest.glob("*.json")):
                require_same(
                    self._saved_settings(),
                    settings,
                    self.root,
                    hint="use the settings of that run or choose another folder",
                )
        write_whole(self._settings, json.dumps(settings, indent=1) + "\n")

    def finished(self, name: str) -> NDArray[np.float64] | None:
        """Seconds of each step of a sequence that is whole.

        Returns:
            None if it has to be made (again).
        """
        try:
            entry = json.loads(self._entry(name).read_text(encoding="utf-8"))
            folder = self.masks / name
            found = {path.name for path in folder.iterdir()}
            if found != set(entry["files"]):
                return None
            if any(_file_hash(folder / file) != entry["files"][file] for file in found):
                return None
            return np.asarray(entry["step_seconds"], np.float64)
        except (OSError, ValueError, KeyError, TypeError):
            # No entry, or a damaged one: nothing is known of the sequence.
            return None

    @contextmanager
    def sequence(self, name: str) -> Iterator[SequenceWriter]:
        """Make a sequence: it is there, with its entry, when the block ends, or not at all.

        Raises:
            OutputError: It cannot be written.
        """
        final = self.masks / name
        staging = hidden_beside(final, ".partial")
        with os_errors_as(OutputError, self._unwritable):
            self._entry(name).unlink(missing_ok=True)
            for old in (staging, final):
                _remove(old)
            staging.mkdir()
        try:
            writer = SequenceWriter(staging)
            yield writer
            entry = {
                "sequence": name,
                "files": writer.files,
                "step_seconds": writer.step_seconds,
            }
            with os_errors_as(OutputError, self._unwritable):
                staging.rename(final)
            write_whole(self._entry(name), json.dumps(entry, indent=1) + "\n")
        finally:
            shutil.rmtree(staging, ignore_errors=True)

    def _saved_settings(self) -> Mapping[str, str]:
        try:
            return dict(json.loads(self._settings.read_text(encoding="utf-8")))
        except (FileNotFoundError, ValueError, TypeError):
            return {}  # lost; then nothing is the same

    def _entry(self, name: str) -> Path:
        return self._manifest / f"{name}.json"


def write_whole(path: Path, text: str) -> None:
    """Write a text file that is never seen half.

    Raises:
        OutputError: It cannot be written.
    """
    with whole_file(path) as partial:
        partial.write_text(text, encoding="utf-8", newline="")


def _remove(folder: Path) -> None:
    """Take away masks that jointvos wrote, and never any others."""
    if not folder.is_dir():
        return
    if foreign := [path.name for path in folder.iterdir() if not is_marked(path)]:
        raise OutputError(
            f"{folder} holds {foreign[0]}, which jointvos did not write; move it away"
        )
    shutil.rmtree(folder)


def _file_hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
