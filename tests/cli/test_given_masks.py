import csv
import json
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from command import SMALL
from PIL import Image
from typer.testing import CliRunner, Result

from jointvos.cli.app import app
from jointvos.cli.flags import in_flags
from jointvos.config import INFERENCE
from jointvos.errors import ConfigError, MaskError, OutputExists
from jointvos.masks import DISPLAY_COLORS, write_mask_png

FRAMES = 4
ONE = np.zeros((96, 128), dtype=np.uint8)
ONE[30:60, 20:50] = 1
TWO = np.zeros((96, 128), dtype=np.uint8)
TWO[10:30, 80:110] = 2


@pytest.fixture
def folder(inputs: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(inputs)
    monkeypatch.setenv("JOINTVOS_CACHE", str(inputs / "cache"))
    monkeypatch.setitem(INFERENCE, "small", SMALL)
    write_mask_png(inputs / "two.png", TWO)
    write_mask_png(inputs / "both.png", ONE + TWO)
    write_mask_png(inputs / "wide.png", ONE.astype(np.uint16) * 7 + TWO.astype(np.uint16) * 500)
    return inputs


@pytest.fixture
def segment(folder: Path, tiny_weights: Path):
    def run(*arguments: str) -> Result:
        command = ["segment", "clip.mp4", "--weights", str(tiny_weights), "--end", str(FRAMES)]
        return CliRunner().invoke(app, [*command, *arguments])

    return run


def ids_of(folder: str) -> list[list[int]]:
    """Ids by frame."""
    paths = sorted(Path(folder).iterdir())
    return [np.unique(np.asarray(Image.open(path))).tolist() for path in paths]


def rows(path: str) -> dict[tuple[int, int], int]:
    """Areas by frame and object."""
    with Path(path).open(newline="") as file:
        table = csv.DictReader(file)
        return {(int(r["frame"]), int(r["object"])): int(r["area"]) for r in table}


def test_a_second_object_joins_and_the_first_is_corrected(segment):
    result = segment(
        *("--mask", "first.png", "--mask", "2=two.png", "--mask", "0.12s=both.png"),
        *("--png", "ids", "--stats", "s.csv"),
    )
    assert result.exit_code == 0, result.exception
    areas = rows("s.csv")
    assert {i for frame, i in areas if frame < 2} == {1}
    assert {i for frame, i in areas if frame >= 2} == {1, 2}
    assert areas[0, 1] == areas[3, 1] == 900
    assert areas[2, 2] == areas[3, 2] == 600
    assert np.array_equal(np.asarray(Image.open("ids/00003.png")), ONE + TWO)
    assert "2=two.png:" in result.stderr


def test_masks_in_the_middle_only(segment):
    result = segment("--mask", "3=first.png", "--png", "ids")
    assert result.exit_code == 0, result.exception
    assert ids_of("ids")[:4] == [[0]] * 3 + [[0, 1]]


def test_a_folder_of_masks(segment):
    Path("given").mkdir()
    Path("first.png").rename("given/00000.png")
    Path("two.png").rename("given/3.png")
    result = segment("--mask", "given", "--png", "ids")
    assert result.exit_code == 0, result.exception
    assert 2 in ids_of("ids")[3]
    assert 2 not in ids_of("ids")[2]


def test_a_mask_beyond_the_end_is_an_error_and_nothing_is_written(segment, folder):
    before = sorted(folder.iterdir())
    result = segment("--mask", "first.png", "--mask", "4.0s=two.png", "--png", "ids", "-o", "o.mp4")
    assert isinstance(result.exception, MaskError)
    assert result.exception.exit_code == 4
    assert "no frame for the mask 4.0s=two.png" in str(result.exception)
    assert sorted(folder.iterdir()) == before


def test_ids_above_254_in_every_output(segment):
    result = segment(
        *("--mask", "wide.png", "--png", "ids", "--mask-video", "ids.mkv", "-o", "video.mp4"),
        *("--stats", "s.csv", "--coco", "c.json", "--soft", "soft"),
    )
    assert result.exit_code == 0, result.exception
    coco = json.loads(Path("c.json").read_text())
    areas = rows("s.csv")
    assert {i for _, i in areas} == {7, 1000}
    with av.open("ids.mkv") as container:
        assert container.streams.video[0].codec_context.pix_fmt == "gray16le"
        film = [image.to_ndarray(format="gray16le") for image in container.decode(video=0)]
    assert len(film) == FRAMES
    for i in range(FRAMES):
        with Image.open(f"ids/{i:05d}.png") as image:
            assert image.mode == "I;16"
            labels = np.asarray(image)
        assert np.array_equal(film[i], labels)
        assert {n: int((labels == n).sum()) for n in (7, 1000)} == {
            n: areas[i, n] for n in (7, 1000)
        }
    assert np.array_equal(film[0] == 1000, TWO == 2)
    assert {a["track_id"] for a in coco["annotations"]} <= {7, 1000}
    assert sorted(path.name for path in Path("soft").iterdir()) == ["1000", "7"]


def test_an_id_above_254_that_joins_later_makes_all_masks_wide(segment):
    result = segment("--mask", "first.png", "--mask", "3=wide.png", "--remap", "7:9", "--png", "i")
    assert result.exit_code == 0, result.exception
    for path in Path("i").iterdir():
        with Image.open(path) as image:
            assert image.mode == "I;16"
    assert {9, 1000} <= set(ids_of("i")[3])


def test_objects_are_chosen_and_renamed(segment):
    result = segment(
        *("--mask", "both.png", "--objects", "2", "--remap", "2:5", "--png", "ids"),
        *("--coco", "c.json", "--coco-layout", "ytvis"),
    )
    assert result.exit_code == 0, result.exception
    assert ids_of("ids")[0] == [0, 5]
    assert np.array_equal(np.asarray(Image.open("ids/00000.png")) == 5, TWO == 2)
    content = json.loads(Path("c.json").read_text())
    assert content["videos"][0]["length"] == FRAMES
    (annotation,) = content["annotations"]
    assert annotation["track_id"] == 5
    assert len(annotation["segmentations"]) == FRAMES


def test_a_box_becomes_the_first_mask_and_is_saved(segment):
    box = ("--box", "14,24,42,42", "--mask", "two.png")
    result = segment(*box, "--png", "ids")
    assert result.exit_code == 0, result.exception
    assert "clip_first_mask.png" in result.stderr
    with Image.open("clip_first_mask.png") as image:
        saved = np.asarray(image)
    found = saved == 3  # the next free ID
    assert (found & (ONE == 1)).sum() / (found | (ONE == 1)).sum() > 0.9
    assert np.array_equal(saved == 2, TWO == 2)
    assert np.array_equal(np.asarray(Image.open("ids/00000.png")), saved)
    refused = segment(*box, "--png", "more")
    assert isinstance(refused.exception, OutputExists)
    assert "clip_first_mask.png already exists" in str(refused.exception)


def test_points_become_the_first_mask(segment):
    points = ("--point", "35,45", "--point", "44,36", "--no-point", "90,20")
    result = segment(*points, "--mask", "two.png", "--png", "ids")
    assert result.exit_code == 0, result.exception
    assert "--point 35,45 44,36 --no-point 90,20: object 3" in result.stderr
    assert "1 object cut out of frame 0: clip_first_mask.png" in result.stderr
    with Image.open("clip_first_mask.png") as image:
        saved = np.asarray(image)
    found = saved == 3
    assert (found & (ONE == 1)).sum() / (found | (ONE == 1)).sum() > 0.9
    assert np.array_equal(saved == 2, TWO == 2)


def polygon(label: str, x: int, y: int, width: int, height: int) -> dict:
    corners = [(x, y), (x + width, y), (x + width, y + height), (x, y + height)]
    return {"label": label, "shape_type": "polygon", "points": corners}


def test_labels_are_names_in_every_output(segment):
    shapes = [polygon("box, yellow", 20, 30, 30, 30), polygon("7", 80, 10, 30, 20)]
    size = {"imageWidth": 128, "imageHeight": 96}
    Path("labels.json").write_text(json.dumps({"shapes": shapes, **size}))
    result = segment("--mask", "labels.json", "--stats", "s.csv", "--coco", "c.json", "--json")
    assert result.exit_code == 0, result.exception
    assert "900 px   7.32 %  20,30 30x30  box, yellow" in result.stderr
    names = {7: None, 8: "box, yellow"}
    for line in result.stdout.splitlines():
        assert {o["id"]: o["name"] for o in json.loads(line)["objects"]} == names
    with Path("s.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert {(row["object"], row["name"]) for row in table} == {("7", ""), ("8", "box, yellow")}
    coco = json.loads(Path("c.json").read_text())
    assert [each["name"] for each in coco["categories"]] == ["object", "box, yellow"]
    assert {(a["track_id"], a["category_id"]) for a in coco["annotations"]} == {(7, 1), (8, 2)}


@pytest.mark.parametrize("layout", ["coco", "ytvis"])
def test_what_is_written_as_coco_is_read_as_masks(segment, layout):
    first = segment("--mask", "both.png", "--coco", "c.json", "--coco-layout", layout)
    assert first.exit_code == 0, first.exception
    again = segment("--mask", "c.json#00000", "--png", "ids")
    assert again.exit_code == 0, again.exception
    assert np.array_equal(np.asarray(Image.open("ids/00000.png")), ONE + TWO)


def lists(path: str, *ids: int) -> list[bool]:
    """Whether the first image has squares in the colors of objects: a legend."""
    if Path(path).suffix in (".gif", ".webp"):
        with Image.open(path) as animation:
            image = np.asarray(animation.convert("RGB"))
    else:
        with av.open(path) as video:
            image = next(video.decode(video=0)).to_ndarray(format="rgb24")
    like = (np.abs(image.astype(int) - DISPLAY_COLORS[i]).max(axis=-1) < 24 for i in ids)
    return [bool(cv2.erode(each.astype(np.uint8), np.ones((6, 6))).any()) for each in like]


@pytest.mark.parametrize("output", ["o.mkv", "o.gif", "o.webp"])
def test_the_overlay_names_objects_that_have_names(segment, output):
    shapes = [polygon("7", 20, 60, 30, 30), polygon("box", 80, 60, 30, 20)]
    size = {"imageWidth": 128, "imageHeight": 96}
    Path("labels.json").write_text(json.dumps({"shapes": shapes, **size}))
    lossless = ["--encoder", "ffv1"] if output == "o.mkv" else []
    for no_legend, listed in ([], True), (["--no-legend"], False):
        result = segment("--mask", "labels.json", "-o", output, "-f", *lossless, *no_legend)
        assert result.exit_code == 0, result.exception
        assert lists(output, 7, 8) == [listed, listed]


def test_a_legend_can_be_had_without_names(segment):
    for legend, listed in ([], False), (["--legend"], True):
        result = segment("--mask", "both.png", "-o", "o.mkv", "--encoder", "ffv1", "-f", *legend)
        assert result.exit_code == 0, result.exception
        assert lists("o.mkv", 1, 2) == [listed, listed]


def test_names_follow_the_ids_that_are_chosen_and_renamed(segment):
    for name, mask in (("box", ONE == 1), ("ball", TWO == 2)):
        Path("objects").mkdir(exist_ok=True)
        Image.fromarray(mask * np.uint8(255)).save(f"objects/{name}.png")
    result = segment("--mask", "objects", "--objects", "2", "--remap", "2:5", "--stats", "s.csv")
    assert result.exit_code == 0, result.exception
    with Path("s.csv").open(newline="") as file:
        assert {(row["object"], row["name"]) for row in csv.DictReader(file)} == {("5", "box")}


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        pytest.param(
            [], ConfigError, "pass --mask FILE, --box X,Y,W,H or --point X,Y", id="nothing"
        ),
        pytest.param(["--mask", "first.png", "--objects", "4"], ConfigError, "hold 1", id="id"),
        pytest.param(["--box", "1,2,3"], ConfigError, "--box is '1,2,3'", id="box"),
        pytest.param(["--box", "100,50,40,20"], MaskError, "is 128x96", id="box outside"),
        pytest.param(
            ["--mask", "first.png", "--box", "14,24,42,42=1"], MaskError, "the ID 1, too", id="same"
        ),
        pytest.param(
            ["--mask", "first.png", "--coco-layout", "ytvis"],
            ConfigError,
            "requires --coco",
            id="coco",
        ),
        pytest.param(
            ["--mask", "first.png", "--legend", "-o", "o.mp4", "--background", "blur"],
            ConfigError,
            "--legend requires --overlay without --background",
            id="legend",
        ),
    ],
)
def test_what_makes_no_sense_is_refused_before_the_network(segment, folder, arguments, error, says):
    before = sorted(folder.iterdir())
    result = segment(*arguments)
    assert isinstance(result.exception, error)
    assert says in in_flags(str(result.exception))
    assert "model" not in result.stderr
    assert sorted(folder.iterdir()) == before
