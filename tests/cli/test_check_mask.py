import json
from pathlib import Path

import numpy as np
import pytest
from clips import encode
from PIL import Image
from typer.testing import CliRunner, Result

from jointvos.cli.app import app
from jointvos.errors import (
    ConfigError,
    EmptyMaskError,
    MaskError,
    MaskSizeMismatch,
    OutputExists,
    TooManyObjects,
    UnclearBackground,
)
from jointvos.masks import DAVIS_PALETTE, write_mask_png

SQUARES = np.zeros((96, 128), dtype=np.uint8)
SQUARES[30:60, 20:50], SQUARES[10:40, 70:110] = 1, 2


@pytest.fixture
def folder(inputs: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(inputs)
    write_mask_png(inputs / "two.png", SQUARES)
    Image.fromarray(SQUARES[::2, ::2].copy()).save(inputs / "half.png")
    Image.fromarray(DAVIS_PALETTE[SQUARES]).convert("L").save(inputs / "luma.png")
    Image.fromarray(DAVIS_PALETTE[SQUARES] // 2 * 2).resize((640, 480)).rotate(
        5, Image.Resampling.BICUBIC
    ).resize((128, 96), Image.Resampling.BICUBIC).save(inputs / "soft.png")
    Image.fromarray(255 - (SQUARES == 1) * np.uint8(255)).save(inputs / "inverted.png")
    Image.fromarray(DAVIS_PALETTE[SQUARES]).quantize(3).save(inputs / "ordered.png")
    return inputs


def check(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["check-mask", *arguments])


def test_a_line_per_object(folder):
    result = check("clip.mp4", "two.png")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[1:] == [
        "    1  #800000     900 px   7.32 %  20,30 30x30",
        "    2  #008000    1200 px   9.77 %  70,10 40x30",
    ]
    assert result.stderr == ""


def test_bare_pixels(folder):
    (folder / "clip.rgb").write_bytes(bytes(2 * 96 * 128 * 3))
    result = check("clip.rgb", "two.png", "--raw", "128x96@25")
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) == 3
    result = check("clip.rgb", "ordered.png", "--raw", "128x96@25")
    assert isinstance(result.exception, UnclearBackground)
    assert "check-mask clip.rgb ordered.png --raw 128x96@25 --fix FILE" in str(result.exception)


def test_the_mask_of_a_proxy(folder):
    result = check("clip.mp4", "half.png", "--fix", "good.png")
    assert result.exit_code == 0
    assert "half.png is 64x48; scaled to 128x96 without smoothing" in result.stderr
    assert "nothing to repair" in result.stderr
    assert result.stdout.splitlines()[1:] == [
        "    1  #010101     900 px   7.32 %  20,30 30x30",
        "    2  #020202    1200 px   9.77 %  70,10 40x30",
    ]


def test_everything_as_json(folder):
    result = check("clip.mp4", "two.png", "--json")
    found = json.loads(result.stdout)
    assert found["usable"] is True
    assert found["refused"] is found["mending"] is None
    assert found["objects"][1] == {
        "id": 2,
        "name": None,
        "color": "#008000",
        "area": 1200,
        "share": 0.097656,
        "box": [70, 10, 40, 30],
    }
    refused = check("clip.mp4", "large.png", "--json")
    assert isinstance(refused.exception, MaskSizeMismatch)
    found = json.loads(refused.stdout)
    assert found["usable"] is False
    assert "300x200" in found["refused"]
    assert found["objects"] == []


@pytest.mark.parametrize(
    ("mask", "error", "objects"),
    [
        pytest.param("soft.png", TooManyObjects, 2, id="soft"),
        pytest.param("luma.png", None, 2, id="gray palette"),
        pytest.param("ordered.png", UnclearBackground, 2, id="palette in another order"),
        pytest.param("inverted.png", None, 1, id="inverted"),
    ],
)
def test_the_command_that_mends_it_is_named_and_works(folder, mask, error, objects):
    result = check("clip.mp4", mask)
    told = str(result.exception) if error else result.stderr
    assert (type(result.exception) is error) if error else result.exit_code == 0
    assert f"`jointvos check-mask clip.mp4 {mask} --fix FILE`" in told
    assert told.count("\n") == (0 if error else 1)
    mended = check("clip.mp4", mask, "--fix", "good.png")
    assert mended.exit_code == 0, mended.exception
    assert len(mended.stdout.splitlines()) == 1 + objects
    assert "good.png" in mended.stderr
    with Image.open("good.png") as image:
        assert image.mode == "P"
        assert set(np.unique(np.asarray(image))) <= {0, 1, 2}
    assert check("clip.mp4", "good.png").exit_code == 0
    assert {path.name for path in folder.glob("*.png")} == {
        *("first.png", "empty.png", "large.png", "two.png", "half.png"),
        *("luma.png", "soft.png", "inverted.png", "ordered.png", "good.png"),
    }


