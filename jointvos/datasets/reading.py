"""Images and label maps of data sets, which are indexed or gray images."""

from pathlib import Path

import numpy as np
from PIL import Image as PILImage

from jointvos.datasets.label_png import plain_labels
from jointvos.errors import DatasetError, SequenceIncomplete
from jointvos.files.images import IMAGE_ERRORS, image_reason
from jointvos.types import Image, LabelMap

LABEL_MODES = ("P", "L", "1")


def read_image(path: Path) -> Image:
    """An image as RGB, uint8 [Hv,Wv,3].

    Raises:
        SequenceIncomplete: The file is missing.
        DatasetError: The file is damaged or no image.
    """
    return np.array(_open(path).convert("RGB"), np.uint8)


def read_size(path: Path) -> tuple[int, int]:
    """Height and width of an image, from its header.

    Raises:
        SequenceIncomplete: The file is missing.
        DatasetError: The file is damaged or no image.
    """
    width, height = _open(path, decode=False).size
    return height, width


def read_labels(path: Path, *, single_object: bool = False) -> LabelMap:
    """The IDs of a mask file, uint8 [Hv,Wv]: palette indices, gray levels or bits as they are.

    Args:
        path: The file.
        single_object: Whether all that is not 0 is one object with ID 1, also 255.

    Raises:
        SequenceIncomplete: The file is missing.
        DatasetError: The file is damaged, or holds colors instead of IDs.
    """
    labels = plain_labels(_content(path))
    if labels is None:
        labels = _decoded_labels(path)
    return (labels > 0).astype(np.uint8) if single_object else labels


def _decoded_labels(path: Path) -> LabelMap:
    image = _open(path)
    if image.mode not in LABEL_MODES:
        raise DatasetError(
            f"mask {path} is an image of kind {image.mode}: expected object IDs in an "
            "indexed (P), gray (L) or black and white (1) image"
        )
    return np.array(image, np.uint8)


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
            image = PILImage.open(file)
            if decode:
                image.load()
            return image
    except FileNotFoundError as error:
        raise SequenceIncomplete(f"{path} is missing: restore it from the data set") from error
    except IMAGE_ERRORS as error:
        raise DatasetError(
            f"{path} cannot be read as an image ({image_reason(error)}): "
            "restore it from the data set"
        ) from error
