"""Colors of object ids: DAVIS for files, brighter ones for looking at."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from jointvos.types import VOID, LabelMap

Palette = NDArray[np.uint8]
"""RGB per ID, uint8 [256,3], or [65536,3] for label maps of uint16."""


@cache
def davis_colors(count: int = 256) -> Palette:
    """RGB per ID as DAVIS and PASCAL VOC color their masks; no two of them are equal.

    The bits of an ID, taken three at a time, fill red, green and blue from the top bit down.
    """
    ids = np.arange(count)
    colors = np.zeros((count, 3), dtype=np.uint8)
    for level in range(8):
        for channel in range(3):
            bit = ids >> (3 * level + channel) & 1
            colors[:, channel] |= (bit << (7 - level)).astype(np.uint8)
    return colors


@cache
def display_colors(count: int = 256) -> Palette:
    """RGB per ID, bright enough to be seen over an image.

    The hues of DAVIS for the first IDs, golden-angle hues after; black for what is no object.
    """
    ids = np.arange(count)
    sector = ids * 0.6180339887 % 1.0 * 6
    low = 1 - (0.55 + 0.15 * (ids % 3))
    # From a hue to RGB: every channel is a plateau of 1 with slopes down to `low` at both sides.
    away = np.abs((sector[:, None] - [0, 2, 4] + 3) % 6 - 3)
    colors = low[:, None] + (1 - low[:, None]) * np.clip(2 - away, 0, 1)
    table: Palette = np.rint(255 * colors).astype(np.uint8)
    table[:8] = [
        (0, 0, 0),
        (255, 62, 62),
        (52, 222, 92),
        (255, 212, 20),
        (72, 132, 255),
        (232, 84, 232),
        (40, 214, 226),
        (255, 146, 40),
    ]
    if count <= VOID + 1:
        table[VOID] = 0
    return table


def color_keys(colors: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """0xRRGGBB for each color, uint8 [...,3] to uint32 [...]."""
    red, green, blue = (colors[..., channel].astype(np.uint32) for channel in range(3))
    return np.asarray(red << 16 | green << 8 | blue, dtype=np.uint32)


def table_size(labels: LabelMap) -> int:
    """How many rows a table of colors for these labels has."""
    return int(np.iinfo(labels.dtype).max) + 1


DAVIS_PALETTE: Palette = davis_colors()
"""RGB per ID as DAVIS and PASCAL VOC color their masks, uint8 [256,3]."""

DISPLAY_COLORS: Palette = display_colors()
"""RGB per ID, bright enough to be seen over an image, uint8 [256,3]."""
