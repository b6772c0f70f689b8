import csv
import io
import json
from contextlib import redirect_stdout
from pathlib import Path

import av
import numpy as np
import pytest
from clips import decoded
from PIL import Image
from terminal import Terminal

from jointvos.cli.outputs import check_stdout, with_defaults, with_output
from jointvos.errors import ConfigError, JointVOSError, OutputError, OutputExists
from jointvos.masks import write_mask_png
from jointvos.runs import Outputs

FRAMES = 12


def test_everything_in_one_pass_agrees(jointvos, inputs, tiny_weights):
    run = jointvos(
        *("segment", "clip.mp4", "--mask", "first.png", "--weights", tiny_weights, "-q"),
        *("--png", "ids", "--soft", "soft", "--soft-bits", "16", "--alpha", "cut.mov"),
        *("--crop", "crops", "--stats", "stats.csv", "--coco", "masks.json"),
        *("--overlay", "video.mp4", "--background", "blur", "--encoder", "h265", "--crf", "30"),
    )
    assert run.returncode == 0, run.stderr
    assert run.stderr == run.stdout == ""
    with (inputs / "stats.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    coco = json.loads((inputs / "masks.json").read_text())
    film = decoded(inputs / "cut.mov", "rgba64le")
    assert len(rows) == len(coco["images"]) == len(film) == FRAMES
    areas = {a["image_id"]: (a["area"], a["bbox"]) for a in coco["annotations"]}
    for i, row in enumerate(rows):
        mask = np.asarray(Image.open(inputs / "ids" / f"{i:05d}.png")) == 1
        assert int(row["area"]) == mask.sum()
        soft = np.asarray(Image.open(inputs / "soft" / "1" / f"{i:05d}.png")) / 65535
        # one object against the background: it has the pixels where it is likelier
        assert np.array_equal(soft > 0.5, mask)
        assert np.abs(film[i][..., 3] / 65535 - soft).max() < 0.004
        if row["lost"] == "0":
            assert areas[i + 1][0] == mask.sum()
            assert areas[i + 1][1] == [int(row[k]) for k in ("x", "y", "width", "height")]
            assert float(row["mean_probability"]) == pytest.approx(soft[mask].mean(), abs=2e-4)
        assert (inputs / "crops" / "1" / f"{i:05d}.png").exists() == (row["lost"] == "0")
    with av.open(str(inputs / "video.mp4")) as container:
        assert container.streams.video[0].codec.canonical_name == "hevc"
        assert sum(1 for _ in container.decode(video=0)) == FRAMES


def test_a_film_on_stdout_of_an_object_that_is_lost(jointvos, inputs, tiny_weights):
    run = jointvos(
        *("segment", "clip.mp4", "--mask", "first.png", "--weights", tiny_weights),
        *("--mask-video", "-", "--png", "ids", "--stats", "stats.jsonl"),
        *("--lost-threshold", "0.9999"),
    )
    assert run.returncode == 0, run.stderr
    with av.open(io.BytesIO(run.output)) as container:
        assert container.format.name == "nut"
    film = decoded(io.BytesIO(run.output), "gray")
    assert len(film) == FRAMES
    for i, ids in enumerate(film):
        assert np.array_equal(ids, np.asarray(Image.open(inputs / "ids" / f"{i:05d}.png")))
        assert ids.any() == (i == 0)
    rows = [json.loads(line) for line in (inputs / "stats.jsonl").read_text().splitlines()]
    assert [row["lost"] for row in rows] == [False] + [True] * (FRAMES - 1)
    assert [row["area"] for row in rows] == [900] + [0] * (FRAMES - 1)


def test_a_matte_for_all_objects_and_one_for_each(jointvos, inputs, tiny_weights):
    ids = np.zeros((96, 128), np.uint8)
    ids[30:60, 20:35], ids[30:60, 35:50] = 2, 7
    write_mask_png(inputs / "two.png", ids)
    common = ("segment", "clip.mp4", "--mask", "two.png", "--weights", tiny_weights)
    run = jointvos(
        *common,
        "--matte",
        "{id}.mkv",
        "--matte-edges",
        "hard",
        "--matte-range",
        "full",
        "--png",
        "ids",
    )
    assert run.returncode == 0, run.stderr
    assert "wrote ids, 2.mkv, 7.mkv: 12 frames, 2 objects" in run.stderr
    mattes = {each: decoded(inputs / f"{each}.mkv", "gray") for each in (2, 7)}
    for i in range(FRAMES):
        labels = np.asarray(Image.open(inputs / "ids" / f"{i:05d}.png"))
        for each, frames in mattes.items():
            assert np.array_equal(frames[i], np.where(labels == each, 255, 0))
    run = jointvos(*common, "--matte", "-", "--format", "nut", "--soft", "soft", "-q")
    assert run.returncode == 0, run.stderr
    for i, frame in enumerate(decoded(io.BytesIO(run.output), "gray")):
        both = sum(
            np.asarray(Image.open(inputs / f"soft/{each}/{i:05d}.png"), int) for each in (2, 7)
        )
        assert np.abs(frame - both.clip(0, 255)).max() <= 1
    run = jointvos(*common, "--matte", "{id}.mkv")
    assert run.returncode == 8
    assert "2.mkv already exists; use -f to replace it" in run.stderr


PATHS = {"alpha": "a.mov", "soft": "soft", "crop": "crop", "stats": "s.csv", "coco": "c.json"}


@pytest.mark.parametrize(
    ("changes", "kind", "says"),
    [
        pytest.param({"alpha": "a.mp4"}, ConfigError, r"MP4.*separate matte; use \.mov", id="mp4"),
        pytest.param({"alpha": "a.xyz"}, ConfigError, r"use \.mov \(ProRes", id="alpha suffix"),
        pytest.param({"soft": "s.xyz"}, ConfigError, r"ending in \.mkv", id="soft suffix"),
        pytest.param({"soft": "s.mov"}, ConfigError, r"use `matte=.*s\.mov", id="soft video"),
        pytest.param({"matte": "m.avi"}, ConfigError, r"\.mov, \.mkv, or a folder", id="matte avi"),
        pytest.param({"matte": "m_%02d.mov"}, ConfigError, r"use \{id\}", id="matte number"),
        pytest.param(
            {"matte": "m.mov", "matte_range": "full"},
            ConfigError,
            "ProRes has lim",
            id="full ProRes",
        ),
        pytest.param(
            {"matte": "m.mov", "matte_range": "pc"}, ConfigError, "limited or full", id="range"
        ),
        pytest.param(
            {"matte": "m.mov", "matte_edges": "x"}, ConfigError, "soft or hard", id="edges"
        ),
        pytest.param(
            {"matte": "a{id}.mov", "alpha": "a1.mov"}, ConfigError, "two outputs", id="same matte"
        ),
        pytest.param({"max_width": 200}, ConfigError, "`max_width` is for", id="width alone"),
        pytest.param(
            {"max_width": 9, "overlay": "o.gif"}, ConfigError, "9, expected at least 16", id="width"
        ),
        pytest.param({"overlay": "o.avi"}, ConfigError, r"\.webm, \.gif, \.webp", id="overlay avi"),
        pytest.param(
            {"overlay": "o.gif", "crf": 20}, ConfigError, "cannot be chosen for .gif", id="gif crf"
        ),
        pytest.param({"soft_bits": 10}, ConfigError, "8 or 16 bits, not 10", id="soft bits"),
        pytest.param(
            {"alpha": "a", "alpha_format": "tiff"},
            ConfigError,
            "expected png, png16, exr",
            id="tiff",
        ),
        pytest.param({"stats": "s.txt"}, ConfigError, r"\.csv or \.jsonl", id="stats suffix"),
        pytest.param({"coco": "c.csv"}, ConfigError, r"ending in \.json", id="coco suffix"),
        pytest.param({"mask_video": "m.xyz"}, ConfigError, r"m\.xyz: videos", id="mask suffix"),
        pytest.param({"stats": "no/s.csv"}, OutputError, "no does not exist", id="no folder"),
        pytest.param({"coco": "old.json"}, OutputExists, "overwrite=True", id="exists"),
        pytest.param({"soft": "crop"}, ConfigError, "`soft` and `crop` both name", id="same"),
        pytest.param({"soft": "crop/in"}, ConfigError, "`soft` lies in .* `crop`", id="inside"),
        pytest.param({"crop": "given"}, OutputError, r"m\.png lies in .*given", id="mask"),
        pytest.param({"stats": "-"}, ConfigError, "only videos go to stdout", id="stats piped"),
        pytest.param({"alpha": "-", "overlay": "-"}, ConfigError, "both go to stdout", id="twice"),
        pytest.param({"alpha": "-", "stream": "y4m"}, ConfigError, "transparency", id="y4m alpha"),
        pytest.param({"overlay": "-", "stream": "avi"}, ConfigError, "expected y4m", id="format"),
        pytest.param({"overlay": "-", "crf": 3}, ConfigError, "for files", id="crf piped"),
        pytest.param({"stream": "y4m"}, ConfigError, "with `overlay='-'`", id="format alone"),
        pytest.param({"audio": "loud"}, ConfigError, "copy or none", id="audio"),
        pytest.param({"background": "blur"}, ConfigError, "`background` requires", id="no overlay"),
        pytest.param(
            {"background": "bleu", "overlay": "o.mp4"}, ConfigError, "a color such", id="color"
        ),
        pytest.param(
            {"encoder": "h264", "overlay": "o.webm"}, ConfigError, "does not go into", id="encoder"
        ),
    ],
)
def test_what_cannot_be_is_refused_before_the_input_is_read(tmp_path, changes, kind, says):
    (tmp_path / "old.json").write_text("precious")
    (tmp_path / "given").mkdir()
    write_mask_png(tmp_path / "given" / "m.png", np.ones((4, 4), np.uint8))
    fields = {
        name: tmp_path / value
        if name in {*PATHS, "overlay", "mask_video", "matte"} and value != "-"
        else value
        for name, value in {**PATHS, **changes}.items()
    }
    fields |= {name: Path("-") for name, value in fields.items() if value == "-"}
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(JointVOSError, match=says) as caught:
        Outputs(**fields).check(tmp_path / "gone.mp4", [tmp_path / "given" / "m.png"])
    assert type(caught.value) is kind
    assert "\n" not in str(caught.value)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    "setting",
    [{"soft_bits": 16}, {"matte_edges": "hard"}, {"matte_range": "full"}, {"coco_layout": "ytvis"}],
)
def test_settings_of_an_output_that_is_not_written_are_refused(tmp_path, setting):
    with pytest.raises(ConfigError, match=r"requires? `"):
        Outputs(png=tmp_path / "masks", **setting).check(tmp_path / "clip.mp4", [])


