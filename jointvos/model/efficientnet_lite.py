"""Backbone of the bundled model: EfficientNet-Lite to stride 16, in place of the paper's ResNet.

EfficientNet (Tan and Le, ICML 2019) as its authors slimmed it for phones: ReLU6 for Swish, no
squeeze-and-excitation, stem and first stage of one size. Only what feeds the branches and the
decoder is here; the classifier's last stages, at stride 32, are not.

Convolutions have a bias and no normalization follows them: the BatchNorm that the ImageNet weights
came with never changes its statistics, so it is folded into them once, when the weights are read
(`jointvos.checkpoints.efficientnet`). As in TensorFlow, where they were trained, a convolution of
stride 2 pads an even image by one pixel more after it than before, which torchvision's blocks
cannot.
"""

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from jointvos.config import ModelConfig
from jointvos.model.blocks import PixelNorm, he_initialize

STEM = 32  # channels


@dataclass(frozen=True)
class BlockPlan:
    """One inverted residual: kernel size, stride, expansion, channels in and out."""

    kernel: int
    stride: int
    expansion: int
    dim_in: int
    dim_out: int


@dataclass(frozen=True)
class Size:
    """Channels and blocks of stages 1 to 5, to stride 16."""

    channels: tuple[int, int, int, int, int]
    repeats: tuple[int, int, int, int, int]


SIZES = {
    "efficientnet_lite0": Size((16, 24, 40, 80, 112), (1, 2, 2, 3, 3)),
    "efficientnet_lite2": Size((16, 24, 48, 88, 120), (1, 3, 3, 4, 4)),
}
"""Width 1.0 and depth 1.0; width 1.1 and depth 1.2."""

KERNELS = (3, 3, 5, 3, 5)
STRIDES = (1, 2, 2, 2, 1)
EXPANSIONS = (1, 6, 6, 6, 6)
SHOWN = (1, 2, 4)
"""Stages (from 0) that are handed on: strides 4, 8 and 16."""


def plan_blocks(size: Size) -> tuple[list[BlockPlan], list[int]]:
    """The blocks of all stages in one row, and the numbers of those that end a shown stage."""
    blocks: list[BlockPlan] = []
    ends = []
    dim = STEM
    for stage, (channels, repeats) in enumerate(zip(size.channels, size.repeats, strict=True)):
        for number in range(repeats):
            stride = STRIDES[stage] if number == 0 else 1
            blocks.append(BlockPlan(KERNELS[stage], stride, EXPANSIONS[stage], dim, channels))
            dim = channels
        if stage in SHOWN:
            ends.append(len(blocks) - 1)
    return blocks, ends


class SamePadConv(nn.Conv2d):
    """Convolution and ReLU6 that pads as TensorFlow's "same" does.

    Of k - s pixels in all, the odd one goes after the image; sides must be multiples of s. Padding
    unevenly takes a copy of the input, so a whole stride is added on both sides instead, and the
    first row and column of the output are left out.
    """

    def __init__(
        self, dim_in: int, dim_out: int, kernel: int, stride: int = 1, groups: int = 1
    ) -> None:
        before, odd = divmod(kernel - stride, 2)
        padding = before + stride if odd else before
        super().__init__(dim_in, dim_out, kernel, stride, padding, groups=groups)
        self.uneven = bool(odd)

    def forward(self, x: Tensor) -> Tensor:
        """[B,dim_in,h,w] to [B,dim_out,h/s,w/s], from 0 to 6."""
        x = super().forward(x)
        return F.relu6(x[:, :, 1:, 1:]) if self.uneven else F.relu6(x, inplace=True)


class InvertedResidual(nn.Module):
    """Widen, convolve each channel on its own, narrow again; the narrow ends are not rectified."""

    def __init__(self, plan: BlockPlan) -> None:
        super().__init__()
        wide = plan.dim_in * plan.expansion
        self.expand = SamePadConv(plan.dim_in, wide, 1) if plan.expansion > 1 else nn.Identity()
        self.depthwise = SamePadConv(wide, wide, plan.kernel, plan.stride, groups=wide)
        self.project = nn.Conv2d(wide, plan.dim_out, 1)
        self.residual = plan.stride == 1 and plan.dim_in == plan.dim_out

    def forward(self, x: Tensor) -> Tensor:
        """[B,dim_in,h,w] to [B,dim_out,h/s,w/s]."""
        narrow: Tensor = self.project(self.depthwise(self.expand(x)))
        return x + narrow if self.residual else narrow


class EfficientNetLite(nn.Module):
    """Stages at strides 4, 8, 16.

    Attributes:
        channels: Channels of each stage that is returned.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        plans, ends = plan_blocks(SIZES[config.backbone])
        self.normalize = PixelNorm(config)
        self.stem = SamePadConv(3, STEM, 3, stride=2)
        self.blocks = nn.ModuleList(InvertedResidual(plan) for plan in plans)
        self.ends = frozenset(ends)
        self.channels = tuple(plans[end].dim_out for end in ends)
        he_initialize(self)

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Stages, finest first.

        Shapes: image [B,3,H,W], RGB in [0, 255], sides multiples of 16; stage i
        [B,channels[i],H/2^(i+2),W/2^(i+2)].
        """
        x = self.stem(self.normalize(image).to(self.stem.weight.dtype))
        stages = []
        for number, block in enumerate(self.blocks):
            x = block(x)
            if number in self.ends:
                stages.append(x)
        return tuple(stages)
