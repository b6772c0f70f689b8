"""Films of the result: masks drawn over the pictures, or the masks alone."""

from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from jointvos.errors import ConfigError
from jointvos.media.encoder import FILM_FORMATS, LOSSLESS_GREY, FilmEncoder, FilmFormat
from jointvos.media.overlay import colour_labels, draw_overlay
from jointvos.media.palette import DAVIS_PALETTE
from jointvos.media.sinks import StagedFile
from jointvos.types import Frame, FrameResult, VideoInfo


class _FilmSink(StagedFile):
    """A film whose pictures come from `_picture`."""

    _formats: Mapping[str, FilmFormat] = FILM_FORMATS

    def __init__(
        self, path: Path, info: VideoInfo, *, overwrite: bool = False, sound: bool = False
    ) -> None:
        format = self._formats.get(path.suffix.lower())
        if format is None:
            raise ConfigError(
                f"{path}: films can be written to files ending in {', '.join(self._formats)}"
            )
        super().__init__(path, overwrite=overwrite, source=info.path)
        self._encoder = FilmEncoder(self._staging, path, info, format, sound)

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
    def _picture(self, frame: Frame, result: FrameResult) -> NDArray[np.uint8]: ...


class OverlaySink(_FilmSink):
    """The film with its objects tinted and outlined, and with its sound.

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
    ) -> None:
        """Check that the film can be written; see `StagedSink`.

        Args:
            path: Where the film will stand; the suffix decides on the format.
            info: The source.
            overwrite: Whether it may replace what is there.
            alpha: Strength of the tint, 0 to 1.
            sound: Whether the source's sound is copied.

        Raises:
            ConfigError: The suffix is none of those above.
            OutputError: It cannot be written there.
        """
        super().__init__(path, info, overwrite=overwrite, sound=sound)
        self._alpha = alpha

    def _picture(self, frame: Frame, result: FrameResult) -> NDArray[np.uint8]:
        return draw_overlay(frame.image, result.labels, self._alpha)


class MaskVideoSink(_FilmSink):
    """The masks as a film without sound.

    In .mkv it is lossless: FFV1, 8 bit grey, the grey value of a pixel is its id. In .mp4, .m4v,
    .mov and .webm it is a view in DAVIS colours, coded with loss.
    """

    _formats: Mapping[str, FilmFormat] = {**FILM_FORMATS, ".mkv": LOSSLESS_GREY}

    def __init__(self, path: Path, info: VideoInfo, *, overwrite: bool = False) -> None:
        """Check that the film can be written; see `OverlaySink`."""
        super().__init__(path, info, overwrite=overwrite)
        self._lossless = self._formats[path.suffix.lower()] is LOSSLESS_GREY

    def _picture(self, frame: Frame, result: FrameResult) -> NDArray[np.uint8]:
        return result.labels if self._lossless else colour_labels(result.labels, DAVIS_PALETTE)
