import weakref

import numpy as np
import pytest
import straightforward

from jointvos.errors import DatasetError, SequenceIncomplete
from jointvos.metrics import ObjectScore, aggregate, score_sequence
from jointvos.metrics.davis import decay, recall


def labels(*ids, shape=(40, 60)):
    """Each ID has a square of its own column; an ID of None leaves its column empty."""
    image = np.zeros(shape, np.uint8)
    for column, object_id in enumerate(ids):
        if object_id is not None:
            image[10:20, 12 * column + 2 : 12 * column + 12] = object_id
    return image


def scored(sequence, j, f, object_id=1):
    return ObjectScore(sequence, object_id, j=np.asarray(j, float), f=np.asarray(f, float))


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        pytest.param([0.5], 0.0, id="strictly-above"),
        pytest.param([0.5, 0.6, 0.2, 0.9], 0.5, id="half"),
        pytest.param([1.0, 1.0], 1.0, id="all"),
    ],
)
def test_recall(scores, expected):
    assert recall(np.asarray(scores)) == expected


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        pytest.param([0.7], 0.0, id="one-frame"),
        # Edges 0,0,1,1,1: the quarters are one frame each.
        pytest.param([0.8, 0.2], 0.8 - 0.2, id="two-frames"),
        # Edges 0,1,2,3,4: quarters are two frames long and share their ends.
        pytest.param([1.0, 0.8, 0.6, 0.4, 0.2], 0.9 - 0.3, id="shared-ends"),
        # Frames 1, 2.5, 4, 5.5, 7: edges 0,2,3,5,6; rounding to even would give 0,1,3,5,6.
        pytest.param([1.0, 1.0, 0.1, 0.0, 0.0, 0.3, 0.5], 0.7 - 0.4, id="halves-go-up"),
    ],
)
def test_decay_by_hand(scores, expected):
    assert decay(np.asarray(scores)) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("count", [256, 257, 400, 3000])
def test_decay_of_long_sequences_does_not_overflow(count):
    # A straight line from 1 to 0 falls by three quarters from the first to the last quarter.
    assert decay(np.linspace(1, 0, count)) == pytest.approx(0.75, abs=0.01)


def test_first_and_last_frame_are_not_scored():
    truth = [labels(1)] * 5
    wrong = labels(None)
    (only,) = score_sequence(truth, [wrong, labels(1), wrong, labels(1), wrong], "clip")
    assert (only.sequence, only.object_id) == ("clip", 1)
    assert only.j.tolist() == [1.0, 0.0, 1.0]
    assert only.f.tolist() == [1.0, 0.0, 1.0]
    assert only.frames == (1, 2, 3)
    assert only.score.j_recall == pytest.approx(2 / 3)


def test_of_two_frames_the_last_is_scored():
    (only,) = score_sequence([labels(1)] * 2, [labels(None), labels(1)], "clip")
    assert (only.j.tolist(), only.frames) == ([1.0], (1,))


def test_void_is_background():
    truth = [labels(1, 255)] * 3
    (exact,) = score_sequence(truth, [labels(1, None)] * 3, "clip")
    assert exact.j.tolist() == exact.f.tolist() == [1.0]
    (spilled,) = score_sequence(truth, [labels(1, 1)] * 3, "clip")
    assert spilled.j.tolist() == [0.5]


def test_ids_may_have_gaps_and_unknown_ones_are_nobody():
    truth = [labels(200, 7)] * 3
    seven, two_hundred = score_sequence(truth, [labels(9, 7, 9)] * 3, "clip")
    assert (seven.object_id, two_hundred.object_id) == (7, 200)
    assert (seven.j.item(), two_hundred.j.item()) == (1.0, 0.0)


def test_objects_are_those_of_the_first_mask():
    truth = [labels(3), labels(3, 4), labels(3, 4), labels(3, 4)]
    assert [each.object_id for each in score_sequence(truth, truth, "clip")] == [3]


def test_an_object_that_left_is_right_when_nothing_is_found():
    truth = [labels(1), labels(None), labels(None), labels(None)]
    (absent,) = score_sequence(truth, [labels(1), labels(None), labels(1), labels(1)], "clip")
    assert absent.j.tolist() == absent.f.tolist() == [1.0, 0.0]


def test_frames_are_let_go():
    alive = []

    def stream():
        for _ in range(30):
            image = labels(1)
            alive.append(weakref.ref(image))
            yield image
            del image
            assert sum(reference() is not None for reference in alive) <= 4

    score_sequence(stream(), stream(), "clip")
    assert len(alive) == 60


def test_aggregate_weighs_objects_not_sequences():
    objects = [
        scored("a", [1.0, 1.0], [0.6, 0.6], 1),
        scored("a", [1.0, 1.0], [0.6, 0.6], 2),
        scored("b", [0.4, 0.0], [0.0, 0.0], 1),
    ]
    total = aggregate(objects)
    assert total.j_mean == pytest.approx((1 + 1 + 0.2) / 3)
    assert total.f_mean == pytest.approx(0.4)
    assert total.jf_mean == pytest.approx((total.j_mean + total.f_mean) / 2)
    assert (total.j_recall, total.f_recall) == pytest.approx((2 / 3, 2 / 3))
    assert total.j_decay == pytest.approx(0.4 / 3)


@pytest.mark.parametrize("count", [1, 2, 3, 7, 255, 256])
def test_statistics_equal_the_official_ones_up_to_256_frames(count):
    values = np.random.default_rng(count).random(count)
    assert (values.mean(), recall(values), decay(values)) == straightforward.statistics(values)


def test_the_official_decay_overflows_beyond():
    values = np.linspace(1, 0, 400)
    _, _, overflown = straightforward.statistics(values)
    assert abs(overflown - 0.75) > 0.1 > abs(decay(values) - 0.75)


@pytest.mark.parametrize(
    ("truth", "predicted", "error", "message"),
    [
        pytest.param(
            [labels(1)],
            [labels(1)],
            SequenceIncomplete,
            "has 1 frame.*at least 2",
            id="one",
        ),
        pytest.param([], [], SequenceIncomplete, "has 0 frame", id="none"),
        pytest.param(
            [labels(1)] * 4,
            [labels(1)] * 3,
            SequenceIncomplete,
            "only 3 predicted masks",
            id="prediction-too-short",
        ),
        pytest.param(
            [labels(1)] * 3,
            [labels(1)] * 4,
            SequenceIncomplete,
            "3 true masks",
            id="truth-too-short",
        ),
        pytest.param(
            [labels(255)] * 3, [labels(1)] * 3, DatasetError, "holds no object", id="only-void"
        ),
        pytest.param(
            [labels(1)] * 3,
            [labels(1), labels(1, shape=(40, 61)), labels(1)],
            DatasetError,
            "mask 1 of sequence clip is 60x40 but the prediction is 61x40",
            id="sizes",
        ),
    ],
)
def test_what_cannot_be_scored_is_refused(truth, predicted, error, message):
    with pytest.raises(error, match=message) as caught:
        score_sequence(truth, predicted, "clip")
    assert "\n" not in str(caught.value)


def test_aggregate_of_nothing_is_refused():
    with pytest.raises(DatasetError, match="at least one object"):
        aggregate([])
