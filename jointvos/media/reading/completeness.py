"""Whether the bytes of a video stop in the middle of something.

The codec library ends a file that was cut off as it ends a complete one. Many formats announce how
long the video is, if only roughly; others do not. So the parts that a file consists of are followed
from the outside, in the formats of `container_parts`. A cut that falls exactly between two parts
cannot be noticed.
"""

import os
from pathlib import Path

from jointvos.media.reading.container_parts import Steps, parts_of

_HEAD = 400
_CHUNK = 1 << 16


class Completeness:
    """Follows the bytes of a video from the first on, without decoding anything."""

    def __init__(self) -> None:
        self._rest, self._at = b"", 0
        self._steps: Steps | None = None
        self._want = _HEAD
        self._may_end = True

    @property
    def to_skip(self) -> int:
        """Bytes that need not be looked at."""
        return max(0, -self._want) if self._steps is not None else 0

    @property
    def cut_short(self) -> bool:
        """Whether the video would end in the middle of something, if it ended here."""
        if self._steps is None and self._want == _HEAD:  # shorter than what tells the format
            self._begin()
        return not self._may_end

    def skip(self, count: int) -> None:
        """Pass over bytes without looking at them, at most `to_skip`."""
        if count > 0:
            self._want += count
            self._may_end = False
            if self._want == 0:
                self._step(b"")
                self._advance()

    def feed(self, data: bytes) -> None:
        """The next bytes of the video."""
        if self._want == 0 and self._steps is None:
            return
        self._rest += data
        if self._steps is None and len(self._rest) >= self._want == _HEAD:
            self._begin()
        self._advance()
        self._rest, self._at = self._rest[self._at :], 0

    def _begin(self) -> None:
        parts = parts_of(self._rest)
        if parts is None:
            self._end()
            return
        self._steps = parts
        self._want = next(parts)
        self._advance()

    def _advance(self) -> None:
        """Take as many steps as the bytes allow."""
        while self._steps is not None:
            left = len(self._rest) - self._at
            if self._want == 0:
                self._may_end = left == 0
                self._step(b"")
                continue
            if left == 0:
                return
            self._may_end = False
            if self._want < 0:
                passed = min(-self._want, left)
                self._at, self._want = self._at + passed, self._want + passed
                if self._want < 0:
                    return
                self._step(b"")
            elif left < self._want:
                return
            else:
                part = self._rest[self._at : self._at + self._want]
                self._at += self._want
                self._step(part)

    def _step(self, part: bytes) -> None:
        assert self._steps is not None
        try:
            self._want = self._steps.send(part)
        except StopIteration:
            self._end()

    def _end(self) -> None:
        """From here on everything is fine."""
        self._steps, self._want, self._may_end = None, 0, True
        self._rest, self._at = b"", 0


def file_cut_short(path: Path) -> bool:
    """Whether a video file ends in the middle of something.

    Raises:
        OSError: It cannot be read.
    """
    whole = Completeness()
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        while data := file.read(_CHUNK):
            whole.feed(data)
            if whole.to_skip:
                there = min(whole.to_skip, size - file.tell())
                file.seek(there, 1)
                whole.skip(there)
    return whole.cut_short
