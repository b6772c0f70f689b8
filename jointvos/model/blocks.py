"""Small blocks that several parts of the network share."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from jointvos.config import ModelConfig

Module = TypeVar("Module", bound=nn.Module)
Args = ParamSpec("Args")
Result = TypeVar("Result")


def in_fp32(
    method: Callable[Concatenate[Module, Args], Result],
) -> Callable[Concatenate[Module, Args], Result]:
    """Switch autocast off inside a module's method: half precision would spoil its result."""

    @wraps(method)
    def wrapper(self: Module, /, *args: Args.args, **kwargs: Args.kwargs) -> Result:
        with torch.autocast(next(self.parameters()).device.type, enabled=False):
            return method(self, *args, **kwargs)

    return wrapper


class FrozenBatchNorm2d(nn.Module):
    """BatchNorm whose statistics never change, with trainable scale and shift.

    The paper's code keeps every BatchNorm in eval mode, in training too, so that it is an affine
    map per channel with the statistics that came with the pretrained backbone.
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: [B,channels,h,w], in and out."""
        return F.batch_norm(
            x, self.running_mean, self.running_var, self.weight, self.bias, training=False
        )


class PixelNorm(nn.Module):
    """RGB in [0, 255] as a backbone wants it: minus a mean, divided by a deviation."""

    mean: Tensor
    std: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        for name, value in (("mean", config.pixel_mean), ("std", config.pixel_std)):
            # On the CPU even in a network built without values: no file brings these.
            pixel = torch.tensor(value, device="cpu").view(1, 3, 1, 1)
            self.register_buffer(name, pixel, persistent=False)

    def forward(self, image: Tensor) -> Tensor:
        """[B,3,H,W] to [B,3,H,W]."""
        return (image - self.mean) / self.std


def norm_layer(kind: str, channels: int) -> nn.Module:
    """The configured normalization; groups have 16 channels."""
    if kind == "frozen_batch":
        return FrozenBatchNorm2d(channels)
    return nn.GroupNorm(max(1, channels // 16), channels)


def resize_like(x: Tensor, reference: Tensor) -> Tensor:
    """Bilinear resize to the height and width of `reference`, if they differ.

    Shapes: x [B,C,h,w], reference [...,H,W]; result [B,C,H,W].
    """
    size = reference.shape[-2:]
    if x.shape[-2:] == size:
        return x
    return F.interpolate(x, size, mode="bilinear", align_corners=False)


def he_initialize(module: nn.Module) -> None:
    """He (fan-out) weights for the convolutions of a module; biases keep their default."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
