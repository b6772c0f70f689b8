"""From frames and results to videos, image folders and text files."""

from jointvos.media.writing.alpha_writer import ALPHA_IMAGES, AlphaFolderSink, AlphaVideoSink
from jointvos.media.writing.coco_writer import CocoSink, YtvisSink, coco_sink_type
from jointvos.media.writing.encoder import STDOUT, Pixels
from jointvos.media.writing.formats import (
    ALPHA_FORMATS,
    VIDEO_FORMATS,
    choose_format,
    keeps_depth,
)
from jointvos.media.writing.matte_writer import (
    Edges,
    LumaRange,
    MatteFolderSink,
    MatteVideoSink,
    matte_format,
)
from jointvos.media.writing.png_writer import PngSequenceSink
from jointvos.media.writing.probability_writer import (
    CropSink,
    ProbabilityFolderSink,
    ProbabilityVideoSink,
)
from jointvos.media.writing.stream_writer import Kind, StreamSink
from jointvos.media.writing.text_writer import StatsSink, object_record
from jointvos.media.writing.video_writer import (
    NARROWEST,
    CompositeSink,
    MaskVideoSink,
    OverlaySink,
    draw_composite,
    overlay_of,
)

__all__ = [
    "ALPHA_FORMATS",
    "ALPHA_IMAGES",
    "NARROWEST",
    "STDOUT",
    "VIDEO_FORMATS",
    "AlphaFolderSink",
    "AlphaVideoSink",
    "CocoSink",
    "CompositeSink",
    "CropSink",
    "Edges",
    "Kind",
    "LumaRange",
    "MaskVideoSink",
    "MatteFolderSink",
    "MatteVideoSink",
    "OverlaySink",
    "Pixels",
    "PngSequenceSink",
    "ProbabilityFolderSink",
    "ProbabilityVideoSink",
    "StatsSink",
    "StreamSink",
    "YtvisSink",
    "choose_format",
    "coco_sink_type",
    "draw_composite",
    "keeps_depth",
    "matte_format",
    "object_record",
    "overlay_of",
]
