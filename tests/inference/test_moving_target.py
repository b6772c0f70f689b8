"""Where targets are sought, and what a frame's result does to that."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from jointvos.config import InferenceConfig
from jointvos.inference.target import Target
from jointvos.inference.trees import rows_of
from jointvos.ops import TargetState, marginals, moments

FRAME = (400, 600)
CONFIG = InferenceConfig(crop_size=(64, 96), search_scale=3.0)  # below 2, so nothing is decimated
KERNEL = 3


def box(height: int, width: int) -> Tensor:
    """Probabilities of a box around the middle of the frame."""
    mask = torch.zeros(FRAME)
    top, left = (FRAME[0] - height) // 2, (FRAME[1] - width) // 2
    mask[top : top + height, left : left + width] = 1
    return mask


def start(config: InferenceConfig = CONFIG, objects: int = 1) -> Target:
    state = TargetState(
        torch.tensor([[200.0, 300.0]] * objects), torch.tensor([[30.0, 40.0]] * objects)
    )
    return Target.at(state, config)


def after(target: Target, *seen: Tensor, config: InferenceConfig = CONFIG) -> Target:
    probabilities = torch.stack(seen)
    rows = moments(marginals(probabilities), FRAME)
    return target.moved(rows, probabilities > 0.5, config.scale_change, config)


@pytest.mark.parametrize(
    ("crop", "cells"),
    [
        pytest.param((64, 96), (0.5, 0.5), id="even maps: half a cell"),
        pytest.param((48, 80), (0, 0), id="odd maps: none"),
        pytest.param((64, 80), (0.5, 0), id="one of each"),
    ],
)
def test_the_search_region_lies_off_center(crop, cells):
    config = replace(CONFIG, crop_size=crop)
    target = start(config)
    region = target.region(config, KERNEL, FRAME)
    middle = region.start + region.size / 2
    expected = torch.tensor([200.0, 300.0]) + 16 * torch.tensor(cells) * target.scale
    assert target.scale > 0.5  # half a cell is more than what rounding explains
    assert (middle - expected).abs().max() <= 1.5


@pytest.mark.parametrize(
    ("factor", "expected"),
    [pytest.param(3, 1.1, id="grows"), pytest.param(0.3, 0.95, id="shrinks")],
)
def test_size_follows_within_limits(factor, expected):
    before = start()
    target = after(before, box(round(30 * factor), round(40 * factor)))
    torch.testing.assert_close(target.scale, before.scale * expected)
    torch.testing.assert_close(target.state.size, torch.tensor([[30.0, 40.0]]) * expected)


def test_a_vanished_target_is_sought_where_it_was():
    """At the size that was last allowed, not at the one that was last measured."""
    seen = after(start(), box(90, 120).roll(50, dims=1))
    assert seen.state.center[0, 1] > 340
    target = seen
    for _ in range(3):
        target = after(target, torch.zeros(FRAME))
        assert torch.equal(target.state.center, seen.state.center)
        torch.testing.assert_close(target.state.size, seen.state.size)
        torch.testing.assert_close(target.scale, seen.scale)


def test_each_object_moves_on_its_own():
    seen = (box(33, 44), torch.zeros(FRAME), box(90, 120).roll(50, dims=1))
    config = replace(CONFIG, reach=0.5)
    together = after(start(config, 3), *seen, config=config)
    for i, one in enumerate(seen):
        alone = after(start(config), one, config=config)
        part = rows_of(together, [i])
        for name in ("base_size", "scale", "area", "cells"):
            assert torch.equal(getattr(part, name), getattr(alone, name))
        assert torch.equal(part.state.center, alone.state.center)
        assert torch.equal(part.state.size, alone.state.size)


def within(target: Target, config: InferenceConfig) -> Tensor:
    """Where a mask of the whole frame is left."""
    return target.within_reach(torch.full((1, *FRAME), 5.0), config)[0] > 0


def test_a_mask_stays_within_reach_of_the_last_one():
    config = replace(CONFIG, reach=0.5)
    target = start(config)
    assert within(target, config).all()  # before there is one
    target = after(target, box(32, 40), config=config)
    left = within(target, config)  # 4 and 5 cells; half of its side, the root of 1280, is 2.2
    near = left.nonzero()
    assert near.amin(0).tolist() == [184 - 16, 280 - 16]
    assert near.amax(0).tolist() == [215 + 16, 319 + 16]
    assert int(left.sum()) == 64 * 72


@pytest.mark.parametrize(
    ("reach", "sizes"),
    [
        pytest.param(0.0, [(32, 40)], id="no reach"),
        pytest.param(0.5, [(32, 40), (2, 3)], id="all but gone"),
        pytest.param(0.5, [(32, 40), (0, 0)], id="gone"),
    ],
)
def test_where_reach_sets_no_limit(reach, sizes):
    config = replace(CONFIG, reach=reach)
    target = start(config)
    for size in sizes:
        target = after(target, box(*size), config=config)
    assert within(target, config).all()


def test_a_target_may_go_further_when_it_is_not_there():
    config = replace(CONFIG, reach=0.5)
    target = after(start(config), box(32, 40), config=config)
    elsewhere = torch.where(box(32, 40).roll(100, 1) > 0, 5.0, -5.0)[None]
    assert target.within_reach(elsewhere, config).equal(elsewhere)


@pytest.mark.parametrize(("share", "moves"), [(0.0, False), (0.2, True)])
def test_a_small_target_is_followed_if_a_share_of_its_box_is_enough(share, moves):
    config = replace(CONFIG, min_target_share=share, reach=1.0)
    small = TargetState(torch.tensor([[150.0, 250.0]]), torch.tensor([[9.0, 9.0]]))
    target = after(Target.at(small, config), box(6, 6), config=config)
    there = torch.tensor([[199.5, 299.5]]) if moves else small.center
    assert torch.allclose(target.state.center, there)
    assert target.cells is not None
    assert bool(target.cells.any()) == moves
    gone = after(target, box(3, 3) / 2, config=config)  # too little even for it
    assert torch.equal(gone.state.center, target.state.center)


def test_a_large_target_needs_as_many_pixels_as_ever():
    config = replace(CONFIG, min_target_share=0.2)
    target = after(start(config), box(9, 9), config=config)
    assert target.state.center.tolist() == [[200.0, 300.0]]
