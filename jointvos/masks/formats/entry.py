"""What a file of masks says of one image."""

import zlib
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from pathlib import PurePosixPath
from tokenize import TokenError
from zipfile import BadZipFile

import cv2
import numpy as np
from numpy.typing import NDArray

from jointvos import errors
from jointvos.types import LabelMap


class Shape:
    """One object, or a part of one; of its mask only what is within its box is kept.

    Attributes:
        shape: Height and width of the image.
        name: Its label, "" for none.
        id: Its ID if the file gives one.
        key: What tells it from other objects of the same name, in all images; "" if nothing does.
            Shapes of one key are one object.
    """

    def __init__(
        self, mask: NDArray[np.bool_], name: str = "", id: int | None = None, key: str = ""
    ) -> None:
        """Take over a mask, bool [H,W]."""
        self.shape = mask.shape
        self.name, self.id, self.key = name, id, key
        x, y, width, height = cv2.boundingRect(mask.astype(np.uint8))
        self._box = np.s_[y : y + height, x : x + width]
        self._part = mask[self._box].copy()

    @property
    def area(self) -> int:
        """Its pixels."""
        return int(np.count_nonzero(self._part))

    def paint(self, labels: LabelMap, object_id: int) -> None:
        """Give its pixels an ID, in labels of its image, [H,W]."""
        labels[self._box][self._part] = object_id

    def called(self, name: str) -> "Shape":
        """The same as the only object of a name."""
        other = copy(self)
        other.name, other.id, other.key = name, None, name
        return other


Objects = list[Shape] | LabelMap
"""The objects of one image: shapes, which may overlap, or IDs, [H,W]."""


@dataclass(frozen=True, eq=False)
class Entry:
    """One image of a file.

    Attributes:
        size: Width and height.
        read: Decodes its objects; raises what `BROKEN` lists if they are damaged.
        image: Name of the image, "" if the file does not say.
        number: Its number in the file, by which it can be asked for.
        frame: Number of the frame in the video, if the file says.
    """

    size: tuple[int, int]
    read: Callable[[], Objects]
    image: str = ""
    number: int | None = None
    frame: int | None = None

    @property
    def stem(self) -> str:
        """Name of the image without folders and suffix."""
        return PurePosixPath(self.image.replace("\\", "/")).stem

    def is_called(self, text: str) -> bool:
        """Whether the user means this one: by number, or by name with or without suffix."""
        name = PurePosixPath(self.image.replace("\\", "/")).name
        return text in (self.image, name, self.stem) or text == str(self.number)

    def __str__(self) -> str:
        return self.image or str(self.number)


BROKEN = (
    *(KeyError, TypeError, ValueError, IndexError, AttributeError, ArithmeticError, MemoryError),
    # These come of damaged arrays.
    *(EOFError, SyntaxError, RuntimeError, TokenError, BadZipFile, zlib.error),
)
"""What reading a file raises if it is not as its kind should be."""


def reason(error: BaseException) -> str:
    """What is wrong with the content of a file, in a few words."""
    text = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else errors.reason(error)
    return text[:_LONGEST]


_LONGEST = 200
