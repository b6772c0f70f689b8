"""What an evaluation found."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from jointvos.datasets import SequenceFailure
from jointvos.metrics import (
    DavisScore,
    ObjectScore,
    YouTubeVOSScore,
    aggregate,
    aggregate_seen,
)


@dataclass(frozen=True, eq=False)
class SequenceResult:
    """One evaluated sequence.

    Attributes:
        name: Name of the sequence.
        objects: One score per object, at least one, in the order of the IDs.
        step_seconds: Time of each step of the session, float64 [N] for N frames, the first
            included; reading files and scoring are not counted. Empty if no session ran.
        notes: What should be known of it, a sentence each.
    """

    name: str
    objects: tuple[ObjectScore, ...]
    step_seconds: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    notes: tuple[str, ...] = ()

    @property
    def score(self) -> DavisScore:
        """Mean over the objects of this sequence."""
        return aggregate(self.objects)

    @property
    def frames(self) -> int:
        """Number of frames that were segmented, or scored if no session ran."""
        return len(self.step_seconds) or len({i for each in self.objects for i in each.frames})

    @property
    def seconds_per_frame(self) -> float | None:
        """Mean time of a step of the session; None if none ran."""
        return float(self.step_seconds.mean()) if len(self.step_seconds) else None


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
    def seen_score(self) -> YouTubeVOSScore | None:
        """The figures of YouTube-VOS; None if it is not known which objects were seen."""
        if any(each.seen is None for each in self.objects):
            return None
        return aggregate_seen(self.objects)

    @property
    def frames(self) -> int:
        """Number of frames that were segmented, or scored if no session ran."""
        return sum(each.frames for each in self.sequences)

    @property
    def seconds_per_frame(self) -> float | None:
        """Mean time of a step of the session over all frames; None if none ran."""
        seconds = np.concatenate([each.step_seconds for each in self.sequences])
        return float(seconds.mean()) if len(seconds) else None
