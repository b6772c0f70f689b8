"""Sequences of post houses and HDR through the whole command."""

import av
import numpy as np
import pytest
from clips import Clip, make
from images import write_dpx, write_exr

from jointvos.masks import write_mask_png


@pytest.fixture
def mask(inputs):
    labels = np.zeros((48, 64), dtype=np.uint8)
    labels[20:40, 10:30] = 1
    write_mask_png(inputs / "m.png", labels)
    return "m.png"


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def fill(folder, first, count, write):
    folder.mkdir()
    draw = np.random.default_rng(1)
    for number in range(first, first + count):
        write(folder / f"sh_{number}", draw.random((48, 64, 3), dtype=np.float32))


def test_openexr_in_openexr_out_under_the_same_numbers(jointvos, inputs, tiny_weights, mask):
    fill(inputs / "plate", 1001, 4, lambda path, image: write_exr(path.with_suffix(".exr"), image))
    run = jointvos(
        *("segment", "plate/sh_####.exr", "--start-number", "1002", "--mask", mask),
        *("--weights", tiny_weights, "--alpha", "cut", "--alpha-format", "exr"),
    )
    assert run.returncode == 0, run.stderr
    assert names(inputs / "cut") == ["sh_1002.exr", "sh_1003.exr", "sh_1004.exr"]


def test_dpx_with_named_masks_and_default_outputs(jointvos, inputs, tiny_weights, mask):
    fill(
        inputs / "dpx",
        *(1, 3),
        lambda path, image: write_dpx(path.with_suffix(".dpx"), image * 1023, 10, transfer=3),
    )
    (inputs / "given").mkdir()
    (inputs / mask).rename(inputs / "given" / "sh_2.png")
    run = jointvos(
        *("segment", "dpx/sh_%d.dpx", "--mask", "given", "--start", "1"),
        *("--weights", tiny_weights),
    )
    assert run.returncode == 0, run.stderr
    assert "sh_1.dpx is tagged logarithmic" in run.stderr
    assert names(inputs / "sh_masks") == ["sh_2.png", "sh_3.png"]
    assert (inputs / "sh_overlay.mp4").is_file()


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("nowhere/f_####.exr", "no such file, and no image matches it as a pattern"),
        ("cut/sh_%d.exr", r"sh_2.exr cannot be decoded: the file is not complete"),
    ],
)
def test_what_cannot_be_read_is_one_line(jointvos, inputs, tiny_weights, mask, source, told):
    fill(inputs / "cut", 1, 2, lambda path, image: write_exr(path.with_suffix(".exr"), image))
    path = inputs / "cut" / "sh_2.exr"
    path.write_bytes(path.read_bytes()[:-1])
    run = jointvos("segment", source, "--mask", mask, "--weights", tiny_weights, "-o", "o")
    assert run.returncode == 3
    assert told in run.stderr.splitlines()[-1]
    assert not (inputs / "o").exists()


def test_hdr_stays_hdr_with_h265_and_is_told_otherwise(jointvos, inputs, tiny_weights, mask):
    make(inputs, Clip(name="hdr.mkv", frames=3, pixels="yuv420p10le", matrix="hdr"))
    common = ("segment", "hdr.mkv", "--mask", mask, "--weights", tiny_weights)
    kept = jointvos(*common, "--overlay", "hdr.mp4", "--encoder", "h265")
    assert kept.returncode == 0, kept.stderr
    assert "HDR" not in kept.stderr
    shown = jointvos(*common, "--overlay", "sdr.mp4")
    assert "is HDR (PQ) and is shown as SDR" in shown.stderr
    assert "--encoder h265" in shown.stderr
    for name, pixels, transfer in [("hdr.mp4", "yuv420p10le", 16), ("sdr.mp4", "yuv420p", 1)]:
        with av.open(str(inputs / name)) as film:
            frames = list(film.decode(video=0))
        assert [(f.format.name, int(f.color_trc)) for f in frames] == [(pixels, transfer)] * 3
