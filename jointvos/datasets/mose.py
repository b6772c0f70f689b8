"""MOSE on disk.

::

    valid/JPEGImages/<video>/00000.jpg      all frames
    valid/Annotations/<video>/00000.png     the mask of the first frame; in train/ of every frame

There is no list of videos: they are the folders. Made after the data set's README; not tried on the
data itself.
"""

from pathlib import Path

from jointvos.datasets.dataset import VOSDataset, sort_out
from jointvos.datasets.davis import sequence_files
from jointvos.datasets.sequence import VOSSequence
from jointvos.errors import DatasetNotFound
from jointvos.files.images import natural


def mose_dataset(root: Path | str, split: str = "valid") -> VOSDataset:
    """The videos of a split, by name; no image is opened.

    Args:
        root: The folder that holds the splits, or that of the split.
        split: Its folder; the true masks of valid, but for the first ones, are its server's.

    Raises:
        DatasetNotFound: There are no videos.
    """
    folder = split_folder(Path(root), (split,), "MOSE")
    names = sorted(
        (path.name for path in (folder / "JPEGImages").iterdir() if path.is_dir()), key=natural
    )
    if not names:
        raise DatasetNotFound(f"{folder / 'JPEGImages'} is empty: expected a folder per video")
    sequences, broken = sort_out(
        names, lambda name: VOSSequence(name, *sequence_files(folder, name, gaps="any"))
    )
    scored = any(each.has_truth for each in sequences)
    return VOSDataset("MOSE", split, "davis", sequences, broken, scored=scored)


def split_folder(root: Path, names: tuple[str, ...], dataset: str) -> Path:
    """The folder of a split: below `root` by one of the names, or `root` itself.

    Raises:
        DatasetNotFound: None of them holds JPEGImages.
    """
    folders = [*(root / name for name in names), root]
    for folder in folders:
        if (folder / "JPEGImages").is_dir():
            return folder
    raise DatasetNotFound(
        f"{folders[0] / 'JPEGImages'} is missing: expected the folder of {dataset}, whose splits "
        "hold JPEGImages and Annotations"
    )
