"""Reach: from one frame to the next a target does not go far.

Not in the paper, where a mask may be anywhere in the search region. That has to be wide for what
surrounds the target to be seen, so that a look-alike may be marked which the target cannot have
become.
"""

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from jointvos.ops.crop import OUTSIDE

CELL = 8
"""Side of the squares of pixels in which a mask is remembered."""

MAIN_PIECE = 0.1
"""Least size of a piece relative to the largest; smaller ones may be a look-alike's beginning."""

STILL_THERE = 0.5
"""Least share of a target's last area within its reach; with less it has gone further."""


def main_cells(mask: Tensor) -> Tensor:
    """Squares of `CELL` pixels that a target occupies with its larger pieces.

    Shapes: bool [Hv,Wv] on the CPU; result uint8 [h,w], the last squares may be incomplete.
    """
    bottom, right = (-side % CELL for side in mask.shape)
    blocks = F.pad(mask.to(torch.uint8), (0, right, 0, bottom)).unfold(0, CELL, CELL)
    cells: NDArray[np.uint8] = blocks.unfold(1, CELL, CELL).amax(dim=(2, 3)).numpy()
    _, piece, statistics, _ = cv2.connectedComponentsWithStats(cells, connectivity=8)
    sizes = statistics[:, cv2.CC_STAT_AREA]
    sizes[0] = 0  # the background
    main = sizes >= max(1, MAIN_PIECE * sizes.max())
    return torch.from_numpy(main[piece].astype(np.uint8))


def within_reach(logits: Tensor, cells: Tensor, distance: float, area: float) -> Tensor:
    """Logits [Hv,Wv] of a frame without what is too far from the last mask, which is `OUTSIDE`.

    If less than `STILL_THERE` of the target is left then, all logits stay. Nothing waits for the
    device.

    Args:
        logits: Of the target, [Hv,Wv].
        cells: Its `main_cells` in the frame before, [h,w] on the same device.
        distance: How far it reaches from them, up, down, left and right, in pixels; rounded to
            whole cells, one at least.
        area: Its sum of probabilities in the frame before.
    """
    steps = max(1, round(distance / CELL))
    side = 2 * steps + 1
    near = F.max_pool2d(cells[None].float(), (side, 1), stride=1, padding=(steps, 0))
    near = F.max_pool2d(near, (1, side), stride=1, padding=(0, steps))
    near = F.interpolate(near[None], scale_factor=CELL)[0, 0, : logits.shape[0], : logits.shape[1]]
    left = (logits.sigmoid() * near).sum()
    return torch.where((near > 0) | (left < STILL_THERE * area), logits, OUTSIDE)
