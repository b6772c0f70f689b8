"""First masks from boxes: what stands out in a box from the image around it (GrabCut)."""

import re
from dataclasses import dataclass
from typing import ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from jointvos.errors import ConfigError, MaskError
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

    def cut(self, image: Image) -> NDArray[np.bool_]:
        """The pixels of the object in it; see `cut_box`."""
        return cut_box(image, self)


def cut_box(image: Image, box: Box) -> NDArray[np.bool_]:
    """The pixels of the object in a box, bool [Hv,Wv]; the same every time.

    Only the surroundings of the box are looked at, scaled down if they are large.

    Raises:
        MaskError: Nothing in the box stands out.
    """
    height, width = image.shape[:2]
    margin = max(16, max(box.width, box.height) // 2)
    left, top = max(0, box.x - margin), max(0, box.y - margin)
    part = image[top : box.y + box.height + margin, left : box.x + box.width + margin]
    fine = (_MOST_PIXELS / (box.width * box.height)) ** 0.5
    scale = min(1.0, _LONGEST_SIDE / max(part.shape[:2]), fine)
    size = (max(1, round(part.shape[1] * scale)), max(1, round(part.shape[0] * scale)))
    small = cv2.resize(part, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    inside = [box.x - left, box.y - top, box.width, box.height]
    found = _grab_cut(small, [round(value * scale) for value in inside])
    cut = cv2.resize(found.astype(np.float32), part.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    mask = np.zeros((height, width), dtype=np.bool_)
    mask[top : top + part.shape[0], left : left + part.shape[1]] = cut > 0.5
    if mask.sum() < 0.01 * box.width * box.height:
        raise MaskError(
            f"`box` {box}: nothing in it stands out from the background; paint a mask instead"
        )
    return mask


def _grab_cut(image: Image, inside: list[int]) -> NDArray[np.bool_]:
    """What GrabCut takes for the object, without specks."""
    x, y, width, height = inside
    state: NDArray[np.uint8] = np.full(image.shape[:2], cv2.GC_BGD, dtype=np.uint8)
    state[y : y + height, x : x + width] = cv2.GC_PR_FGD
    found = run_grab_cut(image, state, _ROUNDS)
    _, parts, stats, _ = cv2.connectedComponentsWithStats(found.astype(np.uint8))
    areas = stats[:, cv2.CC_STAT_AREA]
    large = areas >= 0.05 * areas[1:].max(initial=0)
    large[0] = False
    return np.asarray(large[parts])


def run_grab_cut(image: Image, state: NDArray[np.uint8], rounds: int) -> NDArray[np.bool_]:
    """Where GrabCut sees the object, given what each pixel is, surely or probably (`cv2.GC_...`).

    The state is changed. The same input gives the same output.
    """
    cv2.setRNGSeed(0)  # its color clusters start at random
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(image, state, None, *models, rounds, cv2.GC_INIT_WITH_MASK)  # type: ignore[call-overload]
    return np.isin(state, (cv2.GC_FGD, cv2.GC_PR_FGD))
