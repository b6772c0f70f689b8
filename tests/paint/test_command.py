import json
import shlex
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from command import Run, environment_for
from PIL import Image
from studio import SIZE, square

from jointvos.masks import write_mask_png
from jointvos.paint.transport import pack_labels


@contextmanager
def painting(
    folder: Path, *arguments: str, video: str = "clip.mp4"
) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    command = [sys.executable, "-m", "jointvos", "paint", video, "--no-browser", *arguments]
    with subprocess.Popen(
        command,
        cwd=folder,
        env=environment_for(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as run:
        try:
            assert run.stdout is not None
            yield run, run.stdout.readline().strip()
        finally:
            run.kill()


def ask(address, method="GET", body=None, **headers):
    request = urllib.request.Request(address, data=body, method=method, headers=headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def test_from_a_mask_to_the_command_that_goes_on(clip):
    folder = clip.parent
    write_mask_png(folder / "mine.png", square(4))
    options = ["--mask", "4=mine.png", "-o", "first.png", "--cuts", "off"]
    with painting(folder, *options) as (run, page):
        assert page.startswith("http://127.0.0.1:")
        assert ask(page + "state")["painted"] == {"4": [1]}
        tab = ask(page + "tab", "POST")["tab"]
        ask(page + "mask/0?given=2", "PUT", pack_labels(square(0, 2)), **{"x-tab": tab})
        command = ask(page + "done", "POST", **{"x-tab": tab})["command"]
        output, messages = run.communicate(timeout=60)
    assert run.returncode == 0, messages
    assert output == command + "\n"
    assert shlex.split(output) == [
        *("jointvos", "segment", "clip.mp4", "--mask", "clip.jointvos/masks", "--cuts", "off")
    ]
    assert "clip.jointvos" in messages
    assert np.array_equal(np.asarray(Image.open(folder / "first.png")), square(0, 2))
    kept = folder / "clip.jointvos" / "masks" / "00004.png"
    assert np.array_equal(np.asarray(Image.open(kept)), square(4))


def test_a_pattern_of_images(clip):
    frames = clip.parent / "frames"
    frames.mkdir()
    for index in range(5):
        Image.fromarray(np.full((*SIZE, 3), 50 * index, np.uint8)).save(frames / f"f_{index}.png")
    with painting(clip.parent, video="frames/f_#.png") as (run, page):
        state = ask(page + "state")
        assert (state["video"]["name"], state["video"]["frames"]) == ("f_#.png", 5)
        assert state["export"]["names"]["png"] == "f_masks"
        tab = ask(page + "tab", "POST")["tab"]
        ask(page + "mask/3?given=1", "PUT", pack_labels(square(3)), **{"x-tab": tab})
        ask(page + "done", "POST", **{"x-tab": tab})
        output, messages = run.communicate(timeout=60)
    assert run.returncode == 0, messages
    assert shlex.split(output) == [
        *("jointvos", "segment", "frames/f_#.png", "--mask", "3=frames/f.jointvos/masks/f_3.png")
    ]


@pytest.mark.skipif(sys.platform == "win32", reason="SIGINT")
def test_ctrl_c_ends_it_and_nothing_is_lost(clip):
    with painting(clip.parent) as (run, page):
        tab = ask(page + "tab", "POST")["tab"]
        ask(page + "mask/3?given=1", "PUT", pack_labels(square(3)), **{"x-tab": tab})
        events = urllib.request.urlopen(page + "events", timeout=60)  # a page that listens
        assert b"hello" in events.readline()
        run.send_signal(signal.SIGINT)
        output, messages = run.communicate(timeout=60)
        events.close()
    assert (run.returncode, output) == (130, "")
    assert "Traceback" not in messages
    with painting(clip.parent) as (_, page):
        assert ask(page + "state")["painted"] == {"3": [1]}


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        pytest.param(["gone.mp4"], 3, "gone.mp4: No such file", id="no video"),
        pytest.param(["-"], 3, "cannot be rewound", id="a stream"),
        pytest.param(["clip.mp4", "-o", "first.jpg"], 2, "ending in .png", id="not png"),
        pytest.param(["clip.mp4", "--mask", "gone.png"], 4, "gone.png", id="no mask"),
        pytest.param(["clip.mp4", "--mask", "1s=first.png"], 2, "frame number", id="a time"),
        pytest.param(["clip.mp4", "-o", "first.png"], 8, "use -f", id="exists"),
        pytest.param(
            ["clip.mp4", "--mask", "wide.png"],
            2,
            "the masks hold the ID 300; pages have IDs up to 254; renumber it",
            id="large ID",
        ),
    ],
)
def test_what_is_wrong_is_told_in_one_line(clip, arguments, code, says):
    write_mask_png(clip.parent / "first.png", square())
    write_mask_png(clip.parent / "wide.png", square().astype(np.uint16) * 300)
    run = Run(clip.parent, "paint", "--no-browser", *arguments).end()
    assert (run.returncode, run.stdout) == (code, "")
    assert says in run.stderr
    assert run.stderr.startswith("jointvos: ")
    assert len(run.stderr.splitlines()) == 1


def test_without_its_libraries_it_says_what_to_install(clip):
    code = (
        "import sys; sys.modules['starlette'] = None; sys.argv = ['jointvos', 'paint', 'clip.mp4'];"
        "from jointvos.__main__ import main; main()"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert run.returncode == 2
    assert run.stderr == (
        "jointvos: paint needs starlette; install it with: pip install 'jointvos[page]'\n"
    )
    assert not (clip.parent / "clip.jointvos").exists()
