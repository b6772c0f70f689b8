"""YouTube-VOS 2018 and 2019 on disk.

::

    valid/meta.json                               objects: category, and the frames to submit
    valid/JPEGImages/<video>/00005.jpg            the listed frames, every fifth
    valid/Annotations/<video>/00005.png           a mask where an object is given
    valid_all_frames/JPEGImages/<video>/...       all frames, if fetched; also below all_frames/
    train/meta.json                               tells which categories training has seen

A video begins with the first frame listed for any of its objects; what comes before is not used.
An object may be given in a later frame, whose mask may then hold that object alone.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from jointvos.datasets.dataset import VOSDataset, sort_out
from jointvos.datasets.listing import (
    IMAGES,
    MASKS,
    check_name,
    files_by_stem,
    first_of,
    required_files,
)
from jointvos.datasets.sequence import VOSObject, VOSSequence
from jointvos.errors import DatasetError, DatasetNotFound, SequenceIncomplete
from jointvos.files.images import natural

Listed = Mapping[int, tuple[str | None, list[str]]]
"""Category and frames by object."""


def youtubevos_dataset(
    root: Path | str,
    year: Literal[2018, 2019] = 2019,
    split: str = "valid",
    frames: Literal["auto", "listed", "all"] = "auto",
) -> VOSDataset:
    """The videos of a split, in the order of meta.json; no image is opened.

    Args:
        root: The folder that holds the splits.
        year: For the name only; the layouts are the same.
        split: Its folder.
        frames: Whether a video has the listed frames alone or all between them, too; by default
            all if they are there. The results differ.

    Raises:
        DatasetNotFound: The split, its meta.json or the folder of all frames is missing.
        DatasetError: meta.json cannot be understood or lists nothing.
    """
    root = Path(root)
    videos = _read_meta(root / split / "meta.json")
    everything = _all_frames(root, split)
    if frames == "all" and everything is None:
        raise DatasetNotFound(
            f"{root / f'{split}_all_frames' / 'JPEGImages'} is missing: expected all frames of "
            "the split there; fetch them, or use the listed ones"
        )
    use_all = everything is not None and frames != "listed"
    images = everything if everything and use_all else root / split / "JPEGImages"
    seen = _seen_categories(root, split, videos)

    def open_sequence(name: str) -> VOSSequence:
        masks = root / split / "Annotations" / name
        return _sequence(name, videos[name], images / name, masks, use_all, seen)

    sequences, broken = sort_out(videos, open_sequence)
    notes = [f"the model gets {'all' if use_all else 'the listed'} frames of every video"]
    if seen is None:
        notes.append(
            f"{root / 'train' / 'meta.json'} is missing, so seen and unseen categories cannot "
            "be told apart"
        )
    return VOSDataset(
        f"YouTube-VOS {year}",
        split,
        "youtubevos",
        sequences,
        broken,
        frames="all" if use_all else "listed",
        scored=any(each.has_truth for each in sequences),
        notes=tuple(notes),
    )


def _read_meta(path: Path) -> dict[str, Listed]:
    if not path.is_file():
        raise DatasetNotFound(
            f"{path} is missing: expected the folder of YouTube-VOS, whose splits hold meta.json, "
            "JPEGImages and Annotations"
        )
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path} cannot be read ({error}): restore it") from error
    try:
        videos = {
            check_name(name, path): _read_objects(video["objects"])
            for name, video in content["videos"].items()
        }
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DatasetError(
            f"{path} is not as expected ({type(error).__name__}: {error}): videos with objects, "
            "which have an ID from 1 to 254 and the frames they are listed in; restore it"
        ) from error
    if not videos:
        raise DatasetError(f"{path} lists no video: expected at least one")
    return videos


def _read_objects(objects: Mapping[str, Any]) -> Listed:
    found = {}
    for key, entry in objects.items():
        stems = sorted(set(entry["frames"]), key=natural)
        if not 0 < int(key) < 255 or not stems:
            raise ValueError(f"object {key} with {len(stems)} frames")
        category = entry.get("category")
        found[int(key)] = (None if category is None else str(category), stems)
    if not found:
        raise ValueError("a video without objects")
    return dict(sorted(found.items()))


def _all_frames(root: Path, split: str) -> Path | None:
    folder = f"{split}_all_frames"
    for parent in (root / folder, root / "all_frames" / folder):
        if (parent / "JPEGImages").is_dir():
            return parent / "JPEGImages"
    return None


def _seen_categories(
    root: Path, split: str, videos: Mapping[str, Listed]
) -> frozenset[str | None] | None:
    if split == "train":
        known = videos
    elif (path := root / "train" / "meta.json").is_file():
        known = _read_meta(path)
    else:
        return None
    return frozenset(category for video in known.values() for category, _ in video.values())


def _sequence(
    name: str,
    objects: Listed,
    images: Path,
    annotations: Path,
    use_all: bool,
    seen: frozenset[str | None] | None,
) -> VOSSequence:
    files = required_files(images, IMAGES)
    listed = sorted({stem for _, stems in objects.values() for stem in stems}, key=natural)
    if lost := [stem for stem in listed if stem not in files]:
        raise SequenceIncomplete(
            f"sequence {name} lacks frames for {first_of(lost)}, which meta.json lists: "
            f"expected them in {images}; restore them from the data set"
        )
    stems = list(files)
    stems = stems[stems.index(listed[0]) : stems.index(listed[-1]) + 1] if use_all else listed
    masks = files_by_stem(annotations, MASKS)
    for object_id, (_, frames) in objects.items():
        if not any(natural(stem) >= natural(frames[0]) for stem in masks if stem in stems):
            raise SequenceIncomplete(
                f"sequence {name} has no mask that gives object {object_id}: expected "
                f"{annotations / frames[0]}.png; restore it from the data set"
            )
    position = {stem: index for index, stem in enumerate(stems)}
    return VOSSequence(
        name,
        tuple(files[stem] for stem in stems),
        tuple(masks.get(stem) for stem in stems),
        objects=tuple(
            VOSObject(
                object_id,
                tuple(position[stem] for stem in frames),
                None if seen is None or category is None else category in seen,
            )
            for object_id, (category, frames) in objects.items()
        ),
    )
