"""A run on a handful of generated images: resuming, stopping, sharing, what it leaves behind."""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event

import numpy as np
import pytest
import torch
from command import CONTEXT

from jointvos.checkpoints import load_model, save_model
from jointvos.distributed import Processes, joined_processes
from jointvos.errors import ConfigError, NonFiniteLoss, TrainingError
from jointvos.training.data.packs import VideoClip
from jointvos.training.data.synthesis import MiniSequenceSynthesizer
from jointvos.training.run import Run, StepReport, draw
from jointvos.training.train_config import Phase, Stage, TrainConfig, read_recipe
from jointvos.training.trainer import Trainer
from jointvos.training.validation import Validation

PHASES = (Phase(1.0, (48, 64), 2, 2, {"video": 1.0}),)
CONFIG = TrainConfig(
    model="joint-lite",
    data="synthesis",
    stages=(
        Stage(2, 1e-3, PHASES, {"learner.filter_reg": 0.02}, lovasz_start=0.5, lovasz_full=1.0),
        Stage(2, 5e-4, PHASES, {"backbone.": 0.0}, schedule="drops", drops=(0.5,)),
    ),
    weight_decay=0.01,
    clip_norm=1.0,
    segmentation_weight=1.0,
    cosine_weight=0.01,
    auxiliary_weight=0.3,
    ema_decay=0.9,
    checkpoint_steps=100,
    validation_steps=2,
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
    return VideoClip("square", tuple(images), tuple(labels))


def new_run(config: TrainConfig = CONFIG, processes: Processes | None = None, **options) -> Run:
    data = MiniSequenceSynthesizer([clip()], [], seed=config.seed)
    return Run(config, data, torch.device("cpu"), processes, **options)


def save(net, path):
    save_model(net, path, half=True)


def trainer(run: Run, out: Path, **options) -> Trainer:
    """Without curves, whose drawing takes longer than the steps."""
    made = Trainer(run, out, save=save, **options)
    made.draws = False
    return made


def finish(run: Run, out: Path, **options) -> list[StepReport]:
    return list(trainer(run, out, **options).train())


def assert_same_weights(ours: Run, theirs: Run, **tolerance) -> None:
    for part in ("weights", "averaged"):
        a, b = ours.state()[part], theirs.state()[part]
        assert a.keys() == b.keys()
        for name in a:
            torch.testing.assert_close(a[name], b[name], **tolerance, msg=lambda m, n=name: n + m)


@dataclass(frozen=True)
class Finished:
    """A run of one process from the beginning to the end."""

    run: Run
    reports: list[StepReport]
    folder: Path


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Finished:
    run, folder = new_run(), tmp_path_factory.mktemp("whole")
    return Finished(run, finish(run, folder), folder)


def test_interrupted_and_resumed_equals_uninterrupted_to_the_bit(whole, tmp_path):
    """Stopped after every step."""
    losses = []
    for step in range(4):
        stop = Event()
        part = trainer(new_run(), tmp_path, stop=stop)
        if step:
            part.resume()
        assert part.run.step == step
        for report in part.train():
            losses.append(report.loss)
            stop.set()
        assert (tmp_path / "joint-lite.safetensors").exists() == (step == 3)
    assert losses == [report.loss for report in whole.reports]
    assert_same_weights(part.run, whole.run, rtol=0, atol=0)
    log = (tmp_path / "log.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in log] == ["step", "0", "1", "2", "3"]


def test_rows_after_the_last_checkpoint_are_done_again(tmp_path):
    config = replace(CONFIG, checkpoint_steps=1)
    steps = trainer(new_run(config), tmp_path).train()
    for _ in range(2):
        next(steps)  # killed after step 1, its checkpoint not yet written
    steps.close()
    (half := tmp_path / f".last.ckpt.{'0' * 16}.partial").touch()
    again = trainer(new_run(config), tmp_path)
    again.resume()
    assert not half.exists()
    assert next(again.train()).step == 1
    rows = (tmp_path / "log.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows[1:]] == ["0", "1"]


def test_a_stage_has_its_own_rates_and_frozen_parts(tmp_path):
    run = new_run()
    before = run.net.backbone.stem.weight.clone()
    reports = []
    for report in run.steps():
        reports.append(report)
        if run.step == 2:
            between = run.net.backbone.stem.weight.clone()
    assert [report.stage for report in reports] == [1, 1, 2, 2]
    assert [report.rate for report in reports][2:] == pytest.approx([5e-4, 1e-4])
    assert not torch.equal(before, between)
    assert torch.equal(between, run.net.backbone.stem.weight)


class StepClock:
    """Time that passes in training steps alone: a second each, the first one taking ten."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def counting(self, run: Run) -> Run:
        def tick(*_) -> None:
            self.now += 1.0 if run.step else 10.0

        run.optimizer.register_step_post_hook(tick)
        return run


BY_MINUTES = replace(
    CONFIG,
    minutes=0.35,  # 21 s: 11 for the first two steps, then 10 steps
    stages=(
        replace(
            CONFIG.stages[0],
            steps=1,
            phases=(
                replace(PHASES[0], share=0.4),
                replace(PHASES[0], share=0.6, crop_size=(48, 80)),
            ),
        ),
    ),
)


@pytest.fixture(scope="module")
def timed(tmp_path_factory) -> Finished:
    clock = StepClock()
    run, folder = new_run(BY_MINUTES, clock=clock), tmp_path_factory.mktemp("timed")
    reports = finish(clock.counting(run), folder)
    assert clock.now == 21
    return Finished(run, reports, folder)


def test_a_run_by_minutes_ends_in_its_time_at_its_lowest_rate(timed):
    reports = timed.reports
    assert len(reports) == 12
    assert [report.progress for report in reports][:4] == pytest.approx([0, 0, 0, 1 / 10])
    assert reports[-1].progress == pytest.approx(9 / 10)
    peak = BY_MINUTES.stages[0].learning_rate
    assert reports[-1].rate == pytest.approx(peak * (0.02 + 0.98 * 0.0245), rel=0.01)
    # One batch is drawn ahead, so a phase begins a step later than the clock says.
    assert [report.phase for report in reports] == [1] * 7 + [2] * 5


@pytest.mark.slow
def test_a_run_by_minutes_goes_on_with_the_time_it_had_left(tmp_path):
    clock, stop = StepClock(), Event()
    run = clock.counting(new_run(BY_MINUTES, clock=clock))
    first = trainer(run, tmp_path, stop=stop).train()
    for _ in range(5):
        next(first)
    stop.set()
    assert list(first) == []
    clock.now = 1000.0
    second = trainer(new_run(BY_MINUTES, clock=clock), tmp_path)
    second.resume()
    clock.counting(second.run)
    assert len(list(second.train())) == 7
    assert clock.now == 1007
    assert sum(second.run.taken[0]) == 12


def test_a_run_by_minutes_can_be_repeated_by_steps(timed):
    recipe = read_recipe(timed.folder / "recipe_by_steps.toml")
    assert [phase.steps for phase in recipe.stages[0].phases] == timed.run.taken[0]
    after = list(new_run(recipe).steps())
    assert [report.phase for report in after] == [report.phase for report in timed.reports]
    # The same data in the same order; only the rate within a phase goes by steps instead of time.
    assert after[0].loss == timed.reports[0].loss
    assert [report.rate for report in after] == pytest.approx(
        [report.rate for report in timed.reports], rel=0.5
    )


def _part_of_a_run(rank: int, port: int, folder: Path) -> None:
    import os

    os.environ |= {"RANK": str(rank), "WORLD_SIZE": "2", "LOCAL_RANK": str(rank)}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    torch.set_num_threads(1)
    with joined_processes("cpu") as (processes, _):
        run = new_run(processes=processes)
        reports = finish(run, folder)
        torch.save([report.loss for report in reports], folder.parent / f"losses{rank}.pt")


@pytest.mark.slow
def test_two_processes_equal_one(whole, tmp_path):
    port = 20_000 + int(np.random.default_rng().integers(20_000))
    both = [
        CONTEXT.Process(target=_part_of_a_run, args=(rank, port, tmp_path / "two"))
        for rank in (0, 1)
    ]
    for process in both:
        process.start()
    for process in both:
        process.join()
        assert process.exitcode == 0
    shared = new_run()
    shared.resume(tmp_path / "two" / "last.ckpt")
    # AdamW's first steps divide a gradient by its own size, so where it is nearly nothing the order
    # of a sum decides: the way from the start is compared, not every number.
    start = new_run()
    way, gap = (
        sum(
            (a - b).square().sum()
            for a, b in zip(one.parameters(), other.parameters(), strict=True)
        )
        for one, other in ((whole.run.net, start.net), (whole.run.net, shared.net))
    )
    assert way > 0
    assert (gap / way).sqrt() < 0.01
    losses = [torch.load(tmp_path / f"losses{rank}.pt") for rank in (0, 1)]
    assert losses[0] == pytest.approx([report.loss for report in whole.reports], rel=1e-4)
    assert losses[1] == losses[0]


def gradients(config: TrainConfig) -> tuple[StepReport, torch.Tensor]:
    run = new_run(config)
    report = next(run.steps())
    return report, torch.cat([p.grad.flatten() for p in run.unrolling.parameters()])


def test_a_batch_in_parts_has_the_gradient_and_the_losses_of_the_whole():
    # Cross-entropy and soft IoU are means over sequences; Lovasz is not, so it is left out.
    phase = replace(PHASES[0], batch_size=5)
    stage = replace(CONFIG.stages[0], phases=(phase,), lovasz_start=1.0, lovasz_full=1.0)
    config = replace(CONFIG, stages=(stage,), clip_norm=0.0, branch_drop=0.6)
    whole, expected = gradients(config)
    for parts in (3, 4, 8):  # 2 + 2 + 1, the same, and five of one
        report, found = gradients(replace(config, accumulate=parts))
        assert (found - expected).norm() < 1e-4 * expected.norm()
        for name in ("loss", "segmentation", "cosine", "auxiliary", "iou"):
            assert getattr(report, name) == pytest.approx(getattr(whole, name), rel=1e-4)


def test_bfloat16_changes_little():
    losses = [
        next(new_run(replace(CONFIG, precision=precision)).steps()).loss
        for precision in ("fp32", "bf16")
    ]
    assert losses[0] != losses[1]
    assert losses[0] == pytest.approx(losses[1], rel=0.05)


@pytest.mark.parametrize("without", ["transduction", "induction", "two-head", "cosine"])
def test_every_ablation_trains(without):
    run = new_run(replace(CONFIG, without=(without,)))
    report = next(run.steps())
    assert np.isfinite(report.loss)
    assert run.net.config.transduction == (without != "transduction")
    assert run.net.config.induction == (without != "induction")
    assert run.net.config.two_head == (without == "cosine")
    one_branch = without in ("transduction", "induction")
    assert (report.cosine == 0) == (one_branch or without == "two-head")


def test_so_many_sequences_hear_one_branch_only():
    config = replace(CONFIG, branch_drop=0.6)
    run, second = new_run(config), new_run(config)
    second.processes = Processes(rank=1, count=2)
    drawn = []
    for run.step in range(400):
        kept = run.branch_mask(5)
        assert kept.shape == (5, 2)
        second.step = run.step
        assert torch.equal(second.branch_mask(2), run.branch_mask(4)[2:])
        drawn.append(kept)
    shares = dict.fromkeys(((1, 1), (0, 1), (1, 0), (0, 0)), 0.0)
    for row in torch.cat(drawn).tolist():
        shares[tuple(row)] += 1 / 2000
    assert [*shares.values()] == pytest.approx([0.4, 0.3, 0.3, 0], abs=0.04)
    assert new_run().branch_mask(5) is None
    assert np.isfinite(next(new_run(config).steps()).loss)


def test_a_dropped_branch_cannot_be_missing():
    with pytest.raises(ConfigError, match=r"branch_drop is 0\.6, expected 0 where"):
        replace(CONFIG, branch_drop=0.6, without=("induction",))


def test_another_seed_is_another_run():
    one, other = new_run(), new_run(replace(CONFIG, seed=4))
    assert not torch.equal(one.net.heads.weight, other.net.heads.weight)


def test_the_kept_file_is_the_averaged_network(whole):
    net = load_model(whole.folder / "joint-lite.safetensors")
    kept = whole.run.kept.decoder.upsample1.weight
    torch.testing.assert_close(net.decoder.upsample1.weight, kept, rtol=1e-3, atol=1e-6)
    assert not torch.equal(kept, whole.run.net.decoder.upsample1.weight)


def test_the_best_by_validation_and_the_last_are_kept(tmp_path):
    scores = iter([40.0, 30.0])
    said = []
    run = new_run()
    weights = []

    def validate(net):
        weights.append(net.decoder.upsample1.weight.clone())
        return Validation(next(scores), {"a": (50.0, 30.0)}, ())

    list(Trainer(run, tmp_path, save=save, validate=validate, on_validation=said.append).train())
    assert [validation.j_and_f for validation in said] == [40.0, 30.0]
    best = load_model(tmp_path / "best.safetensors").decoder.upsample1.weight
    torch.testing.assert_close(best, weights[0], rtol=1e-3, atol=1e-6)
    rows = (tmp_path / "validation.csv").read_text().split()
    assert rows == ["step,j_and_f", "2,40.0", "4,30.0"]
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_the_batch(tmp_path):
    run = new_run()
    with torch.no_grad():
        run.net.decoder.upsample2.weight.fill_(float("nan"))
    with pytest.raises(NonFiniteLoss, match=r"step 0.*nonfinite\.pt"):
        finish(run, tmp_path)
    kept = torch.load(tmp_path / "nonfinite.pt", weights_only=True)
    assert kept["step"] == 0
    assert torch.equal(kept["images"], draw(run.data, run.batch_spec(0)).images)


def test_resuming_another_configuration_or_nothing_is_refused(whole, tmp_path):
    with pytest.raises(TrainingError, match="does not exist"):
        new_run().resume(tmp_path / "last.ckpt")
    shutil.copy(whole.folder / "last.ckpt", tmp_path)
    with pytest.raises(TrainingError, match=r"another configuration \(ema_decay differ"):
        new_run(replace(CONFIG, ema_decay=0.5)).resume(tmp_path / "last.ckpt")
    (tmp_path / "last.ckpt").write_bytes(b"nonsense")
    with pytest.raises(TrainingError, match="damaged"):
        new_run().resume(tmp_path / "last.ckpt")
