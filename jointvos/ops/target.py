"""Where targets are and how large, from their soft masks; the size of their search regions.

Positions, sizes and scales are float32, (y, x) and (height, width) in video pixels, one row per
object, on the device where the masks are: nothing here is fetched. Single precision on purpose:
crops are truncated to whole pixels, and the paper's code decides in single precision.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

Pair = tuple[int, int]


@dataclass(frozen=True)
class TargetState:
    """Places and extents of targets.

    Attributes:
        center: (y, x), float32 [O,2].
        size: (height, width), float32 [O,2].
    """

    center: Tensor
    size: Tensor


def state_of_mask(mask: Tensor) -> TargetState:
    """Tight box of a binary mask [Hv,Wv], as the paper's data sets give it; O = 1.

    Its size is last minus first pixel without the usual one more, its center accordingly. A mask
    one pixel high or wide gets the size 1 there, where the paper's code would fail.
    """
    ys, xs = torch.nonzero(mask, as_tuple=True)
    first = torch.stack((ys.min(), xs.min())).float()
    last = torch.stack((ys.max(), xs.max())).float()
    size = (last - first).clamp_min(1)
    return TargetState(center=(first + (size - 1) / 2)[None], size=size[None])


def marginals(masks: Tensor) -> Tensor:
    """Sums of masks over each row, then over each column.

    Shapes: [...,Hv,Wv]; result [...,Hv+Wv].
    """
    return torch.cat((masks.sum(dim=-1), masks.sum(dim=-2)), dim=-1)


def moments(sums: Tensor, frame: Pair) -> Tensor:
    """Sum, center (y, x) and extent (height, width) of soft masks, from their `marginals`.

    The extent is four standard deviations. Shapes: [O,Hv+Wv] of a frame (Hv, Wv); result [O,5],
    not finite where a mask is empty.
    """
    values = []
    for marginal in torch.split(precise(sums), list(frame), dim=1):  # [O,Hv], then [O,Wv]
        place = torch.arange(marginal.shape[1], dtype=marginal.dtype, device=marginal.device)
        total = marginal.sum(1)
        mean = (marginal * place).sum(1) / total
        variance = (marginal * (place - mean[:, None]).square()).sum(1) / total
        values.append((total, mean, 4 * variance.sqrt()))
    (total, cy, height), (_, cx, width) = values
    return torch.stack((total, cy, cx, height, width), dim=1).float()


def precise(x: Tensor) -> Tensor:
    """In double precision, where the device has it; [...], in and out."""
    return x if x.device.type == "mps" else x.double()


def updated_state(moments: Tensor, previous: TargetState, least: float | Tensor) -> TargetState:
    """States from `moments` [O,5]; the previous ones of targets below a `least` area [O]."""
    gone = (moments[:, 0] < least)[:, None]
    return TargetState(
        center=torch.where(gone, previous.center, moments[:, 1:3]),
        size=torch.where(gone, previous.size, moments[:, 3:5]),
    )


def scale_of_size(size: Tensor, crop: Pair, search_scale: float) -> Tensor:
    """Video pixels per crop pixel so that the search region is `search_scale` times the size.

    Shapes: size [O,2]; result [O].
    """
    return (size * search_scale).prod(-1).sqrt() / math.sqrt(crop[0] * crop[1])


def limited_scale(
    size: Tensor, base_size: Tensor, previous: Tensor, limits: tuple[float, float]
) -> Tensor:
    """Scale of a size relative to the one of scale 1, kept within limits of the previous scale.

    Shapes: size and base_size [O,2]; previous and result [O].
    """
    scale = (size.prod(-1) / base_size.prod(-1)).sqrt()
    lowest, highest = limits
    return scale.clamp(lowest * previous, highest * previous)
