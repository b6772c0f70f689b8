"""A session led through the sequences of a data set."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from time import perf_counter
from typing import Protocol

import numpy as np

from jointvos.datasets import SequenceFailure, VOSSequence
from jointvos.errors import DatasetError, MaskError, MediaError, OutOfDeviceMemory
from jointvos.evaluation.results_folder import ResultsFolder
from jointvos.types import FrameResult, Image, LabelMap

SEQUENCE_ERRORS = (DatasetError, MediaError, MaskError, OutOfDeviceMemory)
"""What may be wrong with one sequence while the others are sound."""


class Session(Protocol):
    """What is evaluated: it is given masks in the frame where their objects are new."""

    def step(self, image: Image, masks: LabelMap | None = None, /) -> FrameResult: ...


MakeSession = Callable[[], Session]


@dataclass(frozen=True, eq=False)
class TrackedFrame:
    """What a session found in a frame.

    Attributes:
        index: The frame.
        result: What was found.
        seconds: Time of the step; reading files is not counted.
    """

    index: int
    result: FrameResult
    seconds: float


def track(
    sequence: VOSSequence, session: Session, max_frames: int | None = None
) -> Iterator[TrackedFrame]:
    """Every frame of a sequence, or the first so many; only one is in memory at a time.

    Raises:
        SequenceIncomplete: A file is missing.
        DatasetError: A file is damaged or of another size than the others.
    """
    count = len(sequence) if max_frames is None else min(max_frames, len(sequence))
    known: set[int] = set()
    size: tuple[int, ...] | None = None
    for index in range(count):
        image = sequence.image(index)
        size = size or image.shape[:2]
        _check_size(str(sequence.frames[index]), image.shape[:2], size)
        masks = sequence.annotation(index, known)
        if masks is not None:
            _check_size(str(sequence.masks[index]), masks.shape, size)
            known.update(np.unique(masks).tolist())
        start = perf_counter()
        result = session.step(image, masks)
        yield TrackedFrame(index, result, perf_counter() - start)


def segment_sequences(
    sequences: Iterable[VOSSequence],
    make_session: MakeSession,
    folder: ResultsFolder,
    failures: list[SequenceFailure],
    max_frames: int | None = None,
) -> Iterator[VOSSequence]:
    """Segment sequences, each written whole or not at all.

    Args:
        sequences: The sequences.
        make_session: Called once for every sequence.
        folder: Takes the masks of the wanted frames.
        failures: Gets the sequences that cannot be used; they do not end the run.
        max_frames: Only so many frames from the start of each sequence.

    Yields:
        The sequence, after each of its frames.
    """
    for sequence in sequences:
        session = make_session()
        wanted = set(sequence.wanted)
        try:
            with folder.sequence(sequence.name) as writer:
                for each in track(sequence, session, max_frames):
                    writer.step_seconds.append(each.seconds)
                    if each.index in wanted:
                        writer.write(sequence.frames[each.index].stem, each.result.labels)
                    yield sequence
        except SEQUENCE_ERRORS as error:
            failures.append(SequenceFailure(sequence.name, error))


def _check_size(path: str, found: tuple[int, ...], expected: tuple[int, ...]) -> None:
    if found != expected:
        raise DatasetError(
            f"{path} is {found[1]}x{found[0]} but the first frame is {expected[1]}x{expected[0]}: "
            "expected the same size throughout; restore it from the data set"
        )
