"""From a path to frames."""

from fractions import Fraction
from pathlib import Path

from jointvos.errors import ConfigError
from jointvos.media.image_reader import ImageFolderReader
from jointvos.media.ranges import FrameRange
from jointvos.media.video_reader import VideoReader
from jointvos.types import FrameSource


def open_source(
    path: Path,
    *,
    start: str | None = None,
    end: str | None = None,
    frame_rate: Fraction | None = None,
) -> FrameSource:
    """Open a video file or a folder of pictures.

    Args:
        path: A video, or a folder of pictures, or "-" for a video on standard input.
        start: First frame: a number ("120"), seconds ("4.5s") or a timecode ("00:00:04.500"),
            both counted from the first frame. Frames keep their index and their time.
        end: The frame after the last, in the same forms.
        frame_rate: Pictures per second of a folder, 24 if not given; not for videos.

    Raises:
        ConfigError: `start`, `end` or `frame_rate` makes no sense.
        MediaOpenError: The source is missing, unreadable, empty or no video.
        UnsupportedMediaError: It is of a kind that is not handled.
        MediaDecodeError: Its first frame is damaged.
    """
    frames = FrameRange.parse(start, end)
    if frame_rate is not None and frame_rate <= 0:
        raise ConfigError(f"frame_rate is {frame_rate}, expected more than 0")
    if str(path) == "-":
        path = Path("/dev/stdin")
    if path.is_dir():
        return ImageFolderReader(path, frames, frame_rate)
    if frame_rate is not None:
        raise ConfigError(f"frame_rate is only for folders of pictures; {path} has its own")
    return VideoReader(path, frames)
