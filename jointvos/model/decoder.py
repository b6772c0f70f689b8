"""Segmentation decoder D_theta (Eq. 7): mask encoding and backbone stages to logits.

Levels run from the deepest stage to the finest. The paper says only that the decoder of LWL is
used; the blocks keep the names that its code gives them: target segmentation encoding, residual
refinement and channel attention.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from jointvos.config import ModelConfig
from jointvos.model.blocks import he_initialise, norm_layer, resize_like


class SegmentationEncoding(nn.Module):
    """Joins reduced stage features and the mask encoding."""

    def __init__(self, dim_in: int, dim: int, encoding_dim: int) -> None:
        super().__init__()
        both = dim + encoding_dim
        self.reduce = nn.Sequential(nn.Conv2d(dim_in, dim, 1), nn.ReLU(), nn.Conv2d(dim, dim, 1))
        self.transform = nn.Sequential(
            nn.Conv2d(both, both, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(both, both, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(both, dim, 3, padding=1),
            nn.ReLU(),
        )

    def forward(self, stage: Tensor, encoding: Tensor) -> tuple[Tensor, Tensor]:
        """Joined features and the reduced stage alone, both [B,dim,*,*]."""
        reduced: Tensor = self.reduce(stage)
        joined = torch.cat((reduced, resize_like(encoding, reduced)), dim=1)
        return self.transform(joined), reduced


class ResidualRefinement(nn.Module):
    """1x1 convolution followed by a residual block."""

    def __init__(self, dim: int, norm: str) -> None:
        super().__init__()
        self.conv = nn.Conv2d(dim, dim, 1)
        self.residual = nn.Sequential(
            nn.Conv2d(dim, dim, 3, padding=1),
            norm_layer(norm, dim),
            nn.ReLU(),
            nn.Conv2d(dim, dim, 3, padding=1, bias=False),
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        return F.relu(x + self.residual(x))


class ChannelAttention(nn.Module):
    """Weighs the channels of this level by what the deeper level saw, then adds the latter."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.gate = nn.Sequential(nn.Conv2d(2 * dim, dim, 1), nn.ReLU(), nn.Conv2d(dim, dim, 1))

    def forward(self, x: Tensor, deeper: Tensor) -> Tensor:
        pooled = torch.cat((x.mean((2, 3), keepdim=True), deeper.mean((2, 3), keepdim=True)), dim=1)
        return x * torch.sigmoid(self.gate(pooled)) + resize_like(deeper, x)


class DecoderLevel(nn.Module):
    """One stage of the decoder; the deepest has no level before it (dim_deeper is None)."""

    def __init__(
        self, dim_stage: int, dim: int, dim_deeper: int | None, encoding_dim: int, norm: str
    ) -> None:
        super().__init__()
        self.project = None if dim_deeper is None else nn.Conv2d(dim_deeper, dim, 1)
        self.encoding = SegmentationEncoding(dim_stage, dim, encoding_dim)
        self.refine1 = ResidualRefinement(dim, norm)
        self.attend = ChannelAttention(dim)
        self.refine2 = ResidualRefinement(dim, norm)

    def forward(self, stage: Tensor, encoding: Tensor, deeper: Tensor | None) -> Tensor:
        x, reduced = self.encoding(stage, encoding)
        if self.project is None or deeper is None:
            deeper = reduced.mean((2, 3), keepdim=True)
        else:
            deeper = F.relu(self.project(deeper))
        return self.refine2(self.attend(self.refine1(x), deeper))  # type: ignore[no-any-return]


class Decoder(nn.Module):
    """Logits at crop resolution."""

    def __init__(self, config: ModelConfig, stage_channels: tuple[int, ...]) -> None:
        super().__init__()
        deeper = (*config.decoder_dims[1:], None)
        self.levels = nn.ModuleList(
            DecoderLevel(channels, dim, dim_deeper, config.encoding_dim, config.norm)
            for channels, dim, dim_deeper in zip(
                stage_channels, config.decoder_dims, deeper, strict=True
            )
        )
        self.upsampling = config.upsampling
        self.upsample1 = nn.Conv2d(config.decoder_dims[0], config.upsampler_dim, 3, padding=1)
        self.upsample2 = nn.Conv2d(config.upsampler_dim, 1, 3, padding=1)
        he_initialise(self)
        # Training starts at a faint foreground everywhere instead of at large random logits.
        nn.init.normal_(self.upsample2.weight, std=0.01)
        assert self.upsample2.bias is not None
        nn.init.constant_(self.upsample2.bias, -2.0)

    def forward(
        self, encoding: Tensor, stages: tuple[Tensor, ...], size: tuple[int, int]
    ) -> Tensor:
        """Eq. 7 before the sigmoid.

        Shapes: encoding [B,D,h,w], stages finest first; logits [B,1,*size].
        """
        x: Tensor | None = None
        for level, stage in zip(reversed(self.levels), reversed(stages), strict=True):
            x = level(stage, encoding, x)
        assert x is not None
        half = (2 * x.shape[-2], 2 * x.shape[-1])
        x = F.interpolate(x, half, mode=self.upsampling, align_corners=False)
        x = F.relu(self.upsample1(x))
        x = F.interpolate(x, size, mode=self.upsampling, align_corners=False)
        logits: Tensor = self.upsample2(x)
        return logits.float()
