"""Videos of the result: masks drawn over the images, new backgrounds, or the masks alone."""

import logging
from abc import abstractmethod
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from av import VideoFrame

from jointvos.color import codes_16
from jointvos.errors import ConfigError
from jointvos.files.staged import StagedFile
from jointvos.masks.alpha import Background, composite, foreground
from jointvos.masks.legend import Legend
from jointvos.masks.mask_file import as_gray
from jointvos.masks.overlay import color_labels, draw_overlay
from jointvos.masks.palette import davis_colors, table_size
from jointvos.media.writing.animation import AnimationEncoder
from jointvos.media.writing.encoder import Pixels, VideoEncoder
from jointvos.media.writing.formats import ANIMATIONS, LOSSLESS_GRAY, VideoFormat, choose_format
from jointvos.types import Frame, FrameResult, Image, VideoInfo

_log = logging.getLogger("jointvos.media")

PREVIEW_WIDTH = 480
"""Most columns of a GIF or WebP unless told."""
NARROWEST = 16


class VideoSink(StagedFile):
    """A video whose images come from `_image`."""

    def __init__(
        self,
        path: Path,
        info: VideoInfo,
        format: VideoFormat,
        *,
        overwrite: bool = False,
        sound: bool = False,
        subtitles: bool = False,
        hdr: bool = False,
        legend: Legend | None = None,
    ) -> None:
        """Check that the video can be written; see `StagedSink`.

        Args:
            path: Where the video will stand.
            info: The source; of another size if images are to be scaled, see `scaled`.
            format: Container and codec.
            overwrite: Whether it may replace what is there.
            sound: Whether the source's sound is copied.
            subtitles: Whether its subtitles are copied.
            hdr: Whether images are HDR if the source is and the format can hold it.
            legend: What is drawn into every image once it is scaled.

        Raises:
            OutputError: It cannot be written there.
        """
        super().__init__(path, overwrite=overwrite, source=info.path)
        info = info if hdr else replace(info, hdr=None)
        self._size = (info.width, info.height)
        self._legend = legend
        self._encoder: AnimationEncoder | VideoEncoder
        if path.suffix.lower() in ANIMATIONS:
            self._encoder = AnimationEncoder(self._staging, path, info, format)
        else:
            self._encoder = VideoEncoder(
                self._staging, path, info, format, sound=sound, subtitles=subtitles
            )

    def write(self, frame: Frame, result: FrameResult) -> None:
        """Add one frame.

        Raises:
            EncodeError: The encoder or the disk refuses.
        """
        self._wrote = True
        image = self._image(frame, result)
        if isinstance(image, np.ndarray) and image.shape[1::-1] != self._size:
            image = cv2.resize(image, self._size, interpolation=cv2.INTER_AREA).astype(image.dtype)
        if self._legend is not None and isinstance(image, np.ndarray):
            self._legend.draw(image, result.labels)
        self._encoder.write(image, frame)

    def _let_go(self) -> None:
        self._encoder.abort()

    def _complete(self) -> None:
        self._encoder.close()

    @abstractmethod
    def _image(self, frame: Frame, result: FrameResult) -> Pixels | VideoFrame: ...


class OverlaySink(VideoSink):
    """The video with its objects tinted and outlined, with its sound and subtitles.

    H.264 in .mp4, .m4v, .mov and .mkv, VP9 in .webm; .gif and animated .webp are silent previews of
    at most 480 columns and 50 frames per second. HDR stays HDR with the encoders h265, av1 and
    prores, if frames carry it, and is SDR with others. Else size, times and shape of pixels are the
    source's, but WebM keeps no shape; an odd size is kept by coding full chroma. If frames at
    the start were left out, the video starts at 0.
    """

    def __init__(
        self,
        path: Path,
        info: VideoInfo,
        *,
        overwrite: bool = False,
        sound: bool = True,
        encoder: str | None = None,
        crf: int | None = None,
        max_width: int | None = None,
        legend: Legend | None = None,
    ) -> None:
        """Check that the video can be written; see `StagedSink`.

        Args:
            path: Where the video will stand; the suffix decides on the format.
            info: The source.
            overwrite: Whether it may replace what is there.
            sound: Whether the source's sound is copied.
            encoder: One of `ENCODERS` instead of those above.
            crf: Quality, lower is better; the encoder's usual value by default.
            max_width: Most columns; wider videos are scaled down.
            legend: Names of the objects, drawn into a corner.

        Raises:
            ConfigError: Suffix, encoder and quality do not fit or cannot be had.
            OutputError: It cannot be written there.
        """
        info = scaled(info, path, max_width)
        size, hdr = (info.width, info.height), info.hdr is not None
        format = choose_format(path, encoder, crf, size=size, hdr=hdr)
        if hdr and not format.deep:
            _log.warning(
                "%s will be SDR, as it has 8 bits; `encoder='h265'`, `encoder='av1'` or "
                "`encoder='prores'` keep HDR",
                path,
            )
        super().__init__(
            *(path, info, format),
            overwrite=overwrite,
            sound=sound,
            subtitles=True,
            hdr=True,
            legend=legend,
        )
        self._deep, self._hdr = format.deep, info.hdr

    def _image(self, frame: Frame, result: FrameResult) -> Pixels:
        if not self._deep or frame.deep is None:
            return overlay_of(frame, result)
        return draw_overlay(codes_16(frame), result.labels, hdr=self._hdr)


