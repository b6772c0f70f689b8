"""Masks drawn over pictures."""

from functools import cache

import cv2
import numpy as np

from jointvos.masks.palette import Palette, display_colours, table_size
from jointvos.types import Image, LabelMap, object_pixels


def draw_overlay(image: Image, labels: LabelMap, alpha: float = 0.45) -> Image:
    """Tint every object and draw a crisp, lighter line along the inside of its border.

    Args:
        image: RGB, uint8 [Hv,Wv,3]; not changed.
        labels: Ids, uint8 or uint16 [Hv,Wv]; void is left alone.
        alpha: Strength of the tint, from 0 (only lines) to 1.

    Returns:
        RGB, uint8 [Hv,Wv,3].
    """
    drawn = image.copy()
    objects = object_pixels(labels)
    rows, columns = np.flatnonzero(objects.any(axis=1)), np.flatnonzero(objects.any(axis=0))
    if not len(rows):
        return drawn
    # Only the part with objects, and a pixel around it, is worked on.
    width = min(3, max(1, round(min(labels.shape) / 240)))
    part = (
        slice(max(0, rows[0] - width), rows[-1] + width + 1),
        slice(max(0, columns[0] - width), columns[-1] + width + 1),
    )
    ids, mask = labels[part], objects[part].astype(np.uint8) * 255
    colours = colour_labels(ids, display_colours(table_size(labels)))
    tint = cv2.addWeighted(image[part], 1 - alpha, colours, alpha, 0)
    kernel = np.ones((2 * width + 1, 2 * width + 1), dtype=np.uint8)
    border = cv2.compare(cv2.erode(ids, kernel), cv2.dilate(ids, kernel), cv2.CMP_NE)
    cv2.copyTo(tint, mask, drawn[part])
    lines = colour_labels(ids, _lighter(table_size(labels)))
    cv2.copyTo(lines, cv2.bitwise_and(border, mask), drawn[part])
    return drawn


def colour_labels(labels: LabelMap, colours: Palette) -> Image:
    """Ids to RGB, uint8 [Hv,Wv,3]; the table has a row for every value of the labels' type."""
    if labels.dtype != np.uint8:
        return np.take(colours, labels, axis=0)
    table = colours.reshape(256, 1, 3)
    return cv2.LUT(cv2.merge([labels, labels, labels]), table).astype(np.uint8, copy=False)


@cache
def _lighter(count: int) -> Palette:
    """Colours of outlines, halfway to white."""
    return (display_colours(count).astype(np.uint16) + 255 >> 1).astype(np.uint8)
