"""A run on a handful of generated pictures: resuming, stopping, and what it leaves behind."""

from dataclasses import replace
from pathlib import Path
from threading import Event

import numpy as np
import pytest
import torch

from jointvos.checkpoints import load_model, save_model
from jointvos.config import Phase, TrainConfig
from jointvos.errors import ConfigError, NonFiniteLoss, TrainingError
from jointvos.training.packs import VideoClip
from jointvos.training.recipe import Run, StepReport, train
from jointvos.training.schedule import learning_rate, lovasz_share
from jointvos.training.synthesis import MiniSequenceSynthesizer

CONFIG = TrainConfig(
    model="joint-small",
    steps=4,
    phases=(Phase(1.0, (64, 96), 3, 1, (("video", 1.0),)),),
    warmup_steps=1,
    seed=3,
)


def clip() -> VideoClip:
    """A bright square that wanders over noise."""
    rng = np.random.default_rng(0)
    images, labels = [], []
    for t in range(6):
        image = rng.integers(0, 90, (90, 120, 3), dtype=np.uint8)
        label = np.zeros((90, 120), np.uint8)
        image[20 + 4 * t : 50 + 4 * t, 30 + 6 * t : 60 + 6 * t] = (240, 200, 40)
        label[20 + 4 * t : 50 + 4 * t, 30 + 6 * t : 60 + 6 * t] = 1
        images.append(image)
        labels.append(label)
    return VideoClip("square", images, labels)


def new_run(config: TrainConfig = CONFIG) -> Run:
    return Run(config, MiniSequenceSynthesizer([clip()], [], seed=config.seed), torch.device("cpu"))


def finish(run: Run, out: Path, **options) -> list[StepReport]:
    return list(train(run, out, save=lambda net, path: save_model(net, path, half=True), **options))


def test_interrupted_and_resumed_equals_uninterrupted_to_the_bit(tmp_path):
    whole = new_run()
    reports = finish(whole, tmp_path / "whole")

    stop = Event()
    first = new_run()
    steps = train(first, tmp_path / "parts", save=lambda net, path: None, stop=stop)
    next(steps)
    next(steps)
    stop.set()
    assert list(steps) == []
    assert not (tmp_path / "parts" / "joint-small.safetensors").exists()

    second = new_run()
    second.resume(tmp_path / "parts" / "last.ckpt")
    assert second.step == 2
    rest = finish(second, tmp_path / "parts")
    assert [report.step for report in rest] == [2, 3]
    assert [report.loss for report in rest] == [report.loss for report in reports[2:]]
    for part in ("net", "averaged"):
        ours, theirs = second.state()[part], whole.state()[part]
        assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    log = (tmp_path / "parts" / "log.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in log] == ["step", "0", "1", "2", "3"]


def test_another_seed_is_another_run():
    one, other = new_run(), new_run(replace(CONFIG, seed=4))
    assert not torch.equal(one.net.heads.weight, other.net.heads.weight)


def test_the_kept_file_is_the_averaged_network(tmp_path):
    run = new_run(replace(CONFIG, steps=2))
    finish(run, tmp_path)
    net = load_model(tmp_path / "joint-small.safetensors")
    kept = run.kept.decoder.upsample1.weight
    torch.testing.assert_close(net.decoder.upsample1.weight, kept, rtol=1e-3, atol=1e-6)
    assert not torch.equal(kept, run.net.decoder.upsample1.weight)


def test_a_loss_that_is_not_finite_stops_the_run(tmp_path):
    run = new_run()
    with torch.no_grad():
        run.net.decoder.upsample2.weight.fill_(float("nan"))
    with pytest.raises(NonFiniteLoss, match="step 0"):
        finish(run, tmp_path)


def test_resuming_another_configuration_or_nothing_is_refused(tmp_path):
    with pytest.raises(TrainingError, match="not there"):
        new_run().resume(tmp_path / "last.ckpt")
    finish(new_run(replace(CONFIG, steps=1)), tmp_path)
    with pytest.raises(TrainingError, match="another configuration"):
        new_run().resume(tmp_path / "last.ckpt")
    (tmp_path / "last.ckpt").write_bytes(b"nonsense")
    with pytest.raises(TrainingError, match="damaged"):
        new_run().resume(tmp_path / "last.ckpt")


def test_rates_and_losses_follow_the_step():
    config = replace(CONFIG, steps=1000, warmup_steps=100, learning_rate=1.0)
    assert learning_rate(config, 0) == pytest.approx(0.01)
    assert learning_rate(config, 100) == pytest.approx(1.0)
    assert learning_rate(config, 1000) == pytest.approx(0.02)
    assert lovasz_share(config, 419) == 0
    assert lovasz_share(config, 500) == pytest.approx(0.5)
    assert lovasz_share(config, 580) == 1


def test_phases_must_cover_the_run():
    with pytest.raises(ConfigError, match="sum to 1"):
        replace(CONFIG, phases=(Phase(0.5, (64, 96), 3, 1, (("video", 1.0),)),))
