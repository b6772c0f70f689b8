import csv
import json
import os
import shutil
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from clips import decoded, encode
from command import Ended, Run
from PIL import Image

from jointvos.masks import write_mask_png

FRAMES = 12
OUTPUTS = {
    "--png": "ids",
    "--overlay": "video.mp4",
    "--mask-video": "ids.mkv",
    "--matte": "matte.mov",
    "--alpha": "cut.mov",
    "--soft": "soft",
    "--crop": "crops",
    "--stats": "stats.csv",
    "--coco": "masks.json",
}
COMMAND = ("segment", "clip.mp4", "--mask", "first.png", "--weights", "tiny.safetensors")
ALL = tuple(word for pair in OUTPUTS.items() for word in pair)


@pytest.fixture
def inputs(inputs: Path, tiny_weights: Path) -> Path:
    """With the weights in the same folder."""
    shutil.copy(tiny_weights, inputs / "tiny.safetensors")
    return inputs


def entries(folder: Path) -> dict[str, bytes]:
    """What is there, and what is in the files."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else b""
        for path in folder.rglob("*")
    }


def labels(folder: Path) -> list[np.ndarray]:
    return [np.asarray(Image.open(path)) for path in sorted(folder.iterdir())]


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def write_lossless(path: Path, images: list[np.ndarray]) -> None:
    encode(path, images, "ffv1", "bgr0")


def write_old_outputs(folder: Path) -> None:
    """Something for every output to replace, of jointvos where it minds that."""
    for name in OUTPUTS.values():
        if "." in name:
            (folder / name).write_bytes(b"precious")
        else:
            (folder / name).mkdir()
            write_mask_png(folder / name / "old.png", np.ones((2, 2), np.uint8))


@pytest.mark.parametrize(
    ("number", "code", "arguments"),
    [
        pytest.param(signal.SIGINT, 130, (*ALL, "-f"), id="Ctrl-C, forward"),
        pytest.param(
            *(signal.SIGTERM, 143),
            (*ALL, "-f", "--mask", "9=first.png", "--direction", "backward"),
            id="SIGTERM, backward",
        ),
    ],
)
def test_stopping_leaves_what_was_there(inputs, number, code, arguments):
    write_old_outputs(inputs)
    before = entries(inputs)
    run = Run(inputs, *COMMAND, *arguments, pause_s=0.5)
    if "backward" in arguments:
        run.until(lambda: any(inputs.glob(".jointvos-*/backward.results")))
    else:
        run.until(lambda: any(inputs.glob(".masks.*")))
    run.kill(number)
    ended = run.end()
    assert ended.returncode == code, ended.stderr
    assert "Traceback" not in ended.stderr
    how = "interrupted" if number == signal.SIGINT else "terminated"
    assert ended.stderr.splitlines()[-1].startswith(f"{how} after ")
    assert "no file was written" in ended.stderr
    assert entries(inputs) == before


def test_a_pipe_that_says_nothing_more_holds_nobody(inputs):
    random = np.random.default_rng(0)
    images = [random.integers(0, 256, (96, 128, 3), np.uint8) for _ in range(12)]
    write_lossless(inputs / "noise.mkv", images)
    film = (inputs / "noise.mkv").read_bytes()
    os.mkfifo(inputs / "pipe")
    with (inputs / "pipe").open("r+b", buffering=0) as pipe:  # reading, too: waits for nobody
        lines = inputs / "lines"
        arguments = ("segment", "-", *COMMAND[2:], "--json")
        run = Run(inputs, *arguments, stdin=inputs / "pipe", stdout=lines)
        threading.Thread(target=pipe.write, args=(film[: len(film) // 2],), daemon=True).start()
        run.until(lambda: lines.exists() and lines.stat().st_size)
        time.sleep(0.3)  # until it waits for what never comes
        run.kill(signal.SIGINT)
        assert run.end(60).returncode == 130


@pytest.mark.parametrize("option", [*OUTPUTS, "p.gif", "p.webp", "--resume", "--direction"])
def test_a_full_disk_leaves_what_was_there(inputs, option):
    write_old_outputs(inputs)
    before = entries(inputs)
    arguments = [option, OUTPUTS[option]] if option in OUTPUTS else ["--stats", "stats.csv"]
    if option in ("p.gif", "p.webp"):
        arguments = ["--overlay", option]
    elif option == "--direction":
        arguments += ["--mask", "9=first.png", option, "backward"]
    elif option == "--resume":
        arguments += [option]
    # A disk on which no file has room: a header may fit, a mask may not.
    ended = Run(inputs, *COMMAND, *arguments, "-f", "-q", largest_file=60).end()
    assert ended.returncode == 8, ended.stderr
    assert len(ended.stderr.splitlines()) == 1
    if option == "--resume":
        shutil.rmtree(inputs / ".stats.csv.jointvos-resume")
    assert entries(inputs) == before


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("--json",), id="json"),
        pytest.param(("-o", "-"), id="nut"),
        pytest.param(("--mask-video", "-", "--format", "y4m"), id="y4m"),
        pytest.param(("--alpha", "-", "--format", "raw"), id="raw"),
    ],
)
def test_a_full_stdout_is_an_error(inputs, arguments):
    before = entries(inputs)
    run = Run(
        *(inputs, *COMMAND, *arguments, "--stats", "stats.csv", "-q"), stdout=Path("/dev/full")
    )
    ended = run.end()
    assert ended.returncode == 8, ended.stderr
    assert len(ended.stderr.splitlines()) == 1
    assert "No space left" in ended.stderr
    assert entries(inputs) == before


@pytest.mark.parametrize(
    ("arguments", "size"),
    [
        pytest.param(("--json",), 0, id="json"),
        pytest.param(("-o", "-"), 1000, id="nut"),
        pytest.param(("--mask-video", "-", "--format", "mkv"), 1000, id="mkv"),
        pytest.param(("-o", "-", "--format", "y4m"), 1, id="y4m"),
        pytest.param(("-o", "-", "--format", "raw"), 1000, id="raw"),
    ],
)
def test_a_reader_that_goes_away_ends_it_quietly(inputs, arguments, size):
    """As through `head -c 1000`."""
    before = entries(inputs)
    pipe = inputs.with_name(f"{inputs.name}-pipe")
    os.mkfifo(pipe)
    run = Run(inputs, *COMMAND, *arguments, "--png", "ids", "-q", stdout=pipe)
    with pipe.open("rb", buffering=0) as reader:
        assert len(reader.read(size)) > 0 or size == 0
    ended = run.end()
    assert ended.returncode == 141, ended.stderr
    assert ended.stderr == ""
    assert entries(inputs) == before


def test_a_film_passes_through_pipes(inputs):
    """matroska | jointvos - | nut: every frame, at its time."""
    write_lossless(inputs / "clip.mkv", decoded(inputs / "clip.mp4"))
    expected = Run(inputs, "segment", "clip.mkv", *COMMAND[2:], "--png", "ids").end()
    assert expected.returncode == 0
    ended = Run(
        *(inputs, "segment", "-", *COMMAND[2:], "--mask-video", "-", "-q"),
        stdin=(inputs / "clip.mkv").read_bytes(),
    ).end()
    assert ended.returncode == 0, ended.stderr
    (inputs / "out.nut").write_bytes(ended.output)
    film = decoded(inputs / "out.nut", "gray")
    assert len(film) == FRAMES
    assert all(map(np.array_equal, film, labels(inputs / "ids")))


@pytest.fixture
def damaged(inputs: Path) -> Path:
    """A video that ends in the middle."""
    images = decoded(inputs / "clip.mp4")
    write_lossless(inputs / "clip.mkv", images)
    content = (inputs / "clip.mkv").read_bytes()
    (inputs / "clip.mkv").write_bytes(content[: len(content) * 6 // 10])
    return inputs


def damaged_run(folder: Path, *arguments: str) -> Ended:
    command = ["segment", "clip.mkv", *COMMAND[2:], *arguments]
    return Run(folder, *command).end()


@pytest.mark.parametrize("resume", [(), ("--resume",)], ids=["plain", "resume"])
def test_what_is_done_of_a_damaged_film_is_kept_if_wanted(damaged, resume):
    before = entries(damaged)
    ended = damaged_run(damaged, *ALL, "--keep-partial", *resume)
    assert ended.returncode == 3, ended.stderr
    count = len(labels(damaged / "ids"))
    assert 4 <= count < FRAMES
    assert f"kept {count} frames" in ended.stderr
    assert f"read {count} of about {FRAMES} frames" in ended.stderr
    for name in ("video.mp4", "ids.mkv", "cut.mov"):
        assert len(decoded(damaged / name)) == count
    assert [int(row["frame"]) for row in rows(damaged / "stats.csv")] == list(range(count))
    assert len(json.loads((damaged / "masks.json").read_text())["images"]) == count
    new = {Path(name).parts[0] for name in set(entries(damaged)) - set(before)}
    assert new == {*OUTPUTS.values(), *([".ids.jointvos-resume"] if resume else [])}


def test_of_a_damaged_film_nothing_is_kept_unless_wanted(damaged):
    write_old_outputs(damaged)
    before = entries(damaged)
    ended = damaged_run(damaged, *ALL, "-f", "-q")
    assert ended.returncode == 3
    assert len(ended.stderr.splitlines()) == 1
    assert entries(damaged) == before


def test_what_is_done_before_an_interruption_is_kept_if_wanted(inputs):
    outputs = ("--png", "ids", "--overlay", "video.mp4", "--alpha", "cut.mov")
    run = Run(inputs, *COMMAND, *outputs, "--keep-partial", pause_s=0.3)
    run.until(lambda: any(inputs.glob(".ids.*/*.png")))
    run.kill(signal.SIGTERM)
    ended = run.end()
    assert ended.returncode == 143, ended.stderr
    count = len(labels(inputs / "ids"))
    assert 1 <= count < FRAMES
    assert f"kept {count} frame" in ended.stderr
    assert len(decoded(inputs / "video.mp4")) == len(decoded(inputs / "cut.mov")) == count
    assert not [path for path in inputs.iterdir() if path.name.startswith(".")]


def test_a_mask_for_a_frame_that_never_comes_is_an_error(inputs):
    before = entries(inputs)
    for direction in ("forward", "backward", "both"):
        ended = Run(
            *(inputs, "segment", "clip.mp4", "--mask", "3s=first.png", *COMMAND[4:], *ALL),
            *("--direction", direction, "-q"),
        ).end()
        assert ended.returncode == 4, ended.stderr
        assert "3s=first.png" in ended.stderr
        assert entries(inputs) == before


@pytest.fixture
def turned(inputs: Path) -> Path:
    """forth.mkv with a cut behind frame 6, and back.mkv, the same in reverse."""
    images = decoded(inputs / "clip.mp4")
    other = np.random.default_rng(5).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    place = np.asarray(Image.fromarray(other).resize((128, 96), Image.Resampling.NEAREST))
    for i in range(7, FRAMES):
        images[i] = np.where(images[i] > 140, images[i], place)
    write_lossless(inputs / "forth.mkv", images)
    write_lossless(inputs / "back.mkv", images[::-1])
    mask = np.zeros((96, 128), np.uint8)
    mask[30:60, 29:59] = 1
    mask[5:25, 5:25] = 2
    write_mask_png(inputs / "third.png", mask)
    return inputs


def tracked(folder: Path, film: str, out: str, *arguments: str) -> list[np.ndarray]:
    command = ("segment", film, "--weights", "tiny.safetensors", "--png", out, *arguments)
    ended = Run(folder, *command, "--stats", f"{out}.csv").end()
    assert ended.returncode == 0, ended.stderr
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]
    return labels(folder / out)


def equal(one: list[np.ndarray], other: list[np.ndarray]) -> bool:
    return len(one) == len(other) and all(map(np.array_equal, one, other))


def test_backwards_is_forwards_through_the_turned_film(turned):
    given = ("--mask", "0=first.png", "--mask", "3=third.png")
    forth = tracked(turned, "forth.mkv", "a", *given)
    turned_given = ("--mask", "11=first.png", "--mask", "8=third.png")
    back = tracked(turned, "back.mkv", "b", *turned_given, "--direction", "backward")
    assert equal(back, forth[::-1])
    assert {1, 2} <= set(np.unique(forth[5]))
    assert {row["frame"] for row in rows(turned / "a.csv") if row["cut"] == "1"} == {"7"}
    assert {row["frame"] for row in rows(turned / "b.csv") if row["cut"] == "1"} == {"5"}


def test_both_ways_from_the_middle(turned):
    given = ("--mask", "4=first.png")
    soft = ("--soft", "soft.mkv")
    both = tracked(turned, "forth.mkv", "both", *given, "--direction", "both", *soft)
    late = tracked(turned, "forth.mkv", "late", *given, "--soft", "late.mkv")
    for film, masks in (("soft.mkv", both), ("late.mkv", late)):
        gray = decoded(turned / film, "gray")
        assert all(np.array_equal(g > 127, m == 1) for g, m in zip(gray, masks, strict=True))
    back = tracked(turned, "forth.mkv", "back", *given, "--direction", "backward")
    assert equal(both, back[:5] + late[5:])
    assert not any(each.any() for each in back[5:] + late[:4])
    assert all(each.any() for each in (both[0], both[4], both[-1]))
    assert np.array_equal(both[4] == 1, np.asarray(Image.open(turned / "first.png")) == 1)


def test_a_pipe_can_be_followed_backwards(turned):
    expected = tracked(turned, "forth.mkv", "a", "--mask", "4=first.png", "--direction", "both")
    ended = Run(
        *(turned, "segment", "-", "--weights", "tiny.safetensors", "--mask", "4=first.png"),
        *("--direction", "both", "--png", "b", "--json"),
        stdin=(turned / "forth.mkv").read_bytes(),
    ).end()
    assert ended.returncode == 0, ended.stderr
    assert equal(labels(turned / "b"), expected)
    lines = [json.loads(line) for line in ended.stdout.splitlines()]
    assert [line["frame"] for line in lines if line["cut"]] == [7]


@pytest.mark.parametrize("cuts", ["off", "pause", "reset"])
def test_cuts_are_told_unless_off(turned, cuts):
    out = tracked(turned, "forth.mkv", "a", "--mask", "first.png", "--cuts", cuts)
    table = rows(turned / "a.csv")
    assert len(out) == len(table) == FRAMES
    assert [row["cut"] for row in table] == [str(int(cuts != "off" and i == 7)) for i in range(12)]
    assert (table[7]["paused"] == "1") == (cuts != "off")
