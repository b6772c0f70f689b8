"""Where the target is and how large, from its soft mask; the size of the search region.

Positions, sizes and scales are float32 on the CPU, (y, x) and (height, width) in video pixels.
Single precision on purpose: crops are truncated to whole pixels, and the paper's code decides in
single precision.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

Pair = tuple[int, int]


@dataclass(frozen=True)
class TargetState:
    """Place and extent of a target.

    Attributes:
        center: (y, x), float32 [2].
        size: (height, width), float32 [2].
    """

    center: Tensor
    size: Tensor


def state_of_mask(mask: Tensor) -> TargetState:
    """Tight box of a binary mask [Hv,Wv], as the paper's data sets give it.

    Its size is last minus first pixel without the usual one more, its center accordingly. A mask
    one pixel high or wide gets the size 1 there, where the paper's code would fail.
    """
    ys, xs = torch.nonzero(mask, as_tuple=True)
    first = torch.stack((ys.min(), xs.min())).float().cpu()
    last = torch.stack((ys.max(), xs.max())).float().cpu()
    size = (last - first).clamp_min(1)
    return TargetState(center=first + (size - 1) / 2, size=size)


def marginals(masks: Tensor) -> Tensor:
    """Sums of masks over each row, then over each column, where the masks are.

    Shapes: [...,Hv,Wv]; result [...,Hv+Wv].
    """
    return torch.cat((masks.sum(dim=-1), masks.sum(dim=-2)), dim=-1)


def moments(sums: Tensor, frame: Pair) -> Tensor:
    """Sum, center (y, x) and extent (height, width) of soft masks, from their `marginals`.

    The extent is four standard deviations. Shapes: [O,Hv+Wv] of a frame (Hv, Wv); result [O,5]
    on the CPU.
    """
    values = []
    # Doubles on the host: not every device has them, and the marginals are short.
    for marginal in torch.split(sums.cpu().double(), list(frame), dim=1):  # [O,Hv], then [O,Wv]
        place = torch.arange(marginal.shape[1], dtype=torch.float64)
        total = marginal.sum(1)
        mean = (marginal @ place) / total
        variance = (marginal * (place - mean[:, None]).square()).sum(1) / total
        values.append((total, mean, 4 * variance.sqrt()))
    (total, cy, height), (_, cx, width) = values
    return torch.stack((total, cy, cx, height, width), dim=1).float()


def updated_state(row: Tensor, previous: TargetState, min_area: float) -> TargetState:
    """State from a row [5] of `moments`; the previous one if the target is all but gone."""
    if float(row[0]) < min_area:
        return previous
    return TargetState(center=row[1:3].clone(), size=row[3:5].clone())


def scale_of_size(size: Tensor, crop: Pair, search_scale: float) -> Tensor:
    """Video pixels per crop pixel so that the search region is `search_scale` times the size.

    Shapes: size [2]; result scalar.
    """
    return (size * search_scale).prod().sqrt() / math.sqrt(crop[0] * crop[1])


def limited_scale(
    size: Tensor, base_size: Tensor, previous: Tensor, limits: tuple[float, float]
) -> Tensor:
    """Scale of a size relative to the one of scale 1, kept within limits of the previous scale.

    Shapes: size and base_size [2]; previous and result scalars.
    """
    scale = (size.prod() / base_size.prod()).sqrt()
    lowest, highest = limits
    return scale.clamp(lowest * previous, highest * previous)
