"""The training run, from the first step to the file that is kept.

Every step is a function of the configuration, its number and the state in `Run`: data, learning
rate and losses are looked up by step number, so a run that was stopped goes on as if it had not.
"""

import csv
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from jointvos.config import MODELS, TrainConfig, preset, to_dict
from jointvos.errors import NonFiniteLoss, TrainingError
from jointvos.model import JointNet
from jointvos.training.checkpoint import load_checkpoint, save_checkpoint
from jointvos.training.losses import cosine_loss, lovasz_loss, soft_iou_loss
from jointvos.training.schedule import learning_rate, lovasz_share, parameter_groups
from jointvos.training.synthesis import MiniSequences, MiniSequenceSynthesizer
from jointvos.training.unroll import unroll

SAFETY_CROSS_ENTROPY = 0.25


@dataclass(frozen=True)
class StepReport:
    """What one step did.

    Attributes:
        step: Number of the step, from 0.
        loss: Total loss.
        segmentation: Its segmentation part.
        iou: Mean soft IoU of the predictions with the truth.
        foreground: Predicted foreground relative to the true one.
        gradient_norm: Before clipping.
        seconds: Wall time of the step, waiting for data included.
        wait: Seconds of those spent waiting for data.
        sequences: Mini-sequences in the step.
    """

    step: int
    loss: float
    segmentation: float
    iou: float
    foreground: float
    gradient_norm: float
    seconds: float
    wait: float
    sequences: int


