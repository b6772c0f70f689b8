"""After a cut: whether an object is in the new shot, and where."""

from collections.abc import Sequence

from torch import Tensor

from jointvos.inference.frame import Outcome, Prediction
from jointvos.inference.object_group import ObjectGroup, split
from jointvos.inference.trees import rows_of
from jointvos.ops import SearchRegion, marginals, moments


def closer_region(group: ObjectGroup, own: Prediction) -> tuple[Tensor, SearchRegion]:
    """Whom a look at the whole frame found, bool [O], and where to look again.

    Args:
        group: The objects.
        own: What was found of them in the whole frame.
    """
    size = (own.logits.shape[1], own.logits.shape[2])
    rows = moments(marginals(own.logits.float().sigmoid()), size)
    there = rows[:, 0] >= group.target.least(group.config.min_target_area, group.config)
    kernel_size = group.net.config.kernel_size
    return there, group.target.closer_region(rows, group.config, kernel_size, size)


def moved_on(groups: Sequence[ObjectGroup], outcome: Outcome) -> list[ObjectGroup]:
    """The groups after the frame; those that are seen again after a cut leave the others."""
    after = []
    objects = split(outcome.probabilities[1:], groups)
    for group, target, probabilities in zip(groups, outcome.targets, objects, strict=True):
        group.frame_number += 1
        seen = list(range(len(group)))
        if group.paused:
            least = target.least(group.config.redetection_area, group.config)
            seen = certain(probabilities, least, group.config.redetection_probability)
        unseen = [i for i in range(len(group)) if i not in seen]
        if unseen:
            after.append(group.part(unseen) if seen else group)
        if seen:
            group = group.part(seen) if unseen else group
            group.target = rows_of(target, seen) if unseen else target
            group.paused = False
            after.append(group)
    return after


def certain(probabilities: Tensor, least: Tensor, mean_probability: float) -> list[int]:
    """Which objects are there without a doubt.

    Args:
        probabilities: Of the objects, [O,Hv,Wv].
        least: Pixels that each must have, [O].
        mean_probability: What these must have at least.
    """
    there = probabilities > 0.5
    area = there.sum((1, 2))
    mean = (probabilities * there).sum((1, 2)) / area
    seen = (area >= least.clamp_min(1)) & (mean >= mean_probability)
    return [i for i, there in enumerate(seen.cpu().tolist()) if there]
