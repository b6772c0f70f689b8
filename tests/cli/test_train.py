"""The training command on a generated video; the recipe itself is tested without it."""

import numpy as np
import pytest
from PIL import Image

from jointvos.checkpoints import load_model
from jointvos.media import write_mask_png


@pytest.fixture
def pictures(inputs):
    """A folder of one short video with masks."""
    folder = inputs / "films" / "square"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for t in range(6):
        picture = rng.integers(0, 90, (120, 160, 3), dtype=np.uint8)
        mask = np.zeros((120, 160), np.uint8)
        mask[30 + 4 * t : 70 + 4 * t, 40 + 6 * t : 80 + 6 * t] = 1
        picture[mask > 0] = (240, 200, 40)
        Image.fromarray(picture).save(folder / f"{t:05d}.webp")
        write_mask_png(folder / f"{t:05d}.png", mask)
    return folder.parent


def test_mistakes(jointvos, inputs):
    nothing = jointvos("train", "--data", "gone.tar", "--out", "run")
    assert (nothing.returncode, len(nothing.stderr.splitlines())) == (6, 1)
    assert "gone.tar" in nothing.stderr
    preset = jointvos("train", "--data", "gone.tar", "--preset", "joint-huge")
    assert (preset.returncode, len(preset.stderr.splitlines())) == (2, 1)
    assert not (inputs / "run").exists()


@pytest.mark.slow
def test_a_short_run_makes_a_model(jointvos, inputs, pictures):
    command = ["train", "--data", "films", "--steps", "1", "--device", "cpu", "--out", "run"]
    run = jointvos(*command, timeout=280)
    assert run.returncode == 0, run.stderr
    weights = inputs / run.stdout.strip()
    assert load_model(weights).config.name == "joint-small"
    again = jointvos(*command)
    assert again.returncode == 8
    assert "--resume" in again.stderr
