"""Search regions for training as the paper's code cuts them, from true boxes and with jitter.

Boxes and regions are (x, y, width, height) in frame pixels, images uint8 [H,W,3] RGB, masks uint8
[H,W] in {0, 1}. `jointvos.ops.crop` is what inference uses; two things differ from it here. A
region that reaches the frame's last row or column loses it and gets a copy of the one before
(masks: zeros), since the paper's code pads one pixel too many. And brightness is rounded to whole
levels, where that code goes on in floats: at most half a level, for a quarter of the memory.
"""

from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from jointvos.types import Image

Mask: TypeAlias = NDArray[np.uint8]
"""uint8 [H,W] in {0, 1}."""

Size: TypeAlias = tuple[int, int]
"""(height, width) in pixels."""

Box: TypeAlias = tuple[float, float, float, float]
"""(x, y, width, height) in pixels."""

Region: TypeAlias = tuple[int, int, int, int]
"""(x, y, width, height) in pixels; may lie partly outside of the frame."""

SEARCH_SCALE = 5.0
SPREAD = (0.25, 0.5)
"""Standard deviation of the logarithm of the box's sides, in the first and in later frames."""
REACH = ((3.0, 3.0), (5.5, 4.5))
"""How far the center moves along x and y, in mean sides, in the first and in later frames."""


def box_of(mask: Mask) -> Box:
    """The box around all that is not 0 in a mask [H,W]."""
    x, y, width, height = cv2.boundingRect(mask)
    return float(x), float(y), float(width), float(height)


def jittered(box: Box, rng: np.random.Generator, *, first: bool) -> Box:
    """A box of other sides in another place; the first frame's moves less."""
    spread, reach = SPREAD[not first], np.array(REACH[not first])
    x, y, width, height = box
    sides = np.array([width, height]) * np.exp(rng.normal(0, spread, 2))
    center = np.array([x + width / 2, y + height / 2])
    center += reach * np.sqrt(sides.prod()) * (rng.random(2) - 0.5)
    left, top = center - sides / 2
    return float(left), float(top), float(sides[0]), float(sides[1])


def training_region(box: Box, crop_size: Size, frame_size: Size) -> Region:
    """The region of 25 times the box's area that is cut for a crop.

    It is shrunk until one axis fits into the frame, moved inside, and centerd where it overflows.
    """
    x, y, width, height = box
    scale = SEARCH_SCALE * np.sqrt(width * height / np.prod(crop_size))
    wanted = np.ceil(scale * np.array(crop_size))
    shrink = max(1.0, float((wanted / frame_size).min()))
    rows, columns = (max(int(side), 2) for side in wanted / shrink)
    top = _moved_inside(round(y + height / 2 - rows / 2), rows, frame_size[0])
    left = _moved_inside(round(x + width / 2 - columns / 2), columns, frame_size[1])
    return left, top, columns, rows


def _moved_inside(start: int, length: int, limit: int) -> int:
    start += max(-start, 0) - max(start + length - limit, 0)
    overflow = (max(-start, 0) + max(start + length - limit, 0)) // 2
    return -overflow if overflow > 0 else start


def cut(image: Image, mask: Mask, region: Region, crop_size: Size) -> tuple[Image, Mask]:
    """Crops of a frame and its mask: borders replicated and bilinear, zero and nearest.

    Shapes: image [Hv,Wv,3], mask [Hv,Wv]; crops [H,W,3] and [H,W] for a `crop_size` of (H, W).
    """
    x, y, width, height = region
    rows, columns = mask.shape
    left, top = max(-x, 0), max(-y, 0)
    right, bottom = max(x + width - columns + 1, 0), max(y + height - rows + 1, 0)  # one too many
    inside = (slice(y + top, y + height - bottom), slice(x + left, x + width - right))
    margins = (top, bottom, left, right)
    patch = cv2.copyMakeBorder(image[inside], *margins, cv2.BORDER_REPLICATE)
    crop = cv2.resize(patch, crop_size[::-1], interpolation=cv2.INTER_LINEAR)
    patch_mask = cv2.copyMakeBorder(mask[inside], *margins, cv2.BORDER_CONSTANT)
    return np.asarray(crop, np.uint8), _nearest(np.asarray(patch_mask, np.uint8), crop_size)


def _nearest(mask: Mask, size: Size) -> Mask:
    """Nearest neighbors at positions in single precision, as torch has them; OpenCV differs."""
    rows, columns = (
        (np.arange(new, dtype=np.float32) * np.float32(old / new)).astype(np.intp).clip(max=old - 1)
        for new, old in zip(size, mask.shape, strict=True)
    )
    return np.asarray(mask[rows[:, None], columns], np.uint8)


def turned(image: Image, mask: Mask, degrees: float, scale: float) -> tuple[Image, Mask]:
    """A crop [H,W,3] and its mask [H,W] turned and scaled about the center, black outside."""
    height, width = mask.shape
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, scale)
    picture = cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_LINEAR)
    target = cv2.warpAffine(mask, matrix, (width, height), flags=cv2.INTER_NEAREST)
    return np.asarray(picture, np.uint8), np.asarray(target, np.uint8)


def brightened(image: Image, factor: float) -> Image:
    """An image [H,W,3] times a factor, rounded and limited to 255."""
    return np.asarray(cv2.convertScaleAbs(image, alpha=factor), np.uint8)


def grayed(image: Image) -> Image:
    """An image [H,W,3] in gray, the weights of red and blue exchanged as in the paper's code."""
    return np.asarray(
        cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2RGB), np.uint8
    )


def training_crop(
    image: Image, mask: Mask, crop_size: Size, rng: np.random.Generator, *, first: bool
) -> tuple[Image, Mask]:
    """A jittered, turned and brightened crop around the object of a mask that is not empty.

    Shapes: image [Hv,Wv,3], mask [Hv,Wv]; crops [H,W,3] and [H,W] for a `crop_size` of (H, W).
    """
    box = jittered(box_of(mask), rng, first=first)
    height, width = mask.shape
    crop, target = cut(image, mask, training_region(box, crop_size, (height, width)), crop_size)
    degrees, scale = rng.uniform(-15, 15), float(np.exp(rng.uniform(-0.2, 0.2)))
    crop, target = turned(crop, target, degrees, scale)
    return brightened(crop, rng.uniform(0.8, 1.2)), target
