import pytest
import torch

from jointvos.ops import occupied_cells, within_reach
from jointvos.ops.crop import OUTSIDE

FRAME = (100, 150)


def box(top: int, left: int, height: int, width: int) -> torch.Tensor:
    mask = torch.zeros(FRAME)
    mask[top : top + height, left : left + width] = 1
    return mask


def logits_of(*masks: torch.Tensor) -> torch.Tensor:
    return torch.stack(masks).amax(0) * 16 - 8


TARGET = box(40, 48, 16, 24)  # on the borders of cells


def test_cells_are_where_a_pixel_is():
    cells = occupied_cells(torch.maximum(TARGET, 0.5 * box(0, 0, 20, 20)))
    assert cells.shape == (13, 19)  # the last of them are not whole
    assert cells.nonzero().tolist() == [[y, x] for y in (5, 6) for x in (6, 7, 8)]
    corner = occupied_cells(box(99, 149, 1, 1))
    assert corner.nonzero().tolist() == [[12, 18]]


@pytest.mark.parametrize(("distance", "cells"), [(0.0, 1), (8.0, 1), (17.0, 2), (400.0, 50)])
def test_what_is_further_goes(distance, cells):
    everywhere = torch.full(FRAME, 3.0)
    kept = within_reach(everywhere, occupied_cells(TARGET), distance, least=0.0)
    r = 8 * cells
    near = torch.zeros(FRAME, dtype=torch.bool)
    near[max(0, 40 - r) : 56 + r, max(0, 48 - r) : 72 + r] = True
    assert (kept == torch.where(near, 3.0, OUTSIDE)).all()


def test_a_look_alike_goes_and_the_target_stays():
    seen = logits_of(TARGET.roll(10, 0), box(4, 120, 20, 20))
    kept = within_reach(seen, occupied_cells(TARGET), 20, least=100.0)
    assert ((kept > 0) == (TARGET.roll(10, 0) > 0)).all()


@pytest.mark.parametrize(
    ("least", "limited"),
    [pytest.param(0.2, True, id="enough is left"), pytest.param(0.4, False, id="too little")],
)
def test_a_target_that_went_further_is_followed(least, limited):
    """Three tenths of it are still within reach."""
    seen = logits_of(box(40, 88 - 7, 16, 24))
    kept = within_reach(seen, occupied_cells(TARGET), 16, least=least * float(TARGET.sum()))
    assert (kept == OUTSIDE).any() == limited
    assert kept.equal(seen) != limited
