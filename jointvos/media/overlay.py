"""Masks drawn over pictures."""

import cv2
import numpy as np

from jointvos.media.palette import DISPLAY_COLOURS
from jointvos.types import VOID, Image, LabelMap

_OUTLINES = (DISPLAY_COLOURS.astype(np.uint16) + 255 >> 1).astype(np.uint8)


def draw_overlay(image: Image, labels: LabelMap, alpha: float = 0.45) -> Image:
    """Tint every object and draw a crisp, lighter line along the inside of its border.

    Args:
        image: RGB, uint8 [Hv,Wv,3]; not changed.
        labels: Ids, uint8 [Hv,Wv]; void is left alone.
        alpha: Strength of the tint, from 0 (only lines) to 1.

    Returns:
        RGB, uint8 [Hv,Wv,3].
    """
    drawn = image.copy()
    objects = (labels > 0) & (labels < VOID)
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
    tint = cv2.addWeighted(image[part], 1 - alpha, colour_labels(ids, DISPLAY_COLOURS), alpha, 0)
    kernel = np.ones((2 * width + 1, 2 * width + 1), dtype=np.uint8)
    border = cv2.compare(cv2.erode(ids, kernel), cv2.dilate(ids, kernel), cv2.CMP_NE)
    cv2.copyTo(tint, mask, drawn[part])
    cv2.copyTo(colour_labels(ids, _OUTLINES), cv2.bitwise_and(border, mask), drawn[part])
    return drawn


def colour_labels(labels: LabelMap, palette: Image) -> Image:
    """Ids to RGB, uint8 [Hv,Wv,3]; the palette is uint8 [256,3]."""
    table = palette.reshape(256, 1, 3)
    return cv2.LUT(cv2.merge([labels, labels, labels]), table).astype(np.uint8, copy=False)
