"""Two-head label encoder E_theta1, E_theta2 (Sec. 3.4) and the importance weights W of Eq. 6.

W comes from the induction branch's trunk, has a value per encoding channel and no activation, so
it may be negative (the paper is silent on it). One trunk serves a network with a single branch,
and the single-head variant of Table 2, where both branches share one encoding.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from jointvos.config import ModelConfig
from jointvos.model.blocks import he_initialize
from jointvos.model.carriers import MaskEncodings


class ResidualBlock(nn.Module):
    """Halves the resolution; no normalization, 3x3 shortcut with bias."""

    def __init__(self, dim_in: int, dim_out: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(dim_in, dim_out, 3, stride=2, padding=1, bias=False)
        self.conv2 = nn.Conv2d(dim_out, dim_out, 3, padding=1, bias=False)
        self.shortcut = nn.Conv2d(dim_in, dim_out, 3, stride=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: [B,dim_in,h,w]; result [B,dim_out,h/2,w/2]."""
        return F.relu(self.conv2(F.relu(self.conv1(x))) + self.shortcut(x))


class EncodingHead(nn.Module):
    """Trunk from the stem's stride 4 to stride 16, one encoding, and W if asked for."""

    def __init__(self, config: ModelConfig, with_importance: bool) -> None:
        super().__init__()
        stem, middle, last = config.label_encoder_dims
        self.negative_slope = 0.1 if config.leaky_encodings else 0.0
        self.block1 = ResidualBlock(stem, middle)
        self.block2 = ResidualBlock(middle, last)
        self.encoding = nn.Conv2d(last, config.encoding_dim, 3, padding=1)
        self.importance = (
            nn.Conv2d(last, config.encoding_dim, 3, padding=1) if with_importance else None
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """Shapes: the stem's output [B,dim,H/4,W/4]; encoding and W [B,D,H/16,W/16]."""
        x = self.block2(self.block1(x))
        encoding = F.leaky_relu(self.encoding(x), self.negative_slope)
        return encoding, None if self.importance is None else self.importance(x)


class LabelEncoder(nn.Module):
    """Masks to mask encodings, one for each branch."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, config.label_encoder_dims[0], 3, stride=2, padding=1)
        self.has_transduction, self.has_induction = config.transduction, config.induction
        self.head = EncodingHead(config, with_importance=config.induction)
        self.transduction_head = (
            EncodingHead(config, with_importance=False) if config.two_head else None
        )
        he_initialize(self)
        if self.head.importance is not None:
            nn.init.zeros_(self.head.importance.weight)
            assert self.head.importance.bias is not None
            nn.init.ones_(self.head.importance.bias)

    def forward(self, masks: Tensor) -> MaskEncodings:
        """Encode masks or probabilities.

        Shapes: masks [B,N,1,H,W] in [0, 1]; encodings [B,N,D,H/16,W/16].
        """
        B, N = masks.shape[:2]
        x = F.max_pool2d(F.relu(self.stem(masks.flatten(0, 1))), 3, stride=2, padding=1)
        encoding, importance = self.head(x)
        shared = encoding.unflatten(0, (B, N))  # [B,N,D,h,w]
        transduction = shared
        if self.transduction_head is not None:
            transduction = self.transduction_head(x)[0].unflatten(0, (B, N))
        return MaskEncodings(
            transduction=transduction if self.has_transduction else None,
            induction=shared if self.has_induction else None,
            importance=None if importance is None else importance.unflatten(0, (B, N)),
        )
