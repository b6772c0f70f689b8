"""Results of finished frames on disk, to be read again in either direction.

A journal is one file of records. A record is its length and CRC-32 (8 bytes), then the length of
its head (4 bytes), the head as JSON, the label map and, if kept, the probabilities, both exactly,
compressed with zlib. A process that dies leaves a tail that does not fit its length or checksum.
"""

import json
import os
import struct
import zlib
from array import array
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from jointvos.errors import OutputError, os_errors_as
from jointvos.types import FrameResult, ObjectState

_RECORD = struct.Struct("<II")
_HEAD = struct.Struct("<I")


class Journal:
    """Results of frames, appended one by one; a context manager that closes the file.

    The memory needed is one result and 8 bytes for every frame.

    Attributes:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        """Open the file, or make it; a damaged tail is cut off.

        Raises:
            OutputError: The file cannot be opened.
        """
        self.path = path
        self._starts = array("Q")
        with self._as_error:
            # Unbuffered, so that what was appended outlives the process.
            self._file: BinaryIO = path.open("a+b", buffering=0)
            self._end = self._find_records()
            self._file.truncate(self._end)

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __len__(self) -> int:
        """Number of results."""
        return len(self._starts)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def append(self, result: FrameResult, *, probabilities: bool = False) -> None:
        """Add a result, with its probabilities if wanted.

        Raises:
            OutputError: The disk refuses.
        """
        payload = _pack(result if probabilities else replace(result, probabilities=None))
        record = _RECORD.pack(len(payload), zlib.crc32(payload)) + payload
        with self._as_error:
            written = 0
            while written < len(record):
                written += self._file.write(memoryview(record)[written:])
        self._starts.append(self._end)
        self._end += len(record)

    def sync(self) -> None:
        """Wait until all is on the disk, so that it outlives a loss of power.

        Raises:
            OutputError: The disk refuses.
        """
        with self._as_error:
            os.fsync(self._file.fileno())

    def truncate(self, count: int) -> None:
        """Keep the first `count` results.

        Raises:
            OutputError: The disk refuses.
        """
        if count >= len(self):
            return
        self._end = self._starts[count]
        del self._starts[count:]
        with self._as_error:
            self._file.truncate(self._end)

    def __iter__(self) -> Iterator[FrameResult]:
        """The results in the order in which they were appended."""
        return map(self._read, range(len(self)))

    def __reversed__(self) -> Iterator[FrameResult]:
        """The results, the last one first."""
        return map(self._read, reversed(range(len(self))))

    def _read(self, number: int) -> FrameResult:
        with self._as_error:
            payload = self._payload_at(self._starts[number])
        if payload is None:
            raise OutputError(f"{self.path} was changed by another program; delete it")
        return _unpack(payload)

    def _find_records(self) -> int:
        """Note where records start; returns where the last good one ends."""
        position = 0
        while (payload := self._payload_at(position)) is not None:
            self._starts.append(position)
            position += _RECORD.size + len(payload)
        return position

    def _payload_at(self, position: int) -> bytes | None:
        """The content of the record that starts there, None if there is no whole one."""
        self._file.seek(position)
        head = self._file.read(_RECORD.size)
        if len(head) < _RECORD.size:
            return None
        length, checksum = _RECORD.unpack(head)
        # A disk that lost its power may leave zeros, whose checksum is 0.
        if not 0 < length <= self._file.seek(0, os.SEEK_END) - position - _RECORD.size:
            return None
        self._file.seek(position + _RECORD.size)
        payload = self._file.read(length)
        return payload if zlib.crc32(payload) == checksum else None

    @property
    def _as_error(self) -> AbstractContextManager[None]:
        return os_errors_as(OutputError, f"{self.path} cannot be used")


def _pack(result: FrameResult) -> bytes:
    arrays: list[NDArray[Any]] = [result.labels]
    if result.probabilities is not None:
        arrays.append(result.probabilities)
    head = {
        "index": result.index,
        "cut": result.cut,
        "objects": [asdict(state) for state in result.objects],
        "arrays": [(values.dtype.str, values.shape) for values in arrays],
    }
    text = json.dumps(head).encode()
    parts = [zlib.compress(np.ascontiguousarray(values).data, 1) for values in arrays]
    return b"".join([_HEAD.pack(len(text)), text, *(_HEAD.pack(len(p)) + p for p in parts)])


def _unpack(payload: bytes) -> FrameResult:
    rest = memoryview(payload)

    def take() -> memoryview:
        nonlocal rest
        (length,) = _HEAD.unpack_from(rest)
        part, rest = rest[_HEAD.size : _HEAD.size + length], rest[_HEAD.size + length :]
        return part

    head = json.loads(bytes(take()))
    arrays = [
        np.frombuffer(zlib.decompress(take()), dtype).reshape(shape)
        for dtype, shape in head["arrays"]
    ]
    return FrameResult(
        index=head["index"],
        labels=arrays[0],
        objects=tuple(_object_state(values) for values in head["objects"]),
        probabilities=arrays[1] if len(arrays) > 1 else None,
        cut=head["cut"],
    )


def _object_state(values: dict[str, Any]) -> ObjectState:
    pairs = {key: values[key] and tuple(values[key]) for key in ("box", "center")}
    return ObjectState(**{**values, **pairs})
