"""Masks and videos of different sizes: what fits, and masks of proxies."""

import logging
from pathlib import Path

import cv2

from jointvos.errors import MaskSizeMismatch
from jointvos.types import LabelMap, VideoInfo

_log = logging.getLogger("jointvos.masks")

_MOST = 8
"""How many times larger or smaller than the video a mask may be."""


def check_size(
    size: tuple[int, int], path: Path, info: VideoInfo, *, or_swapped: bool = False
) -> None:
    """Compare the width and height of a mask with those of a video.

    Raises:
        MaskSizeMismatch: The mask has neither the size of the video nor, within a pixel, its shape.
    """
    wanted = (info.width, info.height)
    if same_shape(size, wanted) or (or_swapped and same_shape(size[::-1], wanted)):
        return
    hint = "scale it without smoothing (nearest neighbor)"
    if not _same_ratio(size, wanted):
        hint = "scaling would distort it; export it from a frame of this video again"
    if size[::-1] == wanted:
        hint = "its sides are swapped; turn the mask by 90 degrees"
    raise MaskSizeMismatch(
        f"{path} is {size[0]}x{size[1]} but {info.path} is {info.width}x{info.height}; {hint}"
    )


def same_shape(size: tuple[int, int], wanted: tuple[int, int]) -> bool:
    """Whether a size is another one scaled, at most 8 times, with sides rounded to pixels."""
    if min(size) < 1 or not wanted[0] <= _MOST * size[0] <= _MOST**2 * wanted[0]:
        return False
    return size == wanted or _same_ratio(size, wanted)


def _same_ratio(size: tuple[int, int], wanted: tuple[int, int]) -> bool:
    (width, height), (wide, high) = size, wanted
    return abs(width * high - height * wide) <= max(*size, *wanted)


def scaled(labels: LabelMap, path: Path, info: VideoInfo) -> LabelMap:
    """A mask that has the shape of the video in its size; says so if that changes it."""
    height, width = labels.shape
    wanted = (info.width, info.height)
    if (width, height) == wanted or not same_shape((width, height), wanted):
        return labels
    _log.warning("%s is %dx%d; scaled to %dx%d without smoothing", path, width, height, *wanted)
    return resized(labels, wanted)


def resized(labels: LabelMap, size: tuple[int, int]) -> LabelMap:
    """Labels, [H,W], in another (width, height), by the nearest pixel."""
    found: LabelMap = cv2.resize(labels, size, interpolation=cv2.INTER_NEAREST_EXACT)  # type: ignore[assignment]
    return found
