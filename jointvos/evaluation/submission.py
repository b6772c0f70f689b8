"""The zip for a benchmark's server, checked file by file before it has its name."""

from collections.abc import Iterator
from pathlib import Path
from zipfile import ZIP_STORED, BadZipFile, ZipFile, ZipInfo

import numpy as np

from jointvos.datasets import VOSDataset, VOSSequence, predicted_files, read_labels, read_size
from jointvos.datasets.listing import first_of
from jointvos.errors import DatasetError, OutputError, SequenceIncomplete
from jointvos.files.whole_file import whole_file
from jointvos.types import VOID

EPOCH = (1980, 1, 1, 0, 0, 0)
"""Time of every file in the zip, so that the same masks make the same zip."""


def write_submission(path: Path, dataset: VOSDataset, predictions: Path) -> int:
    """Write the wanted frames of all sequences into a zip as the server wants it.

    YouTube-VOS: `Annotations/<video>/<frame>.png` for exactly the frames that meta.json lists.
    DAVIS, MOSE: `<sequence>/<frame>.png` for every frame. LVOS: the same for every frame in the
    range of an object.

    Args:
        path: The zip.
        dataset: The data set, whole.
        predictions: The folder of masks.

    Returns:
        How many files it holds.

    Raises:
        SequenceIncomplete: A mask is missing.
        DatasetError: A mask has another size than the frame, or an ID that no object has.
        OutputError: The zip cannot be written, or does not hold what it should.
    """
    prefix = "Annotations/" if dataset.protocol == "youtubevos" else ""
    sequences = dataset.sequences
    written: list[str] = []
    with whole_file(path) as partial:
        with ZipFile(partial, "w", ZIP_STORED) as archive:
            for sequence in sequences:
                for stem, file in _checked_files(sequence, predictions, len(sequences) == 1):
                    written.append(f"{prefix}{sequence.name}/{stem}.png")
                    archive.writestr(ZipInfo(written[-1], EPOCH), file.read_bytes())
        expected = [
            f"{prefix}{sequence.name}/{sequence.frames[index].stem}.png"
            for sequence in sequences
            for index in sequence.wanted
        ]
        if _listing(partial) != expected:
            raise OutputError(
                f"{path} does not contain what was written to it: check the disk and write it again"
            )
    return len(written)


def _listing(path: Path) -> list[str]:
    """What a zip holds; nothing where it is damaged."""
    try:
        with ZipFile(path) as archive:
            return [] if archive.testzip() else archive.namelist()
    except BadZipFile:
        return []


def _checked_files(
    sequence: VOSSequence, predictions: Path, alone: bool
) -> Iterator[tuple[str, Path]]:
    files = predicted_files(predictions, sequence.name, alone=alone)
    stems = [sequence.frames[index].stem for index in sequence.wanted]
    if lost := [stem for stem in stems if stem not in files]:
        raise SequenceIncomplete(
            f"sequence {sequence.name} lacks predicted masks for {first_of(lost)}: expected one "
            "for every frame to submit"
        )
    allowed = _ids(sequence)
    height, width = read_size(sequence.frames[0])
    for stem in stems:
        labels = read_labels(files[stem])
        if labels.shape != (height, width):
            raise DatasetError(
                f"{files[stem]} is {labels.shape[1]}x{labels.shape[0]} but the frame is "
                f"{width}x{height}: predict at the size of the frames"
            )
        if strange := np.setdiff1d(labels, allowed).tolist():
            raise DatasetError(
                f"{files[stem]} holds the ID {strange[0]}, which is not an object of sequence "
                f"{sequence.name}: expected {', '.join(map(str, allowed))}"
            )
        yield stem, files[stem]


def _ids(sequence: VOSSequence) -> list[int]:
    if sequence.objects:
        return [0, *(each.id for each in sequence.objects)]
    return [i for i in np.unique(sequence.labels(0)).tolist() if i != VOID] or [0]
