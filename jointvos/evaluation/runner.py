"""Run a session over the sequences of a data set and score what it finds, frame by frame."""

from collections.abc import Callable, Iterable, Iterator
from time import perf_counter
from typing import Protocol

import numpy as np

from jointvos.datasets import VOSSequence
from jointvos.errors import (
    DatasetError,
    JointVOSError,
    MaskError,
    MediaError,
    OutOfDeviceMemory,
)
from jointvos.evaluation.result import EvaluationResult, SequenceFailure, SequenceResult
from jointvos.metrics.davis import check_frame_count, score_sequence
from jointvos.types import FrameResult, Image, LabelMap

OnFrame = Callable[[VOSSequence, int, FrameResult], None]
"""Told the sequence, the index of the frame and what was found in it."""

SEQUENCE_ERRORS = (DatasetError, MediaError, MaskError, OutOfDeviceMemory)
"""What may be wrong with one sequence while the others are sound."""


class Session(Protocol):
    """What is evaluated: it is given the masks with the first frame and follows the objects."""

    def step(self, image: Image, masks: LabelMap | None = None, /) -> FrameResult: ...


def evaluate(
    sequences: Iterable[VOSSequence],
    make_session: Callable[[], Session],
    *,
    on_frame: OnFrame | None = None,
    max_frames: int | None = None,
) -> EvaluationResult:
    """Evaluate sequences one after the other; one that cannot be used does not end the run.

    Args:
        sequences: The sequences; frames without a true mask are segmented but not scored.
        make_session: Called once for every sequence.
        on_frame: Called after every frame.
        max_frames: Use only so many frames from the start of each sequence, at least 3.

    Raises:
        DatasetError: There are no sequences.
        JointVOSError: No sequence could be evaluated (the first one's error), or something is
            wrong that does not concern one sequence alone.
    """
    results: list[SequenceResult] = []
    failures: list[SequenceFailure] = []
    for sequence in sequences:
        session = make_session()
        try:
            results.append(
                evaluate_sequence(sequence, session, on_frame=on_frame, max_frames=max_frames)
            )
        except SEQUENCE_ERRORS as error:
            failures.append(SequenceFailure(sequence.name, error))
    if not results:
        raise _nothing_evaluated(failures)
    return EvaluationResult(tuple(results), tuple(failures))


def evaluate_sequence(
    sequence: VOSSequence,
    session: Session,
    *,
    on_frame: OnFrame | None = None,
    max_frames: int | None = None,
) -> SequenceResult:
    """Evaluate one sequence with a fresh session; only one frame is in memory at a time.

    Raises:
        SequenceIncomplete: The first mask is missing or fewer than three frames have one.
        DatasetError: A file is damaged or the first mask is empty.
    """
    count = len(sequence) if max_frames is None else min(max_frames, len(sequence))
    scored = [index for index in range(count) if sequence.masks[index] is not None]
    check_frame_count(sequence.name, len(scored))
    step_seconds: list[float] = []

    def predictions() -> Iterator[LabelMap]:
        for index in range(count):
            image = sequence.image(index)
            masks = sequence.labels(0) if index == 0 else None
            start = perf_counter()
            result = session.step(image, masks)
            step_seconds.append(perf_counter() - start)
            if on_frame is not None:
                on_frame(sequence, index, result)
            if sequence.masks[index] is not None:
                yield result.labels

    truth = (sequence.labels(index) for index in scored)
    objects = score_sequence(truth, predictions(), sequence.name)
    return SequenceResult(sequence.name, objects, np.asarray(step_seconds))


def _nothing_evaluated(failures: list[SequenceFailure]) -> JointVOSError:
    if failures:
        return failures[0].error
    return DatasetError("there are no sequences to evaluate: expected at least one")
