"""Which codec goes into which file, and how it is set."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

import av.codec
import av.container
from av.video.stream import VideoStream

from jointvos.errors import ConfigError, reason
from jointvos.media.reading.containers import AV_ERRORS
from jointvos.media.writing.scheduling import scheduling_kept
from jointvos.types import VideoInfo

# SVT-AV1 greets on stderr unless told that only errors (1) matter.
os.environ.setdefault("SVT_LOG", "1")


@dataclass(frozen=True)
class VideoFormat:
    """A container with the codec that is used in it.

    Attributes:
        container: Name of the muxer.
        codec: Name of the encoder.
        options: Settings of the encoder.
        container_options: Settings of the muxer.
        pixels: Pixel format of the encoder; None for YUV with halved chroma where it can be.
        full_range: Whether YUV values use all numbers instead of 16 to 235.
    """

    container: str
    codec: str
    options: Mapping[str, str] = field(default_factory=dict)
    container_options: Mapping[str, str] = field(default_factory=dict)
    pixels: str | None = None
    full_range: bool = False

    @property
    def keeps_times(self) -> bool:
        """Whether frames may be unevenly spaced."""
        return self.container not in ("yuv4mpegpipe", "rawvideo")

    @property
    def keeps_shape(self) -> bool:
        """Whether pixels may be wider or narrower than high.

        The library tells it to the muxers of MP4 and QuickTime; in other containers only the
        header of H.264 and H.265 says it.
        """
        return self.container in ("mp4", "mov") or self.codec in _TELL_SHAPE

    @property
    def deep(self) -> bool:
        """Whether pixels have more than 8 bits, as HDR needs."""
        return self.pixels is not None and self.pixels.endswith("10le")

    def pixel_format(self, width: int, height: int) -> str:
        if self.pixels is not None:
            return self.pixels
        # These need even sides for halved chroma; full chroma keeps odd sizes as they are.
        odd = width % 2 or height % 2
        return "yuv444p" if odd and self.codec not in _ANY_SIZE else "yuv420p"


_TELL_SHAPE = ("libx264", "libx265", "h264_nvenc", "hevc_nvenc")
_ANY_SIZE = ("libvpx-vp9", "libsvtav1")
_H264 = {"crf": "18", "preset": "veryfast"}
_VP9 = {"crf": "26", "b": "0", "deadline": "good", "cpu-used": "5", "row-mt": "1"}
_PRORES = {"profile": "hq", "vendor": "apl0"}
_FRONT = {"movflags": "+faststart"}  # the index first, so that browsers can start at once
_MP4 = VideoFormat("mp4", "libx264", _H264, _FRONT)

VIDEO_FORMATS: Mapping[str, VideoFormat] = {
    ".mp4": _MP4,
    ".m4v": _MP4,
    ".mov": VideoFormat("mov", "libx264", _H264, _FRONT),
    ".mkv": VideoFormat("matroska", "libx264", _H264),
    ".webm": VideoFormat("webm", "libvpx-vp9", _VP9),
    ".gif": VideoFormat("gif", "gif", {}, {"loop": "0"}, "pal8"),
    ".webp": VideoFormat("webp", "libwebp_anim", {"quality": "85"}, {"loop": "0"}, "bgra"),
}
"""Formats for looking at, by suffix."""

ANIMATIONS = (".gif", ".webp")
"""Those for a short preview on a web page: silent, small, and repeated without end."""

LOSSLESS_GRAY = VideoFormat("matroska", "ffv1", {"level": "3"}, pixels="gray")
"""Gray values that come back exactly."""

ALPHA_FORMATS: Mapping[str, VideoFormat] = {
    ".mov": VideoFormat(
        "mov",
        "prores_ks",
        {"profile": "4444", "alpha_bits": "16", "vendor": "apl0"},
        _FRONT,
        "yuva444p10le",
    ),
    # In older builds alternate reference frames and alpha cannot be combined.
    ".webm": VideoFormat(
        "webm", "libvpx-vp9", {**_VP9, "crf": "20", "auto-alt-ref": "0"}, {}, "yuva420p"
    ),
}
"""Videos with transparency, by suffix."""

MATTE_FORMATS: Mapping[str, VideoFormat] = {
    # Edges in black and white ring at the usual quality; finer costs 1 kB per frame of 1280x720.
    ".mp4": replace(_MP4, options={**_H264, "crf": "2"}),
    ".m4v": replace(_MP4, options={**_H264, "crf": "2"}),
    ".mov": VideoFormat("mov", "prores_ks", _PRORES, _FRONT, "yuv422p10le"),
    ".mkv": VideoFormat("matroska", "ffv1", {"level": "3"}, pixels="yuv420p10le"),
}
"""Black-and-white videos, by suffix; with 10 bits where the codec has them."""

# A reader at the other end of a pipe gets every image as soon as it is there.
_AT_ONCE = {"flush_packets": "1"}

STREAM_FORMATS: Mapping[str, VideoFormat] = {
    "y4m": VideoFormat("yuv4mpegpipe", "wrapped_avframe", {}, _AT_ONCE),
    "nut": VideoFormat("nut", "rawvideo", {}, _AT_ONCE),
    "mkv": VideoFormat("matroska", "ffv1", {"level": "3"}, _AT_ONCE),
    "raw": VideoFormat("rawvideo", "rawvideo", {}, _AT_ONCE),
}
"""Lossless formats for a pipe, by name; y4m and raw know no times."""


@dataclass(frozen=True)
class _Encoder:
    codec: str
    options: Mapping[str, str]
    suffixes: tuple[str, ...]
    quality: str | None = "crf"  # the encoder's option for quality
    pixels: str | None = None
    highest: int = 51
    hdr: str | None = None  # pixels for HDR, None where it cannot be kept


_MP4S = (".mp4", ".m4v", ".mov", ".mkv")
_NVENC = {"preset": "p5", "rc": "vbr", "b": "0"}

ENCODERS: Mapping[str, _Encoder] = {
    "h264": _Encoder("libx264", _H264, _MP4S),
    "h265": _Encoder(
        "libx265",
        # With B frames, x265 gives videos of one or two frames random decoding times.
        {"crf": "20", "preset": "fast", "x265-params": "log-level=none:bframes=0"},
        _MP4S,
        hdr="yuv420p10le",
    ),
    "vp9": _Encoder("libvpx-vp9", _VP9, (".webm", ".mkv", ".mp4"), highest=63),
    "av1": _Encoder(
        "libsvtav1",
        {"crf": "30", "preset": "8"},
        (".mp4", ".mkv", ".webm"),
        pixels="yuv420p",
        highest=63,
        hdr="yuv420p10le",
    ),
    "prores": _Encoder(
        "prores_ks", _PRORES, (".mov", ".mkv"), None, "yuv422p10le", hdr="yuv422p10le"
    ),
    "ffv1": _Encoder("ffv1", {"level": "3"}, (".mkv",), None, "bgr0"),
    "h264_nvenc": _Encoder("h264_nvenc", {**_NVENC, "cq": "19"}, _MP4S, "cq"),
    "hevc_nvenc": _Encoder("hevc_nvenc", {**_NVENC, "cq": "21"}, _MP4S, "cq"),
}
"""Encoders that can be asked for by name."""


TRIAL_SIZE = (256, 256)
"""Columns and rows that every encoder takes."""


def video_stream(
    container: av.container.OutputContainer,
    format: VideoFormat,
    info: VideoInfo,
    pixels: str,
    time_base: Fraction,
) -> VideoStream:
    """Add a stream to a file, with size, rate and shape of a video, and times of that unit."""
    stream = container.add_stream(format.codec, rate=info.frame_rate, options=dict(format.options))
    assert isinstance(stream, VideoStream)
    context = stream.codec_context
    context.width, context.height, context.pix_fmt = info.width, info.height, pixels
    context.time_base = stream.time_base = time_base
    if info.sample_aspect_ratio != 1:
        context.sample_aspect_ratio = info.sample_aspect_ratio
    return stream


def keeps_depth(encoder: str) -> bool:
    """Whether one of `ENCODERS` can keep HDR."""
    return encoder in ENCODERS and ENCODERS[encoder].hdr is not None


def choose_format(
    path: Path,
    encoder: str | None = None,
    crf: int | None = None,
    *,
    size: tuple[int, int] = TRIAL_SIZE,
    hdr: bool = False,
) -> VideoFormat:
    """The format of a video for looking at; whether its encoder can be had is tried at once.

    Args:
        path: Where the video will stand; its suffix decides on the container.
        encoder: One of `ENCODERS`; the container's usual one by default.
        crf: Quality, lower is better; the encoder's usual value by default.
        size: Columns and rows that an encoder asked for is tried with.
        hdr: Whether HDR is to be kept, if the encoder can.

    Raises:
        ConfigError: Suffix, encoder and quality are unknown, do not fit, or cannot be had here.
    """
    usual = VIDEO_FORMATS.get(path.suffix.lower())
    if usual is None:
        raise ConfigError(
            f"{path}: videos can be written to files ending in {', '.join(VIDEO_FORMATS)}"
        )
    if encoder is None and crf is None:
        return usual
    if path.suffix.lower() in ANIMATIONS:
        raise ConfigError(
            f"{path}: encoder and crf cannot be chosen for {path.suffix} files; leave them out"
        )
    if encoder is None:
        encoder = next(name for name, kind in ENCODERS.items() if kind.codec == usual.codec)
    kind = ENCODERS.get(encoder)
    if kind is None:
        raise ConfigError(f"unknown encoder {encoder!r}; expected {', '.join(ENCODERS)}")
    if path.suffix.lower() not in kind.suffixes:
        raise ConfigError(
            f"{path}: {encoder} does not go into {path.suffix} files; "
            f"use one of {', '.join(kind.suffixes)}"
        )
    options = dict(kind.options)
    if crf is not None:
        if kind.quality is None:
            raise ConfigError(f"{encoder} has no crf; leave it out")
        if not 0 <= crf <= kind.highest:
            raise ConfigError(f"crf is {crf}, expected 0 to {kind.highest} for {encoder}")
        options[kind.quality] = str(crf)
    pixels = kind.hdr if hdr and kind.hdr is not None else kind.pixels
    odd = size[0] % 2 or size[1] % 2
    if pixels == "yuv420p10le" and odd and kind.codec not in _ANY_SIZE:
        pixels = "yuv444p10le"
    format = replace(usual, codec=kind.codec, options=options, pixels=pixels)
    _try(encoder, format, *size)
    return format


def _try(encoder: str, format: VideoFormat, width: int, height: int) -> None:
    """Open the encoder once, which tells whether its hardware is there."""
    try:
        context = av.codec.CodecContext.create(format.codec, "w")
        context.width, context.height = width, height  # type: ignore[attr-defined]
        context.pix_fmt = format.pixel_format(width, height)  # type: ignore[attr-defined]
        context.framerate = 25  # type: ignore[attr-defined]
        context.options = dict(format.options)
        with scheduling_kept():
            context.open()
    except AV_ERRORS as error:
        hint = "check the NVIDIA GPU and its driver" if "nvenc" in encoder else "choose another"
        raise ConfigError(
            f"the encoder {encoder} cannot be used here for {width}x{height} ({reason(error)}); "
            f"{hint}"
        ) from error
