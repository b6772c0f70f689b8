"""Masks on disk compared with the true ones, in several processes.

A piece of work is a few dozen frames of one sequence, so that a long one keeps all processes
busy; each holds one pair of masks at a time. The processes never import torch.
"""

import multiprocessing
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from jointvos.datasets import SequenceFailure, VOSDataset, predicted_files, read_labels
from jointvos.errors import DatasetError, DatasetNotFound, os_errors_as
from jointvos.evaluation.protocol import SequencePlan, plan_sequence
from jointvos.evaluation.result import SequenceResult
from jointvos.metrics import ObjectScore
from jointvos.metrics.frame import Scores, compare_frame
from jointvos.types import VOID, LabelMap

FRAMES_AT_ONCE = 24
WORTH_A_PROCESS = 500
"""Below so many frames each, starting processes takes longer than they save."""


@dataclass(frozen=True)
class _Piece:
    """Some frames of a sequence."""

    name: str
    truth: tuple[Path, ...]
    predicted: tuple[Path, ...]
    ids: tuple[int, ...]
    allowed: frozenset[int]
    single_object: bool


@dataclass(frozen=True, eq=False)
class _Scored:
    """What was found in a piece.

    Attributes:
        scores: J and F, float64 [N,O,2].
        later: Ids of the true masks that nobody expected.
        strange: Ids of the predictions that nobody expected, each with a file that holds it.
    """

    scores: Scores
    later: frozenset[int]
    strange: dict[int, Path]


def score_dataset(
    dataset: VOSDataset,
    predictions: Path,
    *,
    max_frames: int | None = None,
    processes: int | None = None,
) -> Iterator[SequenceResult | SequenceFailure]:
    """Score the sequences of a data set; those that cannot be planned come first, as failures.

    Args:
        dataset: The data set.
        predictions: The folder of masks, `<sequence>/<frame>.png`.
        max_frames: Score only frames among the first so many of each sequence.
        processes: How many to use; by default as many as there are cores and as is worthwhile.

    Raises:
        DatasetNotFound: There is no such folder.
    """
    with os_errors_as(DatasetError):
        is_folder = predictions.is_dir()
    if not is_folder:
        raise DatasetNotFound(
            f"{predictions} is not a folder: expected <sequence>/<frame>.png in it"
        )
    plans: list[SequencePlan] = []
    for sequence in dataset.sequences:
        try:
            files = predicted_files(predictions, sequence.name, alone=len(dataset.names) == 1)
            plans.append(plan_sequence(dataset, sequence, files, max_frames))
        except DatasetError as error:
            yield SequenceFailure(sequence.name, error)
    yield from score_sequences(plans, processes)


def score_sequences(
    plans: Sequence[SequencePlan], processes: int | None = None
) -> Iterator[SequenceResult | SequenceFailure]:
    """Score sequences in their order; one whose files are unusable does not end the run.

    Args:
        plans: What to compare.
        processes: How many to use; by default as many as there are cores and as is worthwhile.
    """
    pieces = [_pieces(plan) for plan in plans]
    frames = sum(len(plan.frames) for plan in plans)
    count = processes or max(1, min(_cores(), frames // WORTH_A_PROCESS))
    flat = [piece for each in pieces for piece in each]
    if count == 1:
        yield from _gather(plans, pieces, map(_score_piece, flat))
        return
    # Not forked: threads of the network would be forked along.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(count, context, initializer=_prepare) as pool:
        yield from _gather(plans, pieces, pool.map(_score_piece, flat))


def _pieces(plan: SequencePlan) -> list[_Piece]:
    ids = tuple(each.id for each in plan.objects)
    starts = range(0, len(plan.frames), FRAMES_AT_ONCE)
    return [
        _Piece(
            plan.name,
            plan.truth[start : start + FRAMES_AT_ONCE],
            plan.predicted[start : start + FRAMES_AT_ONCE],
            ids,
            plan.allowed,
            plan.single_object,
        )
        for start in starts
    ]


def _gather(
    plans: Sequence[SequencePlan],
    pieces: Sequence[Sequence[_Piece]],
    found: Iterator[_Scored | DatasetError],
) -> Iterator[SequenceResult | SequenceFailure]:
    for plan, own in zip(plans, pieces, strict=True):
        parts = [next(found) for _ in own]
        try:
            yield _result(plan, [_sound(part) for part in parts])
        except DatasetError as error:
            yield SequenceFailure(plan.name, error)


def _sound(part: _Scored | DatasetError) -> _Scored:
    if isinstance(part, DatasetError):
        raise part
    return part


def _result(plan: SequencePlan, parts: Sequence[_Scored]) -> SequenceResult:
    later = frozenset[int]().union(*(part.later for part in parts))
    for part in parts:
        for object_id, path in part.strange.items():
            if object_id not in later:
                what = "255 (white, or void)" if object_id == VOID else f"the ID {object_id}"
                known = ", ".join(map(str, sorted(plan.allowed | later)))
                raise DatasetError(
                    f"{path} holds {what}, which no true mask of sequence {plan.name} has: "
                    f"expected 0 and {known}; predict only these"
                )
    scores = np.concatenate([part.scores for part in parts])
    notes = list(plan.notes)
    if extra := sorted(later - plan.allowed):
        notes.append(
            f"objects that appear after the first mask of sequence {plan.name} are not scored: "
            f"{', '.join(map(str, extra))}"
        )
    objects = tuple(
        ObjectScore(
            plan.name,
            each.id,
            scores[list(each.positions), index, 0],
            scores[list(each.positions), index, 1],
            tuple(plan.frames[position] for position in each.positions),
            each.seen,
        )
        for index, each in enumerate(plan.objects)
    )
    return SequenceResult(plan.name, objects, notes=tuple(notes))


def _score_piece(piece: _Piece) -> _Scored | DatasetError:
    """Score some frames; an error is returned, for one that is raised would end the others."""
    expected = np.ones(256, np.uint8)
    expected[[0, *piece.allowed]] = 0
    scores = np.empty((len(piece.truth), len(piece.ids), 2))
    later: set[int] = set()
    strange: dict[int, Path] = {}
    try:
        for index, (true_path, path) in enumerate(zip(piece.truth, piece.predicted, strict=True)):
            truth = read_labels(true_path, single_object=piece.single_object)
            labels = read_labels(path, single_object=piece.single_object)
            _check_sizes(truth, true_path, labels, path)
            found = compare_frame(truth, labels, piece.ids)
            scores[index] = found.scores
            if cv2.countNonZero(truth) > found.true_pixels:
                later |= _others(truth, expected) - {VOID}
            if cv2.countNonZero(labels) > found.pixels:
                strange |= {i: path for i in _others(labels, expected) if i not in strange}
    except DatasetError as error:
        return error
    return _Scored(scores, frozenset(later), strange)


def _others(labels: LabelMap, expected: LabelMap) -> set[int]:
    """Ids that are not expected."""
    present = cv2.calcHist([labels], [0], None, [256], [0, 256]).ravel() > 0
    return set(np.flatnonzero(present & (expected > 0)).tolist())


def _check_sizes(truth: LabelMap, true_path: Path, labels: LabelMap, path: Path) -> None:
    if truth.shape != labels.shape:
        raise DatasetError(
            f"{path} is {labels.shape[1]}x{labels.shape[0]} but {true_path} is "
            f"{truth.shape[1]}x{truth.shape[0]}: predict at the size of the true masks"
        )


def _prepare() -> None:
    """In a process of the pool: the others need the cores, too."""
    cv2.setNumThreads(0)


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
