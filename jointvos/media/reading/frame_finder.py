"""Single frames of a video or a folder by number, in any order."""

from pathlib import Path
from typing import Protocol

from jointvos.errors import MediaOpenError, os_errors_as
from jointvos.files.sequences import is_pattern
from jointvos.media.reading.frame_map import NoSuchFrame
from jointvos.media.reading.image_folder import ImageFolderReader
from jointvos.media.reading.sources import web_address
from jointvos.media.reading.video_finder import VideoFinder
from jointvos.types import Frame, VideoInfo

KEPT_BYTES = 160 * 2**20
"""Decoded frames that are kept, so that stepping back does not decode again each time."""


class FrameFinder(Protocol):
    """Frames by number, for any thread; a context manager that closes what it opened.

    Attributes:
        source: What was opened: a video, a folder or a pattern.
        info: What is known of it.
    """

    source: Path
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
    """Open a video file or an image sequence for reading in any order.

    Args:
        path: The file, or a folder of images, or a pattern of their names; see `open_source`.
        keep_bytes: Decoded frames that are kept.

    Raises:
        MediaError: It is missing, damaged, no video, or a stream, which has no way back.
    """
    with os_errors_as(MediaOpenError):
        if str(path) == "-" or web_address(path) is not None or path.is_fifo():
            raise MediaOpenError(f"{path} is a stream, which cannot be rewound; save it to a file")
        is_sequence = path.is_dir() or is_pattern(path)
    return ImageFinder(path) if is_sequence else VideoFinder(path, keep_bytes)


class ImageFinder:
    """Images of a sequence by number.

    Attributes:
        source: The folder, or the pattern of their names.
        info: The sequence as a video.
    """

    def __init__(self, source: Path) -> None:
        """List the images; see `ImageFolderReader`."""
        self.source = source
        self._images = ImageFolderReader(source)
        self.info = self._images.info
        self._names = self.info.names

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
