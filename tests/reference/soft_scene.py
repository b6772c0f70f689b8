"""Results with probabilities: two soft discs, IDs 3 and 7, over the images of `clips.scene`."""

from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
from clips import scene

from jointvos.types import Frame, FrameResult, ObjectState, VideoInfo

IDS = (3, 7)
RATE = Fraction(24)


def info(width: int = 64, height: int = 48, path: Path = Path("none")) -> VideoInfo:
    return VideoInfo(path, width, height, RATE, 1 / RATE)


def disc(x: float, y: float, radius: float, width: int, height: int) -> np.ndarray:
    ys, xs = np.mgrid[:height, :width]
    return 1 / (1 + np.exp(np.hypot(xs - x, ys - y) - radius))


def state_of(labels: np.ndarray, object_id: int, soft: np.ndarray) -> ObjectState:
    ys, xs = np.nonzero(labels == object_id)
    if not len(ys):
        return ObjectState(object_id, 0, None, None, None)
    left, top = int(xs.min()), int(ys.min())
    box = (left, top, int(xs.max()) - left + 1, int(ys.max()) - top + 1)
    center = (float(xs.mean()), float(ys.mean()))
    return ObjectState(object_id, len(ys), box, center, float(soft[ys, xs].mean()))


def result_of(soft: np.ndarray, index: int = 0, ids: tuple[int, ...] = IDS) -> FrameResult:
    """From the objects' probabilities, [O,H,W], whose sum is at most 1."""
    soft = np.concatenate([1 - soft.sum(axis=0, keepdims=True), soft]).astype(np.float32)
    labels = np.array([0, *ids], dtype=np.uint8)[soft.argmax(axis=0)]
    states = tuple(state_of(labels, i, p) for i, p in zip(ids, soft[1:], strict=True))
    return FrameResult(index, labels, states, soft)


def write(sink, given: Iterable[tuple[Frame, FrameResult]]) -> None:
    """Frames and results, and the end of the output."""
    for frame, result in given:
        sink.write(frame, result)
    sink.close()
    sink.commit()


def results(
    count: int = 6, width: int = 64, height: int = 48, gone_from: int = 99
) -> Iterator[tuple[Frame, FrameResult]]:
    """The first disc moves to the right, the second stays and is gone from some frame on."""
    for i in range(count):
        first = disc(15 + 2 * i, 24, 9, width, height)
        second = disc(50, 20, 6, width, height) * (1 - first) * (i < gone_from)
        frame = Frame(i, i, i / 24, scene(i, width, height), f"{i:05d}")
        yield frame, result_of(np.stack([first, second]), i)
