"""Contact sheets: tracked sequences beside the truth, and what a batch of training looks like."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from jointvos.training.images.canvas import Canvas, Color, text_width
from jointvos.types import Image

PAPER: Color = (24, 26, 30)
INK: Color = (236, 238, 242)
FAINT: Color = (150, 156, 166)
PREDICTED: Color = (255, 138, 30)
TRUE: Color = (40, 220, 255)

FRAMES = 6
MARGIN, GAP = 28, 8
SHEET, WIDEST, TALLEST = 1920, 320, 300  # pixels: sheet and tiles, at most
TINT = 0.28

Mask: TypeAlias = NDArray[np.bool_]


@dataclass(frozen=True)
class Strip:
    """A tracked validation sequence.

    Attributes:
        name: Of the sequence.
        images: RGB, uint8 [H,W,3] each.
        predictions: bool [H,W] each.
        truths: bool [H,W] each.
        ious: J of each frame from 0 to 1; NaN where it was not measured.
        numbers: Of the frames; their places in the list when empty.
    """

    name: str
    images: Sequence[Image]
    predictions: Sequence[Mask]
    truths: Sequence[Mask]
    ious: Sequence[float]
    numbers: Sequence[int] = ()


@dataclass(frozen=True)
class _Tile:
    image: Image
    caption: str
    note: str
    reference: bool = False


def draw_strip(rows: Sequence[Strip], path: Path) -> None:
    """Draw a row of frames per sequence, evenly spread, with prediction and truth, as a PNG.

    Raises:
        OutputError: It cannot be written.
    """
    width = _tile_width(max((min(FRAMES, len(row.images)) for row in rows), default=1))
    tiles = [_tracked(row, width) for row in rows]
    legend = (("prediction", PREDICTED), ("truth", TRUE))
    _sheet("Tracked sequences", legend, [row.name for row in rows], tiles, width).save(path)


def draw_batch(
    images: NDArray[np.uint8],
    masks: NDArray[np.generic],
    path: Path,
    captions: Sequence[str] = (),
) -> None:
    """Draw a row of search regions per mini-sequence as a PNG.

    Args:
        images: RGB, uint8 [B,T,3,H,W].
        masks: The target, above 0.5 inside, [B,T,1,H,W].
        path: The PNG; replaced when there.
        captions: Of the mini-sequences; their numbers when missing.

    Raises:
        OutputError: It cannot be written.
    """
    width = _tile_width(images.shape[1])
    titles = [
        caption or f"mini-sequence {index}"
        for index, caption in zip_longest(range(len(images)), captions[: len(images)], fillvalue="")
    ]
    tiles = [
        _mini_sequence(sequence, targets, width)
        for sequence, targets in zip(images, masks, strict=True)
    ]
    _sheet("Mini-sequences", (("target", TRUE),), titles, tiles, width).save(path)


def evenly_spread(length: int, count: int) -> list[int]:
    """At most `count` places in a list, the first and the last among them."""
    return [int(place) for place in np.linspace(0, length - 1, min(count, length)).round()]


def tint(image: Image, mask: NDArray[np.uint8], color: Color) -> Image:
    """Shift the colors inside a mask, uint8 [H,W], 0 outside; makes a new image."""
    flat = np.full_like(image, color)
    mixed = cv2.addWeighted(image, 1 - TINT, flat, TINT, 0)
    return np.where(mask[..., None] > 0, mixed, image).astype(np.uint8, copy=False)


def outline(image: Image, mask: NDArray[np.uint8], color: Color) -> Image:
    """Draw the border of a mask, uint8 [H,W], 0 outside; makes a new image."""
    drawn = image.copy()
    contours, _ = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(drawn, contours, -1, color, 1, cv2.LINE_AA)
    return drawn


def _tracked(row: Strip, width: int) -> list[_Tile]:
    numbers = row.numbers or range(len(row.images))
    tiles = []
    for t in evenly_spread(len(row.images), FRAMES):
        image = _fit(row.images[t], width)
        predicted, true = _shrink(row.predictions[t], image), _shrink(row.truths[t], image)
        image = tint(image, predicted, PREDICTED)
        # The truth runs outside its border and the prediction inside, so that both can be seen
        # where they agree.
        image = outline(image, _grown(true), TRUE)
        image = outline(image, predicted, PREDICTED)
        score = row.ious[t]
        note = f"J {100 * score:.1f}" if math.isfinite(score) else ""
        tiles.append(_Tile(image, f"frame {numbers[t]}", note))
    return tiles


def _mini_sequence(
    images: NDArray[np.uint8], masks: NDArray[np.generic], width: int
) -> list[_Tile]:
    tiles = []
    for t, (picture, target) in enumerate(zip(images, masks, strict=True)):
        image = _fit(np.ascontiguousarray(picture.transpose(1, 2, 0)), width)
        mask = target[0] > 0.5
        small = _shrink(mask, image)
        image = outline(tint(image, small, TRUE), small, TRUE)
        area = 100 * np.count_nonzero(mask) / mask.size
        note = f"area {area:.1f} %" if area else "hidden"
        tiles.append(_Tile(image, "reference" if t == 0 else f"frame {t}", note, reference=t == 0))
    return tiles


def _tile_width(columns: int) -> int:
    return min(WIDEST, (SHEET - 2 * MARGIN + GAP) // columns - GAP)


def _fit(image: Image, width: int) -> Image:
    """Scaled to a tile's width, or less where it would become too tall."""
    scale = min(width / image.shape[1], TALLEST / image.shape[0])
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, size, interpolation=how), np.uint8)


