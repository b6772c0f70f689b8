"""Films and pictures in and out; knows nothing of networks."""

from jointvos.media.encoder import FILM_FORMATS
from jointvos.media.image_reader import ImageFolderReader
from jointvos.media.masks import check_mask, read_mask, write_mask_png
from jointvos.media.overlay import draw_overlay
from jointvos.media.palette import DAVIS_PALETTE, DISPLAY_COLOURS
from jointvos.media.pipeline import FanOut, read_ahead
from jointvos.media.png_writer import PngSequenceSink
from jointvos.media.sinks import StagedFile, StagedSink, TwoPhaseSink
from jointvos.media.sources import open_source
from jointvos.media.video_reader import VideoReader
from jointvos.media.video_writer import MaskVideoSink, OverlaySink

__all__ = [
    "DAVIS_PALETTE",
    "DISPLAY_COLOURS",
    "FILM_FORMATS",
    "FanOut",
    "ImageFolderReader",
    "MaskVideoSink",
    "OverlaySink",
    "PngSequenceSink",
    "StagedFile",
    "StagedSink",
    "TwoPhaseSink",
    "VideoReader",
    "check_mask",
    "draw_overlay",
    "open_source",
    "read_ahead",
    "read_mask",
    "write_mask_png",
]
