"""What a recipe can say, as frozen dataclasses, and how it is written as TOML."""

import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from pathlib import Path
from typing import Literal

import tomli_w

from jointvos.config import MODELS, Checked, ModelConfig, from_dict, preset, to_dict
from jointvos.errors import ConfigError

ABLATIONS = ("transduction", "induction", "two-head", "cosine")
"""What a run can be made without (Tables 1 and 2, and the loss of Eq. 8)."""


@dataclass(frozen=True)
class Phase(Checked):
    """What the data of a part of a stage look like.

    Attributes:
        share: Part of the stage that it takes: of its steps or, in a run by minutes, of its time.
        crop_size: Height and width of the crops, multiples of 16.
        frames: Frames of a mini-sequence, the given one included.
        batch_size: Mini-sequences per step, over all processes.
        mix: How often each kind of data is drawn, relative to the others.
        steps: Steps that it takes; 0 for its share of the stage's. A run by minutes writes down
            what they were, so that it can be repeated by steps.
    """

    share: float
    crop_size: tuple[int, int]
    frames: int
    batch_size: int
    mix: Mapping[str, float]
    steps: int = 0

    def problems(self) -> list[str]:
        found = []
        if any(side < 32 or side % 16 for side in self.crop_size):
            found.append(f"crop_size is {self.crop_size}, expected multiples of 16 from 32 up")
        if self.frames < 2:
            found.append(f"frames is {self.frames}, expected 2 or more")
        if self.steps < 0:
            found.append(f"steps is {self.steps}, expected 0 or more")
        if self.batch_size < 1:
            found.append(f"batch_size is {self.batch_size}, expected 1 or more")
        if not self.mix or min(self.mix.values()) < 0 or sum(self.mix.values()) <= 0:
            found.append(f"mix is {dict(self.mix)}, expected weights, some above 0, none below")
        return found


@dataclass(frozen=True)
class Chances(Checked):
    """How often "synthesis" makes a scene harder, each from 0 to 1.

    Attributes:
        company: Share of clips into whose background other objects are put.
        twins: Share of moving cut-outs that meet their look-alike.
        camouflaged: Share of moving cut-outs whose backdrop wears the target's colors.
        disguised: Share of other objects that wear the target's colors.
        late: Share of other objects that the first frame does not show.
        occluded: Share of moving cut-outs before which another object passes.
        video_twins: Share of clips whose target meets its look-alike, in a pose that it has in
            another frame.
        video_occluded: Share of clips before whose target another object passes.
        fast: Share of clips and moving cut-outs whose target is blurred along its way; the
            cut-outs also go farther.
        lit: Share of scenes whose light changes gradually.
    """

    company: float = 0.5
    twins: float = 0.3
    camouflaged: float = 0.3
    disguised: float = 0.4
    late: float = 0.5
    occluded: float = 0.25
    video_twins: float = 0.0
    video_occluded: float = 0.0
    fast: float = 0.0
    lit: float = 0.0

    def problems(self) -> list[str]:
        return [
            f"{name} is {share}, expected 0 to 1"
            for name, share in vars(self).items()
            if not 0 <= share <= 1
        ]


@dataclass(frozen=True)
class Moment:
    """How far a run is.

    Attributes:
        stage: Index of the stage.
        phase: Index of its phase.
        progress: Share of the stage that is past, from 0 to below 1.
    """

    stage: int
    phase: int
    progress: float


