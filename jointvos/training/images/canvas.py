"""An image to draw on: text, rectangles, images, and a PNG that appears only when complete."""

from functools import cache
from pathlib import Path
from typing import TypeAlias

import numpy as np
from PIL import Image as PillowImage
from PIL import ImageDraw, ImageFont

from jointvos.files.whole_file import whole_file
from jointvos.types import Image

Color: TypeAlias = tuple[int, int, int]
"""RGB."""

Box: TypeAlias = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels; right and bottom do not belong to it."""


class Canvas:
    """An RGB image; places are x, y in pixels from the top left.

    Attributes:
        pixels: uint8 [H,W,3], without the text, which is put on top in the end.
    """

    def __init__(self, width: int, height: int, background: Color) -> None:
        self.pixels: Image = np.full((height, width, 3), background, np.uint8)
        self._texts: list[tuple[tuple[float, float], str, int, Color, str]] = []

    def text(
        self, place: tuple[float, float], text: str, size: int, color: Color, anchor: str = "ls"
    ) -> float:
        """Write one line and return its width; the anchor is Pillow's, "ls" is left on baseline."""
        self._texts.append((place, text, size, color, anchor))
        return text_width(text, size)

    def fill(self, box: Box, color: Color) -> None:
        """Paint a rectangle."""
        left, top, right, bottom = box
        self.pixels[top:bottom, left:right] = color

    def paste(self, image: Image, left: int, top: int) -> None:
        """Copy an image, uint8 [H,W,3]."""
        self.pixels[top : top + image.shape[0], left : left + image.shape[1]] = image

    def save(self, path: Path) -> None:
        """Write a PNG, which has its name when it is whole.

        Raises:
            OutputError: It cannot be written; what stood there before is untouched.
        """
        picture = PillowImage.fromarray(self.pixels)
        pen = ImageDraw.Draw(picture)
        for place, text, size, color, anchor in self._texts:
            pen.text(place, text, color, font(size), anchor)
        with whole_file(path) as partial:
            picture.save(partial, "PNG")


@cache
def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """The font that Pillow brings along; the size is in pixels."""
    return ImageFont.load_default(size)


def text_width(text: str, size: int) -> float:
    """Width of a line in pixels."""
    return font(size).getlength(text)
