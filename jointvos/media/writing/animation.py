"""Coding images into a GIF or an animated WebP: previews for web pages and messages."""

import tempfile
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import IO, Any

import av
import av.container
import av.error
import numpy as np
from av import VideoFrame
from av.filter import Graph
from av.filter.context import FilterContext
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from jointvos.errors import EncodeError, reason
from jointvos.media.reading.containers import AV_ERRORS
from jointvos.media.writing.encoder import Pixels
from jointvos.media.writing.formats import STREAM_FORMATS, VideoFormat, video_stream
from jointvos.types import Frame, VideoInfo

_SHORTEST = Fraction(2, 100)
"""Seconds; browsers show a frame that is shorter for a tenth of a second."""

_TICK = Fraction(1, 1000)
_LOSSLESS, _EXACT = STREAM_FORMATS["mkv"], "bgr0"


class AnimationEncoder:
    """One animation being written; it repeats without end.

    Frames that come faster than 50 per second are thinned out. A GIF has one palette for all
    frames: they wait, losslessly coded, in an anonymous file on the disk until it is known. A WebP
    waits in memory, compressed, until it is whole.
    """

    def __init__(self, path: Path, name: Path, info: VideoInfo, format: VideoFormat) -> None:
        """Remember what to do; see `VideoEncoder`."""
        self._path, self._name = path, name
        self._info, self._format = info, format
        self._container: av.container.OutputContainer | None = None
        self._frames: _FrameFile | None = None
        self._reformatter = VideoReformatter()
        self._first = self._last = Fraction(0)
        self._written = False

    def write(self, image: Pixels | VideoFrame, frame: Frame) -> None:
        """Add an image, RGB uint8 [H,W,3], at the time of a frame.

        Raises:
            EncodeError: The encoder or the disk refuses.
        """
        assert isinstance(image, np.ndarray)
        time = frame.pts * self._info.time_base
        if not self._written:
            self._first = time
        elif time - self._last < _SHORTEST:
            return
        self._written, self._last = True, time
        values: NDArray[Any] = np.require(image, requirements="C")
        coded = VideoFrame.from_ndarray(values, format="rgb24")
        coded.pts, coded.time_base = round((time - self._first) / _TICK), _TICK
        try:
            if self._format.codec == "gif":
                if self._frames is None:
                    self._frames = _FrameFile(self._path.parent, self._info)
                self._frames.write(coded)
            else:
                self._encode(self._reformatter.reformat(coded, format=self._format.pixels))
        except (*AV_ERRORS, OSError) as error:
            raise self._failure(error) from error

    def close(self) -> None:
        """Write what waits.

        Raises:
            EncodeError: The encoder or the disk refuses.
        """
        if not self._written:
            return
        try:
            if self._frames is not None:
                for coded in self._frames.with_palette():
                    self._encode(coded)
                self._frames.close()
            self._encode(None)
            assert self._container is not None
            self._container.close()
        except (*AV_ERRORS, OSError) as error:
            raise self._failure(error) from error

    def abort(self) -> None:
        """Let go of the files, whatever state they are in."""
        if self._frames is not None:
            self._frames.close()
        if self._container is not None:
            with suppress(*AV_ERRORS):  # a full disk: nobody wants the file any more
                self._container.close()

    def _encode(self, coded: VideoFrame | None) -> None:
        if self._container is None:
            format = self._format
            self._container = av.open(
                "file:" + str(self._path),
                "w",
                format=format.container,
                container_options=dict(format.container_options),
            )
            assert format.pixels is not None
            self._stream = video_stream(self._container, format, self._info, format.pixels, _TICK)
        if coded is not None:
            coded.duration = round(1 / self._info.frame_rate / _TICK)
        self._container.mux(self._stream.encode(coded))

    def _failure(self, error: BaseException) -> EncodeError:
        return EncodeError(f"{self._name}: writing the animation failed: {reason(error)}")


class _FrameFile:
    """Frames that wait while a palette is made for all of them."""

    def __init__(self, folder: Path, info: VideoInfo) -> None:
        self._info = info
        self._file: IO[bytes] = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115
        # Not the Python file itself: errors of its methods would be dropped.
        self._place = f"pipe:{self._file.fileno()}"
        self._container = av.open(self._place, "w", format=_LOSSLESS.container)
        self._stream = video_stream(self._container, _LOSSLESS, info, _EXACT, _TICK)
        self._reformatter = VideoReformatter()
        self._graph = Graph()
        maker = self._graph.add("palettegen", "stats_mode=diff")
        _source(self._graph, info.width, info.height, _EXACT).link_to(maker)
        maker.link_to(self._graph.add("buffersink"))
        self._graph.configure()

    def write(self, image: VideoFrame) -> None:
        """Let an image wait."""
        exact = self._reformatter.reformat(image, format=_EXACT)
        self._graph.push(exact)
        assert not list(_results(self._graph))  # asking is what makes it work, frame by frame
        self._container.mux(self._stream.encode(exact))

    def with_palette(self) -> Iterator[VideoFrame]:
        """All images in the colors of their palette."""
        self._container.mux(self._stream.encode(None))
        self._container.close()
        self._graph.push(None)
        (palette,) = _results(self._graph)
        graph = Graph()
        images = _source(graph, self._info.width, self._info.height, _EXACT)
        colors = _source(graph, palette.width, palette.height, palette.format.name)
        painter = graph.add("paletteuse", "diff_mode=rectangle")  # what rests is left as it is
        images.link_to(painter, 0, 0)
        colors.link_to(painter, 0, 1)
        painter.link_to(graph.add("buffersink"))
        graph.configure()
        colors.push(palette)
        colors.push(None)
        self._file.seek(0)
        with av.open(self._place, format=_LOSSLESS.container) as waiting:
            for image in waiting.decode(video=0):
                images.push(image)
                yield from _results(graph)
        images.push(None)
        yield from _results(graph)

    def close(self) -> None:
        """Give the disk space back."""
        with suppress(*AV_ERRORS):
            self._container.close()
        self._file.close()


def _source(graph: Graph, width: int, height: int, pixels: str) -> FilterContext:
    return graph.add_buffer(
        width=width, height=height, format=av.VideoFormat(pixels), time_base=_TICK
    )


def _results(graph: Graph) -> Iterator[VideoFrame]:
    """What a graph has ready."""
    while True:
        try:
            frame = graph.pull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return
        assert isinstance(frame, VideoFrame)
        yield frame
