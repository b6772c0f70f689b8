"""A picture to draw on: anti-aliased lines, text, and a PNG that appears only when complete."""

from functools import cache
from pathlib import Path
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage
from PIL import ImageDraw, ImageFont

from jointvos.types import Image
from jointvos.whole_file import whole_file

Colour: TypeAlias = tuple[int, int, int]
"""RGB."""

Box: TypeAlias = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels; right and bottom do not belong to it."""

SUBPIXEL_BITS = 4


class Canvas:
    """An RGB picture; places are x, y in pixels from the top left, fractions of lines count.

    Attributes:
        pixels: uint8 [H,W,3], without the text, which is put on top in the end.
    """

    def __init__(self, width: int, height: int, background: Colour) -> None:
        self.pixels: Image = np.full((height, width, 3), background, np.uint8)
        self._texts: list[tuple[tuple[float, float], str, int, Colour, str]] = []

    def text(
        self, place: tuple[float, float], text: str, size: int, colour: Colour, anchor: str = "ls"
    ) -> float:
        """Write one line and return its width; the anchor is Pillow's, "ls" is left on baseline."""
        self._texts.append((place, text, size, colour, anchor))
        return text_width(text, size)

    def fill(self, box: Box, colour: Colour) -> None:
        """Paint a rectangle."""
        left, top, right, bottom = box
        self.pixels[top:bottom, left:right] = colour

    def paste(self, image: Image, left: int, top: int) -> None:
        """Copy a picture, uint8 [H,W,3]."""
        self.pixels[top : top + image.shape[0], left : left + image.shape[1]] = image

    def line(
        self,
        points: NDArray[np.float64],
        colour: Colour,
        *,
        width: int = 1,
        opacity: float = 1.0,
        within: Box | None = None,
    ) -> None:
        """Connect points, [N,2] as x, y; one point alone becomes a dot."""
        left, top, right, bottom = within or (0, 0, *self.pixels.shape[1::-1])
        view = self.pixels[top:bottom, left:right]
        # Far outliers are drawn up to there; the library counts subpixels in 32 bits.
        inside = np.clip(points - (left, top), -1e4, 1e4)
        fixed = np.rint(inside * (1 << SUBPIXEL_BITS)).astype(np.int32)
        layer = view.copy()
        if len(points) == 1:
            radius = (width + 1) << SUBPIXEL_BITS
            centre = (int(fixed[0, 0]), int(fixed[0, 1]))
            cv2.circle(layer, centre, radius, colour, -1, cv2.LINE_AA, SUBPIXEL_BITS)
        else:
            cv2.polylines(layer, [fixed], False, colour, width, cv2.LINE_AA, SUBPIXEL_BITS)
        view[...] = cv2.addWeighted(layer, opacity, view, 1 - opacity, 0)

    def dot(self, x: float, y: float, radius: float, colour: Colour) -> None:
        """Paint a disc."""
        scale = 1 << SUBPIXEL_BITS
        centre = (round(x * scale), round(y * scale))
        size = round(radius * scale)
        cv2.circle(self.pixels, centre, size, colour, -1, cv2.LINE_AA, SUBPIXEL_BITS)

    def save(self, path: Path) -> None:
        """Write a PNG, which has its name when it is whole.

        Raises:
            OutputError: It cannot be written; what stood there before is untouched.
        """
        picture = PillowImage.fromarray(self.pixels)
        pen = ImageDraw.Draw(picture)
        for place, text, size, colour, anchor in self._texts:
            pen.text(place, text, colour, font(size), anchor)
        with whole_file(path) as partial:
            picture.save(partial, "PNG")


@cache
def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """The font that Pillow brings along; the size is in pixels."""
    return ImageFont.load_default(size)


def text_width(text: str, size: int) -> float:
    """Width of a line in pixels."""
    return font(size).getlength(text)
