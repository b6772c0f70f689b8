"""Parameter groups and how learning rate and losses change over a run."""

import math

from torch import nn

from jointvos.config import TrainConfig


def parameter_groups(net: nn.Module, config: TrainConfig) -> list[dict[str, object]]:
    """Groups for AdamW: weight decay for kernels only, gentler rates where the recipe says so."""
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in net.named_parameters():
        rate = 1.0
        if name.startswith("label_encoder."):
            rate = config.label_encoder_rate
        elif name.endswith("filter_reg"):
            rate = config.filter_reg_rate
        decay = config.weight_decay if parameter.ndim > 1 else 0.0
        groups.setdefault((rate, decay), []).append(parameter)
    return [
        {"params": parameters, "weight_decay": decay, "rate": rate}
        for (rate, decay), parameters in groups.items()
    ]


def learning_rate(config: TrainConfig, step: int) -> float:
    """Linear warm-up, then a cosine down to 2 % of the peak."""
    if step < config.warmup_steps:
        return config.learning_rate * (step + 1) / config.warmup_steps
    progress = (step - config.warmup_steps) / max(1, config.steps - config.warmup_steps)
    return config.learning_rate * (0.02 + 0.98 * (1 + math.cos(math.pi * min(1, progress))) / 2)


def lovasz_share(config: TrainConfig, step: int) -> float:
    """How far Lovasz has replaced cross-entropy and soft IoU, from 0 to 1."""
    progress = step / config.steps
    if progress < config.lovasz_start:
        return 0.0
    if progress >= config.lovasz_full:
        return 1.0
    return (progress - config.lovasz_start) / (config.lovasz_full - config.lovasz_start)
