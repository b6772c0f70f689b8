"""The objects in white on black: what editors take as a luma or track matte."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
from av import VideoFrame

from jointvos.errors import ConfigError
from jointvos.files.png import write_png
from jointvos.files.staged_folder import StagedFolder
from jointvos.masks.alpha import Alpha, matte, to_8_bit
from jointvos.media.writing.formats import MATTE_FORMATS, VideoFormat
from jointvos.media.writing.video_writer import VideoSink
from jointvos.types import Frame, FrameResult, VideoInfo

_log = logging.getLogger("jointvos.media")

Edges: TypeAlias = Literal["soft", "hard"]
LumaRange: TypeAlias = Literal["limited", "full"]


class MatteVideoSink(VideoSink):
    """A black-and-white video without sound.

    H.264 in .mp4 and .m4v, ProRes 422 HQ in .mov, lossless 10-bit FFV1 in .mkv.
    """

    def __init__(
        self,
        path: Path,
        info: VideoInfo,
        *,
        overwrite: bool = False,
        object_id: int | None = None,
        edges: Edges = "soft",
        luma_range: LumaRange = "limited",
    ) -> None:
        """Check that the video can be written; see `StagedSink`.

        Args:
            path: Where the video will stand; the suffix decides on the format.
            info: The source.
            overwrite: Whether it may replace what is there.
            object_id: The object that is white; all of them by default.
            edges: "soft", gray by the probability, or "hard", black and white only.
            luma_range: "limited" (black is 16 and white 235, or 64 and 940 of 10 bits), which
                editors expect, or "full".

        Raises:
            ConfigError: The suffix is unknown, or its codec has no full range.
            OutputError: It cannot be written there.
        """
        format = matte_format(path, luma_range)
        if format.codec == "libx264" and format.pixel_format(info.width, info.height) != "yuv420p":
            _log.warning(
                "%s: at the odd size of %dx%d few editors open H.264; they do open a .mov",
                *(path, info.width, info.height),
            )
        super().__init__(path, info, format, overwrite=overwrite)
        self._format, self._object_id, self._hard = format, object_id, edges == "hard"

    def _image(self, frame: Frame, result: FrameResult) -> VideoFrame:
        return _coded(matte(result, self._object_id, hard=self._hard), self._format)


class MatteFolderSink(StagedFolder):
    """A folder with `<frame.name>.png` per frame: the objects in white on black, 8-bit gray."""

    def __init__(
        self,
        directory: Path,
        *,
        overwrite: bool = False,
        source: Path | None = None,
        object_id: int | None = None,
        edges: Edges = "soft",
    ) -> None:
        """Check that the folder can be written; see `StagedFolder` and `MatteVideoSink`."""
        super().__init__(directory, overwrite=overwrite, source=source)
        self._object_id, self._hard = object_id, edges == "hard"

    def _write(self, folder: Path, frame: Frame, result: FrameResult) -> None:
        alpha = matte(result, self._object_id, hard=self._hard)
        write_png(folder / f"{frame.name}.png", to_8_bit(alpha))


def matte_format(path: Path, luma_range: LumaRange) -> VideoFormat:
    """The format of a matte.

    Raises:
        ConfigError: The suffix is unknown, or its codec has no full range.
    """
    suffix = path.suffix.lower()
    if suffix not in MATTE_FORMATS:
        raise ConfigError(
            f"{path}: a matte is a video ending in {', '.join(MATTE_FORMATS)}, or a folder of PNG "
            "files"
        )
    format = MATTE_FORMATS[suffix]
    if luma_range == "full" and format.codec == "prores_ks":
        raise ConfigError(
            f"{path}: ProRes has limited range, which editors expand to full black and white; for "
            "values in full range use .mp4 or .mkv"
        )
    return replace(format, full_range=luma_range == "full")


def _coded(alpha: Alpha, format: VideoFormat) -> VideoFrame:
    """The values as luma, without chroma.

    Not by swscale, which makes white 943 of 940 where it goes to 10 bits.
    """
    height, width = alpha.shape
    frame = VideoFrame(width, height, format.pixel_format(width, height))
    bits = frame.format.components[0].bits
    black, white = (0, 2**bits - 1) if format.full_range else (2 ** (bits - 4), 235 << (bits - 8))
    kind = np.uint8 if bits == 8 else np.uint16
    luma = np.rint(black + (white - black) * alpha).astype(kind)
    for plane, values in zip(frame.planes, (luma, 2 ** (bits - 1), 2 ** (bits - 1)), strict=True):
        # Rows are longer in memory than what is seen of them.
        rows = np.frombuffer(memoryview(plane), kind).reshape(plane.height, -1)
        rows[:, : plane.width] = values
    return frame
