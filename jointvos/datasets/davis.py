"""DAVIS 2016 and 2017 on disk, and folders of that layout.

::

    ImageSets/2017/val.txt                names, one per line
    JPEGImages/480p/<name>/00000.jpg      frames; also .png
    Annotations/480p/<name>/00000.png     masks: palette indices, or 0 and 255 in DAVIS 2016

The folders 480p may be left out. Frames and masks belong together by their stems.
"""

from pathlib import Path
from typing import Literal

from jointvos.datasets.dataset import VOSDataset, sort_out
from jointvos.datasets.listing import IMAGES, MASKS, check_name, first_of, required_files
from jointvos.datasets.sequence import VOSSequence
from jointvos.errors import DatasetError, DatasetNotFound, SequenceIncomplete

FIRST_MASK_ONLY = ("test-dev", "test-challenge")
"""Splits whose masks are kept secret but for the first."""

Gaps = Literal["never", "wide", "any"]


def open_davis(
    root: Path | str,
    year: Literal[2016, 2017] = 2017,
    split: str = "val",
) -> list[VOSSequence]:
    """List the sequences of a split, in the order of its file; no image is opened.

    With 2016 all objects of a sequence are merged into one.

    Raises:
        DatasetNotFound: The folder, the list of the split or a sequence is missing.
        SequenceIncomplete: A sequence lacks frames or masks.
        DatasetError: The list of the split is empty or names no folder.
    """
    dataset = davis_dataset(root, year, split)
    if dataset.broken:
        raise dataset.broken[0].error
    return list(dataset.sequences)


def davis_dataset(
    root: Path | str,
    year: Literal[2016, 2017] = 2017,
    split: str = "val",
    gaps: Gaps = "never",
) -> VOSDataset:
    """The same, but a sequence that cannot be used does not hide the others.

    Args:
        root: The folder.
        year: 2016 or 2017.
        split: A list under ImageSets.
        gaps: Which frames after the first may lack a mask: "never" any, except in the secret
            splits; "wide": only where about every second or more of a sequence do, as people
            annotate, while a few missing ones are an error; "any".

    Raises:
        DatasetNotFound: The folder or the list of the split is missing.
        DatasetError: The list is empty or names no folder.
    """
    root = Path(root)
    listing = root / "ImageSets" / str(year) / f"{split}.txt"
    if not listing.is_file():
        raise DatasetNotFound(
            f"{listing} is missing: expected the folder of DAVIS {year}, which holds ImageSets, "
            f"JPEGImages and Annotations"
        )
    try:
        lines = listing.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{listing} cannot be read: {error}; restore it") from error
    names = [check_name(line.strip(), listing) for line in lines if line.strip()]
    if not names:
        raise DatasetError(f"{listing} is empty: expected the name of a sequence per line")
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise DatasetError(f"{listing} names {first_of(twice)} twice: expected each name once")
    if split in FIRST_MASK_ONLY:
        gaps = "any"

    def open_sequence(name: str) -> VOSSequence:
        files = sequence_files(root, name, gaps=gaps)
        return VOSSequence(name, *files, single_object=year == 2016)

    sequences, broken = sort_out(names, open_sequence)
    scored = any(each.has_truth for each in sequences)
    notes = tuple(note for each in sequences if scored and (note := _gap_note(each)))
    return VOSDataset(
        f"DAVIS {year}", split, "davis", sequences, broken, scored=scored, notes=notes
    )


def sequence_files(
    root: Path, name: str, *, gaps: Gaps = "never"
) -> tuple[tuple[Path, ...], tuple[Path | None, ...]]:
    """Frames of a sequence below JPEGImages and their masks below Annotations, None for no mask.

    Raises:
        DatasetNotFound: There are no frames, or no masks.
        SequenceIncomplete: Some are missing, see `davis_dataset`.
        DatasetError: A folder cannot be read.
    """
    frames = required_files(_folder(root / "JPEGImages", name), IMAGES)
    masks = required_files(_folder(root / "Annotations", name), MASKS)
    stems = list(frames)
    if lost := [stem for stem in masks if stem not in frames]:
        raise _incomplete(name, "frames", lost, "restore them from the data set")
    lost = [stem for stem in stems if stem not in masks]
    # A mask for every second frame is a way to annotate; a single missing one is an accident.
    wide = len(lost) >= max(2, len(masks) - 1)
    accepted = gaps == "any" or (gaps == "wide" and wide)
    if lost and (not accepted or stems[0] in lost):
        instead = ", or score what is there with `gaps='any'`" if gaps == "wide" else ""
        raise _incomplete(name, "masks", lost, f"restore them from the data set{instead}")
    return tuple(frames.values()), tuple(masks.get(stem) for stem in stems)


def _folder(parent: Path, name: str) -> Path:
    with_resolution = parent / "480p" / name
    without = parent / name
    return without if without.is_dir() and not with_resolution.is_dir() else with_resolution


def _incomplete(name: str, kind: str, lost: list[str], hint: str) -> SequenceIncomplete:
    return SequenceIncomplete(
        f"sequence {name} lacks {kind} for {first_of(lost)}: "
        "expected an image and a mask for every frame",
        hint=hint,
    )


def _gap_note(sequence: VOSSequence) -> str:
    there = sum(mask is not None for mask in sequence.masks)
    if there == len(sequence):
        return ""
    return (
        f"sequence {sequence.name} has masks for {there} of its {len(sequence)} frames; "
        "only those are scored"
    )
