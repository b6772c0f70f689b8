"""Contour accuracy F: how well the boundaries of two masks match within a tolerance.

Everything is integer counting, so the numbers equal those of the official DAVIS evaluation.
"""

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

Boundary = NDArray[np.uint8]

TOLERANCE = 0.008
"""How far a boundary may be off, as a fraction of the picture's diagonal."""


def contour_accuracy(truth: NDArray[np.bool_], predicted: NDArray[np.bool_]) -> float:
    """F-measure of the boundary pixels of two masks, bool [Hv,Wv] of one size.

    A boundary pixel is right if one of the other mask lies within the tolerance. The result is 1
    if neither mask has a boundary and 0 if only one has.
    """
    disk = _disk(boundary_tolerance(truth.shape))
    # Boundaries lie inside this window, and nothing outside of it can match them.
    window = _window(truth | predicted)
    truth_boundary = boundary_map(truth[window])
    predicted_boundary = boundary_map(predicted[window])
    truth_count = cv2.countNonZero(truth_boundary)
    predicted_count = cv2.countNonZero(predicted_boundary)
    if not truth_count and not predicted_count:
        return 1.0
    if not truth_count or not predicted_count:
        return 0.0
    recall = _matched(truth_boundary, predicted_boundary, disk) / truth_count
    precision = _matched(predicted_boundary, truth_boundary, disk) / predicted_count
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def boundary_tolerance(shape: tuple[int, ...]) -> int:
    """Pixels that a boundary may be off in a picture of this (Hv, Wv); 8 at 480x854."""
    return int(np.ceil(TOLERANCE * np.linalg.norm(shape)))


def boundary_map(mask: NDArray[np.bool_]) -> Boundary:
    """Pixels that differ from their right, lower or lower right neighbour, 0 or 1 [Hv,Wv].

    Neighbours outside of the picture do not count: a mask has no boundary where the picture ends.
    """
    square = np.ones((2, 2), np.uint8)
    pixels = mask.view(np.uint8)
    boundary = cv2.morphologyEx(pixels, cv2.MORPH_GRADIENT, square, anchor=(0, 0))
    return np.asarray(boundary, np.uint8)


def _matched(boundary: Boundary, other: Boundary, disk: NDArray[np.uint8]) -> int:
    """Number of boundary pixels that have one of the other within the disk."""
    return cv2.countNonZero(cv2.bitwise_and(boundary, cv2.dilate(other, disk)))


@lru_cache(maxsize=8)
def _disk(radius: int) -> NDArray[np.uint8]:
    offset = np.arange(-radius, radius + 1)
    return (offset**2 + offset[:, None] ** 2 <= radius**2).astype(np.uint8)


def _window(mask: NDArray[np.bool_]) -> tuple[slice, slice]:
    """Bounding box and one pixel around it, so that the boundary of the mask is inside."""
    x, y, width, height = cv2.boundingRect(mask.view(np.uint8))
    if not width:
        return slice(0, 1), slice(0, 1)
    return slice(max(y - 1, 0), y + height + 1), slice(max(x - 1, 0), x + width + 1)
