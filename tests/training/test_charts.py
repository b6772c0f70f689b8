"""The pictures of a training run: what is drawn where, and that files are whole or absent."""

import math
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as PillowImage

from jointvos.errors import OutputError
from jointvos.training.pictures.axes import round_axis, short, tick_labels
from jointvos.training.pictures.charts import COLOURS, HEIGHT, LEFT, RIGHT, WIDTH, draw_curves
from jointvos.training.pictures.contact_sheet import (
    PREDICTED,
    TRUE,
    Strip,
    draw_batch,
    draw_strip,
    evenly_spread,
    outline,
    tint,
)
from jointvos.training.pictures.series import pieces, running_mean, thin

Pixels = NDArray[np.uint8]


def read(path: Path) -> Pixels:
    with PillowImage.open(path) as picture:
        assert picture.format == "PNG"
        return np.asarray(picture.convert("RGB"))


def near(pixels: Pixels, colour: tuple[int, int, int], tolerance: int = 24) -> NDArray[np.bool_]:
    difference = np.abs(pixels.astype(int) - colour).max(axis=-1)
    return np.asarray(difference <= tolerance)


SOFT = 60  # a thin anti-aliased line is not quite of full strength


def made_up(count: int) -> list[dict[str, float]]:
    noise = np.random.default_rng(0).normal(0, 0.02, count)
    return [
        {
            "step": step,
            "loss": 2.0 - step / count + float(noise[step]),
            "segmentation": 1.5 - step / count,
            "iou": 0.2 + 0.6 * step / count + float(noise[step]),
            "rate": 2e-4,
            "sequences": 8,
            "seconds": 0.5,
        }
        for step in range(count)
    ]


def height_of(pixels: Pixels, key: str, columns: slice) -> float:
    """Mean row of the strong line in some columns, from the top."""
    rows, _ = np.nonzero(near(pixels[:, columns], COLOURS[key]))
    assert len(rows)
    return float(rows.mean())


@pytest.mark.parametrize("count", [0, 1, 2, 700])
@pytest.mark.parametrize(
    "validations",
    [pytest.param([], id="none"), pytest.param([(0, 50.0)], id="one")],
)
def test_chart_has_its_size(
    tmp_path: Path, count: int, validations: list[tuple[int, float]]
) -> None:
    draw_curves(made_up(count), validations, tmp_path / "curves.png")
    pixels = read(tmp_path / "curves.png")
    assert pixels.shape == (HEIGHT, WIDTH, 3)
    assert near(pixels, COLOURS["iou"]).any() == (count > 0)
    assert near(pixels, COLOURS["validation"]).any() == bool(validations)
    assert [file.name for file in tmp_path.iterdir()] == ["curves.png"]


def test_rising_and_falling_series_are_drawn_so(tmp_path: Path) -> None:
    draw_curves(made_up(700), [(0, 40.0), (699, 60.0)], tmp_path / "curves.png")
    pixels = read(tmp_path / "curves.png")
    begin, end = slice(LEFT, LEFT + 60), slice(RIGHT - 60, RIGHT)
    # The legend has its swatches above the plots at the right, so parts of it are left out.
    for key, rising in [("iou", True), ("segmentation", False)]:
        difference = height_of(pixels, key, begin) - height_of(pixels, key, end)
        assert difference > 60 if rising else difference < -60


def test_axis_maps_ends_and_middle() -> None:
    axis = round_axis(0.13, 0.88, 500, 100)
    assert axis.low <= 0.13
    assert axis.high >= 0.88
    assert axis.pixels([axis.low, (axis.low + axis.high) / 2, axis.high]).tolist() == [
        500,
        300,
        100,
    ]
    assert np.all(np.diff(axis.pixels([0.2, 0.4, 0.7])) < 0)
    assert axis.ticks()[0] == axis.low
    assert axis.ticks()[-1] == pytest.approx(axis.high)


