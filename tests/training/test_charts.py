"""The images of a training run: what is drawn where, and that files are whole or absent."""

import math
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as PillowImage

from jointvos.errors import OutputError
from jointvos.training.images.charts import draw_curves
from jointvos.training.images.contact_sheet import (
    PREDICTED,
    TRUE,
    Strip,
    draw_batch,
    draw_strip,
    evenly_spread,
    outline,
    tint,
)

Pixels = NDArray[np.uint8]


def read(path: Path) -> Pixels:
    with PillowImage.open(path) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB"))


def near(pixels: Pixels, color: tuple[int, int, int], tolerance: int = 24) -> NDArray[np.bool_]:
    difference = np.abs(pixels.astype(int) - color).max(axis=-1)
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


def drawn(rows: list[dict[str, float]], validations: list[tuple[int, float]], path: Path) -> Pixels:
    draw_curves(rows, validations, path)
    return read(path)


@pytest.mark.parametrize(
    ("count", "validations"),
    [(0, []), (0, [(0, 50.0)]), (1, []), (700, [(0, 50.0), (9, 60.0)])],
)
def test_a_panel_for_whatever_was_logged(
    tmp_path: Path, count: int, validations: list[tuple[int, float]]
) -> None:
    pixels = drawn(made_up(count), validations, tmp_path / "curves.png")
    panels = 4 * (count > 0) + bool(validations)
    assert pixels.shape == (288 * max(1, panels), 1200, 3)
    assert [file.name for file in tmp_path.iterdir()] == ["curves.png"]


def test_missing_and_repeated_values(tmp_path: Path) -> None:
    whole = [{"step": row["step"], "loss": row["loss"]} for row in made_up(100)]
    once = drawn(whole, [], tmp_path / "once.png")
    # A resumed run has logged some steps twice; the first time is not to be seen.
    rows = [*({**row, "loss": 90.0} for row in whole[40:60]), *whole]
    assert np.array_equal(drawn(rows, [], tmp_path / "repeated.png"), once)
    gaps = [{**row, "loss": math.nan} if 20 < row["step"] < 90 else row for row in whole]
    with_gap = drawn(gaps, [], tmp_path / "gap.png")
    blue = np.array([31, 119, 180])  # of the first column, the loss
    strong = [(np.abs(p[:288, 400:800].astype(int) - blue).max(-1) < 24) for p in (once, with_gap)]
    assert strong[0].any()
    assert not strong[1].any()


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
    gray = np.full((120, 120, 3), 90, np.uint8)
    changed = (tint(gray, square().astype(np.uint8), PREDICTED) != gray).any(axis=-1)
    assert np.array_equal(changed, square())


def test_strip_shows_prediction_and_truth_apart(tmp_path: Path) -> None:
    images = [np.full((120, 160, 3), 90, np.uint8)] * 9
    left, right = np.zeros((2, 120, 160), bool)
    left[30:90, 20:60] = True
    right[30:90, 100:140] = True
    strip = Strip("cow", images, [left] * 9, [right] * 9, [math.nan] + [0.0] * 8)
    draw_strip([strip, strip], tmp_path / "samples.png")
    pixels = read(tmp_path / "samples.png")
    first = pixels[108:320, 28 : 28 + 300]  # the first image, below heading and title
    assert not near(pixels[80:108, 28:328], PREDICTED, SOFT).any()
    for color, begin, end in [(PREDICTED, 0.1, 0.4), (TRUE, 0.6, 0.9)]:
        _, columns = np.nonzero(near(first, color, SOFT))
        assert len(columns) > 200
        assert columns.min() > first.shape[1] * begin
        assert columns.max() < first.shape[1] * end
    draw_strip([strip], tmp_path / "one.png")
    assert len(pixels) > len(read(tmp_path / "one.png"))


def test_batch_marks_the_given_frame(tmp_path: Path) -> None:
    images = np.zeros((2, 3, 3, 120, 120), np.uint8)
    masks = np.zeros((2, 3, 1, 120, 120), np.float32)
    masks[0, 0, 0] = square()
    draw_batch(images, masks, tmp_path / "batch.png")
    pixels = read(tmp_path / "batch.png")
    rows, columns = np.nonzero(near(pixels[70:], TRUE, SOFT))
    assert len(rows) > 200
    assert rows.max() < pixels.shape[0] / 2
    assert columns.max() < pixels.shape[1] / 3
    light = np.nonzero((pixels > 220).all(axis=-1).sum(axis=0) > 400)[0]
    assert len(light)
    assert light.max() < pixels.shape[1] / 2


def test_tall_and_single_images(tmp_path: Path) -> None:
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
    # The last one fails only when the finished image is to be put in place.
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
