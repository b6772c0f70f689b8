"""Filling polygons and other outlines; coordinates are pixels, (0, 0) the corner of the first."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

_MOST_CROSSINGS = 1 << 26


def fill_polygon(points: ArrayLike, size: tuple[int, int]) -> NDArray[np.bool_]:
    """The pixels whose centers lie in a polygon (even-odd rule).

    OpenCV and Pillow also fill the pixels that the outline touches: against pycocotools, polygons
    of 15 pixels radius overlap by 0.89 (IoU) with `cv2.fillPoly` and by 0.99 with this.

    Args:
        points: x, y of the corners, [N,2].
        size: Width and height of the mask.

    Returns:
        bool [H,W].

    Raises:
        ValueError: There are fewer than three corners, or they are no finite numbers.
    """
    width, height = size
    corners = np.asarray(points, dtype=np.float64)
    if corners.ndim != 2 or corners.shape[1] != 2 or len(corners) < 3:
        raise ValueError("a polygon needs three corners or more, with x and y each")
    if not np.isfinite(corners).all():
        raise ValueError("a polygon has corners that are no finite numbers")
    x0, y0 = corners.T
    x1, y1 = np.roll(corners, -1, axis=0).T
    # Each edge crosses the middles of the rows from `first` to `last`, excluded.
    first = np.clip(np.ceil(np.minimum(y0, y1) - 0.5), 0, height).astype(np.intp)
    last = np.clip(np.ceil(np.maximum(y0, y1) - 0.5), 0, height).astype(np.intp)
    counts = last - first
    if counts.sum() > _MOST_CROSSINGS:
        raise ValueError(f"a polygon of {len(corners)} corners is too complicated")
    edge = np.repeat(np.arange(len(corners)), counts)
    row = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts) + first[edge]
    x = x0[edge] + (row + 0.5 - y0[edge]) / (y1 - y0)[edge] * (x1 - x0)[edge]
    column = np.clip(np.ceil(x - 0.5), 0, width).astype(np.intp)
    # Every crossing turns inside into outside for all that is right of it.
    turns = np.zeros((height, width + 1), dtype=np.bool_)
    np.logical_xor.at(turns, (row, column), True)
    return np.asarray(np.logical_xor.accumulate(turns, axis=1)[:, :width])


def fill_rectangle(
    corner: Sequence[float], sides: Sequence[float], size: tuple[int, int], degrees: float = 0
) -> NDArray[np.bool_]:
    """The pixels in a rectangle that is turned around its first corner, bool [H,W]."""
    corners = np.array([(0, 0), (1, 0), (1, 1), (0, 1)]) * np.asarray(sides, np.float64)
    return fill_polygon(corners @ _turn(degrees) + np.asarray(corner, np.float64), size)


def fill_ellipse(
    center: Sequence[float], radii: Sequence[float], size: tuple[int, int], degrees: float = 0
) -> NDArray[np.bool_]:
    """The pixels in an ellipse, turned around its center, bool [H,W]."""
    angles = np.linspace(0, 2 * np.pi, 256, endpoint=False)
    outline = np.stack([np.cos(angles), np.sin(angles)], axis=1) * np.asarray(radii, np.float64)
    return fill_polygon(outline @ _turn(degrees) + np.asarray(center, np.float64), size)


def _turn(degrees: float) -> NDArray[np.float64]:
    """Clockwise as seen, for row vectors with y down."""
    angle = np.deg2rad(degrees)
    return np.array([(np.cos(angle), np.sin(angle)), (-np.sin(angle), np.cos(angle))])
