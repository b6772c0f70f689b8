import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from clips import decoded, encode
from command import Ended, Run
from PIL import Image

from jointvos.masks import write_mask_png

FRAMES = 12


def leftovers(folder: Path) -> set[str]:
    """What a run left behind besides its inputs."""
    given = {"clip.mp4", "first.png", "empty.png", "large.png", "notes.txt", "cache"}
    return {entry.name for entry in folder.iterdir()} - given


def test_without_outputs_named_overlay_and_masks_appear(jointvos, inputs, tiny_weights):
    run = jointvos("segment", "clip.mp4", "--mask", "first.png", "--weights", tiny_weights)
    assert run.returncode == 0, run.stderr
    assert run.stdout == ""
    assert "tiny" in run.stderr
    assert leftovers(inputs) == {"clip_overlay.mp4", "clip_masks"}
    assert sorted(p.name for p in (inputs / "clip_masks").iterdir()) == [
        f"{i:05d}.png" for i in range(FRAMES)
    ]
    with Image.open(inputs / "clip_masks" / "00000.png") as first:
        assert first.mode == "P"
        assert np.array_equal(np.asarray(first), np.asarray(Image.open(inputs / "first.png")))
    assert len(decoded(inputs / "clip_overlay.mp4")) == FRAMES


def test_all_outputs_in_one_pass_agree(jointvos, inputs, tiny_weights):
    run = jointvos(
        *("segment", "clip.mp4", "--mask", "first.png", "--weights", tiny_weights, "--json"),
        *("--png", "ids", "--mask-video", "ids.mkv", "--overlay", "video.mkv", "-q"),
    )
    assert run.returncode == 0, run.stderr
    assert run.stderr == ""
    lines = [json.loads(line) for line in run.stdout.splitlines()]
    assert [line["frame"] for line in lines] == list(range(FRAMES))
    assert [line["time"] for line in lines] == [pytest.approx(i / 25) for i in range(FRAMES)]
    film = decoded(inputs / "ids.mkv", "gray")
    for i, line in enumerate(lines):
        png = np.asarray(Image.open(inputs / "ids" / f"{i:05d}.png"))
        assert np.array_equal(film[i], png)
        (seen,) = line["objects"]
        assert seen["area"] == int((png == 1).sum())
        assert seen["lost"] is (seen["area"] == 0)
    assert len(decoded(inputs / "video.mkv")) == FRAMES


def test_json_alone_writes_no_files(jointvos, inputs, tiny_weights):
    run = jointvos(
        "segment", "clip.mp4", "--mask", "first.png", "--weights", tiny_weights, "--json"
    )
    assert run.returncode == 0, run.stderr
    assert len(run.stdout.splitlines()) == FRAMES
    assert leftovers(inputs) == set()


def test_the_last_line_names_what_is_lost(jointvos, inputs, tiny_weights):
    command = ("segment", "clip.mp4", "--mask", "first.png", "--weights", tiny_weights)
    run = jointvos(*command, "--lost-threshold", "1.0")
    assert run.returncode == 0, run.stderr
    assert run.stderr.splitlines()[-1] == "lost: object 1 from frame 1 on"
    assert "lost:" not in jointvos(*command, "-f").stderr


def test_range_keeps_numbers_and_times(jointvos, inputs, tiny_weights):
    run = jointvos(
        *("segment", "clip.mp4", "--mask", "first.png", "--weights", tiny_weights, "--json"),
        *("--start", "3", "--end", "0.28s", "-o", "part"),
    )
    assert run.returncode == 0, run.stderr
    assert [json.loads(line)["frame"] for line in run.stdout.splitlines()] == [3, 4, 5, 6]
    assert sorted(p.name for p in (inputs / "part").iterdir())[0] == "00003.png"


def test_folder_of_images_keeps_their_names(jointvos, inputs, tiny_weights):
    folder = inputs / "images"
    folder.mkdir()
    for number, image in enumerate(decoded(inputs / "clip.mp4")[:3]):
        Image.fromarray(image).save(folder / f"shot{9 + number}.png")
    run = jointvos(
        *("segment", "images", "--mask", "first.png", "--weights", tiny_weights, "-o", "out")
    )
    assert run.returncode == 0, run.stderr
    assert sorted(p.name for p in (inputs / "out").iterdir()) == [
        "shot10.png",
        "shot11.png",
        "shot9.png",
    ]


