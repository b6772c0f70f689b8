"""GrabCut: parts of an image that stand out, found in a small copy of it."""

import cv2
import numpy as np
from numpy.typing import NDArray

from jointvos.types import Image

Region = NDArray[np.bool_]
"""Pixels of an object, bool [Hv,Wv]."""


def shrunk(image: Image, scale: float) -> Image:
    """An image of smaller sides, uint8 [h,w,3]; as it is if the scale is 1 or more."""
    height, width = image.shape[:2]
    scale = min(1.0, scale)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def resized(region: Region, shape: tuple[int, ...]) -> Region:
    """A region in an image of another (height, width, ...), cut where it is half."""
    size = (shape[1], shape[0])
    scaled = cv2.resize(region.astype(np.float32), size, interpolation=cv2.INTER_LINEAR)
    return np.asarray(scaled > 0.5)


def run_grab_cut(image: Image, state: NDArray[np.uint8], rounds: int) -> Region:
    """Where GrabCut sees the object, given what each pixel is, surely or probably (`cv2.GC_...`).

    The state is changed. The same input gives the same output.
    """
    cv2.setRNGSeed(0)  # its color clusters start at random
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(image, state, None, *models, rounds, cv2.GC_INIT_WITH_MASK)  # type: ignore[call-overload]
    return np.isin(state, (cv2.GC_FGD, cv2.GC_PR_FGD))


def without_specks(found: Region, share: float, sure: Region | None = None) -> Region:
    """The parts that have at least that share of the largest, and those that hold a sure pixel."""
    _, parts, stats, _ = cv2.connectedComponentsWithStats(found.astype(np.uint8))
    areas = stats[:, cv2.CC_STAT_AREA]
    kept = areas >= share * areas[1:].max(initial=0)
    if sure is not None:
        kept[np.unique(parts[sure & found])] = True
    kept[0] = False
    return np.asarray(kept[parts])
