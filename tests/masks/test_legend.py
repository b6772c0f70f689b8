"""Names of objects in a corner of the overlay."""

import cv2
import numpy as np
import pytest

from jointvos.color import sdr_in_hdr
from jointvos.masks import DISPLAY_COLORS, Legend

SIZES = [(480, 854), (2160, 3840), (1920, 1080), (247, 440)]
BLUE = (40, 90, 160)


def drawn(names, size=(480, 854), labels=None, dtype=np.uint8, hdr=None):
    """An image of one color with a legend, and where it was changed."""
    image = np.full((*size, 3), BLUE, dtype=dtype)
    if dtype == np.uint16:
        image *= 257
    before = image.copy()
    Legend(names, hdr).draw(image, np.zeros(size, np.uint8) if labels is None else labels)
    return image, (image != before).any(axis=-1)


def box(changed):
    """Top, bottom, left, right of what was changed; the last ones excluded."""
    rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
    return rows[0], rows[-1] + 1, columns[0], columns[-1] + 1


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_it_is_a_small_plate_in_the_corner_with_the_colors(size):
    image, changed = drawn({1: "clownfish", 2: "tang"}, size)
    top, bottom, left, right = box(changed)
    assert 0 < top < size[0] / 20
    assert 0 < left < size[1] / 20
    assert bottom < size[0] / 4
    assert right < size[1] / 2
    image = image[:bottom, :right]
    lines = (bottom - top) / 2
    assert lines >= max(12, min(size) / 40)  # can be read
    for object_id in (1, 2):
        swatch = (image == DISPLAY_COLORS[object_id]).all(axis=-1)
        assert swatch.sum() > 60
        others = [i for i in (1, 2) if i != object_id]
        assert not (image[swatch] == DISPLAY_COLORS[others]).all(axis=-1).any()
    white = (image == 255).all(axis=-1)
    assert white.sum() > 100
    first, second = (
        np.flatnonzero((image == DISPLAY_COLORS[i]).all(axis=-1).any(axis=1))[0] for i in (1, 2)
    )
    assert first < second


@pytest.mark.parametrize(
    ("covered", "corner"),
    [
        ([], "top left"),
        (["top left"], "top right"),
        (["top left", "top right"], "bottom left"),
        (["top left", "top right", "bottom left"], "bottom right"),
    ],
)
def test_it_stands_where_no_object_is_at_first_and_stays(covered, corner):
    places = {
        "top left": np.s_[:240, :427],
        "top right": np.s_[:240, 427:],
        "bottom left": np.s_[240:, :427],
        "bottom right": np.s_[240:, 427:],
    }
    labels = np.zeros((480, 854), dtype=np.uint8)
    for each in covered:
        labels[places[each]] = 1
    image = np.full((240, 427, 3), BLUE, dtype=np.uint8)  # half of the size
    legend = Legend({1: "fish"})
    legend.draw(image, labels)
    later = np.full((240, 427, 3), BLUE, dtype=np.uint8)
    legend.draw(later, np.roll(labels, 240, axis=0))
    assert np.array_equal(image, later)
    where = np.zeros((480, 854), dtype=np.bool_)
    where[places[corner]] = True
    changed = (image != BLUE).any(axis=-1)
    assert changed.any()
    assert not changed[~where[::2, ::2]].any()


@pytest.mark.parametrize(
    "name", ["Łukasz", "ñandú", "Рыба", "Ψάρι", "魚 1", "サカナ", "물고기", "e\u0301toile"]
)
def test_names_of_many_scripts_are_drawn(name, caplog):
    image, _ = drawn({1: name})
    assert not np.array_equal(image, drawn({1: "?" * len(name)})[0])
    assert not np.array_equal(image, drawn({1: "object 1"})[0])
    assert not caplog.records


@pytest.mark.parametrize("name", ["שלום", "سمكة", "मछली", "🐟", "a\x00b"])
def test_what_cannot_be_written_is_called_by_its_id(name, caplog):
    image, _ = drawn({3: name})
    assert np.array_equal(image, drawn({3: "object 3"})[0])
    assert f"the legend shows 'object 3' for {name!r}" in caplog.text


def test_objects_without_a_name_are_called_by_their_id(caplog):
    assert np.array_equal(drawn({3: ""})[0], drawn({3: "object 3"})[0])
    assert not caplog.records


def test_line_breaks_and_long_names_stay_in_one_line():
    assert np.array_equal(drawn({1: " a\n b\t"})[0], drawn({1: "a b"})[0])
    long = box(drawn({1: "a very long name " * 20})[1])
    short = box(drawn({1: "a"})[1])
    assert long[:2] == short[:2]
    assert long[3] < 854 / 2


def test_of_many_objects_those_that_fit_are_listed():
    image, changed = drawn({i: f"cell {i}" for i in range(1, 201)})
    assert 180 < box(changed)[1] <= 260
    image = image[:260, :400]
    shown = [i for i in range(1, 201) if (image == DISPLAY_COLORS[i]).all(axis=-1).sum() > 60]
    assert shown == list(range(1, len(shown) + 1))
    assert len(shown) > 8
    ids = {i: f"cell {i}" for i in shown} | {60000: f"{200 - len(shown)} more"}
    like, _ = drawn(ids)
    different = (like[:260, :400] != image).any(axis=-1)
    assert different.sum() < 200  # but for the square of the last line
    assert box(different)[3] < 40


@pytest.mark.parametrize("size", [(16, 16), (20, 300), (300, 20), (1, 1)])
def test_an_image_that_is_too_small_stays_as_it_is(size):
    assert not drawn({1: "fish"}, size)[1].any()


@pytest.mark.parametrize("hdr", [None, "pq", "hlg"])
def test_it_looks_the_same_in_16_bit(hdr):
    image, _ = drawn({1: "fish"}, dtype=np.uint16, hdr=hdr)
    usual, _ = drawn({1: "fish"})
    for color in (DISPLAY_COLORS[1], (255, 255, 255)):
        place = (usual == color).all(axis=-1)
        shown = np.float32(color)[None] / 255
        codes = shown if hdr is None else sdr_in_hdr(shown, hdr)
        assert np.abs(image[place] - codes * 65535).max() < 2
    background = (usual == BLUE).all(axis=-1)
    assert (image[background] == np.array(BLUE) * 257).all()


def test_letters_are_smooth():
    image, _ = drawn({1: "oooo"}, (2160, 3840))
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    assert len(np.unique(gray)) > 30
