"""Probabilities as files, and every object cut out for itself."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import av
import av.container
import numpy as np
from av import VideoFrame
from av.video.stream import VideoStream

from jointvos.errors import ConfigError, EncodeError, reason
from jointvos.files.png import write_png
from jointvos.files.staged import StagedFile
from jointvos.files.staged_folder import StagedFolder
from jointvos.masks.alpha import cut_out, object_probabilities, to_8_bit, to_16_bit
from jointvos.media.reading.containers import AV_ERRORS
from jointvos.media.writing.formats import LOSSLESS_GRAY, MATTE_FORMATS
from jointvos.types import Frame, FrameResult, VideoInfo


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
            ConfigError: `bits` is neither.
            OutputError: It cannot be written there.
        """
        super().__init__(directory, overwrite=overwrite, source=source)
        self._bits = _checked(bits)

    @classmethod
    def check(
        cls, path: Path, *, overwrite: bool = False, source: Path | None = None, bits: int = 8
    ) -> None:
        """Refuse a folder as making the sink would; see `StagedSink.check`."""
        super().check(path, overwrite=overwrite, source=source)
        _checked(bits)

    def _write(self, folder: Path, frame: Frame, result: FrameResult) -> None:
        for state, alpha in zip(result.objects, object_probabilities(result), strict=True):
            gray = to_8_bit(alpha) if self._bits == 8 else to_16_bit(alpha)
            write_png(self._object_folder(state.id) / f"{frame.name}.png", gray)


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
            ConfigError: The suffix is not .mkv, or `bits` is neither 8 nor 16.
            OutputError: It cannot be written there.
        """
        super().__init__(path, overwrite=overwrite, source=info.path)
        self._info, self._bits, self._ids = info, _checked(bits), tuple(ids)
        self._container: av.container.OutputContainer | None = None
        self._streams: dict[int, VideoStream] = {}
        self._shift = 0

    @classmethod
    def check(
        cls, path: Path, *, overwrite: bool = False, source: Path | None = None, bits: int = 8
    ) -> None:
        """Refuse a destination as making the sink would; see `StagedSink.check`."""
        suffix = path.suffix.lower()
        if suffix != ".mkv":
            wanted = f"for a black-and-white video use `matte={str(path)!r}`"
            raise ConfigError(
                f"{path}: probabilities go to a folder of PNG files or a video ending in .mkv",
                hint=wanted if suffix in MATTE_FORMATS else "",
            )
        super().check(path, overwrite=overwrite, source=source)
        _checked(bits)

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
            for object_id in self._streams:
                values = alphas.get(object_id, nothing)
                image = (
                    VideoFrame.from_ndarray(to_8_bit(values), format="gray")
                    if self._bits == 8
                    else VideoFrame.from_ndarray(to_16_bit(values), format="gray16le")
                )
                image.pts, image.time_base = frame.pts - self._shift, self._info.time_base
                self._mux(self._streams[object_id], image)
        except AV_ERRORS as error:
            raise self._failure(error) from error

    def abort(self) -> None:
        """Leave nothing behind; does nothing after `commit`."""
        if self._container is not None:
            with suppress(*AV_ERRORS):  # a full disk: nobody wants the file any more
                self._container.close()
        self._staging.unlink(missing_ok=True)

    def _complete(self) -> None:
        assert self._container is not None
        try:
            for stream in self._streams.values():
                self._mux(stream, None)
            self._container.close()
        except AV_ERRORS as error:
            raise self._failure(error) from error

    def _open(self, first: Frame, ids: tuple[int, ...]) -> None:
        self._shift = first.pts if first.index > 0 or first.pts < 0 else 0
        self._container = av.open("file:" + str(self._staging), "w", format=LOSSLESS_GRAY.container)
        for object_id in ids:
            stream = self._container.add_stream(
                LOSSLESS_GRAY.codec,
                rate=self._info.frame_rate,
                options=dict(LOSSLESS_GRAY.options),
            )
            assert isinstance(stream, VideoStream)
            context = stream.codec_context
            context.width, context.height = self._info.width, self._info.height
            context.pix_fmt = "gray" if self._bits == 8 else "gray16le"
            context.time_base = stream.time_base = self._info.time_base
            stream.metadata["title"] = f"object {object_id}"
            self._streams[object_id] = stream

    def _mux(self, stream: VideoStream, image: VideoFrame | None) -> None:
        assert self._container is not None
        for packet in stream.encode(image):
            self._container.mux(packet)

    def _failure(self, error: BaseException) -> EncodeError:
        if isinstance(error, EncodeError):
            return error
        return EncodeError(f"{self.path}: cannot write the video: {reason(error)}")


class CropSink(StagedFolder):
    """A folder per object with `<frame.name>.png` where it is seen: cut out, straight alpha.

    A crop is the object's box and a margin for its soft edge; its place in the frame is noted in
    the file as an offset (oFFs), which image editors read.
    """

    margin = 8
    """Pixels around the box."""

    def _write(self, folder: Path, frame: Frame, result: FrameResult) -> None:
        for state, alpha in zip(result.objects, object_probabilities(result), strict=True):
            if state.box is None:
                continue
            x, y, width, height = state.box
            left, top = max(0, x - self.margin), max(0, y - self.margin)
            part = np.s_[top : y + height + self.margin, left : x + width + self.margin]
            path = self._object_folder(state.id) / f"{frame.name}.png"
            write_png(path, cut_out(frame.image[part], alpha[part]), (left, top))


def _checked(bits: int) -> int:
    if bits not in (8, 16):
        raise ConfigError(f"probabilities have 8 or 16 bits, not {bits}")
    return bits
