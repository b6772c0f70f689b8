"""A training run step by step: what changes, and how it is kept.

Every step is a function of the recipe, its number and the state in `Run`: data, learning rate and
losses are looked up by step number, so a run that was stopped goes on as if it had not. In a run by
minutes the clock decides how far it is; the steps it took are counted, to repeat it by them.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from jointvos.checkpoints.state_file import load_state
from jointvos.config import to_dict
from jointvos.distributed import Processes
from jointvos.errors import NonFiniteLoss, TrainingError
from jointvos.model import JointNet
from jointvos.training.data.feed import feed
from jointvos.training.data.mini_sequences import Data, MiniSequences
from jointvos.training.objective import Objective, objective
from jointvos.training.schedule import learning_rate, lovasz_share, parameter_groups
from jointvos.training.train_config import Moment, TrainConfig
from jointvos.training.unroll import Unrolled, unroll

UNTIMED = 2
"""First steps that a run by minutes leaves out of its schedule: they load kernels."""


@dataclass(frozen=True)
class BatchSpec:
    """What a batch is made of: the arguments of `Data.batch`, and the moment it is for."""

    moment: Moment
    step: int
    size: int
    mix: Mapping[str, float]
    crop_size: tuple[int, int]
    frames: int
    first: int


def draw(data: Data, spec: BatchSpec) -> MiniSequences:
    """The batch that a spec describes."""
    return data.batch(
        spec.step,
        spec.size,
        spec.mix,
        spec.crop_size,
        spec.frames,
        first=spec.first,
    )


@dataclass(frozen=True)
class StepReport:
    """What one step did, over all processes.

    Attributes:
        step: Number of the step, from 0.
        stage: Number of its stage, from 1.
        phase: Number of its phase in the stage, from 1.
        progress: Share of the stage that was past.
        rate: Learning rate.
        loss: Total loss.
        segmentation: Segmentation loss, not weighted.
        cosine: Similarity of the two mask encodings (Eq. 8), not weighted.
        auxiliary: Cross-entropy of the mask encodings, not weighted.
        iou: Mean soft IoU of the predictions with the truth.
        foreground: Predicted foreground relative to the true one.
        gradient_norm: Before clipping.
        seconds: Wall time of the step, waiting for data included.
        wait: Seconds of those spent waiting for data.
        compute: Seconds of those in which the device was at work on the network.
        sequences: Mini-sequences in the step.
    """

    step: int
    stage: int
    phase: int
    progress: float
    rate: float
    loss: float
    segmentation: float
    cosine: float
    auxiliary: float
    iou: float
    foreground: float
    gradient_norm: float
    seconds: float
    wait: float
    compute: float
    sequences: int


class Unrolling(nn.Module):
    """The network over whole mini-sequences, as one module that can be shared by processes."""

    def __init__(self, net: JointNet, config: TrainConfig) -> None:
        super().__init__()
        self.net = net
        self.initial_steps = config.initial_steps
        self.update_steps = config.update_steps
        dim = net.config.encoding_dim
        self.auxiliary = nn.Conv2d(dim, 1, 1) if config.auxiliary_weight > 0 else None

    def forward(
        self, images: Tensor, first_mask: Tensor, branch_mask: Tensor | None
    ) -> tuple[Unrolled, Tensor | None]:
        """`unroll`, and the masks as guessed from the encodings alone.

        Shapes: images [B,T,3,H,W], first_mask [B,1,1,H,W], branch_mask [B,2]; guess
        [B*(T-1),1,h,w].
        """
        out = unroll(
            self.net, images, first_mask, self.initial_steps, self.update_steps, branch_mask
        )
        guess = None
        if self.auxiliary is not None:
            guess = self.auxiliary(out.search_encodings.flatten(0, 1))
        return out, guess


class Run:
    """A training run: network, averaged weights, optimizer and the number of the next step.

    Args:
        config: The recipe.
        data: Where mini-sequences come from.
        device: Of the network.
        processes: That share every batch.
        drawing: Processes that make data; 0 for a thread.
        clock: Tells the time in seconds, of which a run by minutes has so many.

    Attributes:
        step: Number of the next step, from 0.
        taken: Steps so far in every phase of every stage.
        net: The network as the optimizer sees it.
        batch: The last batch that went through the network.
    """

    def __init__(
        self,
        config: TrainConfig,
        data: Data,
        device: torch.device,
        processes: Processes | None = None,
        drawing: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        torch.manual_seed(config.seed)
        self.config = config
        self.data = data
        self.device = device
        self.processes = processes or Processes()
        self.drawing = drawing
        self.clock = clock
        self.step = 0
        self.taken = [[0] * len(stage.phases) for stage in config.stages]
        self._elapsed = 0.0  # seconds before this process began, of a run that goes on
        self._untimed = 0.0  # seconds that the first steps took
        self._last = 0.0  # seconds of the last step
        self._began = self.clock()
        self.batch: MiniSequences | None = None
        self.net = JointNet(config.network()).to(device).train()
        self.net.to(memory_format=torch.channels_last)
        self.unrolling = Unrolling(self.net, config).to(device)
        decay = get_ema_multi_avg_fn(config.ema_decay)  # type: ignore[no-untyped-call]
        self.averaged = AveragedModel(self.net, multi_avg_fn=decay)
        if config.compile:
            self.net.backbone.compile()
            self.net.decoder.compile()
        self.forward: nn.Module = self.unrolling
        if self.processes.count > 1:
            # Made while nothing is frozen yet; what a stage freezes it then finds unused.
            self.forward = DistributedDataParallel(self.unrolling, find_unused_parameters=True)
        self._enter(0)

    @property
    def kept(self) -> JointNet:
        """The averaged network, the one that is shipped."""
        net = self.averaged.module
        assert isinstance(net, JointNet)
        return net

    def _enter(self, stage: int) -> None:
        """Begin a stage: what is frozen in it, and an optimizer of its own."""
        self.stage = stage
        config = self.config
        groups = parameter_groups(self.net, config.stages[stage].rates, config.weight_decay)
        if self.unrolling.auxiliary is not None:
            own = list(self.unrolling.auxiliary.parameters())
            groups.append({"params": own, "weight_decay": 0.0, "rate": 1.0})
        self.optimizer = torch.optim.AdamW(groups, lr=config.stages[stage].learning_rate)

    def state(self) -> dict[str, Any]:
        """Everything that a resumed run needs."""
        return {
            "config": to_dict(self.config),
            "step": self.step,
            "stage": self.stage,
            "weights": self.unrolling.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "random": torch.get_rng_state(),
            "taken": self.taken,
            "elapsed": self.elapsed,
            "untimed": self._untimed,
        }

    def resume(self, path: Path) -> None:
        """Go on from a checkpoint.

        Raises:
            TrainingError: It is missing, damaged, or of a run with another recipe.
        """
        if not path.is_file():
            raise TrainingError(f"{path} does not exist", hint="start without `resume` first")
        try:
            state = load_state(path)
        except ValueError as error:
            raise TrainingError(f"{path} is damaged or no checkpoint; delete it") from error
        recipe = to_dict(self.config)
        if state["config"] != recipe:
            changed = [key for key in recipe if state["config"].get(key) != recipe[key]]
            raise TrainingError(
                f"{path} belongs to another configuration ({', '.join(changed)} differ)",
                hint="use another `out`",
            )
        self.step, self.taken = state["step"], state["taken"]
        self._elapsed, self._untimed = state["elapsed"], state["untimed"]
        self._began = self.clock()
        self._enter(state["stage"])
        self.unrolling.load_state_dict(state["weights"])
        self.averaged.load_state_dict(state["averaged"])
        self.optimizer.load_state_dict(state["optimizer"])
        torch.set_rng_state(state["random"])

    @property
    def elapsed(self) -> float:
        """Seconds that the run has taken, those before it was resumed included."""
        return self._elapsed + self.clock() - self._began

    @property
    def over(self) -> bool:
        """Whether nothing is left to do; in a run by minutes, whether no further step fits in."""
        if self.config.minutes:
            return self._share(ahead=self._last) > 1
        return self.step >= self.config.steps

    def _share(self, ahead: float = 0.0) -> float:
        """Share of its time that a run by minutes has had, or will have had so many seconds later.

        It is the same in all processes.
        """
        if self.step < UNTIMED:
            return 0.0
        whole = 60 * self.config.minutes - self._untimed
        share = (self.elapsed + ahead - self._untimed) / max(whole, 1e-9)
        if self.processes.count == 1:
            return share
        return self.processes.mean(torch.tensor(share, device=self.device)).item()

    def batch_spec(self, step: int) -> BatchSpec | None:
        """This process's part of the batch of a step, decided now; None if there is none.

        Raises:
            TrainingError: The batch cannot be divided among the processes.
        """
        config = self.config
        if config.minutes:
            share = self._share()
            moment = config.at_share(share) if share < 1 else None
        else:
            moment = config.at_step(step) if step < config.steps else None
        if moment is None:
            return None
        phase = config.stages[moment.stage].phases[moment.phase]
        part, rest = divmod(phase.batch_size, self.processes.count)
        if rest or not part:
            raise TrainingError(
                f"batch_size is {phase.batch_size}, expected a multiple of the "
                f"{self.processes.count} processes"
            )
        first = part * self.processes.rank
        return BatchSpec(moment, step, part, phase.mix, phase.crop_size, phase.frames, first)

    def _batch_specs(self) -> Iterator[BatchSpec]:
        step = self.step
        while (spec := self.batch_spec(step)) is not None:
            yield spec
            step += 1

    def branch_mask(self, sequences: int) -> Tensor | None:
        """Which branches each of this process's sequences keeps in this step, [B,2] in {0, 1}."""
        if self.config.branch_drop == 0:
            return None
        random = torch.Generator().manual_seed(1_000_003 * self.config.seed + self.step)
        chance = torch.rand(sequences * self.processes.count, generator=random)
        drop = self.config.branch_drop
        branch_mask = torch.stack((chance >= drop / 2, chance < 1 - drop / 2), dim=1).float()
        first = sequences * self.processes.rank
        return branch_mask[first : first + sequences].to(self.device)

    def _backward(
        self, batch: MiniSequences, branch_mask: Tensor | None, lovasz: float, weight: float
    ) -> Objective:
        """Gradients, times a weight, of a part of a batch that is already on the device."""
        with torch.autocast(
            self.device.type, torch.bfloat16, enabled=self.config.precision == "bf16"
        ):
            masks = batch.masks.float()
            out, guess = self.forward(batch.images.float(), masks[:, :1], branch_mask)
        found = objective(out, guess, masks[:, 1:], self.config, lovasz, self.processes)
        if not torch.isfinite(found.loss):
            raise NonFiniteLoss(f"the loss is {found.loss.item()} at step {self.step}")
        (weight * found.total).backward()  # type: ignore[no-untyped-call]
        return found

    def advance(self, batch: MiniSequences, moment: Moment) -> dict[str, float]:
        """One step of the optimizer.

        Args:
            batch: On the device.
            moment: Where in the recipe it is.

        Raises:
            NonFiniteLoss: The loss or its gradient is NaN or infinite; nothing was changed.
        """
        if moment.stage != self.stage:
            self._enter(moment.stage)
        self.batch = batch
        recipe = self.config.stages[moment.stage]
        rate = learning_rate(recipe, sum(self.taken[moment.stage]), moment.progress)
        lovasz = lovasz_share(recipe, moment.progress)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["rate"]
        self.optimizer.zero_grad(set_to_none=True)
        pieces = self.config.accumulate
        images, masks = batch.images.chunk(pieces), batch.masks.chunk(pieces)
        # They may be fewer, and the last one smaller, so each counts by its sequences.
        weights = [len(part) / len(batch.images) for part in images]
        shown = ("loss", "segmentation", "cosine", "auxiliary", "iou", "foreground")
        found: list[Tensor] = []
        branch_mask = self.branch_mask(len(batch.images))
        mask_parts = [None] * len(images) if branch_mask is None else branch_mask.chunk(pieces)
        parts = zip(map(MiniSequences, images, masks), mask_parts, weights, strict=True)
        for number, (part, mask_part, weight) in enumerate(parts, start=1):
            waits = self.processes.count > 1 and number < len(images)
            with self.forward.no_sync() if waits else nullcontext():  # type: ignore[operator]
                losses = self._backward(part, mask_part, lovasz, weight)
            found.append(weight * torch.stack([getattr(losses, name) for name in shown]))
        norm = nn.utils.clip_grad_norm_(
            [p for group in self.optimizer.param_groups for p in group["params"]],
            self.config.clip_norm or float("inf"),
        )
        if not torch.isfinite(norm):
            raise NonFiniteLoss(f"the gradient's norm is {norm.item()} at step {self.step}")
        self.optimizer.step()
        self.averaged.update_parameters(self.net)
        numbers = dict(zip(shown, torch.stack(found).sum(0).tolist(), strict=True))
        return {"rate": rate, "gradient_norm": norm.item(), **numbers}

    def steps(self) -> Iterator[StepReport]:
        """Train to the end, one report per step; data of the next steps are made meanwhile."""
        batches = feed(partial(draw, self.data), self._batch_specs(), self.drawing)
        with closing(batches):  # type: ignore[type-var]
            while not self.over:
                begin = self.clock()
                if (answer := next(batches, None)) is None:
                    return
                spec, batch = answer[0], answer[1].to(self.device)
                ready = self.clock()
                moment = self._now(spec.moment)
                numbers = self.advance(batch, moment)  # ends with a value from the device
                done = self.clock()
                report = StepReport(
                    step=self.step,
                    stage=moment.stage + 1,
                    phase=moment.phase + 1,
                    progress=moment.progress,
                    seconds=done - begin,
                    wait=ready - begin,
                    compute=done - ready,
                    sequences=len(batch.images) * self.processes.count,
                    **numbers,
                )
                self.step += 1
                self.taken[moment.stage][moment.phase] += 1
                self._last = report.seconds
                if self.step == UNTIMED:
                    self._untimed = self.elapsed
                yield report

    def _now(self, asked: Moment) -> Moment:
        """The moment of a batch that was asked for earlier: the clock has gone on since."""
        if not self.config.minutes:
            return asked
        now = self.config.at_share(min(self._share(), 1.0))
        progress = now.progress if now.stage == asked.stage else 1.0
        return replace(asked, progress=progress)
