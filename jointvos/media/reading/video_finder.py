"""Single frames of a video by number: the very ones that reading it from the start gives.

Which frame has which time is learned by going through the packets once. A frame is then decoded
from the last keyframe before it. Where times are missing or not unique, frames are counted from the
start instead.
"""

from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from threading import Lock

from av import VideoFrame
from av.codec.context import ThreadType

from jointvos.errors import MediaDecodeError, reason
from jointvos.media.reading.containers import AV_ERRORS, choose_stream, open_input
from jointvos.media.reading.frame_map import FrameMap, NoSuchFrame
from jointvos.media.reading.frame_pixels import FramePixels
from jointvos.media.reading.video_reader import VideoReader
from jointvos.types import Frame, Image, VideoInfo


class VideoFinder:
    """Frames of a video file by number.

    Attributes:
        source: The file.
        info: What is known before frames are decoded; `frame_count` is an estimate.
    """

    def __init__(self, path: Path, keep_bytes: int, first: "VideoFinder | None" = None) -> None:
        """Open the file and begin to look where its frames are; see `open_finder`.

        Args:
            path: The file.
            keep_bytes: Decoded frames that are kept.
            first: Another finder of the file, which knows where its frames are.

        Raises:
            MediaError: It is missing, damaged or no video.
        """
        self.source = path
        self.info: VideoInfo
        self._first: VideoFrame
        self._map: FrameMap
        self._is_first = first is None
        if first is not None:
            self.info, self._first = first.info, first._first
            self._map = first._map
        else:
            with VideoReader(path) as reader:
                self.info, self._first = reader.info, reader.first
            self._map = FrameMap(path)
        pixels = self.info.width * self.info.height
        self._keep = max(2, keep_bytes // (2 * pixels))
        self._pixels = FramePixels(self._first)
        self._kept: OrderedDict[int, VideoFrame] = OrderedDict()
        self._decoding = Lock()
        self._playing: Iterator[tuple[int | None, VideoFrame]] | None = None
        self._next = 0
        self._counting = False

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
        return VideoFinder(self.source, keep_bytes, self)

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
            if picture.is_corrupt:  # where frames are counted
                raise MediaDecodeError(f"{self.source}: frame {index} is damaged")
            pts = picture.pts or 0
            return Frame(
                index=index,
                pts=pts,
                time_s=float(pts * self.info.time_base),
                image=self._image(index, picture),
                name=self.name(index),
            )

    def close(self) -> None:
        """Close the file."""
        if self._is_first:
            self._map.close()
        with self._decoding:
            self._playing = None
            self._kept.clear()

    def _image(self, index: int, picture: VideoFrame) -> Image:
        try:
            return self._pixels.image(picture)
        except AV_ERRORS as error:
            raise MediaDecodeError(f"{self.source}: frame {index}: {reason(error)}") from error

    def _decoded(self, index: int) -> VideoFrame:
        where = self._map.find(index)
        ahead = self._playing is not None and index >= self._next
        ahead = ahead and self._counting == (where is None)
        if ahead and (where is None or not self._map.has_key_between(self._next, index)):
            try:
                return self._play_to(index)
            except _Missed:
                if where is None:
                    raise NoSuchFrame(f"no frame {index}") from None
        self._counting = where is None
        if where is None:
            self._playing, self._next = enumerate(_pictures(self.source)), 0
            try:
                return self._play_to(index)
            except _Missed:
                raise NoSuchFrame(f"no frame {index}") from None
        failure = f"{self.source}: frame {index} is damaged"
        for start in self._map.starts(index):
            pictures = _pictures(self.source, start)
            self._playing = ((self._map.number(each.pts), each) for each in pictures)
            # A frame may depend on more than what is behind its keyframe; then it is looked for
            # from an earlier one, but never through all of a long video.
            try:
                if not (picture := self._play_to(index)).is_corrupt:
                    return picture
            except _Missed:
                continue
            except MediaDecodeError as error:
                failure = str(error)
        raise MediaDecodeError(failure)

    def _play_to(self, index: int) -> VideoFrame:
        """Go on decoding up to a frame, keeping those on the way.

        Raises:
            _Missed: It does not come.
            MediaDecodeError: The decoder gives up.
        """
        assert self._playing is not None
        try:
            for number, picture in self._playing:
                if number is None:
                    continue
                self._next = number + 1
                if not picture.is_corrupt:
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
                f"{self.source}: frame {index} cannot be decoded: {reason(error)}"
            ) from error
        self._playing = None
        raise _Missed


class _Missed(Exception):
    """Decoding came past the frame that was wanted."""


def _pictures(path: Path, start: int | None = None) -> Iterator[VideoFrame]:
    """Frames from the first, or from the keyframe with a time, on."""
    with open_input(path) as container:
        video = choose_stream(container, path)
        video.thread_type = ThreadType.AUTO
        if start is not None:
            container.seek(start, stream=video, backward=True)
        yield from container.decode(video)
