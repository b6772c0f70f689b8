"""Training videos of DAVIS 2017 and YouTube-VOS on disk.

::

    ROOT/ImageSets/2017/train.txt                        DAVIS, with JPEGImages/480p/... as usual
    ROOT[/train]/JPEGImages/<video>/*.jpg                YouTube-VOS
    ROOT[/train]/Annotations/<video>/*.png               of every fifth frame or so; others are
                                                         left out

Images are read when they are asked for. Masks are all read once at the start, to know which
object is visible in which frame.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from jointvos.datasets import VOSSequence, open_davis
from jointvos.errors import DatasetError, DatasetNotFound, SequenceIncomplete
from jointvos.types import VOID, Image

OFFICIAL_VIDEOS = 3471
"""In the train split of YouTube-VOS."""
HELD_OUT = 300
"""Of those; the paper's code holds out as many, but its list is not ours."""
VISIBLE = 10
"""An object is visible where it has more pixels than this."""


@dataclass(frozen=True)
class SegmentVideo:
    """One training video, its annotated frames only.

    Attributes:
        sequence: Its files.
        areas: By object ID, the object's pixels in every frame [T].
    """

    sequence: VOSSequence
    areas: Mapping[int, NDArray[np.int64]]

    @property
    def name(self) -> str:
        """Name in the data set."""
        return self.sequence.name

    def visible(self, object_id: int) -> NDArray[np.bool_]:
        """Where an object has more than `VISIBLE` pixels, [T]."""
        return self.areas[object_id] > VISIBLE

    def read(self, index: int, object_id: int) -> tuple[Image, NDArray[np.uint8]]:
        """The image [Hv,Wv,3] of a frame and the mask [Hv,Wv] in {0, 1} of an object in it.

        Raises:
            DatasetError: A file is missing or damaged, or the two are not of one size.
        """
        image, labels = self.sequence.image(index), self.sequence.labels(index)
        if image.shape[:2] != labels.shape:
            raise DatasetError(
                f"{self.sequence.frames[index]} is {image.shape[1]}x{image.shape[0]} but its mask "
                f"{labels.shape[1]}x{labels.shape[0]}: restore them from the data set"
            )
        return image, (labels == object_id).astype(np.uint8)


@dataclass(frozen=True)
class TrainingVideos:
    """The videos of one data set.

    Attributes:
        kind: Which data set it is.
        train: To train on.
        validation: Never to train on.
    """

    kind: Literal["davis", "ytvos"]
    train: tuple[SegmentVideo, ...]
    validation: tuple[SegmentVideo, ...]


def open_training_videos(
    root: Path | str,
    *,
    train_list: Path | None = None,
    val_list: Path | None = None,
    workers: int = 8,
) -> TrainingVideos:
    """Find the videos of a data set and count the pixels of their objects.

    Args:
        root: Folder of DAVIS 2017 or YouTube-VOS; which one is seen from what is in it.
        train_list: Names to train on, one a line; all that are not for validation unless given.
        val_list: Names for validation. Without any list those of `held_out` are for validation in
            YouTube-VOS, none in DAVIS, which has videos of its own for that.
        workers: Threads that read masks.

    Raises:
        DatasetNotFound: The folder or a list is missing, or it is neither data set.
        SequenceIncomplete: A video lacks frames or masks.
        DatasetError: A mask is damaged, a list names a video that is not there or that the other
            list has too, or nothing is left to train on.
    """
    root = Path(root)
    kind, sequences = _find(root)
    names = [sequence.name for sequence in sequences]
    validation = [] if val_list is None else _listed(val_list, names, root)
    if val_list is None and train_list is None and kind == "ytvos":
        validation = held_out(names)
    kept_back = set(validation)
    train = [name for name in names if name not in kept_back]
    if train_list is not None:
        train = _listed(train_list, names, root)
        if both := sorted(kept_back.intersection(train)):
            raise DatasetError(
                f"{train_list} and {val_list} both list {both[0]}: a video is for one of the two"
            )
    if not train:
        raise DatasetError(f"{root}: none of its {len(names)} videos is left to train on")
    by_name = {sequence.name: sequence for sequence in sequences}
    with ThreadPoolExecutor(workers) as pool:
        train_videos, validation_videos = (
            tuple(pool.map(_counted, [by_name[name] for name in chosen]))
            for chosen in (train, validation)
        )
    return TrainingVideos(kind, train_videos, validation_videos)


def held_out(names: Iterable[str]) -> list[str]:
    """Which videos are for validation unless lists say otherwise: 300 of 3471, or that share.

    They are the first by the SHA-256 of their names, so they do not depend on order or machine.
    """
    ordered = sorted(names, key=lambda name: hashlib.sha256(name.encode()).hexdigest())
    return ordered[: min(HELD_OUT, round(len(ordered) * HELD_OUT / OFFICIAL_VIDEOS))]


def _find(root: Path) -> tuple[Literal["davis", "ytvos"], list[VOSSequence]]:
    if (root / "ImageSets").is_dir() or (root / "JPEGImages" / "480p").is_dir():
        return "davis", open_davis(root, 2017, "train")
    for folder in (root / "train", root):
        if (folder / "JPEGImages").is_dir() and (folder / "Annotations").is_dir():
            return "ytvos", _youtube_vos(folder)
    raise DatasetNotFound(
        f"{root}: no training videos; expected the folder of DAVIS 2017 with ImageSets, or of "
        "YouTube-VOS with JPEGImages and Annotations (in it or in its train)"
    )


def _youtube_vos(folder: Path) -> list[VOSSequence]:
    sequences = []
    for video in sorted(path for path in (folder / "Annotations").iterdir() if path.is_dir()):
        masks = sorted(video.glob("*.png"))
        frames = {path.stem: path for path in (folder / "JPEGImages" / video.name).glob("*.jpg")}
        if lost := [mask.stem for mask in masks if mask.stem not in frames]:
            raise SequenceIncomplete(
                f"video {video.name} has a mask but no image for {lost[0]}: expected "
                f"{folder / 'JPEGImages' / video.name / lost[0]}.jpg; restore it"
            )
        if not masks:
            raise SequenceIncomplete(f"{video} holds no masks: restore them or remove the folder")
        images = tuple(frames[mask.stem] for mask in masks)
        sequences.append(VOSSequence(video.name, images, tuple(masks)))
    if not sequences:
        raise DatasetError(f"{folder / 'Annotations'} is empty: expected a folder per video")
    return sequences


def _listed(path: Path, known: Sequence[str], root: Path) -> list[str]:
    if not path.is_file():
        raise DatasetNotFound(f"{path}: no such list; expected a text file, a video name a line")
    names = list(dict.fromkeys(path.read_text(encoding="utf-8-sig", errors="replace").split()))
    if not names:
        raise DatasetError(f"{path} is empty: expected a video name per line")
    if unknown := sorted(set(names).difference(known)):
        raise DatasetError(
            f"{path} lists {unknown[0]} and {len(unknown) - 1} more that {root} does not have"
            if len(unknown) > 1
            else f"{path} lists {unknown[0]}, which {root} does not have"
        )
    return names


def _counted(sequence: VOSSequence) -> SegmentVideo:
    counts = np.stack(
        [np.bincount(sequence.labels(t).ravel(), minlength=256) for t in range(len(sequence))]
    )
    ids = [int(i) for i in np.flatnonzero(counts.any(axis=0)) if i not in (0, VOID)]
    return SegmentVideo(sequence, {i: counts[:, i].copy() for i in ids})
