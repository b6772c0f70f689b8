"""What an evaluation found."""

from dataclasses import dataclass

import numpy as np

from jointvos.errors import JointVOSError
from jointvos.metrics import DavisScore, ObjectScore, aggregate


@dataclass(frozen=True, eq=False)
class SequenceResult:
    """One evaluated sequence.

    Attributes:
        name: Name of the sequence.
        objects: One score per object, in the order of the ids.
        step_seconds: Time of each step of the session, float64 [N] for N frames, the first
            included; reading files and scoring are not counted.
    """

    name: str
    objects: tuple[ObjectScore, ...]
    step_seconds: np.typing.NDArray[np.float64]

    @property
    def score(self) -> DavisScore:
        """Mean over the objects of this sequence."""
        return aggregate(self.objects)

    @property
    def frames(self) -> int:
        """Number of frames that were segmented."""
        return len(self.step_seconds)

    @property
    def seconds_per_frame(self) -> float:
        """Mean time of a step of the session."""
        return float(self.step_seconds.mean())


@dataclass(frozen=True, eq=False)
class SequenceFailure:
    """A sequence that could not be evaluated, and why."""

    name: str
    error: JointVOSError


@dataclass(frozen=True, eq=False)
class EvaluationResult:
    """All sequences of an evaluation; at least one was evaluated.

    Attributes:
        sequences: The evaluated sequences, in the order of the data set.
        failures: The others; the score says nothing of them.
    """

    sequences: tuple[SequenceResult, ...]
    failures: tuple[SequenceFailure, ...] = ()

    @property
    def objects(self) -> tuple[ObjectScore, ...]:
        """Scores of all objects of all sequences."""
        return tuple(each for sequence in self.sequences for each in sequence.objects)

    @property
    def score(self) -> DavisScore:
        """Mean over all objects, as the official tables have it."""
        return aggregate(self.objects)

    @property
    def frames(self) -> int:
        """Number of frames that were segmented."""
        return sum(each.frames for each in self.sequences)

    @property
    def seconds_per_frame(self) -> float:
        """Mean time of a step of the session over all frames."""
        return float(np.concatenate([each.step_seconds for each in self.sequences]).mean())
