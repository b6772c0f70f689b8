import numpy as np
import pytest

from jointvos.errors import DatasetError
from jointvos.metrics import ObjectScore, aggregate_seen


def scored(seen, j, f):
    return ObjectScore("clip", 1, np.array(j, float), np.array(f, float), seen=seen)


def test_groups_are_averaged_over_objects_and_then_over_the_four():
    score = aggregate_seen(
        [scored(True, [1, 0], [0.5]), scored(True, [0.9], [0.7]), scored(False, [0.2], [0.1, 0.3])]
    )
    assert (score.j_seen, score.f_seen) == pytest.approx((0.7, 0.6))
    assert (score.j_unseen, score.f_unseen) == pytest.approx((0.2, 0.2))
    assert score.overall == pytest.approx((0.7 + 0.6 + 0.2 + 0.2) / 4)


def test_an_empty_group_is_no_number():
    score = aggregate_seen([scored(True, [0.5], [0.7])])
    assert (score.j_unseen, score.f_unseen) == (None, None)
    assert score.overall == pytest.approx(0.6)


@pytest.mark.parametrize(
    ("objects", "message"),
    [
        pytest.param([], "at least one object", id="none"),
        pytest.param([scored(None, [1], [1])], "object 1 of sequence clip", id="unknown"),
    ],
)
def test_what_cannot_be_told_apart_is_refused(objects, message):
    with pytest.raises(DatasetError, match=message):
        aggregate_seen(objects)
