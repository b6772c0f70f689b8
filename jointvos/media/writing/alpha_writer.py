"""The objects alone: videos and images with transparency."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av import VideoFrame
from av.video.codeccontext import VideoCodecContext

from jointvos.color import Values, codes_16, linear_light
from jointvos.errors import ConfigError, EncodeError, reason
from jointvos.files.exr import marked_exr
from jointvos.files.png import write_png
from jointvos.files.staged_folder import StagedFolder
from jointvos.masks.alpha import Alpha, cut_out, cut_out_16_bit, foreground
from jointvos.media.reading.containers import AV_ERRORS
from jointvos.media.writing.encoder import Pixels
from jointvos.media.writing.formats import ALPHA_FORMATS, VideoFormat
from jointvos.media.writing.video_writer import VideoSink
from jointvos.types import Frame, FrameResult, Hdr, VideoInfo

_TOLERANCE = 0.02
"""Mean difference of the alpha read back, 1 being opaque."""
_HALF_MAX = 65504
"""Of half floats."""

_WHY_NOT = {
    ".mp4": "H.264 in MP4 files holds no transparency, only a separate matte",
    ".m4v": "H.264 in MP4 files holds no transparency, only a separate matte",
    ".mkv": "few programs read transparency from Matroska files",
    ".avi": "AVI files hold no transparency that editors read",
    ".gif": "GIF cannot store soft edges",
    ".webp": "few editors open animated WebP",
}


ALPHA_IMAGES = ("png", "png16", "exr")
"""Kinds of images with transparency."""


class AlphaFolderSink(StagedFolder):
    """A folder with an image with transparency per frame, `<frame.name>.png` or `.exr`.

    PNG has RGBA of 8 or 16 bit and straight alpha. OpenEXR has linear light (Rec. 709, half floats)
    and is premultiplied, as compositing programs expect of it. With 16 bit and in OpenEXR, colors
    have the depth of the source.
    """

    def __init__(
        self,
        directory: Path,
        *,
        overwrite: bool = False,
        source: Path | None = None,
        format: str = "png",
        hdr: Hdr | None = None,
        pixel_aspect: Fraction = Fraction(1),
    ) -> None:
        """Check that the folder can be written; see `StagedSink`.

        Args:
            directory: Where the folder will stand.
            overwrite: Whether it may replace what is there.
            source: The input, which is never overwritten.
            format: One of `ALPHA_IMAGES`.
            hdr: How the source codes HDR, if it does.
            pixel_aspect: Width of a pixel divided by its height, which OpenEXR can tell.

        Raises:
            OutputError: It cannot be written there.
        """
        super().__init__(directory, overwrite=overwrite, source=source)
        self._format, self._hdr, self._pixel_aspect = format, hdr, pixel_aspect

    def _write(self, folder: Path, frame: Frame, result: FrameResult) -> None:
        alpha = foreground(result)
        if self._format == "exr":
            weight = alpha[..., None]
            pixels = np.dstack([linear_light(frame, self._hdr) * weight, weight])
            _write_exr(folder / f"{frame.name}.exr", pixels, self._pixel_aspect)
        else:
            deep = self._format == "png16"
            pixels = cut_out_16_bit(codes_16(frame), alpha) if deep else cut_out(frame.image, alpha)
            write_png(folder / f"{frame.name}.png", pixels, hdr=self._hdr if deep else None)


def _write_exr(path: Path, pixels: Values, pixel_aspect: Fraction) -> None:
    """Write linear light and alpha, float32 [H,W,4], premultiplied as the format has it.

    Raises:
        EncodeError: The file cannot be written.
    """
    height, width, _ = pixels.shape
    try:
        codec = av.CodecContext.create("exr", "w")
        assert isinstance(codec, VideoCodecContext)
        codec.width, codec.height, codec.pix_fmt = width, height, "gbrapf32le"
        codec.time_base, codec.sample_aspect_ratio = Fraction(1), pixel_aspect
        codec.options = {"format": "half", "compression": "zip16"}
        bounded = np.clip(pixels, -_HALF_MAX, _HALF_MAX).astype(np.float32)
        frame = VideoFrame.from_ndarray(np.ascontiguousarray(bounded), format="gbrapf32le")
        packets = [*codec.encode(frame), *codec.encode(None)]
        path.write_bytes(marked_exr(b"".join(bytes(packet) for packet in packets)))
    except AV_ERRORS as error:
        raise EncodeError(f"{path} cannot be written: {reason(error)}") from error


class AlphaVideoSink(VideoSink):
    """A video with straight alpha: ProRes 4444 in .mov, VP9 in .webm.

    When it is complete it is read back; without the alpha that was written it does not appear.
    """

    def __init__(
        self, path: Path, info: VideoInfo, *, overwrite: bool = False, sound: bool = True
    ) -> None:
        """Check that the video can be written; see `StagedSink`.

        Args:
            path: Where the video will stand; the suffix decides on the format.
            info: The source.
            overwrite: Whether it may replace what is there.
            sound: Whether the source's sound is copied.

        Raises:
            ConfigError: That kind of file has no transparency.
            OutputError: It cannot be written there.
        """
        format = _format(path)
        super().__init__(
            path, info, format, overwrite=overwrite, sound=sound, subtitles=True, hdr=True
        )
        self._deep = path.suffix.lower() == ".mov"
        self._first: Alpha | None = None
        self._count = 0

    @classmethod
    def _refuse_kind(cls, path: Path) -> None:
        _format(path)

    def _image(self, frame: Frame, result: FrameResult) -> Pixels:
        alpha = foreground(result)
        if self._first is None:
            self._first = alpha
        self._count += 1
        return cut_out_16_bit(codes_16(frame), alpha) if self._deep else cut_out(frame.image, alpha)

    def _complete(self) -> None:
        super()._complete()
        assert self._first is not None
        try:
            seen, count = _read_back(self._staging)
        except AV_ERRORS as error:
            raise EncodeError(f"{self.path} cannot be read back: {reason(error)}") from error
        if count != self._count:
            raise EncodeError(f"{self.path}: {count} of {self._count} frames were read back")
        if seen is None or np.abs(seen - self._first).mean() > _TOLERANCE:
            raise EncodeError(f"{self.path} came back without its transparency; discarded it")


def _format(path: Path) -> VideoFormat:
    suffix = path.suffix.lower()
    if suffix not in ALPHA_FORMATS:
        why = _WHY_NOT.get(suffix, f"{suffix or 'no suffix'} is no video with transparency")
        raise ConfigError(
            f"{path}: {why}; use .mov (ProRes 4444), .webm (VP9) or a folder of PNG files"
        )
    return ALPHA_FORMATS[suffix]


def _read_back(path: Path) -> tuple[Alpha | None, int]:
    """Alpha of the first frame, None if there is none, and the number of frames."""
    alpha: Alpha | None = None
    with av.open("file:" + str(path)) as video:
        stream = video.streams.video[0]
        decoder = stream.codec_context
        if decoder.name == "vp9":  # whose usual decoder drops the alpha
            decoder = av.CodecContext.create("libvpx-vp9", "r")
        assert isinstance(decoder, VideoCodecContext)
        count, images = 0, list[VideoFrame]()
        for packet in video.demux(stream):
            if not images:
                images = decoder.decode(packet if packet.size else None)
            count += bool(packet.size)
        if images and any(plane.is_alpha for plane in images[0].format.components):
            back = images[0].to_ndarray(format="rgba64le")
            alpha = back[..., 3].astype(np.float32) / np.float32(65535)
    return alpha, count