def test_masks_of_other_tools(folder):
    np.save("m.npy", SQUARES)
    result = check("clip.mp4", "m.npy")
    assert result.stdout.splitlines()[1:] == [
        "    1  #800000     900 px   7.32 %  20,30 30x30",
        "    2  #008000    1200 px   9.77 %  70,10 40x30",
    ]
    np.save("m.npy", SQUARES != 1)
    result = check("clip.mp4", "m.npy")
    assert "touches all four sides" in result.stderr
    assert "`jointvos check-mask clip.mp4 m.npy --fix FILE` saves it inverted" in result.stderr
    assert check("clip.mp4", "m.npy", "--fix", "good.png").exit_code == 0
    with Image.open("good.png") as image:
        assert np.array_equal(np.asarray(image), SQUARES == 1)
    np.savez("m.npz", **{"box 1": SQUARES == 1, "box 2": SQUARES == 2})
    refused = check("clip.mp4", "m.npz", "--json")
    assert isinstance(refused.exception, MaskError)
    assert "holds masks of 2 frames; check one: m.npz#box 1" in str(refused.exception)
    one = json.loads(check("clip.mp4", "m.npz#box 2", "--json").stdout)
    assert [each["area"] for each in one["objects"]] == [1200]
    shape = {"label": "box", "points": [[20, 30], [50, 60]], "shape_type": "rectangle"}
    content = {"shapes": [shape], "imageWidth": 64, "imageHeight": 48}
    Path("m.json").write_text(json.dumps(content))
    result = check("clip.mp4", "m.json")
    assert result.stdout.splitlines()[1].endswith("40,60 60x36  box")


def test_a_mask_of_the_stored_image_of_a_turned_video(folder):
    encode(Path("turned.mp4"), np.zeros((3, 96, 128, 3), np.uint8), turn=90)
    result = check("turned.mp4", "two.png")
    assert "saves it rotated like the video" in str(result.exception)
    assert check("turned.mp4", "two.png", "--fix", "good.png").exit_code == 0
    with Image.open("good.png") as image:
        assert np.array_equal(np.asarray(image), np.rot90(SQUARES))


def test_nothing_to_mend(folder):
    result = check("clip.mp4", "two.png", "--fix", "good.png")
    assert result.exit_code == 0
    assert "nothing to repair" in result.stderr
    assert not Path("good.png").exists()
    refused = check("clip.mp4", "empty.png", "--fix", "good.png")
    assert isinstance(refused.exception, EmptyMaskError)
    assert "--fix" not in str(refused.exception)


def test_the_mended_file_replaces_another_only_when_told(folder):
    Path("good.png").write_bytes(b"precious")
    refused = check("clip.mp4", "ordered.png", "--fix", "good.png")
    assert isinstance(refused.exception, OutputExists)
    assert Path("good.png").read_bytes() == b"precious"
    assert check("clip.mp4", "ordered.png", "--fix", "good.png", "-f").exit_code == 0
    assert Path("good.png").read_bytes() != b"precious"
    wrong = check("clip.mp4", "ordered.png", "--fix", "good.jpg")
    assert isinstance(wrong.exception, ConfigError)


def test_refused_masks_end_with_4_and_one_line(jointvos, inputs):
    run = jointvos("check-mask", "clip.mp4", "large.png")
    assert run.returncode == 4
    assert run.stdout == ""
    assert len(run.stderr.splitlines()) == 1
    assert "300x200" in run.stderr


def test_a_doubt_that_nothing_mends_is_told_without_advice(jointvos, inputs):
    write_mask_png(inputs / "full.png", np.ones((96, 128), np.uint8))
    checked = jointvos("check-mask", "clip.mp4", "full.png")
    assert checked.returncode == 0
    assert checked.stderr == "full.png: object 1 covers the whole frame\n"
    begun = jointvos("segment", "clip.mp4", "--mask", "full.png", "--weights", "gone", "--json")
    assert checked.stderr in begun.stderr


def test_segment_tells_doubts_before_it_begins(jointvos, folder):
    run = jointvos("segment", "clip.mp4", "--mask", "luma.png", "--weights", "gone", "--json")
    assert run.returncode == 5
    assert "   38  #262626     900 px   7.32 %  20,30 30x30" in run.stderr
    assert "DAVIS colors turned into gray: 38 would be 1, 75 would be 2" in run.stderr
    assert "`jointvos check-mask clip.mp4 luma.png --fix FILE` saves it" in run.stderr
