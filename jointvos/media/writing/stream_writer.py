"""A video on stdout, for the next program in a pipe."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Literal, TypeAlias

from jointvos.errors import ConfigError, EncodeError
from jointvos.media.writing.encoder import STDOUT, Pixels, VideoEncoder
from jointvos.media.writing.formats import STREAM_FORMATS
from jointvos.types import Frame, FrameResult, VideoInfo

Kind: TypeAlias = Literal["rgb", "gray", "gray16", "rgba"]

_PIXELS: dict[tuple[str, Kind], str | None] = {
    ("y4m", "rgb"): None,
    ("y4m", "gray"): "gray",
    ("nut", "rgb"): "rgb24",
    ("nut", "gray"): "gray",
    ("nut", "gray16"): "gray16le",
    ("nut", "rgba"): "rgba",
    ("mkv", "rgb"): "bgr0",
    ("mkv", "gray"): "gray",
    ("mkv", "gray16"): "gray16le",
    ("mkv", "rgba"): "bgra",
    ("raw", "rgb"): "rgb24",
    ("raw", "gray"): "gray",
    ("raw", "gray16"): "gray16le",
    ("raw", "rgba"): "rgba",
}


class StreamSink:
    """Images that leave by stdout as soon as they are made.

    Attributes:
        path: "-", what stands for stdout.
    """

    path: Path = STDOUT

    def __init__(
        self,
        info: VideoInfo,
        image: Callable[[Frame, FrameResult], Pixels],
        *,
        kind: Kind,
        format: str = "nut",
        sound: bool = False,
    ) -> None:
        """Remember what to do; nothing is written before the first frame.

        Args:
            info: The source.
            image: What is shown of a frame.
            kind: What `image` returns: RGB, gray or RGBA, uint8, or gray of uint16.
            format: "y4m" (YUV, coded with a little loss), "nut" or "mkv" (exact, with times), or
                "raw" (exact, the bytes of the pixels and nothing else).
            sound: Whether the source's sound is copied, in nut and mkv.

        Raises:
            ConfigError: The format is unknown or holds no such images.
        """
        self.check(kind, format)
        chosen = replace(STREAM_FORMATS[format], pixels=_PIXELS[format, kind])
        with_sound = sound and format in ("nut", "mkv")
        self._encoder = VideoEncoder(STDOUT, Path("stdout"), info, chosen, sound=with_sound)
        self._image = image
        self._wrote = False

    @staticmethod
    def check(kind: Kind, format: str = "nut") -> None:
        """Refuse a format as making the sink would.

        Raises:
            ConfigError: The format is unknown or holds no such images.
        """
        if format not in STREAM_FORMATS:
            raise ConfigError(f"unknown format {format!r}; expected {', '.join(STREAM_FORMATS)}")
        if (format, kind) not in _PIXELS:
            what = "transparency" if kind == "rgba" else "IDs above 254"
            raise ConfigError(f"{format} holds no {what}; use nut, mkv or raw")

    def write(self, frame: Frame, result: FrameResult) -> None:
        """Send one frame.

        Raises:
            EncodeError: It cannot be coded or sent.
            BrokenPipeError: Nobody reads stdout any more.
        """
        self._wrote = True
        self._encoder.write(self._image(frame, result), frame)

    def close(self) -> None:
        """Send the rest.

        Raises:
            EncodeError: It cannot be sent, or not one frame was written.
            BrokenPipeError: Nobody reads stdout any more.
        """
        if not self._wrote:
            raise EncodeError("stdout: no frames to write")
        self._encoder.close()

    def commit(self) -> None:
        """What was sent cannot be taken back."""

    def abort(self) -> None:
        """Stop; the stream ends where it is."""
        self._encoder.abort()
