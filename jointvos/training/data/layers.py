"""What a training scene is made of: images in layers, each bent and moved, and their drawing.

Search region, motion and bending of a layer are composed into one sampling grid, so every pixel is
interpolated once.

Matrices are 3x3 and map pixel indices (x, y, 1); boxes are (x0, y0, x1, y1) in edge coordinates,
where pixel i covers [i, i+1).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from jointvos.types import Image

Floats: TypeAlias = NDArray[np.float64]
"""Matrices [3,3], boxes [4] and points [...,2], in pixels."""

Mask: TypeAlias = NDArray[np.uint8]
"""uint8 [H,W]: 0 or 255, between them where an object is only partly there."""

Size: TypeAlias = tuple[int, int]
"""(height, width) in pixels."""

CELL = 8  # pixels between the nodes at which a bending motion is computed


@dataclass(frozen=True)
class Waves:
    """A smooth bending: offset(p) = sum_k amplitudes[k] sin(frequencies[k] . p + phases[k]).

    Attributes:
        frequencies: [K,2], radians per pixel.
        phases: [K], radians.
        amplitudes: [K,2], pixels.
    """

    frequencies: Floats
    phases: Floats
    amplitudes: Floats

    def offset(self, points: Floats) -> Floats:
        """Displacement [...,2] in pixels at points [...,2]."""
        bent: Floats = np.sin(points @ self.frequencies.T + self.phases) @ self.amplitudes
        return bent


@dataclass(frozen=True)
class Layer:
    """One image in one frame of a scene.

    Attributes:
        image: RGB source, uint8 [H,W,3].
        mask: Its object [H,W]; None where only the image matters.
        to_source: Scene to source pixels, [3,3].
        waves: Bending added in source pixels.
        cut: Whether only the object is drawn, else the whole image is.
        is_target: Whether the object is the target.
    """

    image: Image
    mask: Mask | None
    to_source: Floats
    waves: Waves | None = None
    cut: bool = False
    is_target: bool = False


@dataclass(frozen=True)
class SceneFrame:
    """One frame before it is cropped.

    Attributes:
        size: Of the scene.
        box: The whole target's, [4].
        layers: Bottom up.
        shutter: Part of the target's way since the frame before along which it is blurred.
    """

    size: Size
    box: Floats
    layers: tuple[Layer, ...]
    shutter: float = 0.0


# Drawing


def render(layers: Sequence[Layer], to_scene: Floats, crop_size: Size) -> tuple[Image, Mask]:
    """Draw layers bottom up into a crop.

    Args:
        layers: Of one frame of a scene.
        to_scene: Crop to scene pixels, [3,3].
        crop_size: H, W of the crop.

    Returns:
        The image [H,W,3] and the visible part of the target [H,W], 0 or 255.
    """
    height, width = crop_size
    picture: Image = np.zeros((height, width, 3), np.uint8)
    target: Mask = np.zeros(crop_size, np.uint8)
    for layer in layers:
        matrix = layer.to_source @ to_scene
        grid = None if layer.waves is None else _grid(matrix, layer.waves, crop_size)
        alpha: Mask | None = None
        if layer.mask is not None:
            alpha = _warp(layer.mask, matrix, grid, crop_size, cv2.BORDER_CONSTANT)
        if not layer.cut:
            picture = _warp(layer.image, matrix, grid, crop_size, cv2.BORDER_REPLICATE)
        elif alpha is not None:
            x, y, columns, rows = cv2.boundingRect(alpha)
            if not columns:
                continue
            part = (slice(y, y + rows), slice(x, x + columns))
            corner = np.eye(3)
            corner[:2, 2] = x, y
            piece = _warp(
                layer.image,
                matrix @ corner,
                None if grid is None else grid[:, y : y + rows, x : x + columns],
                (rows, columns),
                cv2.BORDER_REPLICATE,
            )
            picture[part] = blend(piece, picture[part], alpha[part])
        if alpha is not None:
            target = _uncovered(target, layer, alpha)
    return picture, target


def visible_target(layers: Sequence[Layer], to_scene: Floats, crop_size: Size) -> Mask:
    """The mask that `render` draws, [H,W], without the image."""
    target: Mask = np.zeros(crop_size, np.uint8)
    start = next((i for i, layer in enumerate(layers) if layer.is_target), len(layers))
    for layer in layers[start:]:
        if layer.mask is not None:
            matrix = layer.to_source @ to_scene
            grid = None if layer.waves is None else _grid(matrix, layer.waves, crop_size)
            alpha = _warp(layer.mask, matrix, grid, crop_size, cv2.BORDER_CONSTANT)
            target = _uncovered(target, layer, alpha)
    return target


def _uncovered(target: Mask, layer: Layer, alpha: Mask) -> Mask:
    """What is visible of the target [H,W] after one layer more, whose object is at alpha [H,W]."""
    if layer.is_target:
        return to_mask(alpha > 127)
    if layer.cut:
        target[alpha > 127] = 0
    return target


def _warp(
    source: NDArray[np.uint8],
    matrix: Floats,
    grid: NDArray[np.float32] | None,
    size: Size,
    border: int,
) -> NDArray[np.uint8]:
    """Sample a source [H,W] or [H,W,3] at the grid or, without one, where the matrix points."""
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    if grid is not None:
        warped = cv2.remap(source, grid[0], grid[1], cv2.INTER_LINEAR, borderMode=border)
    elif matrix[2, 0] or matrix[2, 1]:
        warped = cv2.warpPerspective(source, matrix, size[::-1], flags=flags, borderMode=border)
    else:
        warped = cv2.warpAffine(source, matrix[:2], size[::-1], flags=flags, borderMode=border)
    return np.asarray(warped, np.uint8)


def _grid(matrix: Floats, waves: Waves, size: Size) -> NDArray[np.float32]:
    """Source positions (x, y) [2,H,W]: exact at nodes `CELL` pixels apart, linear between them."""
    height, width = size
    rows, columns = -(-height // CELL) + 2, -(-width // CELL) + 2  # one cell of margin around
    y, x = np.mgrid[:rows, :columns]
    nodes = (np.stack([x, y], axis=-1) - 0.5) * CELL - 0.5
    points = transform(matrix, nodes)
    points += waves.offset(points)
    fine = cv2.resize(
        points.astype(np.float32), (columns * CELL, rows * CELL), interpolation=cv2.INTER_LINEAR
    )
    inner = np.asarray(fine, np.float32)[CELL : CELL + height, CELL : CELL + width]
    return np.ascontiguousarray(inner.transpose(2, 0, 1))


def blend(over: Image, under: Image, alpha: Mask) -> Image:
    """Mix two images [H,W,3]: `over` where alpha [H,W] is 255, `under` where it is 0."""
    weight = alpha.astype(np.float32) / np.float32(255)
    return np.asarray(cv2.blendLinear(over, under, weight, 1 - weight), np.uint8)


# Masks, boxes, matrices


def to_mask(where: NDArray[np.bool_]) -> Mask:
    """255 where true, [H,W]."""
    return where.astype(np.uint8) * np.uint8(255)


def soften(mask: Mask, width: int) -> Mask:
    """A mask [H,W] whose edge is `width` pixels wide."""
    return np.asarray(cv2.blur(mask, (width, width)), np.uint8)


def size_of(mask: Mask) -> Size:
    """(height, width) of a mask [H,W]."""
    return mask.shape[0], mask.shape[1]


def box_of(mask: Mask) -> Floats:
    """The box [4] around all that is not 0."""
    x, y, width, height = cv2.boundingRect(mask)
    return np.array([x, y, x + width, y + height], np.float64)


def scene_box(mask: Mask, layer: Layer, size: Size) -> Floats:
    """The box [4] in the scene of a layer's object, from its outline; clipped to the scene."""
    outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    points = np.concatenate(outlines)[:, 0].astype(np.float64)
    if layer.waves is not None:
        points -= layer.waves.offset(points)
    points = transform(inverse(layer.to_source), points)
    height, width = size
    limits = np.array([width, height], np.float64)
    low = np.clip(points.min(axis=0), 0, limits - 1)
    high = np.clip(points.max(axis=0) + 1, low + 1, limits)
    return np.concatenate([low, high])


def center_of(box: Floats) -> Floats:
    """Center [2] of a box [4] as a pixel index."""
    middle: Floats = (box[:2] + box[2:] - 1) / 2
    return middle


def extent_of(box: Floats) -> float:
    """Side in pixels of the square as large as a box [4]."""
    return float(np.sqrt(np.prod(box[2:] - box[:2])))


def inverse(matrix: Floats) -> Floats:
    """The map back, [3,3]."""
    return np.asarray(np.linalg.inv(matrix), np.float64)


def transform(matrix: Floats, points: Floats) -> Floats:
    """Points [...,2] after a map [3,3]."""
    depth = points @ matrix[2, :2] + matrix[2, 2]
    moved: Floats = (points @ matrix[:2, :2].T + matrix[:2, 2]) / depth[..., None]
    return moved


# Chance


def takes_place(share: float, rng: np.random.Generator) -> bool:
    """Whether something happens that does in a share of the draws; at 0 nothing is drawn."""
    return share > 0 and rng.random() < share
