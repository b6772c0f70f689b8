"""Which files of a sequence are compared, and which of the scores count."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from jointvos.datasets import VOSDataset, VOSObject, VOSSequence, read_size
from jointvos.datasets.listing import first_of
from jointvos.errors import DatasetError, SequenceIncomplete
from jointvos.files.images import natural
from jointvos.metrics.davis import check_frame_count, first_ids, kept_frames

Counted: TypeAlias = Mapping[VOSObject, Sequence[int]]
"""The frames in which each object counts."""


@dataclass(frozen=True)
class ObjectPlan:
    """One object to be scored.

    Attributes:
        id: Its value in the masks.
        positions: Which of the plan's frames count for it.
        seen: As in `VOSObject`.
    """

    id: int
    positions: tuple[int, ...]
    seen: bool | None = None


@dataclass(frozen=True)
class SequencePlan:
    """How a sequence is scored.

    Attributes:
        name: The sequence.
        frames: Indices of the frames that are compared.
        truth: Their true masks.
        predicted: Their predicted ones.
        objects: What is scored.
        allowed: Ids that predictions may hold besides those that occur in the true masks.
        single_object: Whether all that is not background is one object.
        notes: What should be known of it, a sentence each.
    """

    name: str
    frames: tuple[int, ...]
    truth: tuple[Path, ...]
    predicted: tuple[Path, ...]
    objects: tuple[ObjectPlan, ...]
    allowed: frozenset[int]
    single_object: bool
    notes: tuple[str, ...] = ()


def plan_sequence(
    dataset: VOSDataset,
    sequence: VOSSequence,
    predicted: Mapping[str, Path],
    max_frames: int | None = None,
) -> SequencePlan:
    """Plan the scoring of a sequence by the rules of its data set.

    Args:
        dataset: The data set.
        sequence: One of its sequences.
        predicted: Predicted masks by the stem of the frame.
        max_frames: Score only frames among the first so many.

    Raises:
        SequenceIncomplete: Masks are missing, or there are some of no frame.
        DatasetError: The first mask is damaged or holds no object.
    """
    if dataset.protocol == "youtubevos":
        return _plan_youtubevos(sequence, predicted, max_frames or len(sequence))
    if dataset.protocol == "lvos":
        return _plan_lvos(sequence, predicted, max_frames or len(sequence))
    return _plan_davis(sequence, predicted, max_frames or len(sequence), dataset.images)


def _plan_davis(
    sequence: VOSSequence, predicted: Mapping[str, Path], count: int, has_images: bool
) -> SequencePlan:
    masked = [index for index, mask in enumerate(sequence.masks[:count]) if mask is not None]
    check_frame_count(sequence.name, len(masked))
    _refuse_extra(sequence, predicted, has_images)
    first_mask = sequence.labels(masked[0])
    _check_last(sequence, masked[-1], first_mask.shape)
    ids = first_ids(sequence.name, first_mask)
    frames = tuple(kept_frames(masked))
    notes = []
    if len(masked) == 2:
        notes.append(
            f"sequence {sequence.name} has 2 frames with masks, so the last one is scored, too"
        )
    stems = _stems(sequence)
    between = [stem for stem in predicted if stem not in stems]
    if between:
        notes.append(
            f"sequence {sequence.name} has no true masks for {len(between)} predicted frames, "
            f"the first {between[0]}; they are not scored"
        )
    return _plan(
        sequence,
        frames,
        predicted,
        tuple(ObjectPlan(each, tuple(range(len(frames)))) for each in ids),
        notes,
    )


def _plan_youtubevos(
    sequence: VOSSequence, predicted: Mapping[str, Path], count: int
) -> SequencePlan:
    counted = {
        each: [i for i in each.frames if each.frames[0] < i < count] for each in sequence.objects
    }
    if lost := [sequence.frames[i].stem for i in _all(counted) if sequence.masks[i] is None]:
        raise SequenceIncomplete(
            f"sequence {sequence.name} lacks true masks for {first_of(lost)}, while others have "
            "them: restore them from the data set"
        )
    if not any(counted.values()):
        raise SequenceIncomplete(
            f"sequence {sequence.name} has no frame to score: every object is given in the last "
            "frame that is listed for it"
        )
    notes = [
        f"object {each.id} of sequence {sequence.name} is listed in no frame after its first and "
        "is not scored"
        for each, indices in counted.items()
        if not indices
    ]
    return _plan_listed(sequence, predicted, counted, notes)


def _plan_lvos(sequence: VOSSequence, predicted: Mapping[str, Path], count: int) -> SequencePlan:
    """Its toolkit scores all frames with masks, also the one that gives the object."""
    counted = {
        each: [i for i in each.frames if i < count and sequence.masks[i] is not None]
        for each in sequence.objects
    }
    if not any(counted.values()):
        raise SequenceIncomplete(
            f"sequence {sequence.name} has no true mask among its first {count} frames"
        )
    return _plan_listed(sequence, predicted, counted, [])


def _plan_listed(
    sequence: VOSSequence,
    predicted: Mapping[str, Path],
    counted: Counted,
    notes: list[str],
) -> SequencePlan:
    """Every object in frames of its own."""
    frames = _all(counted)
    position = {index: at for at, index in enumerate(frames)}
    objects = tuple(
        ObjectPlan(each.id, tuple(position[index] for index in indices), each.seen)
        for each, indices in counted.items()
        if indices
    )
    return _plan(sequence, frames, predicted, objects, notes)


def _all(counted: Counted) -> tuple[int, ...]:
    return tuple(sorted({index for indices in counted.values() for index in indices}))


def _plan(
    sequence: VOSSequence,
    frames: tuple[int, ...],
    predicted: Mapping[str, Path],
    objects: tuple[ObjectPlan, ...],
    notes: list[str],
) -> SequencePlan:
    stems = [sequence.frames[index].stem for index in frames]
    if lost := [stem for stem in stems if stem not in predicted]:
        folder = next((path.parent for path in predicted.values()), Path())
        raise SequenceIncomplete(
            f"sequence {sequence.name} lacks predicted masks for {first_of(lost)}: expected "
            f"{folder / lost[0]}.png; predict every frame"
        )
    return SequencePlan(
        sequence.name,
        frames,
        tuple(path for index in frames if (path := sequence.masks[index]) is not None),
        tuple(predicted[stem] for stem in stems),
        objects,
        frozenset({each.id for each in objects} | {each.id for each in sequence.objects}),
        sequence.single_object,
        tuple(notes),
    )


def _check_last(sequence: VOSSequence, last: int, size: tuple[int, ...]) -> None:
    """The last mask is not scored, but if it is wrong so may be others."""
    path = sequence.masks[last]
    if path is not None and (found := read_size(path)) != size:
        raise DatasetError(
            f"{path} is {found[1]}x{found[0]} but the first mask is {size[1]}x{size[0]}: expected "
            "one size throughout; restore it from the data set"
        )


def _refuse_extra(sequence: VOSSequence, predicted: Mapping[str, Path], has_images: bool) -> None:
    stems = _stems(sequence)
    extra = [stem for stem in predicted if stem not in stems]
    if not has_images:
        # True masks alone may have gaps, but not before the first or after the last.
        first, last = natural(next(iter(stems))), natural(list(stems)[-1])
        extra = [stem for stem in extra if not first < natural(stem) < last]
    if extra:
        raise SequenceIncomplete(
            f"{predicted[extra[0]]} belongs to no frame of sequence {sequence.name}"
            + (f", nor do {len(extra) - 1} more" if len(extra) > 1 else "")
            + ": expected the names of its frames; take the others away"
        )


def _stems(sequence: VOSSequence) -> dict[str, None]:
    return dict.fromkeys(path.stem for path in sequence.frames)