class CompositeSink(VideoSink):
    """The video with its objects before another background, with its sound and subtitles."""

    def __init__(
        self,
        path: Path,
        info: VideoInfo,
        background: Background,
        *,
        overwrite: bool = False,
        sound: bool = True,
        encoder: str | None = None,
        crf: int | None = None,
        max_width: int | None = None,
    ) -> None:
        """Check that the video can be written; see `OverlaySink`."""
        info = scaled(info, path, max_width)
        format = choose_format(path, encoder, crf, size=(info.width, info.height))
        if info.hdr is not None:
            _log.warning("%s will be SDR, as other backgrounds are", path)
        super().__init__(path, info, format, overwrite=overwrite, sound=sound, subtitles=True)
        self._background = background

    def _image(self, frame: Frame, result: FrameResult) -> Pixels:
        return draw_composite(frame, result, self._background)


class MaskVideoSink(VideoSink):
    """The masks as a video without sound.

    In .mkv it is lossless: FFV1, gray of 8 bit or, if wide, 16 bit; the gray value of a pixel is
    its ID. In .mp4, .m4v, .mov, .webm, .gif and .webp it is a view in DAVIS colors, coded with
    loss.
    """

    def __init__(
        self,
        path: Path,
        info: VideoInfo,
        *,
        overwrite: bool = False,
        wide: bool = False,
        max_width: int | None = None,
    ) -> None:
        """Check that the video can be written; see `OverlaySink`.

        Args:
            path: Where the video will stand; the suffix decides on the format.
            info: The source.
            overwrite: Whether it may replace what is there.
            wide: Whether IDs above 254 are to come; without it they are refused in .mkv.
            max_width: Most columns of a view in colors; wider videos are scaled down.

        Raises:
            ConfigError: The suffix is unknown.
            OutputError: It cannot be written there.
        """
        self._lossless, self._wide = path.suffix.lower() == ".mkv", wide
        if self._lossless:
            format = replace(LOSSLESS_GRAY, pixels="gray16le") if wide else LOSSLESS_GRAY
        else:
            info, format = scaled(info, path, max_width), choose_format(path)
        super().__init__(path, info, format, overwrite=overwrite)

    @classmethod
    def _refuse_kind(cls, path: Path) -> None:
        choose_format(path)

    def _image(self, frame: Frame, result: FrameResult) -> Pixels:
        if self._lossless:
            return as_gray(result.labels, self._wide, self.path)
        return color_labels(result.labels, davis_colors(table_size(result.labels)))


def scaled(info: VideoInfo, path: Path, max_width: int | None) -> VideoInfo:
    """The source as it is shown in an output of at most so many columns.

    Without a limit, only GIF and WebP have one. They know square pixels only.

    Raises:
        ConfigError: The limit is below 16.
    """
    if max_width is not None and max_width < NARROWEST:
        raise ConfigError(f"max_width is {max_width}, expected at least {NARROWEST}")
    animated = path.suffix.lower() in ANIMATIONS
    pixel = info.sample_aspect_ratio if animated else Fraction(1)
    width = round(info.width * pixel)
    limit = max_width or (PREVIEW_WIDTH if animated else width)
    step = 1 if animated else 2  # halved chroma needs even sizes
    if width <= limit and pixel == 1:
        return info
    shown = min(width, limit // step * step)
    height = max(step, round(info.height * shown / width / step) * step)
    ratio = Fraction(1) if animated else info.sample_aspect_ratio
    return replace(info, width=shown, height=height, sample_aspect_ratio=ratio)


def overlay_of(frame: Frame, result: FrameResult) -> Image:
    """The image with its objects tinted and outlined, uint8 [Hv,Wv,3], the caller's own."""
    if result.overlay is not None:
        return result.overlay.copy()
    return draw_overlay(frame.image, result.labels)


def draw_composite(frame: Frame, result: FrameResult, background: Background) -> Pixels:
    """The objects before another background, RGB uint8 [Hv,Wv,3].

    Raises:
        ConfigError: The result carries no probabilities.
    """
    soft = foreground(result)
    return composite(frame.image, soft, background(frame.image, soft))
