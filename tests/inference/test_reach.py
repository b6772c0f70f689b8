"""How far a mask may be from the last one."""

import cv2
import numpy as np
import pytest
import torch

from jointvos.inference.reach import main_cells, pieces, within_reach
from jointvos.ops.crop import OUTSIDE

FRAME = (100, 150)


def box(top: int, left: int, height: int, width: int) -> torch.Tensor:
    mask = torch.zeros(FRAME, dtype=torch.bool)
    mask[top : top + height, left : left + width] = True
    return mask


def logits_of(*masks: torch.Tensor) -> torch.Tensor:
    return torch.stack(masks).any(0).float() * 16 - 8


def cells_of(*masks: torch.Tensor) -> torch.Tensor:
    return main_cells(torch.stack(masks).any(0)[None])[0]


TARGET = box(40, 48, 16, 24)  # on the borders of cells: 2 x 3 of them
CELLS = cells_of(TARGET)


def kept(logits: torch.Tensor, cells: torch.Tensor, distance: float, area: float) -> torch.Tensor:
    numbers = (torch.tensor([float(number)]) for number in (distance, area))
    return within_reach(logits[None], cells[None], *numbers)[0]


def test_cells_are_where_a_pixel_is():
    assert CELLS.shape == (13, 19)  # the last of them are not whole
    assert CELLS.nonzero().tolist() == [[y, x] for y in (5, 6) for x in (6, 7, 8)]
    assert cells_of(box(99, 149, 1, 1)).nonzero().tolist() == [[12, 18]]
    assert cells_of(box(15, 7, 2, 2)).nonzero().tolist() == [[1, 0], [1, 1], [2, 0], [2, 1]]
    assert not cells_of(torch.zeros(FRAME, dtype=torch.bool)).any()


def test_pieces_that_are_small_do_not_count():
    """A tenth of the largest is enough."""
    large, small, smaller = box(0, 0, 40, 72), box(64, 0, 8, 40), box(64, 80, 8, 32)
    cells = cells_of(large, small, smaller)
    assert cells.equal(cells_of(large, small))
    assert int(cells.sum()) == 5 * 9 + 5
    assert cells_of(small, smaller).equal(cells_of(small) | cells_of(smaller))


def blobs(seed: int, width: float, share: float) -> np.ndarray:
    noise = cv2.GaussianBlur(np.random.default_rng(seed).random((60, 107)), (0, 0), width)
    return noise > np.quantile(noise, 1 - share)


def test_pieces_are_connected_components():
    """Of masks from specks to winding blobs, all at once; against OpenCV."""
    masks = [
        blobs(10 * i + j, width, share)
        for i, width in enumerate((0.3, 1.0, 3.0))
        for j, share in enumerate((0.1, 0.3, 0.45, 0.6))
    ]
    found = pieces(torch.from_numpy(np.stack(masks)))
    for mask, ours in zip(masks, found, strict=True):
        count, theirs = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
        pairs = {(int(a), int(b)) for a, b in zip(ours.flatten(), theirs.flatten(), strict=True)}
        assert len(pairs) == len(ours.unique()) == count


@pytest.mark.parametrize(("distance", "cells"), [(0.0, 1), (8.0, 1), (17.0, 2), (400.0, 50)])
def test_what_is_further_goes(distance, cells):
    everywhere = torch.full(FRAME, 3.0)
    left = kept(everywhere, CELLS, distance, area=0.0)
    r = 8 * cells
    near = torch.zeros(FRAME, dtype=torch.bool)
    near[max(0, 40 - r) : 56 + r, max(0, 48 - r) : 72 + r] = True
    assert (left == torch.where(near, 3.0, OUTSIDE)).all()


def test_a_look_alike_goes_and_the_target_stays():
    seen = logits_of(TARGET.roll(10, 0), box(4, 120, 20, 20))
    left = kept(seen, CELLS, 20, area=float(TARGET.sum()))
    assert ((left > 0) == TARGET.roll(10, 0)).all()


@pytest.mark.parametrize(
    ("columns", "limited"),
    [pytest.param(26, True, id="half is left"), pytest.param(30, False, id="too little is left")],
)
def test_a_target_that_went_further_is_followed(columns, limited):
    """It reaches 16 to the right: of 24 columns, 14 and 10 are left."""
    seen = logits_of(TARGET.roll(columns, 1))
    left = kept(seen, CELLS, 16, area=float(TARGET.sum()))
    assert (left == OUTSIDE).any() == limited
    assert left.equal(seen) != limited


def test_a_target_without_pixels_may_be_anywhere():
    seen = logits_of(TARGET)
    for area in (0.0, 1.0):
        assert kept(seen, torch.zeros_like(CELLS), 16, area).equal(seen)


def test_each_object_has_a_reach_of_its_own():
    everywhere = torch.full((2, *FRAME), 3.0)
    cells, area = torch.stack((CELLS, cells_of(box(80, 0, 8, 8)))), torch.zeros(2)
    both = within_reach(everywhere, cells, torch.tensor([8.0, 24.0]), area)
    for i, distance in enumerate((8.0, 24.0)):
        assert both[i].equal(kept(everywhere[i], cells[i], distance, 0.0))
    assert int((both[1] > 0).sum()) == (100 - 56) * 32
