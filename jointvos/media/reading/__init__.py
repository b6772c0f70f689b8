"""From a path, a pipe or a URL to frames."""

from jointvos.media.reading.cuts import CutDetector, with_cuts
from jointvos.media.reading.image_folder import ImageFolderReader
from jointvos.media.reading.sources import open_source
from jointvos.media.reading.video_reader import VideoReader

__all__ = [
    "CutDetector",
    "ImageFolderReader",
    "VideoReader",
    "open_source",
    "with_cuts",
]
