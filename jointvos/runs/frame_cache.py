"""Decoded frames on disk, to be gone through backwards with bounded memory."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import av
import av.container
import numpy as np
from av import VideoFrame
from av.video.stream import VideoStream

from jointvos.errors import OutputError
from jointvos.media.reading.containers import AV_ERRORS, reason
from jointvos.types import Frame, Image

_NOTHING: Image = np.zeros((0, 0, 3), dtype=np.uint8)


@dataclass(frozen=True)
class _Chunk:
    path: Path
    frames: tuple[Frame, ...]  # without their pictures


class FrameCache:
    """Frames in order of time, kept exactly, in short films of which each fits into memory.

    The films are H.264 without loss in RGB, about a third of the decoded size; they are written
    about as fast as they are read. (Decoding the source again for every chunk would need no disk,
    but time that grows with the square of the length, for seeking is not exact in all films.)
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
        most = min(self._chunk_frames, max(1, self._chunk_bytes // max(1, frame.image.nbytes)))
        if len(self._waiting) >= most:
            self._store()

    def __iter__(self) -> Iterator[Frame]:
        """The frames, the first one first.

        Raises:
            OutputError: A film is damaged or gone.
        """
        for chunk in self._chunks:
            yield from self._read(chunk)
        yield from self._waiting

    def __reversed__(self) -> Iterator[Frame]:
        """The frames, the last one first.

        Raises:
            OutputError: A film is damaged or gone.
        """
        yield from reversed(self._waiting)
        for chunk in reversed(self._chunks):
            yield from reversed(list(self._read(chunk)))

    def _store(self) -> None:
        path = self._folder / f"frames-{len(self._chunks):05d}.mkv"
        try:
            with av.open("file:" + str(path), "w") as container:
                self._encode(container)
        except AV_ERRORS as error:
            raise self._failure(path, error) from error
        frames = tuple(replace(frame, image=_NOTHING) for frame in self._waiting)
        self._chunks.append(_Chunk(path, frames))
        self._waiting = []

    def _encode(self, container: av.container.OutputContainer) -> None:
        height, width = self._waiting[0].image.shape[:2]
        options = {"qp": "0", "preset": "ultrafast"}
        stream = container.add_stream("libx264rgb", rate=25, options=options)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = width, height, "rgb24"
        for frame in self._waiting:
            picture = VideoFrame.from_ndarray(np.require(frame.image, requirements="C"), "rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))

    def _read(self, chunk: _Chunk) -> Iterator[Frame]:
        count = 0
        try:
            with av.open("file:" + str(chunk.path)) as container:
                pictures = container.decode(video=0)
                for frame, picture in zip(chunk.frames, pictures, strict=False):
                    count += 1
                    image = np.asarray(picture.to_ndarray(format="rgb24"), dtype=np.uint8)
                    yield replace(frame, image=image)
        except AV_ERRORS as error:
            raise self._failure(chunk.path, error) from error
        if count != len(chunk.frames):
            raise OutputError(f"{chunk.path} is damaged: {count} of {len(chunk.frames)} frames")

    def _failure(self, path: Path, error: BaseException) -> OutputError:
        return OutputError(f"{path} (frames kept for going backwards): {reason(error)}")
