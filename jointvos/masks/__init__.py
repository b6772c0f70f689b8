"""Masks of object IDs: reading, checking, mending and drawing them, and prompts made of them."""

from jointvos.masks.alpha import (
    Background,
    cut_out,
    foreground,
    matte,
    read_background,
    to_8_bit,
)
from jointvos.masks.boxes import Box
from jointvos.masks.check import MaskCheck, MaskedObject, examine_labels, examine_mask
from jointvos.masks.grab_cut import Region
from jointvos.masks.id_change import IdChange, parse_id
from jointvos.masks.legend import Legend
from jointvos.masks.mask_file import MaskFile, as_gray, check_mask, read_mask, write_mask_png
from jointvos.masks.overlay import draw_overlay
from jointvos.masks.palette import DAVIS_PALETTE, DISPLAY_COLORS
from jointvos.masks.points import Clicks, Point, clicks_of
from jointvos.masks.prompt_reading import examine_file, mask_in, mask_path, read_prompts
from jointvos.masks.prompts import MaskPrompts
from jointvos.masks.refine import Refinement
from jointvos.masks.regions import cut_strokes, similar_region

__all__ = [
    "DAVIS_PALETTE",
    "DISPLAY_COLORS",
    "Background",
    "Box",
    "Clicks",
    "IdChange",
    "Legend",
    "MaskCheck",
    "MaskFile",
    "MaskPrompts",
    "MaskedObject",
    "Point",
    "Refinement",
    "Region",
    "as_gray",
    "check_mask",
    "clicks_of",
    "cut_out",
    "cut_strokes",
    "draw_overlay",
    "examine_file",
    "examine_labels",
    "examine_mask",
    "foreground",
    "mask_in",
    "mask_path",
    "matte",
    "parse_id",
    "read_background",
    "read_mask",
    "read_prompts",
    "similar_region",
    "to_8_bit",
    "write_mask_png",
]
