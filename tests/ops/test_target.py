import math

import pytest
import torch

from jointvos.ops import (
    TargetState,
    limited_scale,
    marginals,
    moments,
    scale_of_size,
    state_of_mask,
    updated_state,
)


def box(top: int, left: int, height: int, width: int, value: float = 1.0) -> torch.Tensor:
    mask = torch.zeros(60, 90)
    mask[top : top + height, left : left + width] = value
    return mask


@pytest.mark.parametrize(
    ("mask", "center", "size"),
    [
        pytest.param(box(10, 20, 11, 21), (14.5, 29.5), (10, 20), id="box"),
        pytest.param(box(5, 7, 1, 1), (5, 7), (1, 1), id="pixel"),
        pytest.param(box(5, 7, 1, 9), (5, 10.5), (1, 8), id="line"),
    ],
)
def test_state_of_mask_is_last_minus_first(mask, center, size):
    state = state_of_mask(mask)
    assert tuple(state.center[0].tolist()) == center
    assert tuple(state.size[0].tolist()) == size


def moments_of(masks: torch.Tensor) -> torch.Tensor:
    return moments(marginals(masks), masks.shape[1:])


def test_marginals_are_sums_over_rows_then_columns():
    mask = box(1, 2, 3, 4, 0.5)[:6, :8]
    assert marginals(mask).tolist() == [0, 2, 2, 2, 0, 0, 0, 0, 1.5, 1.5, 1.5, 1.5, 0, 0]
    assert marginals(torch.stack((mask, mask)))[1].equal(marginals(mask))


@pytest.mark.parametrize("value", [1.0, 0.5], ids=["hard", "soft"])
def test_moments_of_a_box(value):
    (row,) = moments_of(box(10, 20, 12, 24, value)[None])
    area, cy, cx, height, width = row.tolist()
    assert area == pytest.approx(12 * 24 * value)
    assert (cy, cx) == pytest.approx((15.5, 31.5))
    # Variance of n equally likely neighbors is (n^2 - 1) / 12.
    expected = [4 * math.sqrt((n * n - 1) / 12) for n in (12, 24)]
    assert (height, width) == pytest.approx(tuple(expected), rel=1e-5)


def test_moments_of_each_object_are_its_own():
    masks = torch.stack((box(0, 0, 10, 10), box(40, 60, 20, 30)))
    rows = moments_of(masks)
    for mask, row in zip(masks, rows, strict=True):
        torch.testing.assert_close(moments_of(mask[None])[0], row)
    assert not torch.allclose(rows[0], rows[1])


def test_a_target_that_is_all_but_gone_stays_where_it_was():
    previous = TargetState(torch.tensor([[1.0, 2.0]] * 3), torch.tensor([[3.0, 4.0]] * 3))
    rows = moments_of(torch.stack((box(10, 20, 12, 24, 0.3), box(10, 20, 12, 24), box(0, 0, 0, 0))))
    state = updated_state(rows, previous, least=100)
    assert state.center[[0, 2]].tolist() == [[1, 2], [1, 2]]
    assert state.size[[0, 2]].tolist() == [[3, 4], [3, 4]]
    assert state.center[1].tolist() == pytest.approx([15.5, 31.5])
    assert updated_state(rows, previous, least=50).center[0].tolist() == pytest.approx([15.5, 31.5])


def test_the_search_region_is_so_many_times_the_target():
    scale = scale_of_size(torch.tensor([[20.0, 45.0]]), (48, 80), 5.0)
    covered = float(scale) ** 2 * 48 * 80
    assert covered == pytest.approx(25 * 20 * 45, rel=1e-5)


@pytest.mark.parametrize(
    ("factor", "expected"),
    [
        pytest.param(1.02, 1.02, id="free"),
        pytest.param(2.0, 1.1, id="too fast up"),
        pytest.param(0.5, 0.95, id="too fast down"),
    ],
)
def test_the_scale_changes_within_limits(factor, expected):
    base, previous = torch.tensor([[20.0, 40.0]]), torch.tensor([1.5])
    scale = limited_scale(base * 1.5 * factor, base, previous, (0.95, 1.1))
    assert float(scale) == pytest.approx(1.5 * expected)
