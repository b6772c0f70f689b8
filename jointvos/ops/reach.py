"""Reach: from one frame to the next a target does not go far.

Not in the paper, where a mask may be anywhere in the search region. That has to be wide for what
surrounds the target to be seen, so that a look-alike may be marked which the target cannot have
become.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from jointvos.ops.crop import OUTSIDE

CELL = 8
"""Side of the squares of pixels in which a mask is remembered."""


def occupied_cells(probability: Tensor) -> Tensor:
    """Squares of `CELL` pixels in which a target is more likely than not.

    Shapes: [Hv,Wv]; result [h,w] of zeros and ones, the last squares may be incomplete.
    """
    mask = (probability > 0.5).float()
    return F.max_pool2d(mask[None], CELL, ceil_mode=True)[0]


def within_reach(logits: Tensor, cells: Tensor, distance: float, least: float) -> Tensor:
    """Logits [Hv,Wv] of a frame without what is too far from the last mask, which is `OUTSIDE`.

    If less than `least` of the target is left then, it has gone further than it usually does, and
    all logits stay. Nothing waits for the device.

    Args:
        logits: Of the target, [Hv,Wv].
        cells: Its `occupied_cells` in the frame before, [h,w].
        distance: How far it reaches from them, up, down, left and right, in pixels; rounded to
            whole cells, one at least.
        least: Sum of probabilities.
    """
    steps = max(1, round(distance / CELL))
    side = 2 * steps + 1
    near = F.max_pool2d(cells[None], (side, 1), stride=1, padding=(steps, 0))
    near = F.max_pool2d(near, (1, side), stride=1, padding=(0, steps))
    near = F.interpolate(near[None], scale_factor=CELL)[0, 0, : logits.shape[0], : logits.shape[1]]
    left = (logits.sigmoid() * near).sum()
    return torch.where((near > 0) | (left < least), logits, OUTSIDE)
