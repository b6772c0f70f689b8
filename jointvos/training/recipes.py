"""The training recipes: what a run does from its first step to its last, as frozen dataclasses.

`joint-r50` is the paper's (Sec. 3.6 and 4.1) with the values of its code where the two disagree;
`joint-r50-as-printed` takes the paper's words instead; `joint-r50-davis` is the set-up of the lower
half of Table 4. `joint-small` trains the bundled network from scratch in hours of CPU;
`joint-small-cuda` is meant for half an hour of a large GPU; `joint-small-short` is a few minutes,
to compare one thing with another.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from jointvos.config import MODELS, Checked, ModelConfig, from_dict, preset, to_dict
from jointvos.errors import ConfigError

ABLATIONS = ("transduction", "induction", "two-head", "cosine")
"""What a run can be made without (Tables 1 and 2, and the loss of Eq. 8)."""


@dataclass(frozen=True)
class Phase(Checked):
    """What the data of a part of a stage look like.

    Attributes:
        share: Part of the stage's steps that it takes.
        crop_size: Height and width of the crops, multiples of 16.
        frames: Frames of a mini-sequence, the given one included.
        batch_size: Mini-sequences per step, over all processes.
        mix: How often each kind of data is drawn, relative to the others.
    """

    share: float
    crop_size: tuple[int, int]
    frames: int
    batch_size: int
    mix: Mapping[str, float]

    def problems(self) -> list[str]:
        found = []
        if any(side < 32 or side % 16 for side in self.crop_size):
            found.append(f"crop_size is {self.crop_size}, expected multiples of 16 from 32 up")
        if self.frames < 2:
            found.append(f"frames is {self.frames}, expected 2 or more")
        if self.batch_size < 1:
            found.append(f"batch_size is {self.batch_size}, expected 1 or more")
        if not self.mix or min(self.mix.values()) < 0 or sum(self.mix.values()) <= 0:
            found.append(f"mix is {dict(self.mix)}, expected weights, some above 0, none below")
        return found


@dataclass(frozen=True)
class Stage(Checked):
    """A part of a run with an optimiser of its own.

    Attributes:
        steps: Optimiser steps.
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
        if self.lovasz_full < self.lovasz_start:
            found.append("lovasz_full comes before lovasz_start")
        return found

    def phase(self, step: int) -> Phase:
        """The phase that a step of this stage (from 0) belongs to."""
        end = 0.0
        for phase in self.phases:
            end += phase.share
            if step < end * self.steps:
                return phase
        return self.phases[-1]


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
        ema_decay: Of the averaged weights, which are the ones that are kept; 0 keeps the last.
        window: Frames that a mini-sequence of "segments" spans at most.
        causal: Whether its given frame is always the earliest; the paper does not say so.
        precision: What the network computes in; the learner always in fp32.
        accumulate: Parts of a batch that go through the network one after the other. Lovasz is
            then taken over each part.
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
    ema_decay: float = 0.0
    window: int = 100
    causal: bool = True
    precision: Literal["fp32", "bf16"] = "fp32"
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
        if not 0 <= self.ema_decay < 1:
            found.append(f"ema_decay is {self.ema_decay}, expected 0 to below 1")
        if {"transduction", "induction"} <= set(self.without):
            found.append("without both branches nothing is left to train")
        return found

    @property
    def steps(self) -> int:
        """Optimiser steps of the whole run."""
        return sum(stage.steps for stage in self.stages)

    def stage(self, step: int) -> tuple[int, int]:
        """Index of the stage that a step (from 0) belongs to, and the step's number in it."""
        for index, stage in enumerate(self.stages):
            if step < stage.steps:
                return index, step
            step -= stage.steps
        return len(self.stages) - 1, self.stages[-1].steps

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
        stages=tuple(
            replace(stage, steps=part) for stage, part in zip(config.stages, parts, strict=True)
        ),
    )


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
    return "\n".join(_table(to_dict(config))) + "\n"


def _table(values: Mapping[str, Any], path: str = "") -> list[str]:
    """Lines of a table: plain values first, then the tables below it."""
    below = {
        key: value
        for key, value in values.items()
        if isinstance(value, tuple) and value and isinstance(value[0], dict)
    }
    lines = [f"{key} = {_value(value)}" for key, value in values.items() if key not in below]
    for key, tables in below.items():
        for table in tables:
            lines += ["", f"[[{path}{key}]]", *_table(table, f"{path}{key}.")]
    return lines


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, Mapping):
        return "{" + ", ".join(f'"{key}" = {_value(v)}' for key, v in value.items()) + "}"
    if isinstance(value, tuple):
        return "[" + ", ".join(_value(v) for v in value) + "]"
    return str(value)


# The paper's

