"""What a file of masks says of one image."""

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath
from tokenize import TokenError
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from jointvos.types import LabelMap


@dataclass(frozen=True, eq=False)
class Shape:
    """One object, or a part of one.

    Attributes:
        mask: Its pixels, bool [H,W].
        name: Its label, "" for none.
        id: Its ID if the file gives one.
        key: What tells it from other objects of the same name, in all images; "" if nothing does.
            Shapes of one key are one object.
    """

    mask: NDArray[np.bool_]
    name: str = ""
    id: int | None = None
    key: str = ""


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
    if isinstance(error, KeyError):
        return f"{error.args[0]!r} is missing"[:_LONGEST]
    return str(error).splitlines()[0][:_LONGEST] if str(error) else type(error).__name__


_LONGEST = 200
