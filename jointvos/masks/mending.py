"""Making a mask of IDs again from an image whose edges or colors were softened or converted."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from jointvos.masks.palette import DAVIS_PALETTE, color_keys
from jointvos.types import VOID, LabelMap, object_ids

_Colors = NDArray[np.uint8]
_Indices = NDArray[np.int32]
_Values = NDArray[np.floating[Any]]

_CLOSE = 40.0
"""RGB distance up to which a lossy file may have moved a color."""

_LEAST_CERTAIN = 0.8
"""Share of the pixels that are certain in a mask."""

_NOTABLE = 5e-4
"""Share of the pixels from which a color of a lossy file may be one of its own."""


def harden(colors: _Colors, lossy: bool) -> _Colors:
    """Give every pixel one of the image's true colors, RGB uint8 [H,W,3] to the same.

    True colors fill a 3x3 block somewhere. Pixels of another color, the soft ones, and pixels of
    a true color that are not connected to such a block take the color of the nearest certain
    pixel. In a lossy file colors that are close to each other count as one.
    """
    keys, indices, counts = np.unique(color_keys(colors), return_inverse=True, return_counts=True)
    found = (keys[:, None] >> np.array([16, 8, 0], dtype=np.uint32) & 255).astype(np.uint8)
    if lossy:
        centers, of_color = _clusters(found, counts)
    else:
        centers, of_color = found, np.arange(len(found), dtype=np.int32)
    index = of_color[indices.reshape(-1)].reshape(colors.shape[:2]).astype(np.int32)
    certain = _certain(index)
    if certain.mean() < _LEAST_CERTAIN:
        return colors
    nearest: _Colors = centers[_spread(index, certain)]
    return nearest


def luma_ids(labels: LabelMap) -> dict[int, int] | None:
    """Ids by gray value if a DAVIS palette was converted to gray, else None.

    Known by its values: all of them are the luma of the first DAVIS colors.
    """
    values = set(object_ids(labels))
    if labels.dtype != np.uint8 or not values or values & set(range(1, 13)):
        return None
    for count in (7, len(values)):
        table = {gray: i for i in range(count, 0, -1) for gray in _LUMA[i]}
        table |= dict.fromkeys(_LUMA[VOID], VOID)
        if values <= set(table) and any(table[v] != VOID for v in values):
            return {value: table[value] for value in sorted(values)}
    return None


def map_ids(labels: LabelMap, table: dict[int, int]) -> LabelMap:
    """Labels of uint8 with other IDs; those that are not in the table stay."""
    lookup = np.arange(256, dtype=np.uint8)
    lookup[list(table)] = list(table.values())
    mapped: LabelMap = lookup[labels]
    return mapped


def _luma() -> list[set[int]]:
    """Gray values that programs make of each DAVIS color; they round in two ways."""
    weighted = DAVIS_PALETTE @ np.array([0.299, 0.587, 0.114])
    pairs = zip(np.floor(weighted).astype(int), np.rint(weighted).astype(int), strict=True)
    return [{int(down), int(near)} for down, near in pairs]


_LUMA = _luma()


def _clusters(found: _Colors, counts: NDArray[np.intp]) -> tuple[_Colors, _Indices]:
    """Centers, the most frequent colors first, and for each color its center, -1 for none."""
    centers = np.empty((0, 3))
    colors = found.astype(np.float32)
    for i in np.argsort(-counts, kind="stable"):
        if counts[i] < 9:
            break
        if not len(centers) or _distance(centers, colors[i]).min() > 2 * _CLOSE:
            centers = np.vstack([centers, colors[i]])
    nearest = np.full(len(found), -1)
    least = np.full(len(found), _CLOSE, dtype=np.float32)
    for k, center in enumerate(centers):
        distance = _distance(colors, center)
        closer = distance < least
        nearest[closer], least[closer] = k, distance[closer]
    shares = np.array([counts[nearest == k].sum() for k in range(len(centers))]) / counts.sum()
    nearest[np.isin(nearest, np.flatnonzero(shares < _NOTABLE))] = -1
    true = np.array([_snapped(center) for center in centers], dtype=np.uint8)
    return true, nearest.astype(np.int32)


def _distance(colors: _Values, color: _Values) -> _Values:
    """Euclidean, of each color [N,3] to one."""
    difference = colors - color
    squares: _Values = np.einsum("ij,ij->i", difference, difference)
    return np.sqrt(squares)


def _snapped(color: _Values) -> _Colors:
    """Black, white or the DAVIS color that a lossy file has moved a little."""
    likely = np.vstack([DAVIS_PALETTE[:8], [[255, 255, 255]]]).astype(np.float64)
    distance = _distance(likely, color)
    best = likely[distance.argmin()] if distance.min() < _CLOSE / 2 else color
    return np.asarray(best).astype(np.uint8)


def _certain(index: _Indices) -> NDArray[np.bool_]:
    """Pixels of a true color that are connected to a solid block of it."""
    kernel = np.ones((3, 3), dtype=np.uint8)
    values = index.astype(np.float32)  # cv2 has no morphology for int32
    solid = (cv2.erode(values, kernel) == cv2.dilate(values, kernel)) & (index >= 0)
    certain = np.zeros(index.shape, dtype=np.bool_)
    present = np.unique(index[solid]).tolist()
    for k in present if len(present) <= VOID else ():
        _, parts = cv2.connectedComponents((index == k).astype(np.uint8))
        certain |= np.isin(parts, np.unique(parts[solid & (index == k)]))
    return certain


def _spread(index: _Indices, certain: NDArray[np.bool_]) -> _Indices:
    """The index of the nearest certain pixel, everywhere."""
    unknown = (~certain).astype(np.uint8)
    _, zone = cv2.distanceTransformWithLabels(
        unknown, cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    of_zone = np.zeros(int(zone.max()) + 1, dtype=np.int32)
    of_zone[zone[certain]] = index[certain]
    spread: _Indices = of_zone[zone]
    return spread


def as_colors(image: PillowImage.Image) -> _Colors:
    """RGB, uint8 [H,W,3]; visible through transparency as over black."""
    if image.mode in ("LA", "RGBA", "PA"):
        image = image.convert("RGBA")
        black = PillowImage.new("RGBA", image.size, (0, 0, 0, 255))
        image = PillowImage.alpha_composite(black, image)
    return np.array(image.convert("RGB"))