@dataclass(frozen=True)
class Stage(Checked):
    """A part of a run with an optimizer of its own.

    Attributes:
        steps: Optimizer steps; in a run by minutes they only say how the stages share the time.
        learning_rate: Peak.
        phases: What the data look like as the stage proceeds; shares sum to 1.
        rates: Factors on the learning rate by beginning of the parameters' names, the longest
            that fits; 1 for all others. What has 0 is frozen.
        warmup_steps: Steps of linear warm-up.
        schedule: "cosine" falls to 2 % of the peak; "drops" multiplies by `drop_factor` at each
            of `drops`.
        drops: Shares of the stage.
        drop_factor: See `schedule`.
        lovasz_start: Share of the stage after which Lovasz begins to replace cross-entropy and
            soft IoU; from scratch it would stay on a plateau at probability one half.
        lovasz_full: Share of the stage from which Lovasz is the main loss.
    """

    steps: int
    learning_rate: float
    phases: tuple[Phase, ...]
    rates: Mapping[str, float] = field(default_factory=dict)
    warmup_steps: int = 0
    schedule: Literal["cosine", "drops"] = "cosine"
    drops: tuple[float, ...] = ()
    drop_factor: float = 0.2
    lovasz_start: float = 0.0
    lovasz_full: float = 0.0

    def problems(self) -> list[str]:
        found = []
        if self.steps < 1:
            found.append(f"steps is {self.steps}, expected 1 or more")
        if not self.learning_rate > 0:
            found.append(f"learning_rate is {self.learning_rate}, expected more than 0")
        if abs(sum(phase.share for phase in self.phases) - 1) > 1e-6:
            found.append("the shares of the phases must sum to 1")
        counted = [phase.steps for phase in self.phases if phase.steps]
        if counted and (len(counted) < len(self.phases) or sum(counted) != self.steps):
            found.append(f"the steps of the phases must be given for all and sum to {self.steps}")
        if self.lovasz_full < self.lovasz_start:
            found.append("lovasz_full comes before lovasz_start")
        return found

    def progress(self, step: int) -> float:
        """Share of the stage that is past when a step of it (from 0) begins."""
        if not self.phases[0].steps:
            return step / self.steps
        past = 0.0
        for phase in self.phases:
            if step < phase.steps:
                return past + phase.share * step / phase.steps
            past, step = past + phase.share, step - phase.steps
        return 1.0

    def phase(self, progress: float) -> int:
        """Index of the phase that is on after a share of the stage."""
        ends = accumulate(phase.share for phase in self.phases)
        past = sum(progress >= end - 1e-9 for end in ends)
        return min(past, len(self.phases) - 1)


@dataclass(frozen=True)
class TrainConfig(Checked):
    """How a network is trained.

    Attributes:
        model: Preset of the network.
        data: "synthesis" makes mini-sequences from videos and stills with motion of its own;
            "segments" draws them from video data sets as the paper's code does.
        stages: One after the other.
        initial_weights: Names of installed backbones; the first that is there is taken, else the
            network starts with random numbers.
        without: Ablations, of `ABLATIONS`.
        initial_steps: Steepest-descent steps on the first frame.
        update_steps: Steepest-descent steps after every further frame.
        weight_decay: Of matrices and kernels (AdamW; 0 makes it Adam); vectors have none.
        clip_norm: Greatest norm of the gradient; 0 for no limit.
        segmentation_weight: Of the segmentation loss.
        lovasz_per_frame: Lovasz of each frame on its own, averaged, as Eq. 10 has it; the paper's
            code takes all pixels of the batch together.
        safety_cross_entropy: Cross-entropy that stays beside Lovasz.
        cosine_weight: Of Eq. 8.
        auxiliary_weight: Of the cross-entropy on the mask encoding at stride 16; 0 for none.
        branch_drop: Share of the mini-sequences in which the decoder hears only one branch, each of
            the two equally often; not in the paper.
        ema_decay: Of the averaged weights, which are the ones that are kept; 0 keeps the last.
        chances: How often "synthesis" makes a scene harder.
        window: Frames that a mini-sequence of "segments" spans at most.
        causal: Whether its given frame is always the earliest; the paper does not say so.
        precision: What the network computes in; the learner always in fp32.
        minutes: How long a run takes: phases, learning rate and losses follow the clock, so that it
            ends at its lowest rate wherever it runs; 0 for as many steps as the stages say.
        accumulate: Parts of a batch (of each process's share of it) that go through the network
            one after the other, at most one for each sequence. Lovasz is then taken over each part.
        compile: Whether backbone and decoder are compiled.
        checkpoint_steps: Every how many steps a checkpoint is written.
        validation_steps: Every how many steps the validation sequences are tracked.
        seed: Of weights and data.
    """

    model: str
    data: Literal["synthesis", "segments"]
    stages: tuple[Stage, ...]
    initial_weights: tuple[str, ...] = ()
    without: tuple[Literal["transduction", "induction", "two-head", "cosine"], ...] = ()
    initial_steps: int = 5
    update_steps: int = 2
    weight_decay: float = 0.0
    clip_norm: float = 0.0
    segmentation_weight: float = 100.0
    lovasz_per_frame: bool = False
    safety_cross_entropy: float = 0.0
    cosine_weight: float = 1.0
    auxiliary_weight: float = 0.0
    branch_drop: float = 0.0
    ema_decay: float = 0.0
    chances: Chances = Chances()
    window: int = 100
    causal: bool = True
    precision: Literal["fp32", "bf16"] = "fp32"
    minutes: float = 0.0
    accumulate: int = 1
    compile: bool = False
    checkpoint_steps: int = 20
    validation_steps: int = 1000
    seed: int = 1

    def problems(self) -> list[str]:
        found = []
        if self.model not in MODELS:
            found.append(f"model is {self.model!r}, expected one of {', '.join(MODELS)}")
        if not self.stages:
            found.append("stages is empty, expected at least one")
        for name in ("accumulate", "checkpoint_steps", "validation_steps"):
            if getattr(self, name) < 1:
                found.append(f"{name} is {getattr(self, name)}, expected 1 or more")
        if not 0 <= self.minutes < math.inf:
            found.append(f"minutes is {self.minutes}, expected 0 or more")
        if not 0 <= self.ema_decay < 1:
            found.append(f"ema_decay is {self.ema_decay}, expected 0 to below 1")
        if not 0 <= self.branch_drop <= 1:
            found.append(f"branch_drop is {self.branch_drop}, expected 0 to 1")
        without_branch = {"transduction", "induction"} & set(self.without)
        if len(without_branch) == 2:
            found.append("without both branches nothing is left to train")
        if without_branch and self.branch_drop > 0:
            found.append(f"branch_drop is {self.branch_drop}, expected 0 where a branch is missing")
        return found

    @property
    def steps(self) -> int:
        """Optimizer steps of the whole run."""
        return sum(stage.steps for stage in self.stages)

    def at_step(self, step: int) -> Moment:
        """Where a run by steps is when a step (from 0) begins."""
        for index, stage in enumerate(self.stages):
            if step < stage.steps:
                progress = stage.progress(step)
                return Moment(index, stage.phase(progress), progress)
            step -= stage.steps
        raise ValueError(f"the run is over {step} steps ago")

    def at_share(self, share: float) -> Moment:
        """Where a run by minutes is after a share (from 0 to below 1) of its time."""
        past = share * self.steps
        for index, stage in enumerate(self.stages):
            if past < stage.steps or index == len(self.stages) - 1:
                progress = min(past / stage.steps, 1.0)
                return Moment(index, stage.phase(progress), progress)
            past -= stage.steps
        raise AssertionError("a recipe has stages")

    def network(self) -> ModelConfig:
        """The network to be trained, without what `without` names."""
        one_branch = {"transduction", "induction"} & set(self.without)
        return preset(
            MODELS,
            self.model,
            transduction=False if "transduction" in self.without else None,
            induction=False if "induction" in self.without else None,
            two_head=False if one_branch or "two-head" in self.without else None,
        )