def test_the_terminal_gets_no_video():
    with (
        redirect_stdout(Terminal()),
        pytest.raises(ConfigError, match="would fill the terminal"),
    ):
        check_stdout(Outputs(overlay="-"), as_json=False)


def test_json_and_a_film_do_not_share_stdout():
    with pytest.raises(ConfigError, match="--mask-video and --json would both go to stdout"):
        check_stdout(Outputs(mask_video="-"), as_json=True)


@pytest.mark.parametrize(
    ("output", "name"),
    [("o.mp4", "overlay"), ("o.gif", "overlay"), ("-", "overlay"), ("folder", "png")],
)
def test_o_stands_for_what_it_looks_like(output, name):
    assert with_output(Outputs(), Path(output)) == Outputs(**{name: Path(output)})
    with pytest.raises(ConfigError, match=f"means --{name}, which is also given"):
        with_output(Outputs(**{name: "other"}), Path(output))


@pytest.mark.parametrize(
    ("source", "background", "expected"),
    [
        ("video.mp4", None, {"png": "video_masks", "overlay": "video_overlay.mp4"}),
        ("video.mp4", "blur", {"overlay": "video_overlay.mp4"}),
        ("-", None, {"png": "stdin_masks", "overlay": "stdin_overlay.mp4"}),
    ],
)
def test_what_is_written_when_nothing_is_named(source, background, expected):
    outputs = with_defaults(Outputs(background=background), Path(source))
    assert outputs.paths() == {name: Path(path) for name, path in expected.items()}
    assert outputs.need_probabilities == (background is not None)


