"""Run a session over sequences and score what it finds, frame by frame, without any files."""

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from jointvos.datasets import SequenceFailure, VOSSequence
from jointvos.errors import DatasetError, JointVOSError
from jointvos.evaluation.result import EvaluationResult, SequenceResult
from jointvos.evaluation.tracking import SEQUENCE_ERRORS, MakeSession, Session, track
from jointvos.metrics.davis import check_frame_count, score_sequence
from jointvos.types import FrameResult, LabelMap

OnFrame = Callable[[VOSSequence, int, FrameResult], None]
"""Told the sequence, the index of the frame and what was found in it."""


def evaluate(
    sequences: Iterable[VOSSequence],
    make_session: MakeSession,
    *,
    on_frame: OnFrame | None = None,
    max_frames: int | None = None,
) -> EvaluationResult:
    """Evaluate sequences by the protocol of DAVIS; one that cannot be used does not end the run.

    Args:
        sequences: The sequences; frames without a true mask are segmented but not scored.
        make_session: Called once for every sequence.
        on_frame: Called after every frame.
        max_frames: Use only so many frames from the start of each sequence, at least 2.

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
        raise nothing_evaluated(failures)
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
        SequenceIncomplete: The first mask is missing or fewer than two frames have one.
        DatasetError: A file is damaged or the first mask is empty.
    """
    count = len(sequence) if max_frames is None else min(max_frames, len(sequence))
    masked = [index for index in range(count) if sequence.masks[index] is not None]
    check_frame_count(sequence.name, len(masked))
    step_seconds: list[float] = []

    def predictions() -> Iterator[LabelMap]:
        for each in track(sequence, session, max_frames):
            step_seconds.append(each.seconds)
            if on_frame is not None:
                on_frame(sequence, each.index, each.result)
            if sequence.masks[each.index] is not None:
                yield each.result.labels

    truth = (sequence.labels(index) for index in masked)
    objects = score_sequence(truth, predictions(), sequence.name)
    return SequenceResult(sequence.name, objects, np.asarray(step_seconds))


def nothing_evaluated(failures: list[SequenceFailure]) -> JointVOSError:
    """The error of a run without any result: that of the first sequence."""
    if failures:
        return failures[0].error
    return DatasetError("no sequences to evaluate: expected at least one")
