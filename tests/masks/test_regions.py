import numpy as np
import pytest

from jointvos.errors import MaskError
from jointvos.masks import cut_strokes, similar_region

SIZE = (120, 160)


def scene() -> tuple[np.ndarray, np.ndarray]:
    """A yellow disc before blue noise, and its mask."""
    rng = np.random.default_rng(0)
    image = rng.integers(0, 60, (*SIZE, 3), dtype=np.uint8) + np.array([20, 40, 140], np.uint8)
    rows, columns = np.indices(SIZE)
    disc = (rows - 60) ** 2 + (columns - 80) ** 2 < 30**2
    image[disc] = rng.integers(0, 30, (int(disc.sum()), 3), dtype=np.uint8) + np.array(
        [220, 190, 30], np.uint8
    )
    return image, disc


def stroke(rows: slice, columns: slice) -> np.ndarray:
    drawn = np.zeros(SIZE, dtype=bool)
    drawn[rows, columns] = True
    return drawn


NOTHING = np.zeros(SIZE, dtype=bool)


def agreement(one: np.ndarray, other: np.ndarray) -> float:
    return float((one & other).sum() / (one | other).sum())


def test_a_stroke_inside_and_one_outside_find_the_object():
    image, disc = scene()
    inside, outside = stroke(slice(58, 62), slice(65, 95)), stroke(slice(5, 8), slice(10, 150))
    found = cut_strokes(image, NOTHING, inside, outside)
    assert agreement(found, disc) > 0.97
    assert np.array_equal(found, cut_strokes(image, NOTHING, inside, outside))


def test_a_rough_mask_becomes_the_object():
    image, disc = scene()
    rough = stroke(slice(35, 80), slice(55, 100))
    assert agreement(rough, disc) < 0.8
    found = cut_strokes(image, rough, stroke(slice(60, 61), slice(75, 85)), NOTHING)
    assert agreement(found, disc) > 0.95


def test_strokes_are_obeyed_against_what_the_image_says():
    image, disc = scene()
    inside, outside = stroke(slice(2, 6), slice(2, 9)), stroke(slice(60, 63), slice(70, 90))
    found = cut_strokes(image, disc, inside, outside)
    assert found[inside].all()
    assert not found[outside].any()


def test_without_anything_inside_there_is_nothing_to_find():
    image, _ = scene()
    with pytest.raises(MaskError, match="draw a stroke inside"):
        cut_strokes(image, NOTHING, NOTHING, stroke(slice(0, 5), slice(0, 5)))


def test_similar_pixels_end_at_another_color_and_are_connected():
    image, disc = scene()
    image[60, 150:155] = (230, 200, 40)  # the color of the disc, elsewhere
    found = similar_region(image, 80, 60, 40)
    assert agreement(found, disc) > 0.95
    assert not found[60, 150:155].any()
    assert similar_region(image, 80, 60, 0).sum() < disc.sum() / 10
    assert similar_region(image, 80, 60, 255).all()
