"""Equality with the official definition, spelled out in `straightforward`, on whole sequences."""

import numpy as np
import pytest
import straightforward

from jointvos.metrics import aggregate, score_sequence

CASES = 240
SHAPES = [(33, 47), (64, 64), (30, 130), (90, 120), (7, 200), (129, 65)]


def shape_of(rng, height, width):
    """An ellipse, a box, a bar, a pixel or noise."""
    y, x = np.mgrid[:height, :width]
    cy, cx = rng.uniform(0, 1, 2) * (height, width)
    ry, rx = rng.uniform(0.03, 0.5, 2) * (height, width) + 0.5
    kind = rng.integers(6)
    if kind == 0:
        return (np.abs(y - cy) <= ry) & (np.abs(x - cx) <= rx)
    if kind == 1:
        return (y == int(cy)) & (x == int(cx))
    if kind == 2:
        return np.abs(y - cy) <= 1
    if kind == 3:
        return rng.random((height, width)) < 0.1
    return ((y - cy) / ry) ** 2 + ((x - cx) / rx) ** 2 <= 1


def random_sequence(seed, count=None):
    """Truth and prediction, uint8 [N,H,W]: objects cross, come late, vanish, or are one pixel."""
    rng = np.random.default_rng(seed)
    height, width = SHAPES[seed % len(SHAPES)]
    count = count or int(rng.integers(3, 8))
    ids = rng.choice(np.arange(1, 255), int(rng.integers(1, 6)), replace=False)
    truth, predicted = np.zeros((2, count, height, width), np.uint8)
    for each in ids:
        outline = shape_of(rng, height, width)
        outline[tuple(rng.integers(0, (height, width)))] = True
        absent = rng.random(count) < rng.choice([0.0, 0.2, 0.8])
        missed = rng.random(count) < rng.choice([0.0, 0.1, 1.0])
        for t in range(count):
            here = np.roll(outline, (t, 2 * t), axis=(0, 1))
            there = np.roll(here, rng.integers(-4, 5, 2), axis=(0, 1))
            if t == 0 or not absent[t]:
                truth[t][here] = each
            if not missed[t]:
                predicted[t][there] = each
    truth[0].flat[: len(ids)] = ids  # the first mask holds every object
    truth[:, -1, -3:] = 255
    if seed % 7 == 0:
        predicted[...] = 0
    if seed % 11 == 0:
        predicted = truth.copy()
        predicted[predicted == 255] = 0
    return truth, predicted, sorted(ids.tolist())


def assert_equal_to_definition(truth, predicted, ids):
    expected = straightforward.sequence_scores(truth, predicted, ids)
    found = score_sequence(truth, predicted, "random")
    assert [each.object_id for each in found] == ids
    for each in found:
        j, f = expected[each.object_id]
        assert each.j.tolist() == j.tolist()
        assert each.f.tolist() == f.tolist()
    if len(truth) <= 258:
        rows = [straightforward.statistics(series) for pair in expected.values() for series in pair]
        means = np.mean(np.reshape(rows, (len(ids), 6)), axis=0).tolist()
        score = aggregate(found)
        figures = [score.j_mean, score.j_recall, score.j_decay]
        figures += [score.f_mean, score.f_recall, score.f_decay]
        assert figures == means
    return [value for each in found for value in (*each.j, *each.f)]


@pytest.mark.parametrize("block", range(8))
def test_random_sequences(block):
    values = []
    for seed in range(block * CASES // 8, (block + 1) * CASES // 8):
        values += assert_equal_to_definition(*random_sequence(seed))
    middling = [value for value in values if 0.02 < value < 0.98]
    assert len(middling) > 0.1 * len(values), "too many cases are trivial"
    assert {0.0, 1.0} <= set(values)


@pytest.mark.parametrize("count", [3, 300])
def test_length(count):
    assert_equal_to_definition(*random_sequence(3, count))


def test_two_frames_are_three_whose_last_is_not_scored():
    truth, predicted, ids = random_sequence(5, 3)
    expected = straightforward.sequence_scores(truth, predicted, ids)
    for each in score_sequence(truth[:2], predicted[:2], "random"):
        assert [each.j.tolist(), each.f.tolist()] == [
            row.tolist() for row in expected[each.object_id]
        ]
