"""Frames scored per second, from PNG files, against the plain definition; run it by hand.

    python tests/metrics/benchmark_scoring.py DAVIS/Annotations/480p

The predictions are the masks, thickened and shifted, in a temporary folder; the masks as one
object, and cut into three.
"""

import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import straightforward
from PIL import Image

from jointvos.datasets import open_folders, read_labels
from jointvos.evaluation.scoring import score_dataset

PALETTE = [value for index in range(256) for value in (index, 255 - index, 0)]


def write(path, labels):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(labels)
    image.putpalette(PALETTE)
    image.save(path, compress_level=1)


def prepare(masks, folder, objects):
    """Truth and prediction with that many objects, side by side."""
    for path in sorted(masks.glob("*/*.png")):
        labels = (read_labels(path) > 0).astype(np.uint8)
        columns = np.linspace(1, objects + 1, labels.shape[1], endpoint=False).astype(np.uint8)
        labels *= columns
        name = Path(path.parent.name) / path.name
        write(folder / "truth" / name, labels)
        thick = cv2.dilate(labels, np.ones((5, 5), np.uint8))
        write(folder / "predicted" / name, np.roll(thick, (3, 5), axis=(0, 1)))


def plain(truth, predicted):
    """One process; read a sequence, then score it."""
    for folder in sorted(truth.iterdir()):
        true_labels, labels = (
            np.stack(
                [np.array(Image.open(path)) for path in sorted((root / folder.name).iterdir())]
            )
            for root in (truth, predicted)
        )
        ids = [each for each in np.unique(true_labels[0]).tolist() if each]
        straightforward.sequence_scores(true_labels, labels, ids)


def reading(truth, predicted):
    for root in (truth, predicted):
        for path in root.glob("*/*.png"):
            read_labels(path)


def ours(truth, predicted, processes=None):
    list(score_dataset(open_folders(truth), predicted, processes=processes))


def measure(masks, objects):
    with tempfile.TemporaryDirectory() as folder:
        truth, predicted = Path(folder) / "truth", Path(folder) / "predicted"
        prepare(masks, Path(folder), objects)
        frames = len(list(truth.glob("*/*.png")))
        base = None
        for name, work in (
            ("plain definition", plain),
            ("one process", partial(ours, processes=1)),
            ("by default", ours),
            ("reading PNG alone", reading),
        ):
            begin, begin_cpu = time.perf_counter(), time.process_time()
            work(truth, predicted)
            wall, cpu = time.perf_counter() - begin, time.process_time() - begin_cpu
            base = base or wall
            print(
                f"{objects:7d} {frames:7d}  {name:18s} {frames / wall:8.1f} {base / wall:14.1f} "
                f"{1000 * cpu / frames:13.2f}"
            )


def main():
    cv2.setNumThreads(0)
    print(
        "objects  frames  way                frames/s  times as fast  CPU ms/frame of this process"
    )
    for objects in (1, 3):
        measure(Path(sys.argv[1]), objects)


if __name__ == "__main__":
    main()
