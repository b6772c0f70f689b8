"""Single frames of a video by number: the very ones that reading it from the start gives.

Which frame has which time is learned by going through the packets once, in a thread, without
decoding. A frame is then decoded from the last keyframe before it. Where times are missing or not
unique, frames are counted from the start instead.
"""

from array import array
from bisect import bisect_left, bisect_right, insort
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from threading import Condition, Lock, Thread
from typing import Protocol

import numpy as np
from av import VideoFrame
from av.codec.context import ThreadType
from av.video.reformatter import VideoReformatter

from jointvos.errors import MediaDecodeError, MediaOpenError, os_errors_as
from jointvos.files.orientation import Orientation
from jointvos.media.reading.containers import AV_ERRORS, choose_stream, open_input, reason
from jointvos.media.reading.image_folder import ImageFolderReader
from jointvos.media.reading.sources import web_address
from jointvos.media.reading.video_reader import EXACTLY, VideoReader
from jointvos.types import Frame, Image, VideoInfo

KEPT_BYTES = 160 * 2**20
"""Decoded frames that are kept, so that stepping back does not decode again each time."""

_REORDERED = 64
"""Packets behind a frame after which none that is shown before it can come; codecs allow 16."""


class NoSuchFrame(IndexError):
    """The video ends before that frame."""


class FrameFinder(Protocol):
    """Frames by number, for any thread; a context manager that closes what it opened."""

    info: VideoInfo

    @property
    def count(self) -> int | None:
        """How many frames there are, None as long as that is not known."""

    def at(self, index: int) -> Frame: ...
    def name(self, index: int) -> str: ...
    def index(self, name: str) -> int | None: ...
    def second(self, keep_bytes: int) -> "FrameFinder":
        """Another one for the same source, for who reads elsewhere at the same time."""

    def close(self) -> None: ...


def open_finder(path: Path, keep_bytes: int = KEPT_BYTES) -> FrameFinder:
    """Open a video file or a folder of images for reading in any order.

    Args:
        path: The file or folder.
        keep_bytes: Decoded frames that are kept.

    Raises:
        MediaError: It is missing, damaged, no video, or a stream, which has no way back.
    """
    with os_errors_as(MediaOpenError):
        if str(path) == "-" or web_address(path) is not None or path.is_fifo():
            raise MediaOpenError(f"{path} is a stream, which cannot be rewound; save it to a file")
        is_folder = path.is_dir()
    return ImageFinder(path) if is_folder else VideoFinder(path, keep_bytes)


class ImageFinder:
    """Images of a folder by number.

    Attributes:
        info: The folder as a video.
    """

    def __init__(self, folder: Path) -> None:
        """List the folder; see `ImageFolderReader`."""
        self._images = ImageFolderReader(folder)
        self._names = self._images.names
        self.info = self._images.info

    @property
    def count(self) -> int | None:
        """How many images there are."""
        return len(self._names)

    def at(self, index: int) -> Frame:
        """Read an image.

        Raises:
            NoSuchFrame: There are fewer.
            MediaDecodeError: It is damaged, or of another size than the first.
        """
        if not 0 <= index < len(self._names):
            raise NoSuchFrame(f"there is no frame {index}")
        return self._images.at(index)

    def name(self, index: int) -> str:
        """Stem of the files that are written for a frame: that of the image."""
        return self._names[index]

    def index(self, name: str) -> int | None:
        """The frame of that name, None if there is none."""
        return self._names.index(name) if name in self._names else None

    def second(self, keep_bytes: int) -> "ImageFinder":
        """The same, for images are read one by one."""
        return self

    def close(self) -> None:
        """Nothing is kept open."""


