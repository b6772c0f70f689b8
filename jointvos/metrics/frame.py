"""J and F of all objects of one frame at once.

Everything is integer counting up to the last division, so the numbers equal those of the official
evaluations to the last bit.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from jointvos.metrics.bits import Bits, area, boundaries, dilate, pack
from jointvos.types import LabelMap

Scores = NDArray[np.float64]

TOLERANCE = 0.008
"""How far a boundary may be off, as a fraction of the image's diagonal."""
PIXELS_AT_ONCE = 2_000_000
"""Objects are worked on in groups of about so many pixels, which bounds the memory."""


@dataclass(frozen=True, eq=False)
class FrameScores:
    """How some objects fare in one frame.

    Attributes:
        scores: J and F per object, float64 [O,2].
        true_pixels: Pixels of all these objects together in the truth.
        pixels: Pixels of all of them in the prediction.
    """

    scores: Scores
    true_pixels: int
    pixels: int


def score_frame(truth: LabelMap, predicted: LabelMap, ids: Sequence[int]) -> Scores:
    """Region similarity and contour accuracy of some objects in one frame.

    Args:
        truth: True IDs, uint8 [Hv,Wv].
        predicted: The IDs found, uint8 of the same size.
        ids: The objects.

    Returns:
        J and F per object, float64 [O,2].

    Raises:
        ValueError: The sizes differ.
    """
    return compare_frame(truth, predicted, ids).scores


def compare_frame(truth: LabelMap, predicted: LabelMap, ids: Sequence[int]) -> FrameScores:
    """The same, with the number of pixels that were compared.

    Raises:
        ValueError: The sizes differ.
    """
    if truth.shape != predicted.shape:
        raise ValueError(f"the sizes differ: {truth.shape} and {predicted.shape}")
    radius = boundary_tolerance(truth.shape)
    # Objects lie inside this window, and nothing outside of it can match them.
    window = _window(truth, predicted)
    pair = np.stack([truth[window], predicted[window]])
    group = max(1, PIXELS_AT_ONCE // pair.size)
    scores = np.empty((len(ids), 2))
    pixels = np.zeros(2, np.int64)
    for start in range(0, len(ids), group):
        chosen = np.array(ids[start : start + group], np.uint8)[:, None, None]
        bits = pack(np.concatenate([labels == chosen for labels in pair]))
        areas = area(bits).reshape(2, -1)
        pixels += areas.sum(axis=1)
        part = scores[start : start + group]
        part[:, 0] = _region_similarities(bits, areas)
        part[:, 1] = _contour_accuracies(bits, pair.shape[2], radius)
    return FrameScores(scores, int(pixels[0]), int(pixels[1]))


def region_similarity(truth: NDArray[np.bool_], predicted: NDArray[np.bool_]) -> float:
    """J: intersection over union of two masks, bool [Hv,Wv] of one size; 1 if both are empty."""
    return float(_score_masks(truth, predicted)[0])


def contour_accuracy(truth: NDArray[np.bool_], predicted: NDArray[np.bool_]) -> float:
    """F: F-measure of the boundary pixels of two masks, bool [Hv,Wv] of one size.

    A boundary pixel is right if one of the other mask lies within the tolerance. The result is 1
    if neither mask has a boundary and 0 if only one has.
    """
    return float(_score_masks(truth, predicted)[1])


def boundary_tolerance(shape: tuple[int, ...]) -> int:
    """Pixels that a boundary may be off in an image of this (Hv, Wv); 8 at 480x854."""
    return int(np.ceil(TOLERANCE * np.linalg.norm(shape)))


def _score_masks(truth: NDArray[np.bool_], predicted: NDArray[np.bool_]) -> Scores:
    return score_frame(truth.astype(np.uint8), predicted.astype(np.uint8), (1,)).ravel()


def _region_similarities(bits: Bits, areas: NDArray[np.int64]) -> Scores:
    """J of M pairs of masks, the true ones first, [words,2M,h], areas int64 [2,M]."""
    truth, predicted = np.split(bits, 2, axis=1)
    shared = area(truth & predicted)
    return _share(shared, areas.sum(axis=0) - shared, empty=1.0)


def _contour_accuracies(bits: Bits, width: int, radius: int) -> Scores:
    """F of M pairs of masks, the true ones first, [words,2M,h]."""
    lines = boundaries(bits, width)
    counts = area(lines)
    near = np.roll(dilate(lines, radius), lines.shape[1] // 2, axis=1)
    matched = _share(area(lines & near), counts, empty=0.0)
    recall, precision = np.split(matched, 2)
    scores = np.zeros(len(recall))
    np.divide(2 * precision * recall, precision + recall, scores, where=precision + recall > 0)
    scores[counts.reshape(2, -1).sum(axis=0) == 0] = 1.0
    return scores


def _share(part: NDArray[np.int64], whole: NDArray[np.int64], empty: float) -> Scores:
    """The quotients, and `empty` where the whole is 0."""
    shares = np.full(len(whole), empty)
    np.divide(part, whole, shares, where=whole > 0)
    return shares


def _window(truth: LabelMap, predicted: LabelMap) -> tuple[slice, slice]:
    """Bounding box and one pixel around it, so that the boundaries of all masks are inside."""
    x, y, width, height = cv2.boundingRect(cv2.bitwise_or(truth, predicted))
    if not width:
        return slice(0, 1), slice(0, 1)
    return slice(max(y - 1, 0), y + height + 1), slice(max(x - 1, 0), x + width + 1)
