"""Frames that are nothing but the bytes of their pixels, as `ffmpeg -f rawvideo` sends them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import numpy as np

from jointvos.errors import ConfigError, MediaDecodeError, MediaOpenError, os_errors_as
from jointvos.frame_range import FrameRange
from jointvos.media.reading.containers import MAX_PIXELS
from jointvos.media.reading.streams import ByteStream
from jointvos.types import Frame, Image, VideoInfo

_SHAPE = re.compile(r"([0-9]+)x([0-9]+)@([0-9]+(?:\.[0-9]+)?(?:/[0-9]+)?)")


@dataclass(frozen=True)
class RawShape:
    """What raw frames do not say of themselves: columns, rows, frames per second."""

    width: int
    height: int
    rate: Fraction

    @classmethod
    def parse(cls, text: str) -> "RawShape":
        """Read "1920x1080@30000/1001".

        Raises:
            ConfigError: It has another form, or a number is out of range.
        """
        match = _SHAPE.fullmatch(text)
        if match is None:
            raise ConfigError(f"raw is {text!r}, expected WIDTHxHEIGHT@RATE as in 1920x1080@25")
        top, _, bottom = match[3].partition("/")
        width, height, below = int(match[1]), int(match[2]), int(bottom or 1)
        if not (0 < width * height <= MAX_PIXELS and below and 0 < Fraction(top) / below <= 1000):
            raise ConfigError(
                f"raw is {text!r}, expected 1 to {MAX_PIXELS} pixels and a rate up to 1000"
            )
        return cls(width, height, Fraction(top) / below)

    @property
    def bytes_per_frame(self) -> int:
        return 3 * self.width * self.height


class RawReader:
    """Raw frames, rgb24, from a file or a pipe; they can be read once.

    Attributes:
        info: What was said of them.
    """

    def __init__(
        self,
        path: Path,
        shape: RawShape,
        frames: FrameRange | None = None,
        stream: ByteStream | None = None,
    ) -> None:
        """Open the file.

        Args:
            path: The file, or what to call the stream.
            shape: Of every frame.
            frames: The part that is wanted.
            stream: What to read instead of a file.

        Raises:
            MediaOpenError: It is missing or unreadable.
        """
        self._shape, self._stream = shape, stream
        self._name = str(path) if stream is None else stream.name
        self._range = frames or FrameRange()
        self._used = False
        self._source: ByteStream | BinaryIO
        count = None
        if stream is None:
            with os_errors_as(MediaOpenError, str(path)):
                self._source = path.open("rb")
                count = path.stat().st_size // shape.bytes_per_frame
        else:
            self._source = stream
        self.info = VideoInfo(
            path=path,
            width=shape.width,
            height=shape.height,
            frame_rate=shape.rate,
            time_base=1 / shape.rate,
            frame_count=self._range.count(count, shape.rate),
        )

    def __enter__(self) -> "RawReader":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._source.close()

    def stop(self) -> None:
        """Let a thread that waits for the next frame wait no longer."""
        if self._stream is not None:
            self._stream.stop()

    def __iter__(self) -> Iterator[Frame]:
        """Read one frame after the other.

        Raises:
            MediaDecodeError: There is none, or the last one is not complete.
            MediaOpenError: They are read a second time.
            ConfigError: No frame lies in the range.
        """
        if self._used:
            raise MediaOpenError(f"{self._name} holds raw frames, which can be read only once")
        self._used = True
        index, nothing = 0, True
        while (image := self._next(index)) is not None:
            elapsed = index / self._shape.rate
            if self._range.ended(index, elapsed):
                break
            if self._range.started(index, elapsed):
                nothing = False
                yield Frame(index, index, float(elapsed), image, f"{index:05d}")
            index += 1
        if nothing:
            raise self._range.nothing_in(self._name, index if image is None else None)

    def _next(self, index: int) -> Image | None:
        wanted = self._shape.bytes_per_frame
        data = bytearray()
        with os_errors_as(MediaDecodeError, self._name):
            while len(data) < wanted and (more := self._source.read(wanted - len(data))):
                data += more
        if self._stream is not None:
            self._stream.check()
        if not data and index:
            return None
        if len(data) < wanted:
            shape = f"{self._shape.width}x{self._shape.height}"
            raise MediaDecodeError(
                f"{self._name}: read {index} frames of {shape}, then {len(data)} bytes where "
                f"{wanted} were expected; it is cut off, or the size is wrong"
            )
        return np.frombuffer(data, np.uint8).reshape(self._shape.height, self._shape.width, 3)
