"""What became of every video, in a file that only grows: a line of JSON as each one ends."""

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, BinaryIO, Literal

from jointvos.errors import OutputError

FILE = "batch.jsonl"


@dataclass(frozen=True)
class ObjectSummary:
    """An object over a whole video.

    Attributes:
        id: The object.
        lost: Frames in which it has no pixel since it first appeared.
        areas: Its area in pixels, every so many frames; None where it had not appeared.
    """

    id: int
    lost: int
    areas: tuple[int | None, ...]


@dataclass(frozen=True)
class Entry:
    """A line of the record.

    Attributes:
        name: The video's name in the batch; its last line counts.
        status: "done"; "failed"; or "begun", written where a video is done again, so that what was
            done before no longer counts.
        video: The input as it was given.
        exit_code: That of `jointvos segment` for this video.
        error: One line, None if it is done.
        frames: How many are done.
        seconds: How long they took.
        attempts: How often it was tried in this run.
        ended: When, in UTC, ISO 8601.
        device: Where it was done, as "cuda:1"; None if it did not begin.
        inputs: Hash of the input and its masks.
        settings: Hash of the model and all options.
        outputs: What was written, this time or before; relative to the folder where it lies there.
        objects: What was followed.
        notes: Warnings.
        traceback: Of an unexpected error.
    """

    name: str
    status: Literal["done", "failed", "begun"]
    video: str
    exit_code: int = 0
    error: str | None = None
    frames: int = 0
    seconds: float = 0.0
    attempts: int = 1
    ended: str = ""
    device: str | None = None
    inputs: str | None = None
    settings: str | None = None
    outputs: tuple[str, ...] = ()
    objects: tuple[ObjectSummary, ...] = ()
    notes: tuple[str, ...] = ()
    traceback: str | None = None

    def line(self) -> str:
        """It as JSON, without what is empty."""
        values = {key: value for key, value in asdict(self).items() if value not in (None, (), "")}
        line = json.dumps(values, ensure_ascii=False)
        return line.encode(errors="backslashreplace").decode()  # names may be no Unicode

    @classmethod
    def of_line(cls, line: bytes) -> "Entry":
        """Read it back; what a later version may add is left out.

        Raises:
            ValueError: It is none.
        """
        values: Any = json.loads(line)
        if not isinstance(values, dict):
            raise ValueError("no object")
        names = {field.name for field in fields(cls)}
        known = {key: value for key, value in values.items() if key in names}
        for key in ("outputs", "notes"):
            known[key] = tuple(known.get(key, ()))
        try:
            known["objects"] = tuple(
                ObjectSummary(each["id"], each["lost"], tuple(each["areas"]))
                for each in known.get("objects", ())
            )
            return cls(**known)
        except (TypeError, KeyError) as error:
            raise ValueError(str(error)) from error


class Record:
    """`batch.jsonl` in the folder of a batch; a context manager that closes the file.

    The memory needed is a name and a number for every video.
    """

    def __init__(self, folder: Path, *, append: bool = True) -> None:
        """Read what there is; a torn last line, which a crash leaves, is cut off.

        Args:
            folder: The folder of the batch.
            append: Whether lines will be added; else nothing is written and nothing need be there.

        Raises:
            OutputError: It cannot be used.
        """
        self.path = folder / FILE
        self._starts: dict[str, int] = {}
        self._file: BinaryIO | None = None
        try:
            if append:
                self._file = self.path.open("a+b", buffering=0)
            elif self.path.is_file():
                self._file = self.path.open("rb", buffering=0)
            if self._file is not None:
                end = self._index(self._file)
                if append:
                    self._file.truncate(end)
        except OutputError:  # which is an OSError as well
            self.close()
            raise
        except OSError as error:
            self.close()
            raise self._failure(error) from error

    def __enter__(self) -> "Record":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def get(self, name: str) -> Entry | None:
        """The last line of a video.

        Raises:
            OutputError: It cannot be read.
        """
        if name not in self._starts or self._file is None:
            return None
        try:
            with self.path.open("rb") as file:
                file.seek(self._starts[name])
                return Entry.of_line(file.readline())
        except (OSError, ValueError) as error:
            raise self._failure(error) from error

    def __iter__(self) -> Iterator[Entry]:
        """The last lines of all videos, in the order in which these first ended."""
        for name in self._starts:
            if (entry := self.get(name)) is not None:
                yield entry

    def written(self) -> dict[str, str]:
        """The outputs of all runs, each with the name of the video that it was written for last.

        Raises:
            OutputError: They cannot be read.
        """
        lines = () if self._file is None else self._lines(self._file)
        return {output: entry.name for entry, _ in lines for output in entry.outputs}

    def append(self, entry: Entry) -> None:
        """Add a line, and wait until it is on the disk.

        Raises:
            OutputError: The disk refuses.
        """
        assert self._file is not None
        data = entry.line().encode() + b"\n"
        try:
            start = self._file.seek(0, os.SEEK_END)
            rest = memoryview(data)
            while rest:
                rest = rest[self._file.write(rest) :]
            os.fsync(self._file.fileno())
        except OSError as error:
            raise self._failure(error) from error
        self._starts[entry.name] = start

    def _index(self, file: BinaryIO) -> int:
        """Note where lines start; returns where the last whole one ends."""
        position = 0
        for entry, end in self._lines(file):
            self._starts[entry.name] = position
            position = end
        return position

    def _lines(self, file: BinaryIO) -> Iterator[tuple[Entry, int]]:
        """All whole lines, each with where it ends."""
        file.seek(0)
        end = 0
        with os.fdopen(os.dup(file.fileno()), "rb") as lines:
            for number, line in enumerate(lines, start=1):
                if not line.endswith(b"\n"):
                    break
                try:
                    entry = Entry.of_line(line)
                except ValueError:
                    raise OutputError(
                        f"{self.path}, line {number} is damaged; delete that line"
                    ) from None
                end += len(line)
                yield entry, end

    def _failure(self, error: OSError | ValueError) -> OutputError:
        reason = getattr(error, "strerror", None) or error
        return OutputError(f"{self.path} cannot be used: {reason}")
