"""First masks from boxes: what stands out in a box from the image around it (GrabCut)."""

import re
from dataclasses import dataclass
from typing import ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from jointvos.errors import ConfigError, MaskError
from jointvos.masks.grab_cut import Region, resized, run_grab_cut, shrunk, without_specks
from jointvos.masks.id_change import parse_id
from jointvos.types import Image, VideoInfo

_FORM = re.compile(r"([0-9]+),([0-9]+),([0-9]+),([0-9]+)(?:=(.*))?")
_LEAST_SIDE = 8
_LONGEST_SIDE, _MOST_PIXELS = 512, 40_000
"""The size of the copy that is worked on: its longest side, and the pixels of the box in it.

In larger copies (640 pixels, and without the second limit) large boxes of 1080p take several times
as long, and masks are no better.
"""
_ROUNDS = 4
_SPECK = 0.05  # of the largest part


@dataclass(frozen=True)
class Box:
    """A rectangle around an object in the first frame, in pixels of the upright image.

    Attributes:
        x: First column.
        y: First row.
        width: Columns.
        height: Rows.
        id: The object's ID; None for the next free one.
    """

    x: int
    y: int
    width: int
    height: int
    id: int | None = None
    option: ClassVar[str] = "`box`"

    @classmethod
    def parse(cls, text: str) -> "Box":
        """Read "x,y,w,h" or "x,y,w,h=id".

        Raises:
            ConfigError: It has another form, or is smaller than 8x8.
        """
        match = _FORM.fullmatch(text.replace(" ", ""))
        if match is None:
            raise ConfigError(f"`box` is {text!r}, expected x,y,width,height or x,y,w,h=id")
        x, y, width, height = (int(number) for number in match.groups()[:4])
        if min(width, height) < _LEAST_SIDE:
            raise ConfigError(
                f"`box` {text} is {width}x{height}, expected at least {_LEAST_SIDE}x{_LEAST_SIDE}"
            )
        return cls(x, y, width, height, None if match[5] is None else parse_id(match[5], "`box`"))

    def __str__(self) -> str:
        return f"{self.x},{self.y},{self.width},{self.height}"

    def check(self, info: VideoInfo) -> None:
        """Compare with the size of the video.

        Raises:
            MaskError: The box is not inside, or leaves nothing around it.
        """
        if self.x + self.width > info.width or self.y + self.height > info.height:
            raise MaskError(
                f"`box` {self} reaches to {self.x + self.width},{self.y + self.height}, but "
                f"{info.path} is {info.width}x{info.height}; keep the box inside"
            )
        if (self.width, self.height) == (info.width, info.height):
            raise MaskError(
                f"`box` {self} covers the whole image; leave some background around the object"
            )

    def cut(self, image: Image) -> Region:
        """The pixels of the object in it, bool [Hv,Wv]; the same every time.

        Only the surroundings of the box are looked at, scaled down if they are large.

        Raises:
            MaskError: Nothing in the box stands out.
        """
        margin = max(16, max(self.width, self.height) // 2)
        left, top = max(0, self.x - margin), max(0, self.y - margin)
        part = image[top : self.y + self.height + margin, left : self.x + self.width + margin]
        fine = (_MOST_PIXELS / (self.width * self.height)) ** 0.5
        scale = min(1.0, _LONGEST_SIDE / max(part.shape[:2]), fine)
        small = shrunk(part, scale)
        inside = (self.x - left, self.y - top, self.width, self.height)
        x, y, width, height = (round(value * scale) for value in inside)
        state: NDArray[np.uint8] = np.full(small.shape[:2], cv2.GC_BGD, dtype=np.uint8)
        state[y : y + height, x : x + width] = cv2.GC_PR_FGD
        found = without_specks(run_grab_cut(small, state, _ROUNDS), _SPECK)
        mask = np.zeros(image.shape[:2], dtype=np.bool_)
        mask[top : top + part.shape[0], left : left + part.shape[1]] = resized(found, part.shape)
        if mask.sum() < 0.01 * self.width * self.height:
            raise MaskError(
                f"`box` {self}: nothing in it stands out from the background; paint a mask instead"
            )
        return mask
