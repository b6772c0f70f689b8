"""A split of a data set: its sequences, sound and not."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from jointvos.datasets.sequence import VOSSequence
from jointvos.errors import DatasetError, JointVOSError


@dataclass(frozen=True, eq=False)
class SequenceFailure:
    """A sequence that cannot be used, or could not be evaluated, and why."""

    name: str
    error: JointVOSError


@dataclass(frozen=True, eq=False)
class VOSDataset:
    """What a folder holds.

    Attributes:
        name: For people, for example "DAVIS 2017".
        split: Its name.
        protocol: By whose rules it is scored, and submitted.
        sequences: The usable ones, in the order of the data set.
        broken: The others.
        frames: Which frames of a video the model is given, where there is a choice.
        scored: Whether there are true masks beyond those that are given.
        images: Whether `VOSSequence.frames` are images; else they are the masks again.
        notes: What should be known of it, a sentence each.
    """

    name: str
    split: str
    protocol: Literal["davis", "youtubevos", "lvos"]
    sequences: tuple[VOSSequence, ...]
    broken: tuple[SequenceFailure, ...] = ()
    frames: str = "all"
    scored: bool = True
    images: bool = True
    notes: tuple[str, ...] = ()

    @property
    def submitted(self) -> bool:
        """Whether a server scores it."""
        return self.protocol == "youtubevos" or not self.scored

    @property
    def names(self) -> tuple[str, ...]:
        """Of all sequences, the broken ones last."""
        return (*(each.name for each in self.sequences), *(each.name for each in self.broken))


def sort_out(
    names: Iterable[str], open_sequence: Callable[[str], VOSSequence]
) -> tuple[tuple[VOSSequence, ...], tuple[SequenceFailure, ...]]:
    """The sequences of these names, those that can be used and the others."""
    sequences, broken = [], []
    for name in names:
        try:
            sequences.append(open_sequence(name))
        except DatasetError as error:
            broken.append(SequenceFailure(name, error))
    return tuple(sequences), tuple(broken)
