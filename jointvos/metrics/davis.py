"""The DAVIS protocol for semi-supervised sequences: what is scored and how it is summed up.

The first frame, whose mask is given, and the last are not scored; void pixels are background.
The objects are those of the first mask. Scores are averaged per object, then over the objects of
all sequences alike.

Deviations from the official evaluation, none of which changes a number on DAVIS:

* The frames at which the decay is taken are kept as integers. The official 8 bit overflow if more
  than 256 frames are scored (more than 255 with NumPy 2): with 257 the last bin begins at frame 192
  and ends at frame 0, so it is empty and the official decay NaN; with 400 it is that of other
  frames.
* Gaps between the object IDs are no objects.
* An ID that the first mask does not hold is nobody's instead of ending the evaluation.
* A sequence of two frames keeps its last one, for nothing would be left to score.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from itertools import zip_longest

import numpy as np

from jointvos.errors import DatasetError, SequenceIncomplete
from jointvos.metrics.frame import Scores, score_frame
from jointvos.types import LabelMap, object_ids

RECALL_THRESHOLD = 0.5
DECAY_BINS = 4


@dataclass(frozen=True)
class DavisScore:
    """The figures of the official tables, each a fraction.

    Attributes:
        j_mean: Region similarity.
        j_recall: Share of the frames whose J is above 0.5.
        j_decay: Mean J of the first quarter of the frames minus that of the last.
        f_mean: Contour accuracy.
        f_recall: Share of the frames whose F is above 0.5.
        f_decay: Mean F of the first quarter of the frames minus that of the last.
    """

    j_mean: float
    j_recall: float
    j_decay: float
    f_mean: float
    f_recall: float
    f_decay: float

    @property
    def jf_mean(self) -> float:
        """J&F, the mean of J and F."""
        return (self.j_mean + self.f_mean) / 2


@dataclass(frozen=True, eq=False)
class ObjectScore:
    """J and F of one object in the scored frames of one sequence.

    Attributes:
        sequence: Name of the sequence.
        object_id: The object's ID in the truth.
        j: Region similarity per scored frame, float64 [N], N from 1 up.
        f: Contour accuracy per scored frame, float64 [N].
        frames: Which frames of the sequence these are, from 0; () if nobody asked.
        seen: Whether the training split of YouTube-VOS has its category; None if unknown.
    """

    sequence: str
    object_id: int
    j: Scores
    f: Scores
    frames: tuple[int, ...] = ()
    seen: bool | None = None

    @property
    def score(self) -> DavisScore:
        """The figures of this object alone."""
        return DavisScore(
            j_mean=float(self.j.mean()),
            j_recall=recall(self.j),
            j_decay=decay(self.j),
            f_mean=float(self.f.mean()),
            f_recall=recall(self.f),
            f_decay=decay(self.f),
        )


def recall(scores: Scores) -> float:
    """Share of the scores [N] that are above 0.5."""
    return float(np.mean(scores > RECALL_THRESHOLD))


def decay(scores: Scores) -> float:
    """Mean of the first quarter of the scores [N] minus that of the last.

    Neighboring quarters share the frame at which they meet.
    """
    # The tiny offset makes halves round up; numpy would round them to even.
    edges = np.round(np.linspace(1, len(scores), DECAY_BINS + 1) + 1e-10).astype(np.int64) - 1
    first = scores[edges[0] : edges[1] + 1]
    last = scores[edges[-2] : edges[-1] + 1]
    return float(first.mean() - last.mean())


def aggregate(objects: Sequence[ObjectScore]) -> DavisScore:
    """Plain mean of each figure over objects, whatever sequences they are from.

    Raises:
        DatasetError: There is no object.
    """
    if not objects:
        raise DatasetError("no scores to average: expected at least one object")
    scores = [each.score for each in objects]
    names = [field.name for field in fields(DavisScore)]
    return DavisScore(*(float(np.mean([getattr(s, name) for s in scores])) for name in names))


def score_sequence(
    truth: Iterable[LabelMap], predicted: Iterable[LabelMap], sequence: str
) -> tuple[ObjectScore, ...]:
    """Score a sequence frame by frame, from the first on; memory does not grow with their number.

    Args:
        truth: The true IDs per frame, uint8 [Hv,Wv]; 255 is void.
        predicted: The IDs found, as many frames of the same size.
        sequence: Name of the sequence.

    Returns:
        One score per object of the first true frame, in the order of the IDs.

    Raises:
        SequenceIncomplete: There are fewer than two frames, or not as many of both kinds.
        DatasetError: The first mask is empty, or the sizes differ.
    """
    ids: list[int] = []
    rows: list[Scores] = []
    count = 0
    for true_labels, labels in zip_longest(truth, predicted):
        _check_pair(sequence, count, true_labels, labels)
        if count == 0:
            ids = first_ids(sequence, true_labels)
        else:
            rows.append(score_frame(true_labels, labels, ids))
        count += 1
    check_frame_count(sequence, count)
    # Only now it is known which frame was the last.
    kept = kept_frames(range(count))
    scores = np.stack([rows[index - 1] for index in kept])  # [N,O,2]
    return tuple(
        ObjectScore(sequence, object_id, scores[:, index, 0], scores[:, index, 1], tuple(kept))
        for index, object_id in enumerate(ids)
    )


def kept_frames(frames: Sequence[int]) -> Sequence[int]:
    """Those of the frames with a mask that are scored: all but the first and the last.

    Of two frames it is the last.
    """
    return frames[1:] if len(frames) == 2 else frames[1:-1]


def check_frame_count(sequence: str, count: int) -> None:
    """Refuse a sequence of which no frame would be scored.

    Raises:
        SequenceIncomplete: There are fewer than two frames.
    """
    if count < 2:
        raise SequenceIncomplete(
            f"sequence {sequence} has {count} frame(s) with a mask, but at least 2 are needed: "
            "the first is given, not scored"
        )


def first_ids(sequence: str, labels: LabelMap) -> list[int]:
    """The objects of a sequence's first mask, in order.

    Raises:
        DatasetError: There is none.
    """
    if not (ids := object_ids(labels)):
        raise DatasetError(
            f"the first mask of sequence {sequence} holds no object: expected IDs from 1 to 254"
        )
    return ids


def _check_pair(
    sequence: str, index: int, truth: LabelMap | None, predicted: LabelMap | None
) -> None:
    if truth is None or predicted is None:
        short = "true masks" if truth is None else "predicted masks"
        raise SequenceIncomplete(
            f"sequence {sequence} has only {index} {short}: expected as many predicted as true ones"
        )
    if truth.shape != predicted.shape:
        raise DatasetError(
            f"mask {index} of sequence {sequence} is {_size(truth)} but the prediction is "
            f"{_size(predicted)}: predict at the size of the true masks"
        )


def _size(labels: LabelMap) -> str:
    return f"{labels.shape[1]}x{labels.shape[0]}"
