"""Parts of an image that a few strokes or a click stand for."""

import cv2
import numpy as np
from numpy.typing import NDArray

from jointvos.errors import MaskError
from jointvos.types import Image

Region = NDArray[np.bool_]
"""Pixels of an object, bool [Hv,Wv]."""

_LONGEST_SIDE = 400
_ROUNDS = 3
_SPECK = 0.02  # of the largest part


def cut_strokes(image: Image, mask: Region, inside: Region, outside: Region) -> Region:
    """Refine an object by strokes inside and outside of it (GrabCut); the same every time.

    Only the surroundings of mask and strokes are looked at, scaled down if they are large; the
    strokes are kept exactly.

    Args:
        image: RGB, uint8 [Hv,Wv,3].
        mask: The object so far, bool [Hv,Wv]; may be empty.
        inside: Pixels that are certainly the object's, bool [Hv,Wv].
        outside: Pixels that certainly are not, bool [Hv,Wv].

    Returns:
        The object, bool [Hv,Wv].

    Raises:
        MaskError: There is neither a mask nor a stroke inside.
    """
    seed = (mask | inside) & ~outside
    if not seed.any():
        raise MaskError("nothing to start from; draw a stroke inside the object first")
    box = _surroundings(seed)
    part = image[box]
    height, width = part.shape[:2]
    scale = min(1.0, _LONGEST_SIDE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(part, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    state: NDArray[np.uint8] = np.full(small.shape[:2], cv2.GC_PR_BGD, dtype=np.uint8)
    state[_scaled(mask[box], size, 0.5)] = cv2.GC_PR_FGD
    if not mask.any():  # what lies near the strokes may well belong to it
        near = cv2.dilate(_scaled(inside[box], size, 0).astype(np.uint8), _disc(max(size) // 8))
        state[near > 0] = cv2.GC_PR_FGD
    state[_scaled(inside[box], size, 0)] = cv2.GC_FGD
    state[_scaled(outside[box], size, 0)] = cv2.GC_BGD
    if not ((state == cv2.GC_BGD) | (state == cv2.GC_PR_BGD)).any():
        raise MaskError("the object fills the frame; draw a stroke outside it first")
    cv2.setRNGSeed(0)  # its color clusters start at random
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(small, state, [0, 0, 1, 1], *models, _ROUNDS, cv2.GC_INIT_WITH_MASK)
    found = (state == cv2.GC_FGD) | (state == cv2.GC_PR_FGD)
    found = _without_specks(found, state == cv2.GC_FGD)
    large = cv2.resize(found.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    result: Region = np.zeros(mask.shape, dtype=np.bool_)
    result[box] = large > 0.5
    return (result | inside) & ~outside


def similar_region(image: Image, x: int, y: int, tolerance: int) -> Region:
    """The connected pixels around a point whose color is like that at the point.

    Args:
        image: RGB, uint8 [Hv,Wv,3].
        x: Column of the point.
        y: Row of the point.
        tolerance: By how much each channel may differ from the point's, 0 to 255.

    Returns:
        bool [Hv,Wv].
    """
    smooth = cv2.medianBlur(image, 3)
    found: NDArray[np.uint8] = np.zeros((image.shape[0] + 2, image.shape[1] + 2), dtype=np.uint8)
    flags = 4 | cv2.FLOODFILL_MASK_ONLY | cv2.FLOODFILL_FIXED_RANGE | 1 << 8
    cv2.floodFill(smooth, found, (x, y), 0, (tolerance,) * 3, (tolerance,) * 3, flags)
    return found[1:-1, 1:-1] > 0


def _surroundings(seed: Region) -> tuple[slice, slice]:
    """The bounding box with half of its size around it."""
    rows, columns = np.flatnonzero(seed.any(axis=1)), np.flatnonzero(seed.any(axis=0))
    margin = max(32, (max(rows[-1] - rows[0], columns[-1] - columns[0]) + 1) // 2)
    return (
        slice(max(0, int(rows[0]) - margin), int(rows[-1]) + margin + 1),
        slice(max(0, int(columns[0]) - margin), int(columns[-1]) + margin + 1),
    )


def _scaled(region: Region, size: tuple[int, int], share: float) -> Region:
    """A region in another size: pixels of which more than that share is covered."""
    cover = cv2.resize(region.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    return np.asarray(cover > share)


def _without_specks(found: Region, sure: Region) -> Region:
    """Parts that are not tiny, and those that hold a stroke."""
    _, parts, stats, _ = cv2.connectedComponentsWithStats(found.astype(np.uint8))
    areas = stats[:, cv2.CC_STAT_AREA]
    kept = areas >= _SPECK * areas[1:].max(initial=0)
    kept[np.unique(parts[sure & found])] = True
    kept[0] = False
    return np.asarray(kept[parts])


def _disc(radius: int) -> NDArray[np.uint8]:
    side = 2 * max(1, radius) + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)), dtype=np.uint8)