@pytest.mark.parametrize(
    ("low", "high"),
    [
        pytest.param(0.0, 0.0, id="zero"),
        pytest.param(3.0, 3.0, id="flat"),
        pytest.param(-2e5, 7e5, id="wide"),
        pytest.param(1e-7, 3e-7, id="tiny"),
        pytest.param(1 - 1e-12, 1.0, id="nearly flat"),
    ],
)
def test_axis_holds_every_range(low: float, high: float) -> None:
    axis = round_axis(low, high, 500, 100)
    inside = axis.pixels([low, high])
    assert inside.min() >= 100 - 1e-6
    assert inside.max() <= 500 + 1e-6
    labels = tick_labels(axis.ticks())
    assert len(set(labels)) == len(labels) >= 2


def test_axis_stays_within_what_is_possible() -> None:
    axis = round_axis(0.02, 0.97, 500, 100, floor=0.0, ceiling=1.0)
    assert (axis.low, axis.high) == (0.0, 1.0)
    assert round_axis(0.5, 1.2, 500, 100, floor=0.0, ceiling=1.0).high >= 1.2


def test_ticks_side_by_side_leave_room_for_their_numbers():
    axis = round_axis(0, 10_000, 0, 770, floor=0, tick_distance=60)
    assert np.diff(axis.pixels(axis.ticks())).min() >= 60
    assert tick_labels(axis.ticks())[-1] == "10,000"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0.00"), (0.4567, "0.46"), (34.567, "34.6"), (456.7, "457"), (2e-4, "2e-4")],
)
def test_short_numbers(value: float, text: str) -> None:
    assert short(value) == text


def test_thinning_keeps_extremes() -> None:
    x = np.array([0.1, 0.4, 0.7, 3.5, 4.2, 4.4])
    place, mean, low, high = thin(x, np.array([1.0, 9.0, 2.0, 5.0, -1.0, 3.0]))
    assert place == pytest.approx([0.4, 3.5, 4.3])
    assert mean.tolist() == [4, 5, 1]
    assert low.tolist() == [1, 5, -1]
    assert high.tolist() == [9, 5, 3]


def test_long_gaps_are_not_bridged() -> None:
    x = np.concatenate([np.arange(50.0), np.arange(400.0, 450.0)])
    assert [len(place) for place, *_ in pieces(x, x)] == [50, 50]
    assert len(pieces(np.arange(0.0, 450, 9), np.zeros(50))) == 1


def test_running_mean_by_hand() -> None:
    values = np.array([1.0, 2.0, 6.0, 3.0])
    assert running_mean(values, 3).tolist() == [1.5, 3.0, pytest.approx(11 / 3), 4.5]
    assert running_mean(values, 1).tolist() == values.tolist()


def test_missing_and_repeated_values(tmp_path: Path) -> None:
    whole = made_up(100)
    # A resumed run has logged some steps twice; the first time is not to be seen.
    rows = [*({**row, "loss": 90.0} for row in whole[40:60]), *whole]
    draw_curves(rows, [], tmp_path / "repeated.png")
    draw_curves(whole, [], tmp_path / "once.png")
    repeated, once = read(tmp_path / "repeated.png"), read(tmp_path / "once.png")
    assert np.array_equal(repeated, once)
    for row in whole[20:90]:
        del row["iou"]
        row["loss"] = math.nan
    draw_curves(whole, [], tmp_path / "gap.png")
    gap = read(tmp_path / "gap.png")
    middle = slice(LEFT + 400, LEFT + 600)
    assert near(once[:, middle], COLOURS["iou"]).any()
    assert not near(gap[:, middle], COLOURS["iou"]).any()


def test_long_runs_are_drawn_quickly(tmp_path: Path) -> None:
    rows = made_up(100_000)
    begin = time.process_time()
    draw_curves(rows, [(50_000, 70.0)], tmp_path / "curves.png")
    assert time.process_time() - begin < 4  # it takes 0.5 on two slow cores
    assert read(tmp_path / "curves.png").shape == (HEIGHT, WIDTH, 3)


def square(size: int = 120) -> NDArray[np.bool_]:
    mask = np.zeros((size, size), bool)
    mask[30:90, 40:100] = True
    return mask


def test_outline_lies_on_the_border_only() -> None:
    mask = square()
    drawn = outline(np.zeros((120, 120, 3), np.uint8), mask.astype(np.uint8) * 255, TRUE)
    inside = np.zeros_like(mask)
    inside[31:89, 41:99] = True
    assert np.array_equal(near(drawn, TRUE, SOFT), mask & ~inside)
    far = np.ones_like(mask)
    far[27:93, 37:103] = False
    far[34:86, 44:96] = True
    assert not drawn[far].any()


