"""ImageNet weights of EfficientNet-Lite as a backbone: renamed, with BatchNorm folded away.

The published files hold a whole classifier under TensorFlow's names. Every convolution up to
stride 16 is taken together with the BatchNorm behind it; the rest is left out, but has to be what
the network's later stages are called, so that another network's file is noticed.
"""

import re
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from jointvos.errors import IncompatibleWeights

EPSILON = 1e-3
"""What TensorFlow's BatchNorm adds to the variance."""

NORM = ("weight", "bias", "running_mean", "running_var")
LATER = re.compile(r"_conv_head\.|_bn1\.|_fc\.|_blocks\.(\d+)\.")
"""What the classifier has beyond stride 16: its head, and blocks that come after ours."""

STEPS = {
    "expand": ("_expand_conv", "_bn0"),
    "depthwise": ("_depthwise_conv", "_bn1"),
    "project": ("_project_conv", "_bn2"),
}


def published_names(ours: str) -> tuple[str, str]:
    """Where a convolution of ours, by the name of its weight or bias, and its BatchNorm are."""
    part = ours.rsplit(".", 1)[0]
    if part == "stem":
        return "_conv_stem", "_bn0"
    block, step = part.removeprefix("blocks.").split(".")
    convolution, norm = STEPS[step]
    return f"_blocks.{block}.{convolution}", f"_blocks.{block}.{norm}"


def fold(
    found: Mapping[str, Tensor], expected: Mapping[str, Tensor], source: Path
) -> dict[str, Tensor]:
    """The backbone's tensors from a classifier's.

    Args:
        found: The classifier's, under their published names.
        expected: The state dict of the backbone to be filled.
        source: Named in messages.

    Raises:
        IncompatibleWeights: Tensors are missing, unknown, or of other shapes.
    """
    state: dict[str, Tensor] = {}
    used: set[str] = set()
    for name in expected:
        if not name.endswith(".weight"):
            continue
        convolution, norm = published_names(name)
        keys = [f"{convolution}.weight", *(f"{norm}.{entry}" for entry in NORM)]
        if missing := [key for key in keys if key not in found]:
            raise IncompatibleWeights(
                f"{source} is not an EfficientNet-Lite: it lacks {missing[0]}"
            )
        kernel, *norms = (found[key].float() for key in keys)
        width = len(expected[name])
        if kernel.shape != expected[name].shape or any(part.shape != (width,) for part in norms):
            raise IncompatibleWeights(
                f"{source}: {convolution} is {list(kernel.shape)}, expected "
                f"{list(expected[name].shape)} and a BatchNorm for it; it is a different size"
            )
        scale, shift, mean, variance = norms
        factor = scale / torch.sqrt(variance + EPSILON)
        state[name] = (kernel * factor[:, None, None, None]).contiguous()
        state[name.removesuffix("weight") + "bias"] = shift - mean * factor
        used |= {*keys, f"{norm}.num_batches_tracked"}
    own = 1 + max(int(name.split(".")[1]) for name in expected if name.startswith("blocks."))
    for name in found.keys() - used:
        match = LATER.match(name)
        if match is None or (match[1] is not None and int(match[1]) < own):
            raise IncompatibleWeights(
                f"{source} is not an EfficientNet-Lite: it contains {name[:80]!r}"
            )
    return state
