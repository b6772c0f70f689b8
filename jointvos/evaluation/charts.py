"""Drawings of the report: lines for its SVG, frames as small JPEGs."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image as PILImage

from jointvos.datasets import VOSDataset, VOSSequence, predicted_files, read_labels
from jointvos.evaluation.result import EvaluationResult, SequenceResult
from jointvos.masks import DISPLAY_COLORS, draw_overlay
from jointvos.masks.overlay import color_labels
from jointvos.types import Image, LabelMap

LINES = ("#2f6fde", "#d9480f", "#2b8a3e", "#9c36b5", "#b08900", "#0b7285", "#c2255c", "#5f3dc4")
WIDTH, HEIGHT = 340, 108
LEFT, RIGHT, TOP, BOTTOM = 26, 8, 6, 18
MOST_POINTS = 400
THUMBNAIL = 460
WORST = 8
WORST_OF_ONE = 2
BACKDROP = 28


@dataclass(frozen=True)
class WorstFrame:
    """A frame that went wrong.

    Attributes:
        sequence: Its sequence.
        index: Its number in it.
        j: Mean J over the objects scored in it.
        f: Mean F over them.
    """

    sequence: str
    index: int
    j: float
    f: float


@dataclass(frozen=True)
class Line:
    """One object in a chart, its points in pixels."""

    object_id: int
    color: str
    title: str
    points: list[tuple[float, float]]


@dataclass(frozen=True)
class Chart:
    """What the template draws as SVG.

    Attributes:
        lines: One per object.
        levels: Row and label of the lines across.
        first: Number of the first frame; `last` of the last one.
        width: In pixels, as all that follows.
    """

    lines: list[Line]
    levels: list[tuple[float, str]]
    first: int
    last: int
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT


def j_over_time(sequence: SequenceResult) -> Chart:
    """J of every object over the frames."""
    last = max(max(each.frames) for each in sequence.objects)
    first = min(min(each.frames) for each in sequence.objects)
    span = max(1, last - first)

    def place(frame: float, j: float) -> tuple[float, float]:
        x = LEFT + (WIDTH - LEFT - RIGHT) * (frame - first) / span
        return round(x, 1), round(TOP + (HEIGHT - TOP - BOTTOM) * (1 - j), 1)

    lines = [
        Line(
            object_id=each.object_id,
            color=LINES[number % len(LINES)],
            title=f"object {each.object_id}, mean J {each.j.mean():.3f}",
            points=[place(t, j) for t, j in _thinned(each.frames, each.j)],
        )
        for number, each in enumerate(sequence.objects)
    ]
    levels = [(place(first, j)[1], label) for j, label in ((0, "0"), (0.5, ".5"), (1, "1"))]
    return Chart(lines, levels, first, last)


def worst_frames(result: EvaluationResult) -> list[WorstFrame]:
    """The frames with the lowest J and F, few of any sequence and those apart."""
    frames = sorted(
        (each for sequence in result.sequences for each in _frames(sequence)),
        key=lambda each: (each.j + each.f, each.sequence, each.index),
    )
    lengths = {each.name: max(max(o.frames) for o in each.objects) for each in result.sequences}
    chosen: list[WorstFrame] = []
    for each in frames:
        own = [other.index for other in chosen if other.sequence == each.sequence]
        apart = lengths[each.sequence] / 4
        if len(own) < WORST_OF_ONE and all(abs(each.index - i) >= apart for i in own):
            chosen.append(each)
        if len(chosen) == WORST:
            break
    return chosen


def side_by_side(
    dataset: VOSDataset, sequence: VOSSequence, predictions: Path, index: int
) -> tuple[str, str]:
    """Truth and prediction of a frame as data URLs.

    Raises:
        DatasetError: A file is missing or damaged.
    """
    files = predicted_files(predictions, sequence.name, alone=len(dataset.sequences) == 1)
    labels = read_labels(files[sequence.frames[index].stem], single_object=sequence.single_object)
    truth = sequence.labels(index)
    image = sequence.image(index) if dataset.images else None
    return _data_url(_drawn(image, truth)), _data_url(_drawn(image, labels))


def _thinned(
    frames: Sequence[int], scores: np.typing.NDArray[np.float64]
) -> list[tuple[float, float]]:
    """Frame and score; of a long sequence the lowest of each of a few hundred stretches."""
    if len(frames) <= MOST_POINTS:
        return list(zip(map(float, frames), scores.tolist(), strict=True))
    stretches = np.array_split(np.arange(len(frames)), MOST_POINTS)
    lowest = [int(stretch[np.argmin(scores[stretch])]) for stretch in stretches]
    return [(float(frames[i]), float(scores[i])) for i in lowest]


def _frames(sequence: SequenceResult) -> list[WorstFrame]:
    found: dict[int, list[tuple[float, float]]] = {}
    for each in sequence.objects:
        for index, j, f in zip(each.frames, each.j.tolist(), each.f.tolist(), strict=True):
            found.setdefault(index, []).append((j, f))
    return [
        WorstFrame(sequence.name, index, *np.mean(scores, axis=0).tolist())
        for index, scores in found.items()
    ]


def _drawn(image: Image | None, labels: LabelMap) -> Image:
    if image is not None and image.shape[:2] == labels.shape:
        return draw_overlay(image, labels)
    colors = DISPLAY_COLORS.copy()
    colors[0] = BACKDROP
    return color_labels(labels, colors)


def _data_url(image: Image) -> str:
    picture = PILImage.fromarray(image)
    picture.thumbnail((THUMBNAIL, THUMBNAIL))
    file = BytesIO()
    picture.save(file, "JPEG", quality=82)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"
