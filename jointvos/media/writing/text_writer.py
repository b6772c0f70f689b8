"""Outputs that are text, and the statistics."""

import csv
import io
import json
from abc import abstractmethod
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, TypeAlias

from jointvos.errors import ConfigError, EncodeError, os_errors_as
from jointvos.files.staged import StagedFile
from jointvos.types import Frame, FrameResult, ObjectState, VideoInfo

Record: TypeAlias = dict[str, int | float | bool | str | list[int] | list[float] | None]


class TextSink(StagedFile):
    """A text file that grows frame by frame."""

    def __init__(self, path: Path, info: VideoInfo, *, overwrite: bool = False) -> None:
        super().__init__(path, overwrite=overwrite, source=info.path)
        self._info = info
        self._file: IO[str] | None = None

    def write(self, frame: Frame, result: FrameResult) -> None:
        """Add one frame.

        Raises:
            EncodeError: The disk refuses.
        """
        with os_errors_as(EncodeError, f"{self.path} cannot be written"):
            if self._file is None:
                self._file = self._staging.open("x", encoding="utf-8", newline="")
                self._wrote = True
                self._file.write(self._head())
            self._file.write(self._lines(frame, result))

    def _complete(self) -> None:
        assert self._file is not None
        with os_errors_as(EncodeError, f"{self.path} cannot be written"):
            self._finish(self._file)
            self._file.close()

    def _let_go(self) -> None:
        if self._file is not None:
            with suppress(OSError):
                self._file.close()

    def _finish(self, file: IO[str]) -> None:
        """Write what comes behind the last frame."""

    def _head(self) -> str:
        return ""

    @abstractmethod
    def _lines(self, frame: Frame, result: FrameResult) -> str: ...


class StatsSink(TextSink):
    """A line per frame and object: area, box, center, mean probability, lost or not, and name.

    A table in .csv, where nothing stands in the fields of a lost object, or JSON Lines in .jsonl.
    """

    def __init__(
        self,
        path: Path,
        info: VideoInfo,
        *,
        overwrite: bool = False,
        names: Mapping[int, str] | None = None,
    ) -> None:
        """Check that the file can be written; see `StagedSink`.

        Args:
            path: The file.
            info: The source.
            overwrite: Whether a file that exists may be replaced.
            names: What the objects are called, by ID.

        Raises:
            ConfigError: The suffix is neither .csv nor .jsonl.
            OutputError: It cannot be written there.
        """
        super().__init__(path, info, overwrite=overwrite)
        self._as_table = path.suffix.lower() == ".csv"
        self._names = names or {}

    @classmethod
    def _refuse_kind(cls, path: Path) -> None:
        if path.suffix.lower() not in (".csv", ".jsonl"):
            raise ConfigError(f"{path}: statistics go to files ending in .csv or .jsonl")

    def _head(self) -> str:
        return ",".join(_COLUMNS) + "\n" if self._as_table else ""

    def _lines(self, frame: Frame, result: FrameResult) -> str:
        rows = records(frame, result, self._names)
        if not self._as_table:
            return "".join(json.dumps(row) + "\n" for row in rows)
        table = io.StringIO()
        csv.writer(table, lineterminator="\n").writerows(_row(row) for row in rows)
        return table.getvalue()


_COLUMNS = (
    *("frame", "time", "object", "area", "x", "y", "width", "height"),
    *("center_x", "center_y", "mean_probability", "lost", "paused", "cut"),
    "name",
)


def _row(record: Record) -> list[object]:
    box, center = record["box"] or [None] * 4, record["center"] or [None] * 2
    assert isinstance(box, list)
    assert isinstance(center, list)
    numbers = [record[key] for key in ("frame", "time", "object", "area")]
    flags = [int(bool(record[key])) for key in ("lost", "paused", "cut")]
    return [*numbers, *box, *center, record["mean_probability"], *flags, record["name"]]


def object_record(state: ObjectState, names: Mapping[int, str]) -> Record:
    """One object, with rounded figures.

    `name` is what it is called, if it has a name; `lost` says that no pixel is left of it, `paused`
    that nothing is learned of it since a cut.
    """
    p = state.mean_probability
    return {
        "name": names.get(state.id),
        "area": state.area,
        "box": None if state.box is None else list(state.box),
        "center": None if state.center is None else [round(c, 2) for c in state.center],
        "mean_probability": None if p is None else round(p, 4),
        "lost": state.area == 0,
        "paused": state.paused,
    }


def records(frame: Frame, result: FrameResult, names: Mapping[int, str]) -> list[Record]:
    """One record for every object that is followed, in the order in which they appeared."""
    return [
        {
            "frame": frame.index,
            "time": round(frame.time_s, 6),
            "cut": result.cut,
            "object": state.id,
            **object_record(state, names),
        }
        for state in result.objects
    ]
