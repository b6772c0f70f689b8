"""Small data sets whose images show their own masks, and a session that reads them off."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

from jointvos.evaluation.results_folder import ResultsFolder
from jointvos.evaluation.tracking import segment_sequences
from jointvos.types import FrameResult

HEIGHT, WIDTH = 36, 48
SCALE = 20
"""Green of a pixel, divided by its ID."""


def labels_of(index, ids):
    """Squares in a row that move to the right."""
    labels = np.zeros((HEIGHT, WIDTH), np.uint8)
    for row, each in enumerate(sorted(ids)):
        left = 2 + (index * (row + 1)) % 30
        labels[2 + 11 * row : 10 + 11 * row, left : left + 10] = each
    return labels


def write_picture(path, labels):
    picture = np.zeros((*labels.shape, 3), np.uint8)
    picture[..., 1] = SCALE * labels
    Image.fromarray(picture).save(path)


def write_davis(root, sequences, year=2017, split="val"):
    """Sequences by name, as (number of frames, ids)."""
    (root / "ImageSets" / str(year)).mkdir(parents=True)
    (root / f"ImageSets/{year}/{split}.txt").write_text("\n".join(sequences))
    for name, (count, ids) in sequences.items():
        frames, masks = root / "JPEGImages/480p" / name, root / "Annotations/480p" / name
        frames.mkdir(parents=True)
        masks.mkdir(parents=True)
        for index in range(count):
            write_picture(frames / f"{index:05d}.png", labels_of(index, ids))
            Image.fromarray(labels_of(index, ids)).save(masks / f"{index:05d}.png")
    return root


def write_youtubevos(root, *, truth=True, all_frames=False):
    """Two videos, annotated every fifth frame; object 3 of the first comes late."""
    listed = {
        "0a": {1: ("fish", range(5, 30, 5)), 3: ("zebra", range(15, 30, 5))},
        "9z": {2: ("zebra", range(0, 20, 5))},
    }
    videos = {
        name: {
            "objects": {
                str(i): {"category": category, "frames": [f"{frame:05d}" for frame in frames]}
                for i, (category, frames) in objects.items()
            }
        }
        for name, objects in listed.items()
    }
    train = {"videos": {"t": {"objects": {"1": {"category": "fish", "frames": ["00000"]}}}}}
    for split, meta in (("valid", {"videos": videos}), ("train", train)):
        (root / split).mkdir(parents=True)
        (root / split / "meta.json").write_text(json.dumps(meta))
    step = 1 if all_frames else 5
    pictures = root / ("valid_all_frames" if all_frames else "valid") / "JPEGImages"
    for name, objects in listed.items():
        (pictures / name).mkdir(parents=True)
        masks = root / "valid" / "Annotations" / name
        masks.mkdir(parents=True)
        first = {i: frames[0] for i, (_, frames) in objects.items()}
        for index in range(0, 30, step):
            here = [i for i in objects if first[i] <= index]
            write_picture(pictures / name / f"{index:05d}.png", labels_of(index, here))
            given = [i for i in objects if first[i] == index]
            if index % 5 == 0 and (truth or given):
                ids = here if truth else given
                Image.fromarray(labels_of(index, here) * np.isin(labels_of(index, here), ids)).save(
                    masks / f"{index:05d}.png"
                )
    return root


def write_mose(root, *, split="valid"):
    """Two videos; valid has the masks of their first frames only."""
    for name, ids in (("0a1b", (1, 2)), ("ff00", (1,))):
        frames, masks = (root / split / kind / name for kind in ("JPEGImages", "Annotations"))
        frames.mkdir(parents=True)
        masks.mkdir(parents=True)
        for index in range(4):
            write_picture(frames / f"{index:05d}.jpg", labels_of(index, ids))
            if split == "train" or index == 0:
                Image.fromarray(labels_of(index, ids)).save(masks / f"{index:05d}.png")
    return root


LVOS = {"aa": {1: (1, 31), 2: (11, 21)}, "bb": {3: (6, 26)}}
"""Ranges of the objects; the frames are 1, 6, 11, ..., 36."""


def write_lvos(root, *, split="val", truth=True, folder=None, meta=None):
    base = root / (folder or split)
    for name, objects in LVOS.items():
        frames, masks = base / "JPEGImages" / name, base / "Annotations" / name
        frames.mkdir(parents=True)
        masks.mkdir(parents=True)
        for index, number in enumerate(range(1, 41, 5)):
            labels = labels_of(index, objects)
            write_picture(frames / f"{number:08d}.png", labels)
            given = [i for i, (start, _) in objects.items() if start == number]
            if truth or given:
                shown = labels if truth else labels * np.isin(labels, given)
                Image.fromarray(shown).save(masks / f"{number:08d}.png")
    videos = {
        name: {
            "objects": {
                str(i): {
                    "frame_range": {"start": f"{a}", "end": f"{b}", "frame_nums": f"{(b - a) // 5}"}
                }
                for i, (a, b) in objects.items()
            }
        }
        for name, objects in LVOS.items()
    }
    (base / (meta or f"{split}_meta.json")).write_text(json.dumps({"videos": videos}))
    return root


class Reader:
    """Finds what it was given, as the image shows it, a column too wide."""

    def __init__(self):
        self.known = set()
        self.count = 0

    def step(self, image, masks=None):
        if masks is not None:
            new = set(np.unique(masks).tolist()) - {0, 255}
            assert not new & self.known
            self.known |= new
        shown = image[..., 1] // SCALE
        found = np.where(np.isin(shown, list(self.known)), shown, np.uint8(0))
        wide = np.maximum(found, np.roll(found, 1, axis=1))
        self.count += 1
        return FrameResult(self.count - 1, wide.astype(np.uint8), ())


def predict(dataset, folder):
    """The masks that a `Reader` finds, in a folder of results."""
    results = ResultsFolder(folder)
    for _ in segment_sequences(dataset.sequences, Reader, results, []):
        pass
    return results.masks


def files_below(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(Path(folder).rglob("*"))
        if path.is_file()
    }
