"""How far a mask may be from the last one."""

import pytest
import torch

from jointvos.inference.reach import main_cells, within_reach
from jointvos.ops.crop import OUTSIDE

FRAME = (100, 150)


def box(top: int, left: int, height: int, width: int) -> torch.Tensor:
    mask = torch.zeros(FRAME, dtype=torch.bool)
    mask[top : top + height, left : left + width] = True
    return mask


def logits_of(*masks: torch.Tensor) -> torch.Tensor:
    return torch.stack(masks).any(0).float() * 16 - 8


TARGET = box(40, 48, 16, 24)  # on the borders of cells: 2 x 3 of them
CELLS = main_cells(TARGET)


def test_cells_are_where_a_pixel_is():
    assert CELLS.shape == (13, 19)  # the last of them are not whole
    assert CELLS.nonzero().tolist() == [[y, x] for y in (5, 6) for x in (6, 7, 8)]
    assert main_cells(box(99, 149, 1, 1)).nonzero().tolist() == [[12, 18]]
    assert main_cells(box(15, 7, 2, 2)).nonzero().tolist() == [[1, 0], [1, 1], [2, 0], [2, 1]]
    assert not main_cells(torch.zeros(FRAME, dtype=torch.bool)).any()


def test_pieces_that_are_small_do_not_count():
    """A tenth of the largest is enough."""
    large, small, smaller = box(0, 0, 40, 72), box(64, 0, 8, 40), box(64, 80, 8, 32)
    cells = main_cells(large | small | smaller)
    assert cells.equal(main_cells(large | small))
    assert int(cells.sum()) == 5 * 9 + 5
    assert main_cells(small | smaller).equal(main_cells(small) | main_cells(smaller))


@pytest.mark.parametrize(("distance", "cells"), [(0.0, 1), (8.0, 1), (17.0, 2), (400.0, 50)])
def test_what_is_further_goes(distance, cells):
    everywhere = torch.full(FRAME, 3.0)
    kept = within_reach(everywhere, CELLS, distance, area=0.0)
    r = 8 * cells
    near = torch.zeros(FRAME, dtype=torch.bool)
    near[max(0, 40 - r) : 56 + r, max(0, 48 - r) : 72 + r] = True
    assert (kept == torch.where(near, 3.0, OUTSIDE)).all()


def test_a_look_alike_goes_and_the_target_stays():
    seen = logits_of(TARGET.roll(10, 0), box(4, 120, 20, 20))
    kept = within_reach(seen, CELLS, 20, area=float(TARGET.sum()))
    assert ((kept > 0) == TARGET.roll(10, 0)).all()


@pytest.mark.parametrize(
    ("columns", "limited"),
    [pytest.param(26, True, id="half is left"), pytest.param(30, False, id="too little is left")],
)
def test_a_target_that_went_further_is_followed(columns, limited):
    """It reaches 16 to the right: of 24 columns, 14 and 10 are left."""
    seen = logits_of(TARGET.roll(columns, 1))
    kept = within_reach(seen, CELLS, 16, area=float(TARGET.sum()))
    assert (kept == OUTSIDE).any() == limited
    assert kept.equal(seen) != limited


def test_a_target_without_pixels_may_be_anywhere():
    seen = logits_of(TARGET)
    assert within_reach(seen, torch.zeros_like(CELLS), 16, area=1.0).equal(seen)
