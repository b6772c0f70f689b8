"""From a path, a pipe or a URL to frames."""

from jointvos.media.reading.cuts import CutDetector, with_cuts
from jointvos.media.reading.frame_finder import FrameFinder, open_finder
from jointvos.media.reading.frame_map import NoSuchFrame
from jointvos.media.reading.sources import open_source
from jointvos.media.reading.video_reader import VideoReader

__all__ = [
    "CutDetector",
    "FrameFinder",
    "NoSuchFrame",
    "VideoReader",
    "open_finder",
    "open_source",
    "with_cuts",
]