def shortened(config: TrainConfig, steps: int) -> TrainConfig:
    """The same run in so many steps, every stage in proportion."""
    parts = [max(1, round(stage.steps * steps / config.steps)) for stage in config.stages]
    parts[-1] = max(1, steps - sum(parts[:-1]))
    return replace(
        config,
        minutes=0.0,
        stages=tuple(
            replace(stage, steps=part, phases=tuple(replace(p, steps=0) for p in stage.phases))
            for stage, part in zip(config.stages, parts, strict=True)
        ),
    )


def counted(config: TrainConfig, taken: Sequence[Sequence[int]]) -> TrainConfig:
    """A run by minutes as a run by steps.

    Args:
        config: Its recipe.
        taken: Steps that every phase of every stage took; those that took none are left out.
    """
    stages = []
    for stage, counts in zip(config.stages, taken, strict=True):
        if not sum(counts):
            continue
        pairs = [(p, n) for p, n in zip(stage.phases, counts, strict=True) if n]
        there = sum(phase.share for phase, _ in pairs)
        phases = tuple(replace(p, share=p.share / there, steps=n) for p, n in pairs)
        stages.append(replace(stage, steps=sum(counts), phases=phases))
    return replace(config, minutes=0.0, stages=tuple(stages))


def read_recipe(path: Path) -> TrainConfig:
    """A recipe from a TOML file, as `recipe_text` writes it.

    Raises:
        ConfigError: The file is missing or not TOML, or a key or value is wrong.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; expected a TOML file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not TOML: {error}") from None
    try:
        return from_dict(TrainConfig, values)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None


def recipe_text(config: TrainConfig) -> str:
    """The recipe as TOML."""
    return tomli_w.dumps(to_dict(config))
