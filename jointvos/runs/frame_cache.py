"""Decoded frames on disk, to be gone through backwards with bounded memory."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import av
import numpy as np
from av import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from jointvos.errors import OutputError, reason
from jointvos.media.reading.containers import AV_ERRORS
from jointvos.types import DeepImage, Frame, Image

_FAST = {"qp": "0", "preset": "ultrafast"}
_NOTHING: Image = np.zeros((0, 0, 3), dtype=np.uint8)


@dataclass(frozen=True)
class _Chunk:
    path: Path
    frames: tuple[Frame, ...]  # without their images
    deep: Path | None  # where their codes of 16 bit are


class FrameCache:
    """Frames in order of time, kept exactly, in short videos of which each fits into memory.

    The videos are H.264 without loss in RGB, about a third of the decoded size; they are written
    about as fast as they are read. Codes of 16 bit have FFV1 videos of their own. (Decoding the
    source again for every chunk would need no disk, but time that grows with the square of the
    length, for seeking is not exact in all videos.)
    """

    def __init__(
        self, folder: Path, *, chunk_frames: int = 48, chunk_bytes: int = 96 * 2**20
    ) -> None:
        """Write into a folder that exists and that the caller removes.

        Args:
            folder: Where the chunks go.
            chunk_frames: Frames per chunk, at most.
            chunk_bytes: Of the decoded images of a chunk, which going backwards holds in memory.
        """
        self._folder = folder
        self._chunk_frames, self._chunk_bytes = chunk_frames, chunk_bytes
        self._chunks: list[_Chunk] = []
        self._waiting: list[Frame] = []

    def __len__(self) -> int:
        """Number of frames."""
        return sum(len(chunk.frames) for chunk in self._chunks) + len(self._waiting)

    def append(self, frame: Frame) -> None:
        """Add the next frame; all have one size.

        Raises:
            OutputError: The disk refuses.
        """
        self._waiting.append(frame)
        size = frame.image.nbytes * (1 if frame.deep is None else 3)
        most = min(self._chunk_frames, max(1, self._chunk_bytes // max(1, size)))
        if len(self._waiting) >= most:
            self._store()

    def __iter__(self) -> Iterator[Frame]:
        """The frames, the first one first.

        Raises:
            OutputError: A video is damaged or gone.
        """
        for chunk in self._chunks:
            yield from self._read(chunk)
        yield from self._waiting

    def __reversed__(self) -> Iterator[Frame]:
        """The frames, the last one first.

        Raises:
            OutputError: A video is damaged or gone.
        """
        yield from reversed(self._waiting)
        for chunk in reversed(self._chunks):
            yield from reversed(list(self._read(chunk)))

    def _store(self) -> None:
        path = self._folder / f"frames-{len(self._chunks):05d}.mkv"
        frames, deep = self._waiting, None
        self._encode(path, "libx264rgb", _FAST, "rgb24", (frame.image for frame in frames))
        # Linear light stays in the files that it can be read from again.
        if frames[0].deep is not None and frames[0].deep().dtype == np.uint16:
            deep = path.with_suffix(".deep.mkv")
            codes = (frame.deep() for frame in frames if frame.deep is not None)
            self._encode(deep, "ffv1", {"level": "3"}, "gbrp16le", codes)
            frames = [replace(frame, deep=None) for frame in frames]
        frames = [replace(frame, image=_NOTHING) for frame in frames]
        self._chunks.append(_Chunk(path, tuple(frames), deep))
        self._waiting = []

    def _encode(
        self,
        path: Path,
        codec: str,
        options: dict[str, str],
        pixels: str,
        images: Iterable[DeepImage | Image],
    ) -> None:
        height, width = self._waiting[0].image.shape[:2]
        try:
            with av.open("file:" + str(path), "w") as container:
                stream = container.add_stream(codec, rate=25, options=options)
                assert isinstance(stream, VideoStream)
                stream.width, stream.height, stream.pix_fmt = width, height, pixels
                for image in images:
                    values: NDArray[Any] = np.require(image, requirements="C")
                    container.mux(stream.encode(VideoFrame.from_ndarray(values, pixels)))
                container.mux(stream.encode(None))
        except AV_ERRORS as error:
            raise self._failure(path, error) from error

    def _read(self, chunk: _Chunk) -> Iterator[Frame]:
        images = self._decode(chunk.path, "rgb24", len(chunk.frames))
        if chunk.deep is None:
            for frame, image in zip(chunk.frames, images, strict=True):
                yield replace(frame, image=image)
            return
        codes = self._decode(chunk.deep, "gbrp16le", len(chunk.frames))
        for frame, image, deep in zip(chunk.frames, images, codes, strict=True):
            yield replace(frame, image=image, deep=partial(np.asarray, deep))

    def _decode(self, path: Path, pixels: str, wanted: int) -> Iterator[NDArray[Any]]:
        count = 0
        try:
            with av.open("file:" + str(path)) as container:
                for picture in container.decode(video=0):
                    count += 1
                    yield picture.to_ndarray(format=pixels)
        except AV_ERRORS as error:
            raise self._failure(path, error) from error
        if count != wanted:
            raise OutputError(f"{path} is damaged: {count} of {wanted} frames")

    def _failure(self, path: Path, error: BaseException) -> OutputError:
        return OutputError(f"{path} (frames kept for going backwards): {reason(error)}")
