"""Pictures and label maps of data sets, which are indexed or grey pictures."""

from pathlib import Path

import numpy as np
from PIL import Image as PILImage

from jointvos.errors import DatasetError, SequenceIncomplete
from jointvos.types import Image, LabelMap

LABEL_MODES = ("P", "L", "1")


def read_image(path: Path) -> Image:
    """A picture as RGB, uint8 [Hv,Wv,3].

    Raises:
        SequenceIncomplete: The file is missing.
        DatasetError: The file is damaged or no picture.
    """
    return np.array(_open(path).convert("RGB"), np.uint8)


def read_labels(path: Path, *, single_object: bool = False) -> LabelMap:
    """The ids of a mask file, uint8 [Hv,Wv]: palette indices, grey levels or bits as they are.

    Args:
        path: The file.
        single_object: Whether all that is not 0 is one object with id 1, also 255.

    Raises:
        SequenceIncomplete: The file is missing.
        DatasetError: The file is damaged, or holds colours instead of ids.
    """
    picture = _open(path)
    if picture.mode not in LABEL_MODES:
        raise DatasetError(
            f"mask {path} is a picture of kind {picture.mode}: expected object ids in an "
            "indexed (P), grey (L) or black and white (1) picture"
        )
    labels = np.array(picture, np.uint8)
    return (labels > 0).astype(np.uint8) if single_object else labels


def _open(path: Path) -> PILImage.Image:
    try:
        with path.open("rb") as file:
            picture = PILImage.open(file)
            picture.load()
            return picture
    except FileNotFoundError as error:
        raise SequenceIncomplete(f"{path} is missing: restore it from the data set") from error
    except (OSError, SyntaxError, ValueError) as error:
        raise DatasetError(
            f"{path} cannot be read as a picture ({error}): restore it from the data set"
        ) from error
