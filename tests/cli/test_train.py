"""The training command on a generated video; the recipe itself is tested without it."""

import signal
import tomllib

import numpy as np
import pytest
import tomli_w
from command import Run
from PIL import Image

from jointvos.checkpoints import load_model
from jointvos.masks import write_mask_png


@pytest.fixture
def images(inputs):
    """A folder of one short video with masks."""
    folder = inputs / "videos" / "square"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for t in range(6):
        image = rng.integers(0, 90, (120, 160, 3), dtype=np.uint8)
        mask = np.zeros((120, 160), np.uint8)
        mask[30 + 4 * t : 70 + 4 * t, 40 + 6 * t : 80 + 6 * t] = 1
        image[mask > 0] = (240, 200, 40)
        Image.fromarray(image).save(folder / f"{t:05d}.webp")
        write_mask_png(folder / f"{t:05d}.png", mask)
    return folder.parent


def test_mistakes(jointvos, inputs):
    nothing = jointvos("train", "--data", "gone.tar", "--out", "run")
    assert (nothing.returncode, len(nothing.stderr.splitlines())) == (6, 1)
    assert "gone.tar" in nothing.stderr
    preset = jointvos("train", "--data", "gone.tar", "--preset", "joint-huge")
    assert (preset.returncode, len(preset.stderr.splitlines())) == (2, 1)
    assert not (inputs / "run").exists()


def test_the_recipe_is_printed_and_read_again(jointvos, inputs):
    printed = jointvos("train", "--print-config", "--seed", "7", "--without", "cosine")
    assert printed.returncode == 0
    values = tomllib.loads(printed.stdout)
    assert (values["seed"], values["without"]) == (7, ["cosine"])
    (inputs / "own.toml").write_text(printed.stdout)
    again = jointvos("train", "--config", "own.toml", "--print-config")
    assert again.stdout == printed.stdout


@pytest.mark.parametrize(
    ("options", "said"),
    [
        pytest.param(["--quiet"], "--data PATH", id="no-data"),
        pytest.param(["--without", "decoder"], "transduction, induction", id="part"),
        pytest.param(["--config", "gone.toml"], "gone.toml", id="no-file"),
        pytest.param(["--config", "bad.toml"], "unknown learning_rate", id="key"),
        pytest.param(
            ["--config", "bad.toml", "--preset", "joint-r50"], "cannot be combined", id="both"
        ),
        pytest.param(
            ["--steps", "9", "--minutes", "9"], "cannot be combined", id="steps-and-minutes"
        ),
        pytest.param(["--preset", "joint-small"], "joint-lite-short", id="earlier-preset"),
    ],
)
def test_mistakes_in_the_recipe(jointvos, inputs, options, said):
    (inputs / "bad.toml").write_text('model = "joint-lite"\nlearning_rate = 1.0\n')
    found = jointvos("train", *options)
    assert (found.returncode, len(found.stderr.splitlines())) == (2, 1)
    assert said in found.stderr


def test_a_data_set_that_the_recipe_needs_is_asked_for(jointvos, inputs, images):
    found = jointvos("train", "--preset", "joint-r50", "--data", "videos", "--device", "cpu")
    assert (found.returncode, len(found.stderr.splitlines())) == (6, 1)
    assert "JPEGImages" in found.stderr


@pytest.fixture
def train(jointvos, inputs, images):
    """Arguments of a training in small steps, without their number."""
    recipe = jointvos("train", "--print-config", "--preset", "joint-lite-short", "--steps", "2")
    values = tomllib.loads(recipe.stdout)
    values["stages"][0]["phases"][0] |= {"crop_size": [64, 96], "batch_size": 2}
    (inputs / "own.toml").write_text(tomli_w.dumps(values))
    data = ("--data", "videos", "--config", "own.toml")
    return ["train", *data, "--device", "cpu", "--out", "run"]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_it_after_the_step(inputs, train, number, code):
    run = Run(inputs, *train, "--steps", "100000")
    run.until((inputs / "run/log.csv").exists)
    run.kill(number)
    ended = run.end()
    assert (ended.returncode, ended.stdout) == (code, ""), ended.stderr
    assert "continue with --resume --out run" in ended.stderr
    assert (inputs / "run/last.ckpt").exists()


@pytest.mark.slow
def test_a_short_run_makes_a_model(jointvos, inputs, train):
    shown = jointvos("train", "--data", "videos", "--show-batch", "batch.png", timeout=280)
    assert shown.stdout.strip() == "batch.png"
    with Image.open(inputs / "batch.png") as image:
        assert image.width > 300

    part = jointvos(*train, "--stop-after", "0", timeout=280)
    assert part.returncode == 0, part.stderr
    assert "--resume" in part.stderr
    again = jointvos(*train)
    assert again.returncode == 8
    assert "--resume" in again.stderr
    rest = jointvos(*train, "--resume", timeout=280)
    assert rest.returncode == 0, rest.stderr
    assert load_model(inputs / rest.stdout.strip()).config.name == "joint-lite"
    assert {path.name for path in (inputs / "run").iterdir()} == {
        "curves.png",
        "joint-lite.safetensors",
        "last.ckpt",
        "log.csv",
        "recipe.toml",
    }

    onward = ("--initial", "run/joint-lite.safetensors", "--workers", "1", "--minutes", "0.1")
    further = jointvos(*train[:-1], "further", *onward, timeout=280)
    assert further.returncode == 0, further.stderr
    assert "starting from the weights of run/joint-lite.safetensors\n" in further.stderr
    assert (inputs / "further" / "recipe_by_steps.toml").is_file()
    assert load_model(inputs / further.stdout.strip()).config.name == "joint-lite"
