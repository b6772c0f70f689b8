import cv2
import numpy as np
import pytest
import straightforward

from jointvos.metrics import contour_accuracy, region_similarity, score_frame
from jointvos.metrics.bits import WORD, boundaries, dilate, pack, unpack
from jointvos.metrics.frame import PIXELS_AT_ONCE, boundary_tolerance

# Heights and widths; the last three have tolerances of 2, 3 and 4 pixels, the others of 1.
SIZES = [(1, 1), (1, 9), (9, 1), (2, 2), (7, 2), (24, 31), (90, 120), (372, 25), (30, 490)]


def blob(rng, shape):
    """An ellipse anywhere, often cut off by the border."""
    height, width = shape
    y, x = np.mgrid[:height, :width]
    cy, cx = rng.uniform(-0.1, 1.1, 2) * shape
    ry, rx = rng.uniform(0.05, 0.6, 2) * shape + 0.5
    return ((y - cy) / ry) ** 2 + ((x - cx) / rx) ** 2 <= 1


def noise(rng, shape):
    return rng.random(shape) < rng.choice([0.02, 0.5, 0.98])


def pairs(shape):
    rng = np.random.default_rng(shape)
    empty, full = np.zeros(shape, bool), np.ones(shape, bool)
    some = blob(rng, shape)
    yield from [(empty, empty), (full, full), (empty, full), (full, empty), (some, some)]
    yield from [(some, ~some), (some, empty), (empty, some), (some, full)]
    for corner in [(0, 0), (0, -1), (-1, 0), (-1, -1)]:
        pixel = np.zeros(shape, bool)
        pixel[corner] = True
        yield from [(pixel, some), (pixel, empty), (pixel, np.roll(pixel, 1, axis=1))]
    for make in [blob, blob, blob, noise]:
        first = make(rng, shape)
        yield first, make(rng, shape)
        yield first, np.roll(first, (1, 2), axis=(0, 1))
        yield first, np.roll(first, (-3, 4), axis=(0, 1))


@pytest.mark.parametrize("shape", SIZES, ids=str)
def test_both_equal_the_definition_exactly(shape):
    for truth, predicted in pairs(shape):
        assert region_similarity(truth, predicted) == straightforward.region_j(truth, predicted)
        assert contour_accuracy(truth, predicted) == straightforward.contour_f(truth, predicted)


def test_the_pairs_are_not_all_trivial():
    scores = {contour_accuracy(*pair) for shape in SIZES[-3:] for pair in pairs(shape)}
    assert sum(0.05 < score < 0.95 for score in scores) > 10


@pytest.mark.parametrize("shape", SIZES, ids=str)
def test_boundary_equals_the_definition_also_at_the_borders(shape):
    rng = np.random.default_rng(1)
    masks = np.stack([noise(rng, shape), blob(rng, shape), np.ones(shape, bool)])
    found = unpack(boundaries(pack(masks), shape[1]), shape[1])
    for mask, boundary in zip(masks, found, strict=True):
        np.testing.assert_array_equal(boundary, straightforward.boundary(mask))


@pytest.mark.parametrize("shape", SIZES, ids=str)
def test_packing_is_undone_by_unpacking(shape):
    masks = np.random.default_rng(5).random((3, *shape)) < 0.5
    np.testing.assert_array_equal(unpack(pack(masks), shape[1]), masks)


@pytest.mark.parametrize("radius", [0, 1, 2, 8, 9, 18, 36, 70, 150])
def test_dilation_equals_the_definition_also_across_words(radius):
    rng = np.random.default_rng(radius)
    masks = rng.random((2, 40, 3 * WORD + 5)) < 0.002
    grown = unpack(dilate(pack(masks), radius), masks.shape[2])
    for mask, found in zip(masks, grown, strict=True):
        expected = cv2.dilate(mask.astype(np.uint8), straightforward.disk(radius))
        np.testing.assert_array_equal(found, expected.astype(bool))


def test_many_objects_in_groups_score_as_one_by_one():
    rng = np.random.default_rng(4)
    truth, predicted = rng.integers(0, 9, (2, 600, 800), np.uint8)
    assert PIXELS_AT_ONCE // (2 * truth.size) == 2  # objects in a group
    ids = (2, 3, 5, 8, 200)
    for each, (j, f) in zip(ids, score_frame(truth, predicted, ids), strict=True):
        assert j == region_similarity(truth == each, predicted == each)
        assert f == contour_accuracy(truth == each, predicted == each)
    assert score_frame(truth, predicted, ()).shape == (0, 2)


def test_sizes_must_agree():
    with pytest.raises(ValueError, match=r"sizes differ: \(4, 4\) and \(4, 5\)"):
        region_similarity(np.zeros((4, 4), bool), np.zeros((4, 5), bool))


def test_memory_order_of_the_masks_does_not_matter():
    rng = np.random.default_rng(2)
    truth = blob(rng, (90, 120))
    predicted = np.roll(truth, (2, 3), axis=(0, 1))
    expected = contour_accuracy(truth, predicted)
    assert 0 < expected < 1
    assert contour_accuracy(np.asfortranarray(truth), np.asfortranarray(predicted)) == expected
    doubled = np.repeat(truth, 2, axis=1)
    assert contour_accuracy(doubled[:, ::2], predicted) == expected


@pytest.mark.parametrize(
    ("shape", "pixels"),
    [
        pytest.param((480, 854), 8, id="davis"),
        pytest.param((300, 400), 4, id="exactly-four"),
        pytest.param((1080, 1920), 18, id="full-hd"),
        pytest.param((1, 1), 1, id="at-least-one"),
    ],
)
def test_tolerance_is_rounded_up(shape, pixels):
    assert boundary_tolerance(shape) == pixels


@pytest.mark.parametrize(("shift", "expected"), [(4, 1.0), (5, 0.0)])
def test_a_vertical_edge_counts_up_to_the_tolerance(shift, expected):
    truth = np.zeros((300, 400), bool)
    predicted = truth.copy()
    truth[:, :100] = True
    predicted[:, : 100 + shift] = True
    assert contour_accuracy(truth, predicted) == expected


def test_inputs_are_left_alone():
    rng = np.random.default_rng(3)
    truth, predicted = blob(rng, (40, 50)), blob(rng, (40, 50))
    before = truth.copy(), predicted.copy()
    contour_accuracy(truth, predicted)
    region_similarity(truth, predicted)
    np.testing.assert_array_equal((truth, predicted), before)