class VideoFinder:
    """Frames of a video file by number.

    Attributes:
        info: What is known before frames are decoded; `frame_count` is an estimate.
    """

    def __init__(
        self, path: Path, keep_bytes: int = KEPT_BYTES, first: "VideoFinder | None" = None
    ) -> None:
        """Open the file and begin to look where its frames are; see `open_finder`.

        Args:
            path: The file.
            keep_bytes: Decoded frames that are kept.
            first: Another finder of the file, which knows where its frames are.

        Raises:
            MediaError: It is missing, damaged or no video.
        """
        self._path = path
        self.info: VideoInfo
        self._orientation: Orientation
        self._map: _Map
        if first is not None:
            self.info, self._orientation = first.info, first._orientation
            self._map = first._map
        else:
            with VideoReader(path) as reader:
                self.info, self._orientation = reader.info, reader.orientation
            self._map = _Map(path)
        self._size = (self.info.width, self.info.height)
        if self._orientation.swaps_sides:
            self._size = self._size[::-1]
        pixels = self.info.width * self.info.height
        self._keep = max(2, keep_bytes // (2 * pixels))
        self._reformatter = VideoReformatter()
        self._kept: OrderedDict[int, VideoFrame] = OrderedDict()
        self._decoding = Lock()
        self._playing: Iterator[tuple[int, VideoFrame]] | None = None
        self._next = 0

    @property
    def count(self) -> int | None:
        """How many frames there are, None as long as the file is gone through."""
        return self._map.count

    def name(self, index: int) -> str:
        """Stem of the files that are written for a frame."""
        return f"{index:05d}"

    def index(self, name: str) -> int | None:
        """The frame of that name, None if no frame is called so."""
        return int(name) if name.isdecimal() and self.name(int(name)) == name else None

    def second(self, keep_bytes: int) -> "VideoFinder":
        """Another finder for the file, for who reads elsewhere at the same time."""
        return VideoFinder(self._path, keep_bytes, self)

    def at(self, index: int) -> Frame:
        """Decode a frame.

        Raises:
            NoSuchFrame: The video ends before it.
            MediaDecodeError: It is damaged.
        """
        with self._decoding:
            picture = self._kept.get(index)
            if picture is None:
                picture = self._decoded(index)
            else:
                self._kept.move_to_end(index)
            if picture.is_corrupt:
                raise MediaDecodeError(f"{self._path}: frame {index} is damaged")
            pts = picture.pts or 0
            return Frame(
                index=index,
                pts=pts,
                time_s=float(pts * self.info.time_base),
                image=self._orientation.upright(self._pixels(index, picture)),
                name=self.name(index),
            )

    def close(self) -> None:
        """Close the file."""
        self._map.close()
        with self._decoding:
            self._playing = None
            self._kept.clear()

    def _pixels(self, index: int, picture: VideoFrame) -> Image:
        try:
            rgb = self._reformatter.reformat(
                picture, *self._size, "rgb24", interpolation=EXACTLY, threads=1
            )
            return np.asarray(rgb.to_ndarray(), dtype=np.uint8)
        except AV_ERRORS as error:
            raise MediaDecodeError(f"{self._path}: frame {index}: {reason(error)}") from error

    def _decoded(self, index: int) -> VideoFrame:
        where = self._map.find(index)
        ahead = self._playing is not None and index >= self._next
        if ahead and (where is None or not self._map.has_key_between(self._next, index)):
            try:
                return self._play_to(index)
            except _Missed:
                pass
        for start in self._map.starts(index) if where is not None else ():
            self._playing = _from(self._path, self._map, start)
            try:
                picture = self._play_to(index)
            except (_Missed, MediaDecodeError):
                continue  # such as frames that need more than what is behind that keyframe
            if not picture.is_corrupt:  # else it may depend on frames before that keyframe
                return picture
        self._playing, self._next = _from_start(self._path), 0
        try:
            return self._play_to(index)
        except _Missed:
            raise NoSuchFrame(f"there is no frame {index}") from None

    def _play_to(self, index: int) -> VideoFrame:
        """Go on decoding up to a frame, keeping those on the way.

        Raises:
            _Missed: It does not come.
            MediaDecodeError: The decoder gives up.
        """
        assert self._playing is not None
        try:
            for number, picture in self._playing:
                self._next = number + 1
                if number >= 0 and not picture.is_corrupt:
                    self._kept[number] = picture
                    self._kept.move_to_end(number)
                    while len(self._kept) > self._keep:
                        self._kept.popitem(last=False)
                if number == index:
                    return picture
                if number > index:
                    break
        except AV_ERRORS as error:
            self._playing = None
            raise MediaDecodeError(
                f"{self._path}: frame {index} cannot be decoded: {reason(error)}"
            ) from error
        self._playing = None
        raise _Missed


class _Missed(Exception):
    """Decoding came past the frame that was wanted."""


class _Map:
    """Times of all frames and keyframes, gathered in a thread without decoding."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._times = array("q")  # of all frames, rising: the rank of a time is the frame's number
        self._keys: list[tuple[int, int]] = []  # time shown and time decoded, rising
        self._grown = Condition()
        self._complete = self._ended = False
        self._usable = True
        self._thread = Thread(target=self._gather, name="jointvos-map", daemon=True)
        self._thread.start()

    @property
    def count(self) -> int | None:
        with self._grown:
            return len(self._times) if self._complete and self._usable else None

    def close(self) -> None:
        self._ended = True
        self._thread.join()

    def find(self, index: int) -> int | None:
        """The time of a frame, None if frames have to be counted; waits until it is known.

        Raises:
            NoSuchFrame: The video ends before it.
        """
        with self._grown:
            self._grown.wait_for(
                lambda: self._complete or not self._usable or len(self._times) > index + _REORDERED
            )
            if not self._usable:
                return None
            if not 0 <= index < len(self._times):
                raise NoSuchFrame(f"there is no frame {index}")
            return self._times[index]

    def number(self, time: int | None) -> int | None:
        """The number of the frame with this time; None if there is no such frame."""
        if time is None:
            return None
        with self._grown:
            at = bisect_left(self._times, time)
            return at if at < len(self._times) and self._times[at] == time else None

    def has_key_between(self, first: int, last: int) -> bool:
        """Whether decoding may begin at a frame behind the first and up to the last."""
        with self._grown:
            return self._keys_up_to(last) > self._keys_up_to(first)

    def starts(self, index: int) -> list[int]:
        """Times to seek to for a frame, the best one first."""
        with self._grown:
            at = self._keys_up_to(index) - 1
            if at < 0:
                return []
            shown, decoded = self._keys[at]
            # Demuxers index frames by either of both times.
            starts, back = [shown, decoded], 1
            while at - back > 0:
                starts.append(self._keys[at - back][0])
                back *= 4
            return starts

    def _keys_up_to(self, index: int) -> int:
        """How many keyframes are not behind a frame."""
        return bisect_right(self._keys, (self._times[index], 1 << 62))

    def _gather(self) -> None:
        try:
            with open_input(self._path) as container:
                for packet in container.demux(choose_stream(container, self._path)):
                    if self._ended:
                        return
                    if not packet.size or packet.is_discard:
                        continue
                    with self._grown:
                        self._add(packet.pts, packet.dts, packet.is_keyframe)
                        if not self._usable:
                            break
                        if len(self._times) % _REORDERED == 0:
                            self._grown.notify_all()
        except (*AV_ERRORS, MediaOpenError):
            pass  # what can be read is there; the rest shows in `at`
        finally:
            with self._grown:
                self._complete = True
                self._grown.notify_all()

    def _add(self, shown: int | None, decoded: int | None, key: bool) -> None:
        if shown is None:
            self._usable = False
            return
        at = bisect_left(self._times, shown)
        if at < len(self._times) and self._times[at] == shown:
            self._usable = False
            return
        self._times.insert(at, shown)
        if key:
            insort(self._keys, (shown, shown if decoded is None else decoded))


def _from(path: Path, times: _Map, start: int) -> Iterator[tuple[int, VideoFrame]]:
    """Frames with their numbers from a keyframe on, -1 for those without."""
    with open_input(path) as container:
        film = choose_stream(container, path)
        film.thread_type = ThreadType.AUTO
        container.seek(start, stream=film, backward=True)
        for picture in container.decode(film):
            number = times.number(picture.pts)
            yield -1 if number is None else number, picture


def _from_start(path: Path) -> Iterator[tuple[int, VideoFrame]]:
    """Frames counted from the first."""
    with open_input(path) as container:
        film = choose_stream(container, path)
        film.thread_type = ThreadType.AUTO
        yield from enumerate(container.decode(film))