def _shrink(mask: Mask, image: Image) -> NDArray[np.uint8]:
    """At the size of a tile; 255 where at least half is inside."""
    scaled = cv2.resize(
        mask.astype(np.uint8) * 255, image.shape[1::-1], interpolation=cv2.INTER_AREA
    )
    return ((scaled > 127) * 255).astype(np.uint8)


def _grown(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.dilate(mask, np.ones((3, 3), np.uint8)), np.uint8)


def _sheet(
    heading: str,
    legend: Sequence[tuple[str, Color]],
    titles: Sequence[str],
    tiles: Sequence[Sequence[_Tile]],
    width: int,
) -> Canvas:
    """A heading, then per row a title, images, and captions below them."""
    columns = max((len(row) for row in tiles), default=1)
    heights = [max((tile.image.shape[0] for tile in row), default=0) for row in tiles]
    above, below, between = 32, 24, 22
    top = 76
    total = top + sum(above + height + below + between for height in heights)
    # A sheet of one narrow column still holds its heading.
    sheet_width = max(560, 2 * MARGIN + columns * (width + GAP) - GAP)
    canvas = Canvas(sheet_width, total, PAPER)
    canvas.text((MARGIN, 46), heading, 26, INK)
    right: float = sheet_width - MARGIN
    for name, color in reversed(legend):
        right -= text_width(name, 16)
        canvas.text((right, 46), name, 16, INK)
        canvas.fill((round(right) - 30, 39, round(right) - 8, 42), color)
        right -= 30 + 22
    for title, row, height in zip(titles, tiles, heights, strict=True):
        canvas.text((MARGIN, top + 20), title, 18, INK)
        top += above
        for column, tile in enumerate(row):
            left = MARGIN + column * (width + GAP)
            height_here, width_here = tile.image.shape[:2]
            if tile.reference:
                edge = (left - 3, top - 3, left + width_here + 3, top + height_here + 3)
                canvas.fill(edge, INK)
            canvas.paste(tile.image, left, top)
            baseline = top + height_here + 18
            canvas.text((left, baseline), tile.caption, 14, INK if tile.reference else FAINT)
            canvas.text((left + width_here, baseline), tile.note, 14, INK, "rs")
        top += height + below + between
    return canvas
