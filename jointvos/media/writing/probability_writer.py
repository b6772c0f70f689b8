"""Probabilities as files, and every object cut out for itself."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import av
import av.container
import cv2
import numpy as np
from av import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from jointvos.errors import ConfigError, EncodeError, reason
from jointvos.files.png import write_png
from jointvos.files.staged import StagedFile
from jointvos.files.staged_folder import StagedFolder
from jointvos.masks.alpha import Alpha, cut_out, object_probabilities, to_8_bit, to_16_bit
from jointvos.media.reading.containers import AV_ERRORS
from jointvos.media.writing.encoder import warn_of_shape
from jointvos.media.writing.formats import LOSSLESS_GRAY, MATTE_FORMATS, video_stream
from jointvos.types import Frame, FrameResult, VideoInfo

_MARGIN = 8
"""Least pixels around the box of an object that is cut out."""


class ProbabilityFolderSink(StagedFolder):
    """A folder per object with `<frame.name>.png` per frame: its probability as gray values."""

    def __init__(
        self,
        directory: Path,
        *,
        overwrite: bool = False,
        source: Path | None = None,
        bits: int = 8,
    ) -> None:
        """Check that the folder can be written; see `StagedSink`.

        Args:
            directory: Where the folder will stand.
            overwrite: Whether it may replace what is there.
            source: The input, which is never overwritten.
            bits: 8 (1 is 255) or 16 (1 is 65535).

        Raises:
            OutputError: It cannot be written there.
        """
        super().__init__(directory, overwrite=overwrite, source=source)
        self._bits = bits

    def _write(self, folder: Path, frame: Frame, result: FrameResult) -> None:
        for state, alpha in zip(result.objects, object_probabilities(result), strict=True):
            path = self._object_folder(state.id) / f"{frame.name}.png"
            write_png(path, _gray(alpha, self._bits))


class ProbabilityVideoSink(StagedFile):
    """A lossless video (.mkv, FFV1) with a gray stream per object: its probability.

    The streams have the titles "object 1", "object 2" and so on, by ID.
    """

    def __init__(
        self,
        path: Path,
        info: VideoInfo,
        *,
        overwrite: bool = False,
        bits: int = 8,
        ids: Sequence[int] = (),
    ) -> None:
        """Check that the video can be written; see `ProbabilityFolderSink`.

        Args:
            path: Where the video will stand.
            info: The source.
            overwrite: Whether it may replace what is there.
            bits: 8 or 16.
            ids: The objects that are going to appear, for all streams begin with the first
                frame; those in the first frame if not given.

        Raises:
            ConfigError: The suffix is not .mkv.
            OutputError: It cannot be written there.
        """
        super().__init__(path, overwrite=overwrite, source=info.path)
        self._info, self._bits, self._ids = info, bits, tuple(ids)
        self._pixels = "gray" if bits == 8 else "gray16le"
        self._container: av.container.OutputContainer | None = None
        self._streams: dict[int, VideoStream] = {}
        self._shift = 0

    @classmethod
    def _refuse_kind(cls, path: Path) -> None:
        suffix = path.suffix.lower()
        if suffix != ".mkv":
            wanted = f"for a black-and-white video use `matte={str(path)!r}`"
            raise ConfigError(
                f"{path}: probabilities go to a folder of PNG files or a video ending in .mkv",
                hint=wanted if suffix in MATTE_FORMATS else "",
            )

    def write(self, frame: Frame, result: FrameResult) -> None:
        """Add one frame.

        Raises:
            EncodeError: The disk refuses, or there is an object that was not to be expected.
        """
        alphas = {
            state.id: values
            for state, values in zip(result.objects, object_probabilities(result), strict=True)
        }
        nothing = np.zeros(result.labels.shape, dtype=np.float32)
        self._wrote = True
        try:
            if self._container is None:
                self._open(frame, self._ids or tuple(alphas))
            if unexpected := sorted(alphas.keys() - self._streams.keys()):
                raise EncodeError(
                    f"{self.path}: object {unexpected[0]} appears later than the first frame, "
                    "where all streams of a video begin; write the probabilities to a folder"
                )
            assert self._container is not None
            for object_id, stream in self._streams.items():
                gray = _gray(alphas.get(object_id, nothing), self._bits)
                image = VideoFrame.from_ndarray(gray, format=self._pixels)
                image.pts, image.time_base = frame.pts - self._shift, self._info.time_base
                self._container.mux(stream.encode(image))
        except AV_ERRORS as error:
            raise self._failure(error) from error

    def _let_go(self) -> None:
        if self._container is not None:
            with suppress(*AV_ERRORS):
                self._container.close()

    def _complete(self) -> None:
        assert self._container is not None
        try:
            for stream in self._streams.values():
                self._container.mux(stream.encode(None))
            self._container.close()
        except AV_ERRORS as error:
            raise self._failure(error) from error

    def _open(self, first: Frame, ids: tuple[int, ...]) -> None:
        warn_of_shape(self.path, self._info, LOSSLESS_GRAY)
        self._shift = self._info.shift(first)
        self._container = av.open("file:" + str(self._staging), "w", format=LOSSLESS_GRAY.container)
        for object_id in ids:
            stream = video_stream(
                *(self._container, LOSSLESS_GRAY, self._info, self._pixels, self._info.time_base)
            )
            stream.metadata["title"] = f"object {object_id}"
            self._streams[object_id] = stream

    def _failure(self, error: BaseException) -> EncodeError:
        if isinstance(error, EncodeError):
            return error
        return EncodeError(f"{self.path}: cannot write the video: {reason(error)}")


class CropSink(StagedFolder):
    """A folder per object with `<frame.name>.png` where it is seen: cut out, straight alpha.

    A crop is the object's box and 8 pixels around it, or more where its soft edge is wider; its
    place in the frame is noted in the file as an offset (oFFs), which image editors read.
    """

    def _write(self, folder: Path, frame: Frame, result: FrameResult) -> None:
        for state, alpha in zip(result.objects, object_probabilities(result), strict=True):
            if state.box is None:
                continue
            left, top, right, bottom = _surroundings(state.box, alpha)
            part = np.s_[top:bottom, left:right]
            path = self._object_folder(state.id) / f"{frame.name}.png"
            write_png(path, cut_out(frame.image[part], alpha[part]), (left, top))


def _surroundings(box: tuple[int, int, int, int], alpha: Alpha) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of a box (x, y, width, height) with all that fades out of it."""
    x, y, width, height = box
    _, parts, stats, _ = cv2.connectedComponentsWithStats((to_8_bit(alpha) > 0).astype(np.uint8))
    reached = np.zeros(len(stats), dtype=bool)
    reached[parts[y : y + height, x : x + width]] = True
    reached[0] = False  # what is not seen
    left, top, columns, rows = stats[reached, : cv2.CC_STAT_AREA].T
    return (
        int(max(0, left.min(initial=x - _MARGIN))),
        int(max(0, top.min(initial=y - _MARGIN))),
        int((left + columns).max(initial=x + width + _MARGIN)),
        int((top + rows).max(initial=y + height + _MARGIN)),
    )


def _gray(alpha: Alpha, bits: int) -> NDArray[np.uint8] | NDArray[np.uint16]:
    return to_8_bit(alpha) if bits == 8 else to_16_bit(alpha)
