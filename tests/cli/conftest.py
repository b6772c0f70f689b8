import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clips import encode
from command import Ended, Run, environment_for
from PIL import Image

from jointvos.masks import write_mask_png

SIZE = (96, 128)  # height, width
FRAMES = 12

Jointvos = Callable[..., Ended]
FreshJointvos = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def input_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inputs")
    rng = np.random.default_rng(0)
    background = rng.integers(0, 120, (*SIZE, 3), dtype=np.uint8)
    images = np.repeat(background[None], FRAMES, axis=0)
    for t, image in enumerate(images):
        image[30:60, 20 + 3 * t : 50 + 3 * t] = (250, 220, 60)
    encode(folder / "clip.mp4", images)
    mask = np.zeros(SIZE, np.uint8)
    mask[30:60, 20:50] = 1
    write_mask_png(folder / "first.png", mask)
    Image.fromarray(np.zeros((*SIZE, 3), np.uint8)).save(folder / "empty.png")
    write_mask_png(folder / "large.png", np.ones((200, 300), np.uint8))
    (folder / "notes.txt").write_text("this is no video")
    return folder


@pytest.fixture
def inputs(input_files: Path, tmp_path: Path) -> Path:
    """A folder with clip.mp4 (a square moves to the right) and first.png."""
    return Path(shutil.copytree(input_files, tmp_path, dirs_exist_ok=True))


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return environment_for(tmp_path)


@pytest.fixture
def jointvos(inputs: Path) -> Jointvos:
    """Run the command in the folder of the inputs, as a user would."""

    def run(*arguments: str | Path, timeout: float = 120, **options: Any) -> Ended:
        return Run(inputs, *arguments, **options).end(timeout)

    return run


@pytest.fixture
def fresh_jointvos(inputs: Path, environment: dict[str, str]) -> FreshJointvos:
    """The same in a process of its own: nothing loaded, no preset tiny, all cores in use."""

    def run(*arguments: str | Path, timeout: float = 120) -> "subprocess.CompletedProcess[str]":
        cores = {name: value for name, value in environment.items() if name != "OMP_NUM_THREADS"}
        return subprocess.run(
            [sys.executable, "-m", "jointvos", *map(str, arguments)],
            cwd=inputs,
            env=cores,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    return run
