"""Films of the result: masks drawn over the pictures, new backgrounds, or the masks alone."""

from abc import abstractmethod
from dataclasses import replace
from pathlib import Path

from jointvos.files.staged import StagedFile
from jointvos.masks.alpha import Background, composite, foreground
from jointvos.masks.mask_file import as_grey
from jointvos.masks.overlay import colour_labels, draw_overlay
from jointvos.masks.palette import davis_colours, table_size
from jointvos.media.writing.encoder import Pixels, VideoEncoder
from jointvos.media.writing.formats import LOSSLESS_GREY, VideoFormat, choose_format
from jointvos.types import Frame, FrameResult, VideoInfo


class VideoSink(StagedFile):
    """A film whose pictures come from `_picture`."""

    def __init__(
        self,
        path: Path,
        info: VideoInfo,
        format: VideoFormat,
        *,
        overwrite: bool = False,
        sound: bool = False,
        subtitles: bool = False,
    ) -> None:
        """Check that the film can be written; see `StagedSink`.

        Args:
            path: Where the film will stand.
            info: The source.
            format: Container and codec.
            overwrite: Whether it may replace what is there.
            sound: Whether the source's sound is copied.
            subtitles: Whether its subtitles are copied.

        Raises:
            OutputError: It cannot be written there.
        """
        super().__init__(path, overwrite=overwrite, source=info.path)
        self._encoder = VideoEncoder(
            self._staging, path, info, format, sound=sound, subtitles=subtitles
        )

    def write(self, frame: Frame, result: FrameResult) -> None:
        """Add one frame.

        Raises:
            EncodeError: The encoder or the disk refuses.
        """
        self._wrote = True
        self._encoder.write(self._picture(frame, result), frame)

    def abort(self) -> None:
        """Leave nothing behind; does nothing after `commit`."""
        self._encoder.abort()
        self._staging.unlink(missing_ok=True)

    def _complete(self) -> None:
        self._encoder.close()

    @abstractmethod
    def _picture(self, frame: Frame, result: FrameResult) -> Pixels: ...


class OverlaySink(VideoSink):
    """The film with its objects tinted and outlined, with its sound and subtitles.

    H.264 in .mp4, .m4v, .mov and .mkv, VP9 in .webm. Size, times and shape of pixels are the
    source's, but WebM keeps no shape; an odd size is kept by coding full chroma. If frames at
    the start were left out, the film starts at 0.
    """

    def __init__(
        self,
        path: Path,
        info: VideoInfo,
        *,
        overwrite: bool = False,
        alpha: float = 0.45,
        sound: bool = True,
        encoder: str | None = None,
        crf: int | None = None,
    ) -> None:
        """Check that the film can be written; see `StagedSink`.

        Args:
            path: Where the film will stand; the suffix decides on the format.
            info: The source.
            overwrite: Whether it may replace what is there.
            alpha: Strength of the tint, 0 to 1.
            sound: Whether the source's sound is copied.
            encoder: One of `ENCODERS` instead of those above.
            crf: Quality, lower is better; the encoder's usual value by default.

        Raises:
            ConfigError: Suffix, encoder and quality do not fit or cannot be had.
            OutputError: It cannot be written there.
        """
        format = choose_format(path, encoder, crf, size=(info.width, info.height))
        super().__init__(path, info, format, overwrite=overwrite, sound=sound, subtitles=True)
        self._alpha = alpha

    @classmethod
    def check(
        cls,
        path: Path,
        *,
        overwrite: bool = False,
        source: Path | None = None,
        encoder: str | None = None,
        crf: int | None = None,
    ) -> None:
        """Refuse a destination, or an encoder, as making the sink would.

        Raises:
            ConfigError: Suffix, encoder and quality do not fit or cannot be had.
            OutputError: It cannot be written there.
        """
        choose_format(path, encoder, crf)
        super().check(path, overwrite=overwrite, source=source)

    def _picture(self, frame: Frame, result: FrameResult) -> Pixels:
        return draw_overlay(frame.image, result.labels, self._alpha)


class CompositeSink(VideoSink):
    """The film with its objects before another background, with its sound and subtitles."""

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
    ) -> None:
        """Check that the film can be written; see `OverlaySink`."""
        format = choose_format(path, encoder, crf, size=(info.width, info.height))
        super().__init__(path, info, format, overwrite=overwrite, sound=sound, subtitles=True)
        self._background = background

    def _picture(self, frame: Frame, result: FrameResult) -> Pixels:
        return draw_composite(frame, result, self._background)


class MaskVideoSink(VideoSink):
    """The masks as a film without sound.

    In .mkv it is lossless: FFV1, grey of 8 bit or, if wide, 16 bit; the grey value of a pixel is
    its id. In .mp4, .m4v, .mov and .webm it is a view in DAVIS colours, coded with loss.
    """

    def __init__(
        self, path: Path, info: VideoInfo, *, overwrite: bool = False, wide: bool = False
    ) -> None:
        """Check that the film can be written; see `OverlaySink`.

        Args:
            path: Where the film will stand; the suffix decides on the format.
            info: The source.
            overwrite: Whether it may replace what is there.
            wide: Whether ids above 254 are to come; without it they are refused in .mkv.

        Raises:
            ConfigError: The suffix is unknown.
            OutputError: It cannot be written there.
        """
        self._lossless, self._wide = path.suffix.lower() == ".mkv", wide
        format = choose_format(path)
        if self._lossless:
            format = replace(LOSSLESS_GREY, pixels="gray16le") if wide else LOSSLESS_GREY
        super().__init__(path, info, format, overwrite=overwrite)

    @classmethod
    def check(cls, path: Path, *, overwrite: bool = False, source: Path | None = None) -> None:
        """Refuse a destination as making the sink would; see `StagedSink.check`."""
        choose_format(path)
        super().check(path, overwrite=overwrite, source=source)

    def _picture(self, frame: Frame, result: FrameResult) -> Pixels:
        if self._lossless:
            return as_grey(result.labels, self._wide, self.path)
        return colour_labels(result.labels, davis_colours(table_size(result.labels)))


def draw_composite(frame: Frame, result: FrameResult, background: Background) -> Pixels:
    """The objects before another background, RGB uint8 [Hv,Wv,3].

    Raises:
        ConfigError: The result carries no probabilities.
    """
    soft = foreground(result)
    return composite(frame.image, soft, background(frame.image, soft))
