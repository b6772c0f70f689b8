"""Contact sheets: tracked sequences beside the truth, and what a batch of training looks like."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage
from PIL import ImageDraw, ImageFont

from jointvos.files.whole_file import whole_file
from jointvos.types import Image

Color: TypeAlias = tuple[int, int, int]
"""RGB."""

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
    _draw("Tracked sequences", legend, [row.name for row in rows], tiles, width, path)


def draw_batch(
    images: NDArray[np.uint8],
    masks: NDArray[np.generic],
    path: Path,
) -> None:
    """Draw a row of search regions per mini-sequence as a PNG.

    Args:
        images: RGB, uint8 [B,T,3,H,W].
        masks: The target, above 0.5 inside, [B,T,1,H,W].
        path: The PNG; replaced when there.

    Raises:
        OutputError: It cannot be written.
    """
    width = _tile_width(images.shape[1])
    titles = [f"mini-sequence {index}" for index in range(len(images))]
    tiles = [
        _mini_sequence(sequence, targets, width)
        for sequence, targets in zip(images, masks, strict=True)
    ]
    _draw("Mini-sequences", (("target", TRUE),), titles, tiles, width, path)


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


def _draw(
    heading: str,
    legend: Sequence[tuple[str, Color]],
    titles: Sequence[str],
    tiles: Sequence[Sequence[_Tile]],
    width: int,
    path: Path,
) -> None:
    """A heading, then per row a title, images, and captions below them, as a PNG."""
    columns = max((len(row) for row in tiles), default=1)
    heights = [max((tile.image.shape[0] for tile in row), default=0) for row in tiles]
    above, below, between = 32, 24, 22
    top = 76
    total = top + sum(above + height + below + between for height in heights)
    # A sheet of one narrow column still holds its heading.
    sheet_width = max(560, 2 * MARGIN + columns * (width + GAP) - GAP)
    sheet = PillowImage.new("RGB", (sheet_width, total), PAPER)
    pen = ImageDraw.Draw(sheet)
    fonts = {size: ImageFont.load_default(size) for size in (14, 16, 18, 26)}
    pen.text((MARGIN, 46), heading, INK, fonts[26], "ls")
    right: float = sheet_width - MARGIN
    for name, color in reversed(legend):
        right -= pen.textlength(name, fonts[16])
        pen.text((right, 46), name, INK, fonts[16], "ls")
        pen.rectangle((round(right) - 30, 39, round(right) - 9, 41), color)
        right -= 30 + 22
    for title, row, height in zip(titles, tiles, heights, strict=True):
        pen.text((MARGIN, top + 20), title, INK, fonts[18], "ls")
        top += above
        for column, tile in enumerate(row):
            left = MARGIN + column * (width + GAP)
            high, wide = tile.image.shape[:2]
            if tile.reference:
                pen.rectangle((left - 3, top - 3, left + wide + 2, top + high + 2), INK)
            sheet.paste(PillowImage.fromarray(tile.image), (left, top))
            baseline, ink = top + high + 18, INK if tile.reference else FAINT
            pen.text((left, baseline), tile.caption, ink, fonts[14], "ls")
            pen.text((left + wide, baseline), tile.note, INK, fonts[14], "rs")
        top += height + below + between
    with whole_file(path) as partial:
        sheet.save(partial, "PNG")
