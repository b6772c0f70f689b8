"""Names of objects in a corner of a video, each beside its color."""

import logging
import unicodedata
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from functools import cache, cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from jointvos.color import sdr_in_hdr
from jointvos.masks.palette import display_colors
from jointvos.types import Hdr, LabelMap, object_pixels

_log = logging.getLogger("jointvos.masks")

_SMALLEST = 12
"""Pixels of a line that can still be read."""
_PLATE = 0.55
"""How dark the plate is behind the names, 0 to 1."""
_RIGHT_TO_LEFT = ("R", "AL")
_WEIGHT = 500


class Legend:
    """A plate with names; it stays in the corner that has the fewest object pixels at first.

    OpenCV's own font draws Latin, Greek, Cyrillic, Chinese, Japanese and Korean. Where it cannot
    draw a name, "object ID" stands instead, with a warning.
    """

    def __init__(self, names: Mapping[int, str], hdr: Hdr | None = None) -> None:
        """Prepare.

        Args:
            names: What each object is called, by ID, in the order in which they are listed.
            hdr: How images of uint16 code HDR, if they do.
        """
        self._hdr = hdr
        self._names = {each: _drawable(each, name) for each, name in names.items()}
        self._plate: _Plate | None = None

    def draw(self, image: NDArray[np.uint8 | np.uint16], labels: LabelMap) -> None:
        """Draw it into an image, which is changed; all have to be of one size.

        Args:
            image: RGB, uint8 or uint16 [H,W,3]; too small for a line, it stays as it is.
            labels: IDs, [Hv,Wv], of the image at any scale.
        """
        if self._plate is None:
            self._plate = _Plate(self._names, image.shape[:2], self._hdr)
            self._plate.avoid(object_pixels(labels))
        self._plate.blend_into(image)


class _Plate:
    """The legend for images of one size."""

    def __init__(self, names: Mapping[int, str], shape: tuple[int, ...], hdr: Hdr | None) -> None:
        height, width = shape
        self._hdr = hdr
        self._shape = (height, width)
        size = max(_SMALLEST, round(min(shape) / 36))
        line, inside, swatch = round(1.4 * size), round(0.5 * size), round(0.7 * size)
        self._margin = size
        self._corner = (0, 0)
        rows = _fitting(names, (height // 2 - 2 * inside) // line)
        room = 2 * width // 5 - 3 * inside - swatch
        texts = [_shortened(text, size, room) for _, text in rows]
        if not rows or not all(texts):
            self.color = np.zeros((0, 0, 3), dtype=np.uint8)
            self.cover = np.zeros((0, 0, 1), dtype=np.float32)
            return
        wide = 3 * inside + swatch + max(_width(text, size) for text in texts)
        high = 2 * inside + line * len(rows)
        # Colors are drawn over black, so they are multiplied by how much they cover.
        self.color = np.zeros((high, wide, 3), dtype=np.uint8)
        covered = np.zeros((high, wide), dtype=np.uint8)
        for number, ((object_id, _), text) in enumerate(zip(rows, texts, strict=True)):
            top = inside + line * number
            if object_id:
                y = top + (line - swatch) // 2
                square = np.s_[y : y + swatch, inside : inside + swatch]
                self.color[square] = display_colors(65536)[object_id]
                covered[square] = 255
            place = (2 * inside + swatch, top + round((line + 0.72 * size) / 2))
            for drawn in (self.color, covered):
                cv2.putText(drawn, text, place, (255, 255, 255), _font(), size, _WEIGHT)
        plate = np.float32(_PLATE) * _rounded((high, wide), inside)
        self.cover = (plate + (1 - plate) * (covered.astype(np.float32) / np.float32(255)))[
            ..., None
        ]

    def avoid(self, objects: NDArray[np.bool_]) -> None:
        """Choose the corner with the fewest object pixels, [Hv,Wv]; the first of equal ones."""
        scale = np.array(objects.shape) / self._shape

        def hidden(corner: tuple[int, int]) -> int:
            top, left = np.rint(corner * scale).astype(int)
            bottom, right = np.rint((corner + np.array(self.color.shape[:2])) * scale).astype(int)
            return int(np.count_nonzero(objects[top:bottom, left:right]))

        low, right = np.array(self._shape) - self.color.shape[:2] - self._margin
        top = left = self._margin
        # Below are subtitles and controls of players.
        self._corner = min([(top, left), (top, right), (low, left), (low, right)], key=hidden)

    @cached_property
    def _deep_color(self) -> NDArray[np.float32]:
        shown = self.color.astype(np.float32) / np.float32(255)
        codes = shown if self._hdr is None else sdr_in_hdr(shown, self._hdr)
        return np.asarray(codes * np.float32(65535))

    def blend_into(self, image: NDArray[np.uint8 | np.uint16]) -> None:
        """Draw it over an image in its corner."""
        top, left = self._corner
        part = image[top : top + self.color.shape[0], left : left + self.color.shape[1]]
        color = self.color if image.dtype == np.uint8 else self._deep_color
        part[:] = np.rint(color + part * (1 - self.cover)).astype(image.dtype)


def _fitting(names: Mapping[int, str], room: int) -> Sequence[tuple[int, str]]:
    """IDs and texts of so many lines; what is left out is counted in the last one, with ID 0."""
    rows = list(names.items())
    if len(rows) <= room:
        return rows
    return [*rows[: room - 1], (0, f"{len(rows) - room + 1} more")] if room > 0 else []


def _shortened(text: str, size: int, room: int) -> str:
    """As much of a text as is at most so wide; "" if nothing is."""
    if _width(text, size) <= room:
        return text

    def cut(length: int) -> str:
        return f"{text[:length].rstrip()}…"

    kept = bisect_right(range(1, len(text)), room, key=lambda n: _width(cut(n), size))
    return cut(kept) if kept else ""


def _width(text: str, size: int) -> int:
    return int(cv2.getTextSize((0, 0), text, (0, 0), _font(), size, _WEIGHT)[2])


def _rounded(shape: tuple[int, int], radius: int) -> NDArray[np.float32]:
    """1 inside of a rectangle with round corners, 0 outside, [H,W]."""
    padded = np.zeros((shape[0] + 2, shape[1] + 2), dtype=np.uint8)
    top, left, low, right = radius + 1, radius + 1, shape[0] - radius, shape[1] - radius
    for x in (left, right):
        for y in (top, low):
            cv2.circle(padded, (x, y), radius, 255, -1, cv2.LINE_AA)
    padded[top : low + 1, 1:-1] = padded[1:-1, left : right + 1] = 255
    return (padded[1:-1, 1:-1] / 255).astype(np.float32)


def _drawable(object_id: int, name: str) -> str:
    """A name in one line, or what stands for it."""
    text = unicodedata.normalize("NFC", " ".join(name.split()))
    if text and all(map(_is_drawn, text)):
        return text
    instead = f"object {object_id}"
    if text:
        _log.warning("the legend shows %r for %r, which its font cannot write", instead, text)
    return instead


@cache
def _is_drawn(character: str) -> bool:
    """Whether the font has a character; those written from right to left need more than that."""
    if character == "?" or character.isspace():
        return True
    if unicodedata.bidirectional(character) in _RIGHT_TO_LEFT or not character.isprintable():
        return False
    return not np.array_equal(_image_of(character), _image_of("?"))


def _image_of(character: str) -> NDArray[np.uint8]:
    image = np.zeros((48, 64), dtype=np.uint8)
    cv2.putText(image, character, (8, 36), (255, 255, 255), _font(), 32, 400)
    return image


@cache
def _font() -> "cv2.FontFace":
    return cv2.FontFace("sans")
