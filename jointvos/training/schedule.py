"""Parameter groups and how learning rate and losses change over a stage."""

import math
from collections.abc import Mapping

from torch import nn

from jointvos.training.train_config import Stage


def rate_of(name: str, rates: Mapping[str, float]) -> float:
    """Factor on the learning rate of a parameter: of the longest beginning of its name."""
    fitting = [beginning for beginning in rates if name.startswith(beginning)]
    return rates[max(fitting, key=len)] if fitting else 1.0


def parameter_groups(
    net: nn.Module, rates: Mapping[str, float], weight_decay: float
) -> list[dict[str, object]]:
    """Groups for AdamW, weight decay for kernels only; what has rate 0 is frozen instead."""
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in net.named_parameters():
        rate = rate_of(name, rates)
        parameter.requires_grad_(rate > 0)
        if rate > 0:
            decay = weight_decay if parameter.ndim > 1 else 0.0
            groups.setdefault((rate, decay), []).append(parameter)
    return [
        {"params": parameters, "weight_decay": decay, "rate": rate}
        for (rate, decay), parameters in groups.items()
    ]


def learning_rate(stage: Stage, step: int, progress: float) -> float:
    """A cosine down to 2 % of the peak, or drops at given points, after a linear warm-up.

    Args:
        stage: Of the recipe.
        step: Steps of the stage so far.
        progress: Share of the stage that is past.
    """
    if step < stage.warmup_steps:
        peak = stage.learning_rate * (step + 1) / stage.warmup_steps
    else:
        peak = stage.learning_rate
    if stage.schedule == "drops":
        passed = sum(progress >= drop - 1e-9 for drop in stage.drops)
        return peak * stage.drop_factor**passed
    return peak * (0.02 + 0.98 * (1 + math.cos(math.pi * progress)) / 2)


def lovasz_share(stage: Stage, progress: float) -> float:
    """How far Lovasz has replaced cross-entropy and soft IoU, from 0 to 1."""
    if progress >= stage.lovasz_full - 1e-9:
        return 1.0
    if progress < stage.lovasz_start:
        return 0.0
    return (progress - stage.lovasz_start) / (stage.lovasz_full - stage.lovasz_start)