PAPER_DATA = (Phase(1.0, (480, 832), 4, 20, {"ytvos": 6.0, "davis": 1.0}),)
DAVIS_DATA = (Phase(1.0, (480, 832), 4, 20, {"davis": 1.0}),)
NEW_PARTS = {
    "backbone.": 0.0,
    "heads.": 0.2,
    "transduction.": 0.2,
    "label_encoder.": 2.0,
}  # of 1e-4, which the decoder and the learned regularisation have
FROZEN_STEM = {"backbone.conv1.": 0.0, "backbone.bn1.": 0.0, "backbone.layer1.": 0.0}

JOINT_R50 = TrainConfig(
    model="joint-r50",
    data="segments",
    initial_weights=("mask-rcnn-r50-backbone", "imagenet-r50"),
    stages=(
        Stage(90_000, 1e-4, PAPER_DATA, NEW_PARTS, schedule="drops", drops=(40 / 90, 80 / 90)),
        Stage(90_000, 2e-5, PAPER_DATA, FROZEN_STEM, schedule="drops", drops=(25 / 90, 75 / 90)),
    ),
    checkpoint_steps=200,
)

# From scratch

LABEL_ENCODER_AND_REG = {"label_encoder.": 0.3, "learner.filter_reg": 0.02}
"""The label encoder grows fast; the regularisation would drift through zero."""

MIXED = {"video": 0.6, "stills": 0.2, "people": 0.15, "static": 0.05}
DIVERSE = {"video": 0.45, "stills": 0.3, "people": 0.12, "procedural": 0.08, "static": 0.05}
TOWARDS_VIDEO = {"video": 0.55, "stills": 0.25, "people": 0.12, "procedural": 0.05, "static": 0.03}

JOINT_SMALL = TrainConfig(
    model="joint-small",
    data="synthesis",
    weight_decay=0.01,
    clip_norm=1.0,
    segmentation_weight=1.0,
    safety_cross_entropy=0.25,
    cosine_weight=0.01,
    auxiliary_weight=0.3,
    ema_decay=0.99,
    validation_steps=200,
    stages=(
        Stage(
            steps=800,
            learning_rate=1e-3,
            warmup_steps=50,
            rates=LABEL_ENCODER_AND_REG,
            lovasz_start=0.42,
            lovasz_full=0.58,
            phases=(
                Phase(0.12, (160, 288), 4, 8, {"video": 1.0}),
                Phase(0.73, (160, 288), 4, 8, MIXED),
                Phase(0.15, (240, 416), 4, 8, {"video": 0.85, "people": 0.15}),
            ),
        ),
        Stage(
            steps=460,
            learning_rate=6e-4,
            warmup_steps=30,
            rates=LABEL_ENCODER_AND_REG,
            phases=(
                Phase(0.4, (192, 336), 4, 8, DIVERSE),
                Phase(0.28, (240, 416), 4, 8, TOWARDS_VIDEO),
                Phase(0.32, (384, 672), 4, 4, TOWARDS_VIDEO),
            ),
        ),
    ),
)

JOINT_SMALL_SHORT = replace(
    JOINT_SMALL,
    ema_decay=0.95,
    stages=(
        replace(
            JOINT_SMALL.stages[0],
            steps=160,
            warmup_steps=20,
            phases=(Phase(1.0, (112, 192), 4, 6, {"video": 1.0}),),
        ),
    ),
)

JOINT_SMALL_CUDA = replace(
    JOINT_SMALL,
    precision="bf16",
    ema_decay=0.999,
    checkpoint_steps=100,
    validation_steps=1000,
    stages=(
        Stage(
            steps=5000,
            learning_rate=1e-3,
            warmup_steps=200,
            rates=LABEL_ENCODER_AND_REG,
            lovasz_start=0.2,
            lovasz_full=0.3,
            phases=(
                Phase(0.05, (240, 416), 4, 32, {"video": 1.0}),
                Phase(0.65, (240, 416), 4, 32, DIVERSE),
                Phase(0.3, (288, 512), 4, 32, TOWARDS_VIDEO),
            ),
        ),
        Stage(
            steps=1500,
            learning_rate=3e-4,
            warmup_steps=50,
            rates=LABEL_ENCODER_AND_REG,
            phases=(Phase(1.0, (384, 672), 5, 16, TOWARDS_VIDEO),),
        ),
    ),
)

RECIPES: Mapping[str, TrainConfig] = {
    "joint-r50": JOINT_R50,
    "joint-r50-as-printed": replace(
        JOINT_R50,
        stages=(
            replace(JOINT_R50.stages[0], learning_rate=0.01, rates={"backbone.": 0.0}),
            replace(JOINT_R50.stages[1], rates={}),
        ),
        lovasz_per_frame=True,
        segmentation_weight=1.0,
        cosine_weight=0.01,
        causal=False,
    ),
    "joint-r50-davis": replace(
        JOINT_R50,
        initial_weights=("imagenet-r50",),
        stages=tuple(replace(stage, phases=DAVIS_DATA) for stage in JOINT_R50.stages),
    ),
    "joint-small": JOINT_SMALL,
    "joint-small-cuda": JOINT_SMALL_CUDA,
    "joint-small-short": JOINT_SMALL_SHORT,
}
