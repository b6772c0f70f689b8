"""Masks drawn over images."""

from collections.abc import Sequence
from functools import cache
from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from jointvos.color import sdr_in_hdr
from jointvos.masks.palette import Palette, display_colors, table_size
from jointvos.types import Hdr, LabelMap, object_pixels

Code = TypeVar("Code", np.uint8, np.uint16)

TINT = 0.45
"""Share of an object's color in its pixels."""

HALF_UP = 1e-3
"""What is added to a tint before it is rounded, so that halves are rounded alike everywhere."""


def line_width(shape: Sequence[int]) -> int:
    """Pixels of the line around an object in an image of that height and width."""
    return min(3, max(1, round(min(shape) / 240)))


def draw_overlay(
    image: NDArray[Code], labels: LabelMap, alpha: float = TINT, hdr: Hdr | None = None
) -> NDArray[Code]:
    """Tint every object and draw a crisp, lighter line along the inside of its border.

    Args:
        image: RGB, uint8 or uint16 [Hv,Wv,3]; not changed.
        labels: Ids, uint8 or uint16 [Hv,Wv]; void is left alone.
        alpha: Strength of the tint, from 0 (only lines) to 1.
        hdr: How an image of uint16 codes HDR, if it does.

    Returns:
        RGB, [Hv,Wv,3] of the image's type.
    """
    drawn = image.copy()
    objects = object_pixels(labels).astype(np.uint8)
    x, y, wide, high = cv2.boundingRect(objects)
    if not wide:
        return drawn
    # Only the part with objects, and a line around it, is worked on.
    width = line_width(labels.shape)
    part = (
        slice(max(0, y - width), y + high + width),
        slice(max(0, x - width), x + wide + width),
    )
    ids, mask = labels[part], objects[part] * 255
    count = table_size(labels)
    tones: tuple[NDArray[Any], NDArray[Any]] = overlay_colors(count)
    if image.dtype == np.uint16:
        tones = _in_16_bit(count, hdr)
    colors = color_labels(ids, tones[0])
    tint = cv2.addWeighted(image[part], 1 - alpha, colors, alpha, HALF_UP)
    kernel = np.ones((2 * width + 1, 2 * width + 1), dtype=np.uint8)
    border = cv2.compare(cv2.erode(ids, kernel), cv2.dilate(ids, kernel), cv2.CMP_NE)
    cv2.copyTo(tint, mask, drawn[part])
    lines = color_labels(ids, tones[1])
    cv2.copyTo(lines, cv2.bitwise_and(border, mask), drawn[part])
    return drawn


def color_labels(labels: LabelMap, colors: NDArray[Code]) -> NDArray[Code]:
    """Ids to RGB, [Hv,Wv,3]; the table has a row for every value of the labels' type."""
    if labels.dtype != np.uint8 or colors.dtype != np.uint8:
        return np.take(colors, labels, axis=0)
    table = colors.reshape(256, 1, 3)
    return cv2.LUT(cv2.merge([labels, labels, labels]), table).astype(colors.dtype, copy=False)


def overlay_colors(count: int) -> tuple[Palette, Palette]:
    """RGB per ID of tints and lines; `count` is 256, or 65536 for label maps of uint16."""
    return display_colors(count), _lighter(count)


@cache
def _in_16_bit(count: int, hdr: Hdr | None) -> tuple[NDArray[np.uint16], NDArray[np.uint16]]:
    """Colors of objects and of their outlines as codes of 16 bit."""

    def coded(colors: Palette) -> NDArray[np.uint16]:
        tones = colors.astype(np.float32) / np.float32(255)
        if hdr is not None:
            tones = sdr_in_hdr(tones, hdr)
        return np.asarray(np.rint(tones * 65535), dtype=np.uint16)

    return coded(display_colors(count)), coded(_lighter(count))


@cache
def _lighter(count: int) -> Palette:
    """Colors of outlines, halfway to white."""
    return (display_colors(count).astype(np.uint16) + 255 >> 1).astype(np.uint8)
