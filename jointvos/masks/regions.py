"""Parts of an image that a few strokes or a click stand for."""

import cv2
import numpy as np
from numpy.typing import NDArray

from jointvos.errors import MaskError
from jointvos.masks.grab_cut import Region, resized, run_grab_cut, shrunk, without_specks
from jointvos.types import Image

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
    small = shrunk(part, _LONGEST_SIDE / max(part.shape[:2]))
    size = (small.shape[1], small.shape[0])
    state: NDArray[np.uint8] = np.full(small.shape[:2], cv2.GC_PR_BGD, dtype=np.uint8)
    state[_scaled(mask[box], size, 0.5)] = cv2.GC_PR_FGD
    if not mask.any():  # what lies near the strokes may well belong to it
        near = cv2.dilate(_scaled(inside[box], size, 0).astype(np.uint8), _disc(max(size) // 8))
        state[near > 0] = cv2.GC_PR_FGD
    state[_scaled(inside[box], size, 0)] = cv2.GC_FGD
    state[_scaled(outside[box], size, 0)] = cv2.GC_BGD
    if not ((state == cv2.GC_BGD) | (state == cv2.GC_PR_BGD)).any():
        raise MaskError("the object fills the frame; draw a stroke outside it first")
    found = run_grab_cut(small, state, _ROUNDS)
    found = without_specks(found, _SPECK, state == cv2.GC_FGD)
    result: Region = np.zeros(mask.shape, dtype=np.bool_)
    result[box] = resized(found, part.shape)
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
    x, y, width, height = cv2.boundingRect(seed.astype(np.uint8))
    margin = max(32, max(width, height) // 2)
    return (
        slice(max(0, y - margin), y + height + margin),
        slice(max(0, x - margin), x + width + margin),
    )


def _scaled(region: Region, size: tuple[int, int], share: float) -> Region:
    """A region in another size: pixels of which more than that share is covered."""
    cover = cv2.resize(region.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    return np.asarray(cover > share)


def _disc(radius: int) -> NDArray[np.uint8]:
    side = 2 * max(1, radius) + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)), dtype=np.uint8)
