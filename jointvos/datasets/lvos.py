"""LVOS (v1 and v2) on disk.

::

    val/JPEGImages/<video>/00000001.jpg     frames; of 30 per second usually every fifth
    val/Annotations/<video>/00000001.png    masks; in test/ only those that give an object
    val/val_meta.json                       objects, each with the range of frames it is scored in

Also found: `valid` for `val`, and `meta.json`. A video begins with the first frame of an object. An
object is scored in every frame of its range that has a mask, the one that gives it included, as by
the data set's toolkit. Made after that toolkit; not tried on the data itself.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

from jointvos.datasets.dataset import VOSDataset, sort_out
from jointvos.datasets.listing import IMAGES, MASKS, check_name, required_files
from jointvos.datasets.mose import split_folder
from jointvos.datasets.sequence import VOSObject, VOSSequence
from jointvos.errors import DatasetError, DatasetNotFound, SequenceIncomplete

Ranges: TypeAlias = Mapping[int, range]
"""Numbers of the frames in which an object is scored, by its ID."""


def lvos_dataset(root: Path | str, split: str = "val") -> VOSDataset:
    """The videos of a split, in the order of its meta file; no image is opened.

    Args:
        root: The folder that holds the splits, or that of the split.
        split: "train", "val" or "test"; the true masks of test are its server's.

    Raises:
        DatasetNotFound: The split or its meta file is missing.
        DatasetError: The meta file cannot be understood or lists nothing.
    """
    names = ("val", "valid") if split in ("val", "valid") else (split,)
    folder = split_folder(Path(root), names, "LVOS")
    videos = _read_meta(folder, names)
    sequences, broken = sort_out(videos, lambda name: _sequence(folder, name, videos[name]))
    return VOSDataset(
        "LVOS",
        split,
        "lvos",
        sequences,
        broken,
        scored=any(each.has_truth for each in sequences),
        notes=(
            "the figures are means over all objects, without V or separate seen and unseen figures",
        ),
    )


def _read_meta(folder: Path, names: tuple[str, ...]) -> dict[str, Ranges]:
    places = [folder / f"{name}_meta.json" for name in names] + [folder / "meta.json"]
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        raise DatasetNotFound(
            f"{places[0]} is missing: expected the folder of LVOS, whose splits hold JPEGImages, "
            "Annotations and a file that lists the objects"
        )
    try:
        videos: dict[str, Ranges] = {
            check_name(name, path): {
                _id(key): range(
                    int(entry["frame_range"]["start"]), int(entry["frame_range"]["end"])
                )
                for key, entry in video["objects"].items()
            }
            for name, video in json.loads(path.read_text(encoding="utf-8-sig"))["videos"].items()
        }
    except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise DatasetError(
            f"{path} is not as expected ({type(error).__name__}: {error}): videos with objects, "
            "which have an ID from 1 to 254 and a frame_range with start and end; restore it"
        ) from error
    if not videos:
        raise DatasetError(f"{path} lists no video: expected at least one")
    return videos


def _id(key: str) -> int:
    if not 0 < int(key) < 255:
        raise ValueError(f"object {key}")
    return int(key)


def _sequence(folder: Path, name: str, ranges: Ranges) -> VOSSequence:
    frames = required_files(folder / "JPEGImages" / name, IMAGES)
    masks = required_files(folder / "Annotations" / name, MASKS)
    if strange := [stem for stem in frames if not stem.isdecimal()]:
        raise SequenceIncomplete(
            f"sequence {name} has a frame {strange[0]}: expected numbers, as in the list of objects"
        )
    begin = min((each.start for each in ranges.values()), default=0)
    stems = [stem for stem in frames if int(stem) >= begin]
    objects = []
    for object_id, numbers in sorted(ranges.items()):
        inside = tuple(index for index, stem in enumerate(stems) if int(stem) in numbers)
        if not any(stems[index] in masks for index in inside):
            raise SequenceIncomplete(
                f"sequence {name} has no mask that gives object {object_id}: expected one in "
                f"{folder / 'Annotations' / name}, from frame {numbers.start} to {numbers.stop - 1}"
            )
        objects.append(VOSObject(object_id, inside))
    if not objects:
        raise SequenceIncomplete(f"sequence {name} lists no object: expected at least one")
    return VOSSequence(
        name,
        tuple(frames[stem] for stem in stems),
        tuple(masks.get(stem) for stem in stems),
        objects=tuple(objects),
    )
