"""From a path to frames."""

import re
from fractions import Fraction
from pathlib import Path

from jointvos.errors import ConfigError, MediaOpenError, os_errors_as
from jointvos.files.sequences import is_pattern
from jointvos.frame_range import FrameRange
from jointvos.media.reading.hwaccel import check_hwaccel
from jointvos.media.reading.image_folder import ImageFolderReader
from jointvos.media.reading.raw_reader import RawReader, RawShape
from jointvos.media.reading.streams import STDIN, pipe_at
from jointvos.media.reading.video_reader import VideoReader
from jointvos.media.reading.web_stream import open_web
from jointvos.types import FrameSource
from jointvos.web import require_network

_WEB = re.compile(r"(https?):/+(?=[^/])", re.IGNORECASE)


def web_address(path: Path | str) -> str | None:
    """The address of a video on a web server, also if a path was made of it; None for files."""
    text = str(path)
    if _WEB.match(text) and not _is_there(Path(text)):
        return _WEB.sub(lambda found: f"{found[1].lower()}://", text, count=1)
    return None


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # addresses may be longer than names of files
        return False


def open_source(
    path: Path | str,
    *,
    start: str | None = None,
    end: str | None = None,
    frame_rate: Fraction | None = None,
    raw: str | None = None,
    allow_network: bool = False,
    start_number: int | None = None,
    deep: bool = False,
    threads: bool = True,
    hwaccel: str | None = None,
) -> FrameSource:
    """Open a video file or an image sequence.

    Args:
        path: A video, or a folder of images, or a pattern of their names ("shot_%04d.exr",
            "shot_####.exr", "shot_*.exr"), or "-" for a video on standard input, or the address
            of a video on a web server.
        start: First frame: a number ("120"), seconds ("4.5s") or a timecode ("00:00:04.500"),
            both counted from the first frame. Frames keep their index and their time.
        end: The frame after the last, in the same forms.
        frame_rate: Images per second of a folder, 24 if not given; not for videos.
        raw: "WIDTHxHEIGHT@RATE" of frames that are nothing but RGB pixels of 8 bit.
        allow_network: Whether addresses are opened.
        start_number: Images of a sequence with lower numbers in their names are left out.
        deep: Whether frames of videos carry `Frame.deep`; those of sequences do where there is one.
        threads: Whether videos are decoded with several threads, which the first frame alone is not
            worth.
        hwaccel: What decodes videos instead of the CPU, if it can: "cuda" (NVDEC), "cuda:1",
            "videotoolbox", "vaapi", ... Damage within an image may go unnoticed then.

    Raises:
        ConfigError: `start`, `end`, `frame_rate`, `raw`, `start_number` or `hwaccel` makes no
            sense, the network is not allowed, or the standard input is a terminal.
        DeviceUnavailable: There is no such device as `hwaccel` says.
        MediaOpenError: The source is missing, unreadable, empty or no video.
        UnsupportedMediaError: It is of a kind that is not handled.
        MediaDecodeError: Its first frame is damaged.
    """
    frames = FrameRange.parse(start, end)
    shape = None if raw is None else RawShape.parse(raw)
    if frame_rate is not None and frame_rate <= 0:
        raise ConfigError(f"frame_rate is {frame_rate}, expected more than 0")
    if hwaccel is not None:  # also where nothing is decoded with it
        check_hwaccel(hwaccel)
    address = web_address(path)
    path = STDIN if str(path) == "-" else Path(path)
    with os_errors_as(MediaOpenError):
        folder = address is None and (path.is_dir() or is_pattern(path))
    if folder and shape is None:
        return ImageFolderReader(path, frames, frame_rate, start_number)
    if start_number is not None:
        raise ConfigError(f"`start_number` is only for image sequences; {path} is none")
    if frame_rate is not None:
        raise ConfigError(f"frame_rate is only for folders of images; {path} has its own")
    if folder:
        raise ConfigError(f"{path} is a folder of images; raw frames are one file or a pipe")
    if address is not None:
        require_network(address, allow_network)
    stream = pipe_at(path) if address is None else open_web(address)
    if shape is not None:
        return RawReader(path, shape, frames, stream)
    return VideoReader(path, frames, stream, deep=deep, threads=threads, hwaccel=hwaccel)