def test_the_longest_names_work(jointvos, inputs, tiny_weights):
    (inputs / "clip.mp4").rename(inputs / f"{'猫' * 83}.mp4")
    common = ("segment", f"{'猫' * 83}.mp4", "--mask", "first.png", "--weights", tiny_weights)
    run = jointvos(*common, "--end", "2")
    assert run.returncode == 0, run.stderr
    assert "names of outputs are shortened" in run.stderr
    made = {path.name for path in inputs.iterdir() if "猫" * 70 in path.name}
    assert len(made) == 3
    assert sum(name.endswith("_overlay.mp4") for name in made) == 1
    assert sum(name.endswith("_masks") for name in made) == 1
    run = jointvos(*common, "--end", "2", "--overlay", f"{'x' * 251}.mp4", "--resume", "-q")
    assert (run.returncode, run.stderr) == (0, "")
    assert (inputs / f"{'x' * 251}.mp4").is_file()


LONG = "x" * 300


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        pytest.param(["segment", "clip.mp4", "--mask", f"{LONG}.png"], 4, id="mask"),
        pytest.param(["segment", "clip.mp4", "--mask", f"3={LONG}.png"], 4, id="mask of a frame"),
        pytest.param(["segment", f"{LONG}.mp4", "--mask", "first.png"], 3, id="input"),
        pytest.param(["check-mask", f"{LONG}.mp4", "first.png"], 3, id="input of check-mask"),
        pytest.param(["check-mask", "clip.mp4", f"{LONG}.png"], 4, id="mask of check-mask"),
        pytest.param(["check-mask", "clip.mp4", "large.png", "--fix", f"{LONG}.png"], 4, id="fix"),
        pytest.param(["eval", "--gt", LONG, "--predictions", "."], 6, id="gt"),
        pytest.param(["eval", "--gt", ".", "--predictions", LONG], 6, id="predictions"),
        pytest.param(["bench", "--plot", f"{LONG}.png"], 8, id="plot"),
        *(
            pytest.param(["segment", "clip.mp4", "--mask", "first.png", option, value], code, id=id)
            for option, value, code, id in [
                ("--overlay", f"{LONG}.mp4", 8, "overlay"),
                ("--png", LONG, 8, "folder"),
                ("--stats", f"{LONG}/stats.csv", 8, "folder of an output"),
                ("--soft", f"{LONG}.mkv", 8, "soft"),
                ("--profile", f"{LONG}.json", 8, "profile"),
                ("--weights", f"{LONG}.safetensors", 5, "weights"),
                ("--overlay", "loop/x.mp4", 8, "loop"),
            ]
        ),
    ],
)
def test_what_the_system_says_of_a_path_is_one_line(jointvos, inputs, arguments, code):
    (inputs / "loop").symlink_to("loop")
    if "." in arguments:
        (inputs / "a").mkdir()
        (inputs / "first.png").rename(inputs / "a" / "00000.png")
    run = jointvos(*arguments)
    assert run.returncode == code, run.stderr
    assert "Traceback" not in run.stderr
    assert len([line for line in run.stderr.splitlines() if line.startswith("jointvos: ")]) == 1
