import re
import subprocess
import sys

import pytest

import jointvos

HEAVY = ("torch", "av", "cv2", "numpy", "pydantic", "rich", "urllib3")
PROBE = """
import sys
from jointvos.__main__ import main
for arguments in {commands!r}:
    sys.argv = ["jointvos", *arguments]
    try:
        main()
    except SystemExit as end:
        assert not end.code, (arguments, end.code)
    loaded = [name for name in {heavy!r} if name in sys.modules]
    assert not loaded, (arguments, loaded)
"""


def ended(commands, heavy):
    """Commands, one after the other in a process, that ended well without these modules."""
    run = subprocess.run(
        [sys.executable, "-c", PROBE.format(commands=commands, heavy=heavy)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return run


def test_help_and_version_load_nothing_heavy():
    names = ("segment", "batch", "paint", "eval", "train", "bench", "info", "download-weights")
    said = ended([["--version"], ["--help"], *([name, "-h"] for name in names)], HEAVY).stdout
    assert said.count("Usage: jointvos") == 1 + len(names)


@pytest.mark.slow
def test_a_run_does_not_load_the_compiler(tmp_path, request):
    """torchvision, which only the paper's backbone is made of, brings it along."""
    examples = request.config.rootpath / "examples"
    arguments = ["segment", f"{examples}/crossing.mp4", "--mask", f"{examples}/crossing_first.png"]
    arguments += ["--end", "1", "--png", f"{tmp_path}/masks"]
    heavy = ("torch._dynamo", "torchvision", "sympy")
    ended([arguments], heavy)
    assert len(list((tmp_path / "masks").iterdir())) == 1


def test_version_is_the_package_s():
    command = [sys.executable, "-m", "jointvos", "--version"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert run.stdout == f"jointvos {jointvos.__version__}\n"


def test_importing_the_package_loads_nothing_heavy():
    code = "import jointvos, sys; assert not {'torch', 'av', 'numpy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_public_names_are_sorted_and_exist():
    assert jointvos.__all__ == sorted(jointvos.__all__)
    assert all(hasattr(jointvos, name) for name in jointvos.__all__)


def test_a_video_in_place_of_a_command_names_segment(jointvos):
    run = jointvos("clip.mp4", "--mask", "first.png")
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr == (
        "jointvos: clip.mp4 is not a command; to segment a video: "
        "jointvos segment clip.mp4 --mask MASK\n"
    )
    assert "No such command 'segmnt'" in jointvos("segmnt").stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "INPUT is missing; try: jointvos segment video.mp4 --mask first.png"),
        (["--mask", "first.png"], "Missing argument 'INPUT'"),
        (
            ["clip.mp4", "first.png"],
            "unexpected first.png; a mask needs --mask: jointvos segment clip.mp4 --mask first.png",
        ),
        (
            ["first.png", "clip.mp4"],
            "unexpected clip.mp4; a mask needs --mask: jointvos segment clip.mp4 --mask first.png",
        ),
        (
            ["my clip.mp4", "a mask.png", "-q"],
            "jointvos segment 'my clip.mp4' --mask 'a mask.png'",
        ),
        (
            ["clip.mp4", "--mask", "first.png", "b.png"],
            "unexpected b.png; if it is a mask, write --mask b.png",
        ),
        (["clip.mp4", "-start", "5"], "No such option: -start; did you mean --start?\n"),
        (["clip.mp4", "-overlay=x.mp4"], "No such option: -overlay; did you mean --overlay?\n"),
        (["clip.mp4", "--ovrlay", "x"], "No such option: --ovrlay; did you mean --overlay?\n"),
        (["clip.mp4", "--mask-vdeo", "x"], "did you mean --mask-video?\n"),
        (
            ["clip.mp4", "--alpha", "a.mov", "--alpha", "a.webm"],
            "--alpha is given 2 times, but takes one path\n",
        ),
        (["clip.mp4", "--zzzz"], "No such option: --zzzz\n"),
        (["a.mp4", "b.png", "c.jpg"], "expected one INPUT, got 2 more (b.png ...)"),
        (
            ["frames/1.png", "frames/2.png", "frames/3.png", "--mask", "first.png"],
            "expected one INPUT, got 3 images; the shell expanded the pattern: quote it, "
            "'frames/*.png', or give the folder, frames",
        ),
        (
            ["a/1.exr", "b/1.exr", "c/1.exr"],
            "expected one INPUT, got 3 images; the shell expanded the pattern: quote it\n",
        ),
        (
            ["my clips/a.mp4", "my clips/b.mp4", "--mask", "first.png"],
            "got 2 files; for all of them: jointvos batch 'my clips' --out results",
        ),
    ],
)
def test_what_is_missing_or_too_much_is_told_with_what_is_meant(jointvos, arguments, says):
    run = jointvos("segment", *arguments)
    assert (run.returncode, run.stdout) == (2, "")
    assert says in run.stderr
    assert len(run.stderr.splitlines()) == 4  # the usage, where help is, and one line


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (
            ["paint", "f/1.jpg", "f/2.jpg", "f/3.jpg"],
            "one VIDEO, got 3 images; .* the folder, f",
        ),
        (["check-mask", "1.jpg", "2.jpg", "3.jpg"], r"one INPUT, got 3 images; .* the folder, \."),
        (["check-mask", "clip.mp4", "first.png", "b.png"], "unexpected b.png"),
        (
            ["batch", "a.mp4", "b.mp4", "-o", "out"],
            r"LIST, got 2 files; .*: jointvos batch \. ",
        ),
    ],
)
def test_a_pattern_that_the_shell_has_expanded_is_told_in_all_commands(jointvos, command, says):
    run = jointvos(*command)
    assert (run.returncode, run.stdout) == (2, "")
    assert re.search(says, run.stderr.splitlines()[-1])


@pytest.mark.parametrize(
    ("code", "command", "meant"),
    [
        (3, ["segment", "clp.mp4", "--mask", "first.png"], "clip.mp4"),
        (4, ["segment", "clip.mp4", "--mask", "5=frist.png"], "first.png"),
        (4, ["check-mask", "clip.mp4", "first.jpg"], "first.png"),
    ],
)
def test_a_misspelled_path_is_told_with_the_one_that_is_meant(jointvos, code, command, meant):
    run = jointvos(*command)
    assert (run.returncode, run.stdout) == (code, "")
    assert run.stderr.endswith(f": No such file or directory; did you mean {meant}?\n")
    assert len(run.stderr.splitlines()) == 1


def test_a_start_behind_the_end_is_told_before_anything_else(jointvos, inputs):
    run = jointvos("segment", "clip.mp4", "--mask", "first.png", "--start", "99")
    assert run.returncode == 2
    assert run.stderr == (
        "jointvos: clip.mp4: no frame from 99 to the end; it has 12 frames, 0 to 11 "
        "(99 is the number of a frame; seconds are 99s)\n"
    )