GIVEN = "clip.mp4 --mask first.png"


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ("gone.mp4 --mask first.png", 3, "gone.mp4"),
        ("notes.txt --mask first.png", 3, "notes.txt"),
        ("clip.mp4 --mask gone.png", 4, "gone.png"),
        ("clip.mp4 --mask notes.txt", 4, "notes.txt"),
        ("clip.mp4 --mask large.png", 4, "300x200"),
        ("clip.mp4 --mask empty.png", 4, "nothing"),
        ("clip.mp4", 2, "--mask"),
        ("clip.mp4 --msak first.png", 2, "--msak"),
        (f"{GIVEN} --preset papre", 2, "papre"),
        (f"{GIVEN} --weights gone.safetensors", 5, "gone.safetensors"),
        (f"{GIVEN} --weights notes.txt", 5, "notes.txt"),
        (f"{GIVEN} --model a --weights b", 2, "--model"),
        (f"{GIVEN} -o clip.mp4 -f", 8, "input"),
        ("clip.mp4 --mask ours/first.png -o ours -f", 8, "lies in"),
        (f"{GIVEN} --overlay no/where.mp4", 8, "no"),
        (f"{GIVEN} -o video.xyz", 2, "video.xyz"),
        (f"{GIVEN} --start soon", 2, "soon"),
        (f"{GIVEN} --memory-size 0", 2, "memory"),
        (f"{GIVEN} --reach -1", 2, "reach is -1"),
        (f"{GIVEN} --device tpu", 2, "tpu"),
    ],
)
def test_mistakes_end_with_one_line_and_their_code(
    jointvos, inputs, tiny_weights, arguments, code, says
):
    (inputs / "ours").mkdir()
    write_mask_png(inputs / "ours" / "first.png", np.asarray(Image.open(inputs / "first.png")))
    weights = [] if "--weights" in arguments else ["--weights", tiny_weights]
    run = jointvos("segment", *arguments.split(), *weights, "-q")
    assert run.returncode == code, run.stderr
    assert says in run.stderr
    assert "Traceback" not in run.stderr
    if code != 2 or "Usage" not in run.stderr:
        assert len(run.stderr.splitlines()) == 1
    assert run.stdout == ""
    assert leftovers(inputs) == {"ours"}
    assert [path.name for path in (inputs / "ours").iterdir()] == ["first.png"]


def test_existing_output_is_kept_without_f_and_replaced_with_it(jointvos, inputs, tiny_weights):
    (inputs / "video.mp4").write_bytes(b"precious")
    command = ["segment", "clip.mp4", "--mask", "first.png", "--weights", tiny_weights, "-q"]
    run = jointvos(*command, "-o", "video.mp4")
    assert run.returncode == 8
    assert "-f" in run.stderr
    assert (inputs / "video.mp4").read_bytes() == b"precious"
    assert jointvos(*command, "-o", "video.mp4", "-f").returncode == 0
    assert len(decoded(inputs / "video.mp4")) == FRAMES


def test_debug_shows_the_traceback(jointvos, tiny_weights):
    run = jointvos("segment", "gone.mp4", "--mask", "first.png", "--debug")
    assert "Traceback" in run.stderr
    assert "MediaOpenError" in run.stderr


def test_an_output_that_appears_meanwhile_is_not_replaced(inputs, tiny_weights):
    run = Run(
        inputs,
        *("segment", "clip.mp4", "--mask", "first.png", "--weights", tiny_weights),
        *("--stats", "stats.csv", "-q"),
        pause_s=0.1,
    )
    run.until(lambda: any(inputs.glob(".stats.csv.*")))
    (inputs / "stats.csv").write_text("precious")
    ended = run.end()
    assert ended.returncode == 8
    assert ended.stderr == "jointvos: stats.csv already exists; use -f to replace it\n"
    assert (inputs / "stats.csv").read_text() == "precious"
    assert leftovers(inputs) == {"stats.csv"}


def test_a_mask_that_is_lost_at_once_is_told_at_once(jointvos, inputs, tiny_weights):
    dot = np.zeros((96, 128), np.uint8)
    dot[40, 30] = 1
    write_mask_png(inputs / "dot.png", dot)
    run = jointvos(
        *("segment", "clip.mp4", "--mask", "dot.png", "--weights", tiny_weights),
        *("--lost-threshold", "1", "--stats", "stats.csv"),
    )
    assert run.returncode == 0, run.stderr
    lines = run.stderr.splitlines()
    said = (
        "object 1 is lost in frame 1, 0.040 s, right after its first mask; is the mask too small?"
    )
    assert lines.index(said) < len(lines) - 2
    assert lines[-1] == "lost: object 1 from frame 1 on"


@pytest.fixture
def long_clip(inputs: Path) -> Path:
    """The clip a hundred times over."""
    images = decoded(inputs / "clip.mp4") * 100
    return encode(inputs / "long.mp4", images, preset="ultrafast")


def peak_kib(run: Callable[..., Ended], folder: Path, weights: Path, end: int) -> int:
    """Peak memory of a run with all outputs over the first frames of the long clip."""
    ended = run(
        *("segment", "long.mp4", "--mask", "first.png", "--weights", weights, "-q"),
        *("--png", f"ids{end}", "--overlay", f"{end}.mp4", "--mask-video", f"{end}.mkv"),
        *("--alpha", f"{end}.mov", "--soft", f"soft{end}.mkv", "--crop", f"crop{end}"),
        *("--stats", f"{end}.csv", "--coco", f"{end}.json", "--end", str(end)),
        timeout=1000,
    )
    assert ended.returncode == 0, ended.stderr
    assert len(list((folder / f"ids{end}").iterdir())) == end
    return ended.peak_kib


@pytest.mark.slow
@pytest.mark.timeout(1500)
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_does_not_grow_with_the_video(jointvos, inputs, long_clip, tiny_weights):
    short = peak_kib(jointvos, inputs, tiny_weights, 120)
    long = peak_kib(jointvos, inputs, tiny_weights, 1200)
    print(f"{short} KiB, then {long} KiB")
    # 1080 frames kept as RGB would be 38 MiB more, results as float maps far beyond.
    assert long - short < 20 * 1024
