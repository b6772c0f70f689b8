"""Films and pictures in and out; knows nothing of networks."""

from jointvos.media.alpha_writer import AlphaFilmSink, AlphaFolderSink
from jointvos.media.boxes import Box, cut_box
from jointvos.media.coco_writer import CocoSink, YtvisSink, coco_sink
from jointvos.media.cuts import CutDetector, with_cuts
from jointvos.media.encoder import STDOUT, Picture
from jointvos.media.formats import ALPHA_FORMATS, ENCODERS, FILM_FORMATS, STREAM_FORMATS
from jointvos.media.id_change import IdChange
from jointvos.media.image_reader import ImageFolderReader
from jointvos.media.journal import Journal
from jointvos.media.mask_check import MaskCheck, MaskedObject, examine_labels, examine_mask
from jointvos.media.mask_file import MaskFile
from jointvos.media.masks import as_grey, check_mask, read_mask, write_mask_png
from jointvos.media.overlay import draw_overlay
from jointvos.media.palette import DAVIS_PALETTE, DISPLAY_COLOURS
from jointvos.media.pipeline import FanOut, read_ahead
from jointvos.media.png_writer import PngSequenceSink
from jointvos.media.prompt_reading import mask_in, mask_path, read_prompts
from jointvos.media.prompts import MaskPrompts, Prompt
from jointvos.media.records import object_record
from jointvos.media.refine import Refinement
from jointvos.media.sinks import StagedFile, StagedSink, TwoPhaseSink
from jointvos.media.soft import Background, cut_out, foreground, read_background
from jointvos.media.soft_writer import CropSink, SoftFilmSink, SoftFolderSink
from jointvos.media.sources import open_source
from jointvos.media.spool import FrameSpool
from jointvos.media.stream_writer import Kind, StreamSink
from jointvos.media.text_writer import StatsSink
from jointvos.media.video_reader import VideoReader
from jointvos.media.video_writer import (
    CompositeSink,
    MaskVideoSink,
    OverlaySink,
    draw_composite,
)

__all__ = [
    "ALPHA_FORMATS",
    "DAVIS_PALETTE",
    "DISPLAY_COLOURS",
    "ENCODERS",
    "FILM_FORMATS",
    "STDOUT",
    "STREAM_FORMATS",
    "AlphaFilmSink",
    "AlphaFolderSink",
    "Background",
    "Box",
    "CocoSink",
    "CompositeSink",
    "CropSink",
    "CutDetector",
    "FanOut",
    "FrameSpool",
    "IdChange",
    "ImageFolderReader",
    "Journal",
    "Kind",
    "MaskCheck",
    "MaskFile",
    "MaskPrompts",
    "MaskVideoSink",
    "MaskedObject",
    "OverlaySink",
    "Picture",
    "PngSequenceSink",
    "Prompt",
    "Refinement",
    "SoftFilmSink",
    "SoftFolderSink",
    "StagedFile",
    "StagedSink",
    "StatsSink",
    "StreamSink",
    "TwoPhaseSink",
    "VideoReader",
    "YtvisSink",
    "as_grey",
    "check_mask",
    "coco_sink",
    "cut_box",
    "cut_out",
    "draw_composite",
    "draw_overlay",
    "examine_labels",
    "examine_mask",
    "foreground",
    "mask_in",
    "mask_path",
    "object_record",
    "open_source",
    "read_ahead",
    "read_background",
    "read_mask",
    "read_prompts",
    "with_cuts",
    "write_mask_png",
]
