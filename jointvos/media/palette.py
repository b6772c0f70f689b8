"""Colours of object ids: DAVIS for files, brighter ones for looking at."""

import colorsys

import numpy as np
from numpy.typing import NDArray

Palette = NDArray[np.uint8]


def _davis() -> Palette:
    """The bits of an id, taken three at a time, fill red, green and blue from the top bit down."""
    ids = np.arange(256)
    colours = np.zeros((256, 3), dtype=np.uint8)
    for level in range(8):
        for channel in range(3):
            bit = ids >> (3 * level + channel) & 1
            colours[:, channel] |= (bit << (7 - level)).astype(np.uint8)
    return colours


def _display() -> Palette:
    """The hues of DAVIS for the first ids, golden-angle hues after; all bright, void is black."""
    colours = np.zeros((256, 3), dtype=np.uint8)
    colours[1:8] = [
        (255, 62, 62),
        (52, 222, 92),
        (255, 212, 20),
        (72, 132, 255),
        (232, 84, 232),
        (40, 214, 226),
        (255, 146, 40),
    ]
    for id in range(8, 255):
        saturation = 0.55 + 0.15 * (id % 3)
        rgb = colorsys.hsv_to_rgb(id * 0.6180339887 % 1.0, saturation, 1.0)
        colours[id] = [round(255 * value) for value in rgb]
    return colours


DAVIS_PALETTE: Palette = _davis()
"""RGB per id as DAVIS and PASCAL VOC colour their masks, uint8 [256,3]."""

DISPLAY_COLOURS: Palette = _display()
"""RGB per id, bright enough to be seen over a picture, uint8 [256,3]."""