def total_loss(
    net: JointNet, auxiliary: nn.Module, config: TrainConfig, batch: MiniSequences, step: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Loss of a batch, its segmentation part, and the predicted probabilities."""
    with torch.autocast(batch.images.device.type, torch.bfloat16, enabled=config.bf16):
        out = unroll(
            net,
            batch.images.float(),
            batch.masks[:, :1],
            config.initial_steps,
            config.update_steps,
        )
    truth = batch.masks[:, 1:]
    probabilities = out.logits.sigmoid()
    cross_entropy = F.binary_cross_entropy_with_logits(out.logits, truth)
    share = lovasz_share(config, step)
    segmentation = (1 - share) * (2 * cross_entropy + soft_iou_loss(probabilities, truth))
    if share > 0:
        lovasz = lovasz_loss(probabilities, truth) + SAFETY_CROSS_ENTROPY * cross_entropy
        segmentation = segmentation + share * lovasz
    coarse = F.avg_pool2d(truth.flatten(0, 1), 16)
    guess = auxiliary(out.search_encodings.flatten(0, 1))
    loss = segmentation + config.auxiliary_weight * F.binary_cross_entropy_with_logits(
        guess, coarse
    )
    encodings = out.encodings
    if encodings.transduction is not None and encodings.induction is not None:
        loss = loss + config.cosine_weight * cosine_loss(
            encodings.transduction, encodings.induction
        )
    return loss, segmentation, probabilities


class Run:
    """A training run: network, averaged weights, optimiser and the number of the next step."""

    def __init__(
        self, config: TrainConfig, data: MiniSequenceSynthesizer, device: torch.device
    ) -> None:
        torch.manual_seed(config.seed)
        self.config = config
        self.data = data
        self.device = device
        self.step = 0
        self.net = JointNet(preset(MODELS, config.model)).to(device).train()
        self.net.to(memory_format=torch.channels_last)
        self.auxiliary = nn.Conv2d(self.net.config.encoding_dim, 1, 1).to(device)
        decay = get_ema_multi_avg_fn(config.ema_decay)  # type: ignore[no-untyped-call]
        self.averaged = AveragedModel(self.net, multi_avg_fn=decay)
        self.optimiser = torch.optim.AdamW(
            [
                *parameter_groups(self.net, config),
                {"params": list(self.auxiliary.parameters()), "weight_decay": 0.0, "rate": 1.0},
            ],
            lr=config.learning_rate,
        )

    @property
    def kept(self) -> JointNet:
        """The averaged network, the one that is shipped."""
        net = self.averaged.module
        assert isinstance(net, JointNet)
        return net

    def state(self) -> dict[str, Any]:
        """Everything that a resumed run needs."""
        return {
            "config": to_dict(self.config),
            "step": self.step,
            "net": self.net.state_dict(),
            "auxiliary": self.auxiliary.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimiser": self.optimiser.state_dict(),
        }

    def resume(self, path: Path) -> None:
        """Go on from a checkpoint.

        Raises:
            TrainingError: It is missing, damaged, or of a run with another configuration.
        """
        state = load_checkpoint(path)
        if state["config"] != to_dict(self.config):
            raise TrainingError(f"{path} belongs to another configuration; use another --out")
        self.step = state["step"]
        self.net.load_state_dict(state["net"])
        self.auxiliary.load_state_dict(state["auxiliary"])
        self.averaged.load_state_dict(state["averaged"])
        self.optimiser.load_state_dict(state["optimiser"])

    def _make(self, step: int) -> MiniSequences:
        phase = self.config.phase(step)
        return self.data.batch(
            step, phase.batch_size, dict(phase.mix), phase.crop_size, phase.frames
        )

    def _advance(self, batch: MiniSequences) -> dict[str, float]:
        step, config = self.step, self.config
        rate = learning_rate(config, step)
        for group in self.optimiser.param_groups:
            group["lr"] = rate * group["rate"]
        loss, segmentation, probabilities = total_loss(
            self.net, self.auxiliary, config, batch, step
        )
        if not torch.isfinite(loss):
            raise NonFiniteLoss(f"the loss is {loss.item()} at step {step}")
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(
            [p for group in self.optimiser.param_groups for p in group["params"]],
            config.clip_norm,
        )
        self.optimiser.step()
        self.averaged.update_parameters(self.net)
        truth = batch.masks[:, 1:]
        with torch.no_grad():
            return {
                "loss": loss.item(),
                "segmentation": segmentation.item(),
                "iou": 1 - soft_iou_loss(probabilities, truth).item(),
                "foreground": (probabilities.sum() / truth.sum().clamp_min(1)).item(),
                "gradient_norm": norm.item(),
            }

    def steps(self) -> Iterator[StepReport]:
        """Train to the end, one report per step; data of the next step is made meanwhile."""
        with ThreadPoolExecutor(1) as pool:
            upcoming: Future[MiniSequences] = pool.submit(self._make, self.step)
            while self.step < self.config.steps:
                begin = time.perf_counter()
                batch = upcoming.result().to(self.device)
                wait = time.perf_counter() - begin
                if self.step + 1 < self.config.steps:
                    upcoming = pool.submit(self._make, self.step + 1)
                numbers = self._advance(batch)
                report = StepReport(
                    step=self.step,
                    seconds=time.perf_counter() - begin,
                    wait=wait,
                    sequences=batch.images.shape[0],
                    **numbers,
                )
                self.step += 1
                yield report


def train(
    run: Run,
    out: Path,
    *,
    save: Callable[[JointNet, Path], None],
    stop: Event | None = None,
    checkpoint_seconds: float = 60.0,
) -> Iterator[StepReport]:
    """Train to the end, one report per step; whoever iterates shows the progress.

    Writes `log.csv` and `last.ckpt` into `out` as it goes, and in the end the averaged weights as
    `<model>.safetensors` with `save`. When `stop` is set, the step in hand is finished, the
    checkpoint written, and the iteration ends.

    Raises:
        NonFiniteLoss: The loss became NaN or infinite.
    """
    out.mkdir(parents=True, exist_ok=True)
    checkpoint = out / "last.ckpt"
    saved_at = time.monotonic()
    fields = list(StepReport.__dataclass_fields__)
    with (out / "log.csv").open("a", newline="", encoding="utf-8") as log:
        rows = csv.writer(log)
        if log.tell() == 0:
            rows.writerow(fields)
        for report in run.steps():
            rows.writerow([getattr(report, name) for name in fields])
            log.flush()
            yield report
            stopping = stop is not None and stop.is_set()
            if stopping or time.monotonic() - saved_at > checkpoint_seconds:
                save_checkpoint(checkpoint, run.state())
                saved_at = time.monotonic()
            if stopping:
                return
    save_checkpoint(checkpoint, run.state())
    save(run.kept, out / f"{run.config.model}.safetensors")
