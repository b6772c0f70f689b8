"""Coding pictures into a film with the times, shape and sound of its source."""

import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import av
import av.container
import numpy as np
from av import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from jointvos.errors import EncodeError
from jointvos.media.containers import AV_ERRORS, reason
from jointvos.media.sound import SoundCopy
from jointvos.types import Frame, VideoInfo

_log = logging.getLogger("jointvos.media")


@dataclass(frozen=True)
class FilmFormat:
    """A container with the codec that is used in it."""

    container: str
    codec: str
    options: Mapping[str, str]
    container_options: Mapping[str, str] = field(default_factory=dict)

    def pixel_format(self, width: int, height: int) -> str:
        if self.codec == "ffv1":
            return "gray"
        # H.264 with halved chroma needs even sides; full chroma keeps odd sizes as they are.
        odd = width % 2 or height % 2
        return "yuv444p" if self.codec == "libx264" and odd else "yuv420p"


_BT709, _SMPTE170M = 1, 6  # numbers of H.273, the same for matrix, primaries and transfer
_MATRICES = {_BT709: Colorspace.ITU709, 5: Colorspace.SMPTE170M, _SMPTE170M: Colorspace.SMPTE170M}
_UNKNOWN = (0, 2, 3)

_H264 = {"crf": "18", "preset": "veryfast"}
_FRONT = {"movflags": "+faststart"}  # the index first, so that browsers can start at once
_MP4 = FilmFormat("mp4", "libx264", _H264, _FRONT)

FILM_FORMATS: Mapping[str, FilmFormat] = {
    ".mp4": _MP4,
    ".m4v": _MP4,
    ".mov": FilmFormat("mov", "libx264", _H264, _FRONT),
    ".mkv": FilmFormat("matroska", "libx264", _H264),
    ".webm": FilmFormat(
        "webm",
        "libvpx-vp9",
        {"crf": "26", "b": "0", "deadline": "good", "cpu-used": "5", "row-mt": "1"},
    ),
}
"""Formats for looking at, by suffix."""

LOSSLESS_GREY = FilmFormat("matroska", "ffv1", {"level": "3"})
"""Grey values that come back exactly."""


class FilmEncoder:
    """One film being written; the file is made with the first picture."""

    def __init__(
        self, path: Path, name: Path, info: VideoInfo, format: FilmFormat, sound: bool
    ) -> None:
        """Remember what to do.

        Args:
            path: The file to make.
            name: What messages call it.
            info: The source: size, rate, time base and shape of pixels are taken from it.
            format: Container and codec.
            sound: Whether the sound of the source is copied.
        """
        self._path, self._name = path, name
        self._info, self._format = info, format
        self._with_sound = sound and info.has_audio
        self._container: av.container.OutputContainer | None = None
        self._sound: SoundCopy | None = None
        self._reformatter = VideoReformatter()
        self._step = max(1, round(1 / (info.frame_rate * info.time_base)))
        self._shift = 0
        self._last = 0

    def write(self, picture: NDArray[np.uint8], frame: Frame) -> None:
        """Encode RGB [Hv,Wv,3] or grey [Hv,Wv] at the time of a frame.

        If the first frame is not the source's first, or before 0, the film starts at 0.

        Raises:
            EncodeError: The encoder or the disk refuses.
        """
        try:
            if self._container is None:
                self._open(frame)
            coded = self._convert(picture)
            coded.pts, coded.time_base = frame.pts - self._shift, self._info.time_base
            coded.duration = self._step
            self._mux(coded)
            self._last = frame.pts
            if self._sound is not None:
                self._sound.copy_until(frame.pts * self._info.time_base)
        except AV_ERRORS as error:
            raise self._failure(error) from error

    def close(self) -> None:
        """Write what the encoder holds back, the rest of the sound and the index.

        Raises:
            EncodeError: The encoder or the disk refuses.
        """
        if self._container is None:
            return
        try:
            self._mux(None)
            if self._sound is not None:
                self._sound.finish((self._last + self._step) * self._info.time_base)
                self._sound.close()
            self._container.close()
        except AV_ERRORS as error:
            raise self._failure(error) from error

    def abort(self) -> None:
        """Let go of the file, whatever state it is in."""
        if self._sound is not None:
            self._sound.close()
        if self._container is not None:
            # The disk may be full, so that even closing fails; nobody wants the file any more.
            with suppress(*AV_ERRORS):
                self._container.close()

    def _open(self, first: Frame) -> None:
        info, format = self._info, self._format
        self._container = av.open(
            "file:" + str(self._path),
            "w",
            format=format.container,
            container_options=dict(format.container_options),
        )
        stream = self._container.add_stream(
            format.codec, rate=info.frame_rate, options=dict(format.options)
        )
        assert isinstance(stream, VideoStream)
        self._stream = stream
        context = self._stream.codec_context
        context.width, context.height = info.width, info.height
        context.pix_fmt = format.pixel_format(info.width, info.height)
        context.time_base = self._stream.time_base = info.time_base
        if info.sample_aspect_ratio != 1:
            context.sample_aspect_ratio = info.sample_aspect_ratio
            if format.codec != "libx264":  # only its own header can say it
                _log.warning(
                    "%s: the pixels of the source are %s times as wide as high, which this format "
                    "does not keep; players will show the film too narrow or too wide",
                    *(self._name, info.sample_aspect_ratio),
                )
        if context.pix_fmt == "gray":
            context.color_range = ColorRange.JPEG
        else:
            self._tag_colours()
        self._shift = first.pts if first.index > 0 or first.pts < 0 else 0
        if self._with_sound:
            start = first.pts * info.time_base
            self._sound = SoundCopy(info.path, self._container, start, self._shift * info.time_base)

    def _tag_colours(self) -> None:
        """Say how `_convert` turns RGB into YUV, else players guess; as in the source if it can."""
        matrix, primaries, transfer = self._info.colour_tags
        if matrix not in _MATRICES:
            matrix = primaries = transfer = _BT709 if self._info.height >= 720 else _SMPTE170M
        context = self._stream.codec_context
        context.color_range = ColorRange.MPEG
        context.colorspace = matrix
        context.color_primaries = matrix if primaries in _UNKNOWN else primaries
        context.color_trc = matrix if transfer in _UNKNOWN else transfer
        self._matrix = _MATRICES[matrix]

    def _convert(self, picture: NDArray[np.uint8]) -> VideoFrame:
        if picture.ndim == 2:
            return VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="gray")
        return self._reformatter.reformat(
            VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24"),
            format=self._stream.codec_context.pix_fmt,
            dst_colorspace=self._matrix,
            dst_color_range=ColorRange.MPEG,
            threads=1,
        )

    def _mux(self, picture: VideoFrame | None) -> None:
        assert self._container is not None
        for packet in self._stream.encode(picture):
            self._container.mux(packet)

    def _failure(self, error: BaseException) -> EncodeError:
        if isinstance(error, EncodeError):
            return error
        return EncodeError(f"{self._name}: writing the film failed: {reason(error)}")
