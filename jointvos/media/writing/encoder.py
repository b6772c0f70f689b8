"""Coding images into a video with the times, shape, sound and tags of its source."""

import logging
from contextlib import suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeAlias

import av
import av.container
import numpy as np
from av import VideoFrame
from av.video.codeccontext import VideoCodecContext
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter
from numpy.typing import NDArray

from jointvos.errors import EncodeError, reason
from jointvos.media.reading.containers import AV_ERRORS
from jointvos.media.writing.formats import VideoFormat, video_stream
from jointvos.media.writing.mastering import with_mastering
from jointvos.media.writing.passthrough import Passthrough
from jointvos.media.writing.scheduling import scheduling_kept
from jointvos.media.writing.timecode import Timecode
from jointvos.types import Frame, VideoInfo

_log = logging.getLogger("jointvos.media")

STDOUT = Path("-")

# Numbers of H.273, the last two the same for matrix, primaries and transfer.
_RGB, _UNSPECIFIED = 0, 2
_BT709, _SMPTE170M = 1, 6
_BT2020, _PQ, _HLG = 9, 16, 18
_MATRICES = {
    _BT709: Colorspace.ITU709,
    5: Colorspace.SMPTE170M,
    _SMPTE170M: Colorspace.SMPTE170M,
    _BT2020: Colorspace.BT2020,
}
_USUAL_TRANSFER = {_BT2020: 14}  # else the same number
_UNKNOWN = (0, 2, 3)
_NOT_YUV = ("gray", "gray16le", "rgb24", "rgba", "bgr0", "bgra")
_IMAGES = {
    (np.uint8, 1): "gray",
    (np.uint16, 1): "gray16le",
    (np.uint8, 3): "rgb24",
    (np.uint16, 3): "rgb48le",
    (np.uint8, 4): "rgba",
    (np.uint16, 4): "rgba64le",
}

# Microseconds that the muxer waits for a subtitle before it writes the images it holds.
_SOON = {"max_interleave_delta": "1000000"}

Pixels: TypeAlias = NDArray[np.uint8 | np.uint16]
"""What is coded: RGB, RGBA or gray of 8 or 16 bit, [Hv,Wv,3], [Hv,Wv,4] or [Hv,Wv]."""


@dataclass(frozen=True)
class _Colors:
    """What the numbers of pixels mean, in those of H.273; without it players guess."""

    matrix: int
    primaries: int
    transfer: int
    range: ColorRange

    def tag(self, what: VideoCodecContext | VideoFrame) -> None:
        """Say so of a video or of a frame."""
        what.colorspace, what.color_primaries = self.matrix, self.primaries
        what.color_trc, what.color_range = self.transfer, self.range


