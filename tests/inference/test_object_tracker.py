"""Where an object is sought, and what a frame's result does to that."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from jointvos.config import InferenceConfig
from jointvos.inference.object_tracker import ObjectTracker
from jointvos.ops import TargetState, marginals, moments

FRAME = (400, 600)
CONFIG = InferenceConfig(crop_size=(64, 96), search_scale=3.0)  # below 2, so nothing is decimated


def box(height: int, width: int) -> Tensor:
    """Probabilities of a box around the middle of the frame."""
    mask = torch.zeros(FRAME)
    top, left = (FRAME[0] - height) // 2, (FRAME[1] - width) // 2
    mask[top : top + height, left : left + width] = 1
    return mask


@pytest.fixture
def start(tiny_net):
    def tracker(config: InferenceConfig = CONFIG) -> ObjectTracker:
        state = TargetState(torch.tensor([200.0, 300.0]), torch.tensor([30.0, 40.0]))
        return ObjectTracker(tiny_net, config, 1, state)

    return tracker


def see(tracker: ObjectTracker, probability: Tensor) -> None:
    row = moments(marginals(probability[None]), probability.shape)[0]
    tracker.move(probability, row, probability > 0.5)


@pytest.mark.parametrize(
    ("crop", "cells"),
    [
        pytest.param((64, 96), (0.5, 0.5), id="even maps: half a cell"),
        pytest.param((48, 80), (0, 0), id="odd maps: none"),
        pytest.param((64, 80), (0.5, 0), id="one of each"),
    ],
)
def test_the_search_region_lies_off_center(start, crop, cells):
    tracker = start(replace(CONFIG, crop_size=crop))
    region = tracker.search_region(FRAME)
    middle = torch.tensor([region.top + region.height / 2, region.left + region.width / 2])
    expected = torch.tensor([200.0, 300.0]) + 16 * torch.tensor(cells) * tracker.scale
    assert tracker.scale > 0.5  # half a cell is more than what rounding explains
    assert (middle - expected).abs().max() <= 1.5


def test_looking_changes_nothing(start):
    tracker = start()
    before = dict(vars(tracker))
    assert tracker.search_region(FRAME) == tracker.search_region(FRAME)
    assert vars(tracker) == before


@pytest.mark.parametrize(
    ("factor", "expected"),
    [pytest.param(3, 1.1, id="grows"), pytest.param(0.3, 0.95, id="shrinks")],
)
def test_size_follows_within_limits(start, factor, expected):
    tracker = start()
    scale = tracker.scale
    see(tracker, box(round(30 * factor), round(40 * factor)))
    torch.testing.assert_close(tracker.scale, scale * expected)
    torch.testing.assert_close(tracker.state.size, torch.tensor([30.0, 40.0]) * expected)
    assert tracker.frame_number == 2


def test_a_vanished_target_is_sought_where_it_was(start):
    """At the size that was last allowed, not at the one that was last measured."""
    tracker = start()
    see(tracker, box(90, 120).roll(50, dims=1))
    state, scale = tracker.state, tracker.scale
    assert state.center[1] > 340
    for _ in range(3):
        see(tracker, torch.zeros(FRAME))
        assert torch.equal(tracker.state.center, state.center)
        torch.testing.assert_close(tracker.state.size, state.size)
        torch.testing.assert_close(tracker.scale, scale)


def within(tracker: ObjectTracker) -> Tensor:
    """Where a mask of the whole frame is left."""
    return tracker.within_reach(torch.full(FRAME, 5.0)) > 0


def test_a_mask_stays_within_reach_of_the_last_one(start):
    tracker = start(replace(CONFIG, reach=0.5))
    assert within(tracker).all()  # before there is one
    see(tracker, box(32, 40))  # 4 and 5 cells; half of its side, the root of 1280, is 2.2
    left = within(tracker)
    near = left.nonzero()
    assert near.amin(0).tolist() == [184 - 16, 280 - 16]
    assert near.amax(0).tolist() == [215 + 16, 319 + 16]
    assert int(left.sum()) == 64 * 72


@pytest.mark.parametrize(
    ("reach", "paused", "sizes"),
    [
        pytest.param(0.0, False, [(32, 40)], id="no reach"),
        pytest.param(0.5, False, [(32, 40), (2, 3)], id="all but gone"),
        pytest.param(0.5, True, [(32, 40)], id="after a cut"),
    ],
)
def test_where_reach_sets_no_limit(start, reach, paused, sizes):
    tracker = start(replace(CONFIG, reach=reach))
    for size in sizes:
        see(tracker, box(*size))
    tracker.paused = paused
    assert within(tracker).all()


def test_a_target_may_go_further_when_it_is_not_there(start):
    tracker = start(replace(CONFIG, reach=0.5))
    see(tracker, box(32, 40))
    elsewhere = torch.where(box(32, 40).roll(100, 1) > 0, 5.0, -5.0)
    assert tracker.within_reach(elsewhere).equal(elsewhere)
