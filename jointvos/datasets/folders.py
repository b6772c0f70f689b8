"""Folders of label PNGs: true ones as a data set, and predicted ones by frame."""

from pathlib import Path

import numpy as np

from jointvos.datasets.dataset import SequenceFailure, VOSDataset
from jointvos.datasets.listing import MASKS, files_by_stem
from jointvos.datasets.reading import read_labels
from jointvos.datasets.sequence import VOSSequence
from jointvos.errors import DatasetError, DatasetNotFound, SequenceIncomplete
from jointvos.types import VOID, object_pixels

BELOW = ("", "Annotations", "480p", "Annotations/480p")
"""Where sequences may lie in a folder of masks."""


def open_folders(root: Path | str) -> VOSDataset:
    """True masks, `<sequence>/<frame>.png`, or of one sequence right in the folder.

    A sequence whose first mask is black and white (0 and 255) has a single object.

    Raises:
        DatasetNotFound: There are none.
    """
    root = Path(root)
    folders = [root] if files_by_stem(root, MASKS) else _sequence_folders(root)
    sequences: list[VOSSequence] = []
    broken: list[SequenceFailure] = []
    for folder in folders:
        name = folder.resolve().name
        try:
            masks = tuple(files_by_stem(folder, MASKS).values())
            single_object = _is_black_and_white(masks[0])
            sequences.append(VOSSequence(name, masks, masks, single_object))
        except DatasetError as error:
            broken.append(SequenceFailure(name, error))
    merged = any(each.single_object for each in sequences)
    return VOSDataset(
        root.resolve().name,
        "all",
        "davis",
        tuple(sequences),
        tuple(broken),
        images=False,
        notes=("black-and-white masks (0 and 255) count as one object",) if merged else (),
    )


def predicted_files(root: Path, name: str, *, alone: bool = False) -> dict[str, Path]:
    """The predicted masks of a sequence, by stem of the frame.

    Args:
        root: The folder of all predictions.
        name: The sequence.
        alone: Whether the data set has just this sequence, so that its masks may lie in `root`.

    Raises:
        SequenceIncomplete: There are none.
        DatasetError: The folder cannot be read.
    """
    for below in BELOW:
        if files := files_by_stem(root / below / name, MASKS):
            return files
    if alone and (files := files_by_stem(root, MASKS)):
        return files
    raise SequenceIncomplete(
        f"{root / name} is missing or holds no .png: expected the predicted masks of sequence "
        f"{name}, one per frame"
    )


def _is_black_and_white(mask: Path) -> bool:
    labels = read_labels(mask)
    return bool(np.any(labels == VOID)) and not object_pixels(labels).any()


def _sequence_folders(root: Path) -> list[Path]:
    for below in reversed(BELOW):
        parent = root / below
        if parent.is_dir():
            folders = [path for path in sorted(parent.iterdir()) if files_by_stem(path, MASKS)]
            if folders:
                return folders
    raise DatasetNotFound(
        f"{root} is missing or holds no masks: expected <sequence>/<frame>.png in it"
    )
