"""Pictures and label maps of data sets, which are indexed or grey pictures."""

import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image as PILImage

from jointvos.datasets.label_png import plain_labels
from jointvos.errors import DatasetError, SequenceIncomplete
from jointvos.types import Image, LabelMap

LABEL_MODES = ("P", "L", "1")
DAMAGE = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    OverflowError,
    struct.error,
    zlib.error,
    PILImage.DecompressionBombError,
)
"""Whatever Pillow raises for a file that is damaged or strange."""


def read_image(path: Path) -> Image:
    """A picture as RGB, uint8 [Hv,Wv,3].

    Raises:
        SequenceIncomplete: The file is missing.
        DatasetError: The file is damaged or no picture.
    """
    return np.array(_open(path).convert("RGB"), np.uint8)


def read_size(path: Path) -> tuple[int, int]:
    """Height and width of a picture, from its header.

    Raises:
        SequenceIncomplete: The file is missing.
        DatasetError: The file is damaged or no picture.
    """
    width, height = _open(path, decode=False).size
    return height, width


def read_labels(path: Path, *, single_object: bool = False) -> LabelMap:
    """The ids of a mask file, uint8 [Hv,Wv]: palette indices, grey levels or bits as they are.

    Args:
        path: The file.
        single_object: Whether all that is not 0 is one object with id 1, also 255.

    Raises:
        SequenceIncomplete: The file is missing.
        DatasetError: The file is damaged, or holds colours instead of ids.
    """
    labels = plain_labels(_content(path))
    if labels is None:
        labels = _decoded_labels(path)
    return (labels > 0).astype(np.uint8) if single_object else labels


def _decoded_labels(path: Path) -> LabelMap:
    picture = _open(path)
    if picture.mode not in LABEL_MODES:
        raise DatasetError(
            f"mask {path} is a picture of kind {picture.mode}: expected object ids in an "
            "indexed (P), grey (L) or black and white (1) picture"
        )
    return np.array(picture, np.uint8)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise SequenceIncomplete(f"{path} is missing: restore it from the data set") from error
    except OSError as error:
        raise DatasetError(f"{path} cannot be read ({error}): restore it") from error


def _open(path: Path, decode: bool = True) -> PILImage.Image:
    try:
        with path.open("rb") as file:
            picture = PILImage.open(file)
            if decode:
                picture.load()
            return picture
    except FileNotFoundError as error:
        raise SequenceIncomplete(f"{path} is missing: restore it from the data set") from error
    except DAMAGE as error:
        raise DatasetError(
            f"{path} cannot be read as a picture ({error}): restore it from the data set"
        ) from error