class VideoEncoder:
    """One video being written; the file is made with the first image."""

    def __init__(
        self,
        path: Path,
        name: Path,
        info: VideoInfo,
        format: VideoFormat,
        *,
        sound: bool = False,
        subtitles: bool = False,
    ) -> None:
        """Remember what to do.

        Args:
            path: The file to make; "-" is stdout.
            name: What messages call it.
            info: The source: size, rate, time base and shape of pixels are taken from it.
            format: Container and codec.
            sound: Whether the sound of the source is copied.
            subtitles: Whether its subtitles are copied; title, date, chapters and so on always are.
        """
        self._path, self._name = path, name
        self._info, self._format = info, format
        self._with_sound, self._with_subtitles = sound and info.has_audio, subtitles
        self._container: av.container.OutputContainer | None = None
        self._passthrough: Passthrough | None = None
        self._reformatter = VideoReformatter()
        self._step = max(1, round(1 / (info.frame_rate * info.time_base)))
        self._shift = 0
        self._last = 0
        self._given = self._coded = 0

    def write(self, image: Pixels | VideoFrame, frame: Frame) -> None:
        """Encode an image, or what it is in the format's own pixels, at the time of a frame.

        Where the video starts is told by `VideoInfo.shift`.

        Raises:
            EncodeError: The encoder or the disk refuses.
            BrokenPipeError: The video goes to stdout, and nobody reads it any more.
        """
        try:
            if self._container is None:
                self._open(frame)
                with scheduling_kept():
                    self._stream.codec_context.open(strict=False)
            coded = self._convert(image)
            coded.pts, coded.time_base = frame.pts - self._shift, self._info.time_base
            coded.duration = self._step
            if not self._format.keeps_times:
                coded.pts, coded.time_base = self._given, 1 / self._info.frame_rate
                coded.duration = 1
            self._mux(coded)
            self._given += 1
            self._last = frame.pts
            if self._passthrough is not None:
                self._passthrough.copy_until(frame.pts * self._info.time_base)
        except AV_ERRORS as error:
            raise self._failure(error) from error

    def close(self) -> None:
        """Write what the encoder holds back, the rest of sound and subtitles, and the index.

        Raises:
            EncodeError: The encoder or the disk refuses, or a frame was lost.
            BrokenPipeError: The video goes to stdout, and nobody reads it any more.
        """
        if self._container is None:
            return
        try:
            self._mux(None)
            if self._passthrough is not None:
                self._passthrough.finish((self._last + self._step) * self._info.time_base)
                self._passthrough.close()
            self._container.close()
        except AV_ERRORS as error:
            raise self._failure(error) from error
        if self._coded != self._given:
            raise EncodeError(
                f"{self._name}: the encoder made {self._coded} of {self._given} frames"
            )

    def abort(self) -> None:
        """Let go of the file, whatever state it is in."""
        if self._passthrough is not None:
            self._passthrough.close()
        if self._container is not None:
            # The disk may be full, so that even closing fails; nobody wants the file any more.
            with suppress(*AV_ERRORS):
                self._container.close()

    def _open(self, first: Frame) -> None:
        info, format = self._info, self._format
        self._container = av.open(
            "pipe:1" if self._path == STDOUT else "file:" + str(self._path),
            "w",
            format=format.container,
            container_options={**format.container_options, **_SOON},
        )
        time_base = info.time_base if format.keeps_times else 1 / info.frame_rate
        pixels = format.pixel_format(info.width, info.height)
        with_options = replace(format, options=self._options())
        stream = video_stream(self._container, with_options, info, pixels, time_base)
        self._stream, context = stream, stream.codec_context
        if format.container in ("mp4", "mov") and format.codec in ("libx265", "hevc_nvenc"):
            context.codec_tag = "hvc1"  # without which Apple's players show nothing
        if pixels == "yuva420p":
            stream.metadata["alpha_mode"] = "1"
        warn_of_shape(self._name, info, format)
        self._colors = self._chosen_colors(pixels)
        self._colors.tag(context)
        self._shift = info.shift(first)
        if info.timecode is not None and (
            timecode := Timecode.parse(info.timecode, info.frame_rate)
        ):
            stream.metadata["timecode"] = str(timecode + first.index)
        # They are copied by reading the video once more, which a pipe does not allow.
        if self._with_sound and not info.path.is_file():
            _log.warning("%s: without audio, which cannot be copied from a pipe or URL", self._name)
        if info.is_video and info.path.is_file() and format.keeps_times:
            start = first.pts * info.time_base
            end = None
            if info.frame_count is not None:  # both are estimates, so there is a margin
                end = start + info.frame_count / info.frame_rate * Fraction(11, 10)
            shift = self._shift * info.time_base
            self._passthrough = Passthrough(
                info.path,
                self._container,
                stream,
                start=start,
                end=end,
                shift=shift,
                skipped=(first.pts - info.first_pts) * info.time_base,
                sound=self._with_sound,
                subtitles=self._with_subtitles,
            )

    def _options(self) -> dict[str, str]:
        """Settings of the encoder, with what HDR was mastered for."""
        format, mastering = self._format, self._info.mastering
        if not format.deep or self._info.hdr is None or mastering is None:
            return dict(format.options)
        options = with_mastering(format.codec, format.options, mastering)
        if options is None:
            _log.warning(
                "%s loses the mastering metadata of its HDR (display, light levels), which %s "
                "cannot store; `encoder='h265'` and `encoder='av1'` keep it in overlays",
                *(self._name, "ProRes" if format.codec == "prores_ks" else format.codec),
            )
            return dict(format.options)
        return options

    def _chosen_colors(self, pixels: str) -> "_Colors":
        """How `_convert` turns RGB into what is coded; as in the source if it can."""
        matrix, primaries, transfer = self._info.color_tags
        if self._format.deep and self._info.hdr is not None:
            curve = _PQ if self._info.hdr == "pq" else _HLG
            return _Colors(_BT2020, _BT2020, curve, ColorRange.MPEG)
        if pixels.startswith("gray"):  # IDs and probabilities have no color
            return _Colors(_UNSPECIFIED, _UNSPECIFIED, _UNSPECIFIED, ColorRange.JPEG)
        if pixels in _NOT_YUV:
            known = matrix in _MATRICES and transfer not in (_PQ, _HLG)  # it is HDR no longer
            rest = (primaries, transfer) if known else (_UNSPECIFIED, _UNSPECIFIED)
            return _Colors(_RGB, *rest, ColorRange.JPEG)
        if matrix not in _MATRICES or transfer in (_PQ, _HLG):  # images are never HDR here
            matrix = primaries = transfer = _BT709 if self._info.height >= 720 else _SMPTE170M
        return _Colors(
            matrix,
            matrix if primaries in _UNKNOWN else primaries,
            _USUAL_TRANSFER.get(matrix, matrix) if transfer in _UNKNOWN else transfer,
            ColorRange.JPEG if self._format.full_range else ColorRange.MPEG,
        )

    def _convert(self, image: Pixels | VideoFrame) -> VideoFrame:
        if isinstance(image, VideoFrame):
            self._colors.tag(image)
            return image
        known = _IMAGES[image.dtype.type, image.shape[2] if image.ndim == 3 else 1]
        values: NDArray[Any] = np.require(image, requirements="C")
        pixels = self._stream.codec_context.pix_fmt
        if pixels not in _NOT_YUV and values.dtype == np.uint16:
            values = _for_swscale(values)
        frame = VideoFrame.from_ndarray(values, format=known)
        if pixels not in _NOT_YUV:
            frame = self._reformatter.reformat(
                frame,
                format=pixels,
                dst_colorspace=_MATRICES[self._colors.matrix],
                dst_color_range=self._colors.range,
                threads=1,
            )
        elif pixels != known:
            frame = self._reformatter.reformat(frame, format=pixels, threads=1)
        # Some encoders, as that of ProRes, write into every image what its frame says.
        self._colors.tag(frame)
        return frame

    def _mux(self, image: VideoFrame | None) -> None:
        assert self._container is not None
        for packet in self._stream.encode(image):
            self._container.mux(packet)
            self._coded += 1

    def _failure(self, error: BaseException) -> BaseException:
        if isinstance(error, EncodeError):
            return error
        if isinstance(error, BrokenPipeError) and self._path == STDOUT:
            return BrokenPipeError(*error.args[:2])
        return EncodeError(f"{self._name}: cannot write the video: {reason(error)}")


def warn_of_shape(name: Path, info: VideoInfo, format: VideoFormat) -> None:
    """Tell if a video, so called, will be shown in another shape than its source."""
    if info.sample_aspect_ratio != 1 and not format.keeps_shape:
        _log.warning(
            "%s: the pixels of the source are %s times as wide as high, which this format "
            "does not keep; players will show the video too narrow or too wide",
            *(name, info.sample_aspect_ratio),
        )


def _for_swscale(codes: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """RGB or RGBA with 65280 for white, not 65535, which swscale would code as 943 of 940."""
    shown = codes - (codes >> 8)
    shown[..., 3:] = codes[..., 3:]
    return shown
