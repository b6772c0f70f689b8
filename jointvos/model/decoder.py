"""Segmentation decoder D_theta (Eq. 7): mask encoding and backbone stages to logits.

Levels run from the deepest stage to the finest. The paper says only that the decoder of LWL is
used; the blocks keep the names that its code gives them: target segmentation encoding, residual
refinement and channel attention.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from jointvos.config import ModelConfig
from jointvos.model.blocks import he_initialize, in_fp32, norm_layer, resize_like


class SegmentationEncoding(nn.Module):
    """Joins reduced stage features and the mask encoding."""

    def __init__(self, dim_in: int, dim: int, encoding_dim: int) -> None:
        super().__init__()
        both = dim + encoding_dim
        self.reduce = nn.Sequential(
            nn.Conv2d(dim_in, dim, 1), nn.ReLU(inplace=True), nn.Conv2d(dim, dim, 1)
        )
        self.transform = nn.Sequential(
            nn.Conv2d(both, both, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(both, both, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(both, dim, 3, padding=1),
            nn.ReLU(inplace=True),
        )

    def forward(self, stage: Tensor, encoding: Tensor) -> tuple[Tensor, Tensor]:
        """Joined features and the reduced stage alone.

        Shapes: stage [B,C,h,w], encoding [B,D,*,*]; both results [B,dim,h,w].
        """
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
            nn.ReLU(inplace=True),
            nn.Conv2d(dim, dim, 3, padding=1, bias=False),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: [B,dim,h,w], in and out."""
        x = self.conv(x)
        residual: Tensor = self.residual(x)
        return residual.add_(x).relu_()


class ChannelAttention(nn.Module):
    """Weighs the channels of this level by what the deeper level saw, then adds the latter."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.gate = nn.Sequential(nn.Conv2d(2 * dim, dim, 1), nn.ReLU(), nn.Conv2d(dim, dim, 1))

    def forward(self, x: Tensor, deeper: Tensor) -> Tensor:
        """Shapes: x [B,dim,h,w], deeper [B,dim,h',w'] of any size; result [B,dim,h,w]."""
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
        """Refine what the deeper level found, with a finer stage.

        Shapes: stage [B,dim_stage,h,w]; encoding [B,D,H/16,W/16]; deeper [B,dim_deeper,h/2,w/2],
        None at the deepest level; result [B,dim,h,w].
        """
        x, reduced = self.encoding(stage, encoding)
        if self.project is None or deeper is None:
            deeper = reduced.mean((2, 3), keepdim=True)
        else:
            deeper = F.relu(self.project(deeper))
        return self.refine2(self.attend(self.refine1(x), deeper))  # type: ignore[no-any-return]


class EnlargedConv(nn.Conv2d):
    """3x3 convolution of the image enlarged twofold, without making the latter.

    Enlarging is linear, too: each of the four pixels that one becomes is a convolution of the small
    image, whose kernel follows from the two. The result is that of resizing and convolving, with
    zeros around the enlarged image, but for rounding. Where gradients are wanted it is made all
    the same: they are compared with the paper's code, down to what its order of sums decides.
    """

    mixing: Tensor

    def __init__(self, dim_in: int, dim: int, mode: str) -> None:
        super().__init__(dim_in, dim, 3, padding=1)
        self.mode = mode
        self.reach = 1 if mode == "bilinear" else 2
        self.register_buffer("mixing", self._mixing(), persistent=False)

    def _mixing(self) -> Tensor:
        """What pixel i gives to tap k of enlarged pixel p, along an axis; [2,2*reach+1,3]."""
        count, middle = 4 * self.reach + 3, 2 * self.reach + 1
        # On the CPU even where the weights are left out, to be filled in later.
        impulses = torch.eye(count, device="cpu")[:, None, :, None]
        fine = F.interpolate(impulses, (2 * count, 1), mode=self.mode, align_corners=False)
        fine = fine.flatten(1)
        near = fine[middle - self.reach : middle + self.reach + 1]
        return torch.stack([near[:, 2 * middle + p - 1 : 2 * middle + p + 2] for p in (0, 1)])

    @in_fp32
    def _kernel(self) -> Tensor:
        """Kernels of the four pixels that one becomes, [4*dim,dim_in,2*reach+1,2*reach+1]."""
        weight, mixing = self.weight.float(), self.mixing.float()
        own = torch.einsum("ocde,pid,qje->pqocij", weight, mixing, mixing).to(self.weight.dtype)
        return own.flatten(0, 2).contiguous(memory_format=torch.channels_last)

    def forward(self, x: Tensor) -> Tensor:
        """[B,dim_in,h,w] to [B,dim,2h,2w]."""
        if torch.is_grad_enabled():
            return self._plain(x)
        assert self.bias is not None
        parts = F.conv2d(x, self._kernel(), self.bias.repeat(4), padding=self.reach)
        B, _, h, w = parts.shape
        quads = parts.permute(0, 2, 3, 1).reshape(B, h, w, 2, 2, self.out_channels)
        large = quads.transpose(2, 3).reshape(B, 2 * h, 2 * w, -1).permute(0, 3, 1, 2)
        # So far there are zeros around the small image, not around the enlarged one.
        rim = 2 * self.reach
        large[..., :rim, :] = self._plain(x[..., :rim, :])[..., :rim, :]
        large[..., -rim:, :] = self._plain(x[..., -rim:, :])[..., -rim:, :]
        large[..., :rim] = self._plain(x[..., :rim])[..., :rim]
        large[..., -rim:] = self._plain(x[..., -rim:])[..., -rim:]
        return large

    def _plain(self, x: Tensor) -> Tensor:
        size = (2 * x.shape[-2], 2 * x.shape[-1])
        large = F.interpolate(x, size, mode=self.mode, align_corners=False)
        return F.conv2d(large, self.weight, self.bias, padding=1)


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
        self.upsample1 = EnlargedConv(
            config.decoder_dims[0], config.upsampler_dim, config.upsampling
        )
        self.upsample2 = EnlargedConv(config.upsampler_dim, 1, config.upsampling)
        he_initialize(self)
        # Training starts at a faint foreground everywhere instead of at large random logits.
        nn.init.normal_(self.upsample2.weight, std=0.01)
        assert self.upsample2.bias is not None
        nn.init.constant_(self.upsample2.bias, -2.0)

    def forward(self, encoding: Tensor, stages: tuple[Tensor, ...]) -> Tensor:
        """Eq. 7 before the sigmoid.

        Shapes: encoding [B,D,h,w], stages [B,C,h,w] each, finest first, at a stride of 4; logits
        [B,1,H,W].
        """
        x: Tensor | None = None
        # As the stages are, so that they are joined without being turned.
        encoding = encoding.to(stages[0].dtype).contiguous(memory_format=torch.channels_last)
        for level, stage in zip(reversed(self.levels), reversed(stages), strict=True):
            x = level(stage, encoding, x)
        assert x is not None
        logits: Tensor = self.upsample2(self.upsample1(x).relu_())
        return logits.float()
