"""Transduction branch (Sec. 3.2, Eqs. 1-5): a transformer that carries masks through time.

One linear map phi makes keys and queries of both self-attentions, psi those of the
cross-attention; values are not projected, there is one head, no position and no feed-forward
part. The paper's code also stores a value projection WV that it never uses; it is left out here.

Attention runs through the fused kernel in fp32. Fused kernels want values as wide as keys, so
wider values are cut into pieces that take the place of heads.
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from jointvos.config import ModelConfig
from jointvos.model.blocks import in_fp32
from jointvos.model.carriers import EncodedTemplate, TemplateKeys
from jointvos.model.template_encoder import renew, tokens_of


def attention(query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
    """Eq. 1: softmax of scaled similarities over all keys, applied to the values.

    Shapes: query [B,L,K], key [B,S,K], value [B,S,V]; result [B,L,V].
    """
    B, S, V = value.shape
    width = key.shape[-1]
    pieces = math.ceil(V / width)
    value = F.pad(value, (0, pieces * width - V))
    value = value.view(B, S, pieces, width).transpose(1, 2)  # [B,pieces,S,K]
    query = query.unsqueeze(1).expand(-1, pieces, -1, -1)
    key = key.unsqueeze(1).expand(-1, pieces, -1, -1)
    out = F.scaled_dot_product_attention(query, key, value, scale=scale)  # [B,pieces,L,K]
    return out.transpose(1, 2).flatten(2)[..., :V]


def values_of(encodings: Tensor) -> Tensor:
    """E_tra [B,N,D,h,w] as values [B,N*h*w,D]."""
    return encodings.float().permute(0, 1, 3, 4, 2).flatten(1, 3)


def normalize_maps(tokens: Tensor) -> Tensor:
    """Instance norm of maps given as tokens [B,h*w,C]."""
    return F.instance_norm(tokens.transpose(1, 2)).transpose(1, 2)


class Transduction(nn.Module):
    """Template encoder and search decoder."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.scale = 1 / config.temperature
        self.phi = nn.Linear(config.feature_dim, config.key_dim)
        self.psi = nn.Linear(config.feature_dim, config.key_dim)
        for projection in (self.phi, self.psi):
            nn.init.normal_(projection.weight, std=math.sqrt(2 / config.key_dim))
            nn.init.zeros_(projection.bias)

    def self_attend(self, features: Tensor) -> Tensor:
        """Eqs. 2-4: residual attention over all N maps together, then instance norm of each map.

        Shapes: features [B,N,C,h,w]; result [B,N*h*w,C].
        """
        B, N, C, h, w = features.shape
        tokens = features.permute(0, 1, 3, 4, 2).reshape(B, N * h * w, C)
        keys = F.normalize(self.phi(tokens), dim=-1)
        tokens = tokens + attention(keys, keys, tokens, self.scale)
        return normalize_maps(tokens.view(B * N, h * w, C)).reshape(B, N * h * w, C)

    @in_fp32
    def encode_templates(self, features: Tensor, encodings: Tensor) -> TemplateKeys:
        """Eqs. 2-3 and psi of Eq. 5 for a whole memory at once, as training needs it.

        Shapes: features [B,N,C,h,w], encodings E_tra [B,N,D,h,w].
        """
        keys = F.normalize(self.psi(self.self_attend(features.float())), dim=-1)
        return TemplateKeys(keys, values_of(encodings))

    @in_fp32
    def renew_templates(
        self,
        before: Sequence[EncodedTemplate],
        features: Sequence[Tensor],
        taken_back: Sequence[int] | None = None,
    ) -> tuple[EncodedTemplate, ...]:
        """Eqs. 2-3 where few templates changed; maps [B,C,h,w], see `template_encoder`."""

        def project(tokens: Tensor) -> Tensor:
            return F.normalize(self.phi(tokens), dim=-1)

        return renew(before, features, project, self.scale, taken_back)

    @in_fp32
    def template_keys(
        self, templates: Sequence[EncodedTemplate], encodings: Tensor
    ) -> TemplateKeys:
        """Keys and values of Eq. 5 for encoded templates; encodings E_tra [B,N,D,h,w]."""
        keys = []
        for one in templates:
            tokens = tokens_of(one.features) + one.attended.float()
            keys.append(F.normalize(self.psi(normalize_maps(tokens)), dim=-1))
        return TemplateKeys(torch.cat(keys, dim=1), values_of(encodings))

    @in_fp32
    def encode_search(self, features: Tensor) -> Tensor:
        """Eq. 4 and psi of Eq. 5 for the search frame.

        Shapes: features [B,C,h,w]; queries of unit length [B,h*w,K].
        """
        return F.normalize(self.psi(self.self_attend(features.float().unsqueeze(1))), dim=-1)

    @in_fp32
    def cross_attend(self, query: Tensor, memory: TemplateKeys, size: tuple[int, int]) -> Tensor:
        """Eq. 5: E_tra* of the search frame, [B,D,h,w] for size (h, w)."""
        out = attention(query, memory.keys, memory.values, self.scale)  # [B,h*w,D]
        return out.transpose(1, 2).reshape(*out.shape[::2], *size)
