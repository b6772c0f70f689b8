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

MAIN_PIECE = 0.1
"""Least size of a piece relative to the largest; smaller ones may be a look-alike's beginning."""

STILL_THERE = 0.5
"""Least share of a target's last area within its reach; with less it has gone further."""

ROUNDS = 6
"""In which pieces find together: in each round, all but the greatest of their neighbors."""

JUMPS = 6
"""How far a round looks along a row of pieces of which each joins the next: 2^6 of them."""


def main_cells(masks: Tensor) -> Tensor:
    """Squares of `CELL` pixels that targets occupy with their larger pieces.

    Shapes: bool [O,Hv,Wv]; result bool [O,h,w], the last squares may be incomplete.
    """
    bottom, right = (-side % CELL for side in masks.shape[1:])
    whole = F.pad(masks, (0, right, 0, bottom))
    # Eight bytes are a number, which takes a fifth of the time of looking at each.
    eights = whole.view(torch.int64) != 0
    cells = eights.view(len(masks), -1, CELL, eights.shape[2]).any(2)
    piece = pieces(cells).flatten(1)
    count = torch.zeros_like(piece[:, :1]).expand(-1, piece.shape[1] + 1)
    sizes = count.scatter_add(1, piece, torch.ones_like(piece))
    sizes[:, 0] = 0  # the background
    least = (MAIN_PIECE * sizes.amax(1, keepdim=True)).clamp_min(1)
    return (sizes >= least).gather(1, piece).view_as(cells)


def pieces(cells: Tensor) -> Tensor:
    """Connected components, diagonals included: the same number for all cells of one, 0 outside.

    The work does not depend on what is there, so that no device is waited for: a piece that winds
    like a spiral may still count as several. Shapes: bool [O,h,w]; result int64 [O,h,w].
    """
    objects, h, w = cells.shape
    count = torch.arange(h * w + 1, device=cells.device)
    number = count[1:].expand(objects, -1) * cells.flatten(1)
    for _ in range(ROUNDS):
        # Whole numbers, exact in float32; not every device takes maxima of others.
        near = F.max_pool2d(number.view(objects, h, w).float(), 3, stride=1, padding=1)
        near = near.flatten(1) * cells.flatten(1)
        joined = count.float().expand(objects, -1).scatter_reduce(1, number, near, "amax").long()
        for _ in range(JUMPS):
            joined = joined.gather(1, joined)
        number = joined.gather(1, number)
    return number.view(objects, h, w)


def within_reach(logits: Tensor, cells: Tensor, distance: Tensor, area: Tensor) -> Tensor:
    """Logits [O,Hv,Wv] without what is too far from the last masks, which is `OUTSIDE`.

    If less than `STILL_THERE` of a target is left then, or it had no pixel, all its logits stay.

    Args:
        logits: Of the targets, [O,Hv,Wv].
        cells: Their `main_cells` in the frame before, [O,h,w].
        distance: How far they reach from them, up, down, left and right, in pixels, [O]; rounded
            to whole cells, one at least.
        area: Their sums of probabilities in the frame before, [O].
    """
    height, width = logits.shape[1:]
    steps = (distance / CELL).round().long().clamp_min(1)
    near = _dilated(_dilated(cells, steps, 1), steps, 2)
    rows, columns = (torch.arange(side, device=near.device) // CELL for side in (height, width))
    fine = near.index_select(2, columns).index_select(1, rows)
    left = (logits.sigmoid() * fine).sum((1, 2))
    free = (left < STILL_THERE * area) | ~cells.flatten(1).any(1)
    return torch.where(fine | free[:, None, None], logits, OUTSIDE)


def _dilated(cells: Tensor, steps: Tensor, axis: int) -> Tensor:
    """Cells [O,h,w] that are at most so many steps [O] from one along an axis."""
    side = cells.shape[axis]
    sums = F.pad(cells.cumsum(axis), (0, 0, 1, 0) if axis == 1 else (1, 0))
    place = torch.arange(side, device=cells.device)

    def up_to(end: Tensor) -> Tensor:
        end = end.clamp(0, side)[:, :, None] if axis == 1 else end.clamp(0, side)[:, None]
        return sums.gather(axis, end.expand(cells.shape))

    return up_to(place + steps[:, None] + 1) > up_to(place - steps[:, None])
