"""DAVIS 2016 and 2017 on disk.

::

    ImageSets/2017/val.txt                names, one per line
    JPEGImages/480p/<name>/00000.jpg      frames
    Annotations/480p/<name>/00000.png     masks: palette indices, or 0 and 255 in DAVIS 2016
"""

from pathlib import Path
from typing import Literal

from jointvos.datasets.sequence import VOSSequence
from jointvos.errors import DatasetError, DatasetNotFound, SequenceIncomplete

FIRST_MASK_ONLY = ("test-dev", "test-challenge")
"""Splits whose masks are kept secret but for the first."""


def open_davis(
    root: Path | str,
    year: Literal[2016, 2017] = 2017,
    split: str = "val",
    resolution: str = "480p",
) -> list[VOSSequence]:
    """List the sequences of a split, in the order of its file; no picture is opened.

    With 2016 all objects of a sequence are merged into one.

    Raises:
        DatasetNotFound: The folder, the list of the split or a sequence is missing.
        SequenceIncomplete: A sequence lacks frames or masks.
        DatasetError: The list of the split is empty.
    """
    root = Path(root)
    listing = root / "ImageSets" / str(year) / f"{split}.txt"
    if not listing.is_file():
        raise DatasetNotFound(
            f"{listing} is missing: expected the folder of DAVIS {year}, which holds ImageSets, "
            f"JPEGImages and Annotations"
        )
    names = listing.read_text(encoding="utf-8").split()
    if not names:
        raise DatasetError(f"{listing} is empty: expected the name of a sequence per line")
    return [
        VOSSequence(name, *_files(root, name, split, resolution), single_object=year == 2016)
        for name in names
    ]


def _files(
    root: Path, name: str, split: str, resolution: str
) -> tuple[tuple[Path, ...], tuple[Path | None, ...]]:
    frames = _listed(root / "JPEGImages" / resolution / name, "*.jpg")
    masks = _listed(root / "Annotations" / resolution / name, "*.png")
    required = list(frames)[:1] if split in FIRST_MASK_ONLY else list(frames)
    if lost := sorted(set(required) - set(masks)):
        raise SequenceIncomplete(_incomplete(name, "masks", lost))
    if lost := sorted(set(masks) - set(frames)):
        raise SequenceIncomplete(_incomplete(name, "frames", lost))
    return tuple(frames.values()), tuple(masks.get(stem) for stem in frames)


def _listed(folder: Path, pattern: str) -> dict[str, Path]:
    """Files by stem, in order."""
    files = {path.stem: path for path in sorted(folder.glob(pattern))}
    if not files:
        raise DatasetNotFound(
            f"{folder} is missing or holds no {pattern}: expected one file per frame"
        )
    return files


def _incomplete(name: str, kind: str, lost: list[str]) -> str:
    more = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
    return (
        f"sequence {name} lacks {kind} for {lost[0]}{more}: "
        "expected a .jpg and a .png for every frame; restore them from the data set"
    )