def test_tint_stays_inside() -> None:
    grey = np.full((120, 120, 3), 90, np.uint8)
    changed = (tint(grey, square().astype(np.uint8), PREDICTED) != grey).any(axis=-1)
    assert np.array_equal(changed, square())


def test_strip_shows_prediction_and_truth_apart(tmp_path: Path) -> None:
    images = [np.full((120, 160, 3), 90, np.uint8)] * 9
    left, right = np.zeros((2, 120, 160), bool)
    left[30:90, 20:60] = True
    right[30:90, 100:140] = True
    strip = Strip("cow", images, [left] * 9, [right] * 9, [math.nan] + [0.0] * 8)
    draw_strip([strip, strip], tmp_path / "samples.png")
    pixels = read(tmp_path / "samples.png")
    first = pixels[108:320, 28 : 28 + 300]  # the first picture, below heading and title
    assert not near(pixels[80:108, 28:328], PREDICTED, SOFT).any()
    for colour, begin, end in [(PREDICTED, 0.1, 0.4), (TRUE, 0.6, 0.9)]:
        _, columns = np.nonzero(near(first, colour, SOFT))
        assert len(columns) > 200
        assert columns.min() > first.shape[1] * begin
        assert columns.max() < first.shape[1] * end
    draw_strip([strip], tmp_path / "one.png")
    assert len(pixels) > len(read(tmp_path / "one.png"))


def test_batch_marks_the_given_frame(tmp_path: Path) -> None:
    images = np.zeros((2, 3, 3, 120, 120), np.uint8)
    masks = np.zeros((2, 3, 1, 120, 120), np.float32)
    masks[0, 0, 0] = square()
    draw_batch(images, masks, tmp_path / "batch.png", ["static"])
    pixels = read(tmp_path / "batch.png")
    rows, columns = np.nonzero(near(pixels[70:], TRUE, SOFT))
    assert len(rows) > 200
    assert rows.max() < pixels.shape[0] / 2
    assert columns.max() < pixels.shape[1] / 3
    light = np.nonzero((pixels > 220).all(axis=-1).sum(axis=0) > 400)[0]
    assert len(light)
    assert light.max() < pixels.shape[1] / 2


def test_tall_and_single_pictures(tmp_path: Path) -> None:
    draw_batch(
        np.zeros((1, 1, 3, 900, 30), np.uint8), np.ones((1, 1, 1, 900, 30)), tmp_path / "b.png"
    )
    assert read(tmp_path / "b.png").shape[0] < 600


@pytest.mark.parametrize(
    ("length", "places"),
    [(0, []), (1, [0]), (3, [0, 1, 2]), (101, [0, 20, 40, 60, 80, 100])],
)
def test_frames_are_spread_evenly(length: int, places: list[int]) -> None:
    assert evenly_spread(length, 6) == places


def draw_any_batch(path: Path) -> None:
    draw_batch(np.zeros((1, 2, 3, 24, 32), np.uint8), np.zeros((1, 2, 1, 24, 32)), path)


@pytest.mark.parametrize(
    "draw",
    [
        pytest.param(lambda path: draw_curves(made_up(3), [], path), id="curves"),
        pytest.param(lambda path: draw_strip([], path), id="strip"),
        pytest.param(draw_any_batch, id="batch"),
    ],
)
def test_nothing_half_written(tmp_path: Path, draw: Callable[[Path], None]) -> None:
    (tmp_path / "file").write_bytes(b"kept")
    (tmp_path / "folder.png" / "full").mkdir(parents=True)
    before = sorted(tmp_path.rglob("*"))
    # The last one fails only when the finished picture is to be put in place.
    for place in ("missing/x.png", "file/x.png", "folder.png"):
        with pytest.raises(OutputError, match=r"cannot be written: \w"):
            draw(tmp_path / place)
        assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write everywhere")
def test_read_only_folder(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(OutputError, match="Permission denied"):
            draw_curves(made_up(3), [], tmp_path / "curves.png")
        assert not list(tmp_path.iterdir())
    finally:
        tmp_path.chmod(0o700)
