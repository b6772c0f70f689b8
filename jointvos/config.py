"""What can be set, as frozen dataclasses with named presets; no framework, no torch.

`ModelConfig` describes the network (and so belongs to a weights file), `InferenceConfig` how a
video is run through it. Both check themselves when they are made and name every problem at once.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal, TypeVar

from jointvos.errors import ConfigError

Config = TypeVar("Config", bound="_Checked")


class _Checked:
    """Shared by the configurations: `problems` lists what is wrong, in the user's words."""

    def __post_init__(self) -> None:
        if problems := self.problems():
            raise ConfigError("; ".join(problems))

    def problems(self) -> list[str]:
        return []


@dataclass(frozen=True)
class ModelConfig(_Checked):
    """Shape of the network; JOINT_R50 is the paper's.

    Attributes:
        name: Preset the network was made from.
        backbone: "resnet50" (bottlenecks, stride on the first 1x1) or "resnet18" (basic blocks).
        norm: "frozen_batch" (BatchNorm whose statistics never change) or "group" (GroupNorm).
        stages: Number of residual stages that are built and handed to the decoder, 3 or 4. The
            third (stride 16, the paper's res3) feeds both branches.
        feature_dim: C, channels after the heads.
        key_dim: K, channels of the attention's keys.
        encoding_dim: D, channels of a mask encoding.
        kernel_size: Side of the target model's kernel.
        temperature: tau of Eq. 1.
        pixel_mean: RGB mean that is subtracted from pixel values in [0, 255].
        pixel_std: RGB divisor after that.
        label_encoder_dims: Widths of the label encoder's stem and two blocks.
        leaky_encodings: Leaky ReLU on the encodings, so that no channel dies in training from
            scratch; the paper uses ReLU.
        decoder_dims: Widths of the decoder's levels, stage 1 first.
        upsampler_dim: Width of the last upsampling step.
        upsampling: How the last two steps enlarge.
        transduction: Whether the transduction branch is there (Table 1).
        induction: Whether the induction branch is there (Table 1).
        two_head: Whether each branch has a mask encoding of its own (Table 2).
        inference: Inference preset that suits the network.
    """

    name: str
    backbone: Literal["resnet50", "resnet18"]
    norm: Literal["frozen_batch", "group"]
    stages: int
    feature_dim: int
    key_dim: int
    encoding_dim: int = 16
    kernel_size: int = 3
    temperature: float = 1 / 30
    pixel_mean: tuple[float, float, float] = (122.7717, 115.9465, 102.9801)
    pixel_std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    label_encoder_dims: tuple[int, int, int] = (16, 32, 64)
    leaky_encodings: bool = False
    decoder_dims: tuple[int, ...] = (64, 128, 128, 256)
    upsampler_dim: int = 32
    upsampling: Literal["bicubic", "bilinear"] = "bicubic"
    transduction: bool = True
    induction: bool = True
    two_head: bool = True
    inference: str = "paper"

    def problems(self) -> list[str]:
        found = []
        if self.stages not in (3, 4):
            found.append(f"stages is {self.stages}, expected 3 or 4")
        if len(self.decoder_dims) != self.stages:
            found.append(f"decoder_dims needs {self.stages} widths, got {self.decoder_dims}")
        if not (self.transduction or self.induction):
            found.append("at least one of transduction and induction must be on")
        if self.two_head and not (self.transduction and self.induction):
            found.append("two_head needs both branches; switch it off for one branch alone")
        if self.kernel_size % 2 == 0:
            found.append(f"kernel_size is {self.kernel_size}, expected an odd number")
        return found


@dataclass(frozen=True)
class InferenceConfig(_Checked):
    """How a video is run (Sec. 3.5); the defaults are the paper's and its code's.

    Attributes:
        crop_size: Height and width of the search region as the network sees it, multiples of 16.
        search_scale: Side of the search region relative to the target's.
        template_interval: T, every how many frames one becomes a template.
        memory_size: N_max, templates kept per object, the first one included.
        initial_steps: Steepest-descent steps on the first frame.
        update_steps: Steepest-descent steps after each new template.
        template_decay: Weight of a new template relative to all older ones.
        first_template_weight: Least share of the first template.
        scale_change: Limits of the target's scale change from frame to frame.
        min_target_area: Below this sum of probabilities (pixels) the target's box stays put.
    """

    crop_size: tuple[int, int] = (480, 832)
    search_scale: float = 5.0
    template_interval: int = 5
    memory_size: int = 20
    initial_steps: int = 20
    update_steps: int = 3
    template_decay: float = 0.1
    first_template_weight: float = 0.25
    scale_change: tuple[float, float] = (0.95, 1.1)
    min_target_area: float = 100.0

    def problems(self) -> list[str]:
        found = []
        if any(side < 32 or side % 16 for side in self.crop_size):
            found.append(f"crop_size is {self.crop_size}, expected multiples of 16 from 32 up")
        for name in ("template_interval", "memory_size", "initial_steps"):
            if getattr(self, name) < 1:
                found.append(f"{name} is {getattr(self, name)}, expected 1 or more")
        if self.update_steps < 0:
            found.append(f"update_steps is {self.update_steps}, expected 0 or more")
        return found


@dataclass(frozen=True)
class Phase(_Checked):
    """A part of a training run.

    Attributes:
        share: Part of all steps that it takes.
        crop_size: Height and width of the crops, multiples of 16.
        frames: Frames of a mini-sequence, the given one included.
        batch_size: Mini-sequences per step.
        mix: How often each kind of data is drawn, as (kind, weight) pairs.
    """

    share: float
    crop_size: tuple[int, int]
    frames: int
    batch_size: int
    mix: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class TrainConfig(_Checked):
    """How a network is trained from scratch (Sec. 3.6 with the changes that needs).

    Attributes:
        model: Preset of the network.
        steps: Optimiser steps of the whole run.
        phases: What the data looks like as the run proceeds; shares sum to 1.
        learning_rate: Peak, reached after `warmup_steps`, then falling as a cosine to 2 %.
        warmup_steps: Steps of linear warm-up.
        weight_decay: Of matrices and kernels; vectors have none.
        label_encoder_rate: Factor on the label encoder's learning rate.
        filter_reg_rate: Factor on the learned regularisation's, which else drifts through zero.
        clip_norm: Greatest norm of the gradient.
        initial_steps: Steepest-descent steps on the first frame.
        update_steps: Steepest-descent steps after every further frame.
        lovasz_start: Share of the run after which Lovasz begins to replace cross-entropy and soft
            IoU; from scratch it would stay on a plateau at probability one half.
        lovasz_full: Share of the run from which Lovasz is the main loss.
        cosine_weight: lambda of Eq. 10.
        auxiliary_weight: Of the cross-entropy on the mask encoding at stride 16.
        ema_decay: Of the averaged weights, which are the ones that are kept.
        bf16: Whether the network (not the learner) runs in bfloat16.
        seed: Of weights and data.
    """

    model: str
    steps: int
    phases: tuple[Phase, ...]
    learning_rate: float = 1e-3
    warmup_steps: int = 50
    weight_decay: float = 0.01
    label_encoder_rate: float = 0.3
    filter_reg_rate: float = 0.02
    clip_norm: float = 1.0
    initial_steps: int = 5
    update_steps: int = 2
    lovasz_start: float = 0.42
    lovasz_full: float = 0.58
    cosine_weight: float = 0.01
    auxiliary_weight: float = 0.3
    ema_decay: float = 0.99
    bf16: bool = False
    seed: int = 1

    def problems(self) -> list[str]:
        found = []
        if self.steps < 1:
            found.append(f"steps is {self.steps}, expected 1 or more")
        if abs(sum(phase.share for phase in self.phases) - 1) > 1e-6:
            found.append("the shares of the phases must sum to 1")
        return found

    def phase(self, step: int) -> Phase:
        """The phase that a step (from 0) belongs to."""
        end = 0.0
        for phase in self.phases:
            end += phase.share
            if step < end * self.steps:
                return phase
        return self.phases[-1]


PRECISIONS = ("auto", "fp32", "bf16", "fp16")
"""What the network can compute in; "auto" is fp32."""

MODELS: Mapping[str, ModelConfig] = {
    "joint-r50": ModelConfig(
        name="joint-r50",
        backbone="resnet50",
        norm="frozen_batch",
        stages=4,
        feature_dim=512,
        key_dim=128,
    ),
    "joint-small": ModelConfig(
        name="joint-small",
        backbone="resnet18",
        norm="group",
        stages=3,
        feature_dim=128,
        key_dim=64,
        pixel_std=(58.0, 57.0, 58.0),
        leaky_encodings=True,
        decoder_dims=(32, 48, 64),
        upsampler_dim=16,
        upsampling="bilinear",
        inference="small",
    ),
}

INFERENCE: Mapping[str, InferenceConfig] = {
    "paper": InferenceConfig(),
    "davis": InferenceConfig(template_interval=3),
    "ytvos": InferenceConfig(template_interval=5),
    "small": InferenceConfig(crop_size=(384, 672), memory_size=5, initial_steps=10, update_steps=3),
}

FIRST_VIDEO = (("video", 1.0),)
MIXED = (("video", 0.6), ("stills", 0.2), ("people", 0.15), ("static", 0.05))
MOSTLY_VIDEO = (("video", 0.85), ("people", 0.15))

TRAINING: Mapping[str, TrainConfig] = {
    "joint-small": TrainConfig(
        model="joint-small",
        steps=800,
        phases=(
            Phase(0.12, (160, 288), 4, 8, FIRST_VIDEO),
            Phase(0.73, (160, 288), 4, 8, MIXED),
            Phase(0.15, (240, 416), 4, 8, MOSTLY_VIDEO),
        ),
    ),
}


def preset(table: Mapping[str, Config], name: str, **changes: Any) -> Config:
    """The named preset, with those fields replaced whose value is not None.

    Raises:
        ConfigError: The name is not in the table, or a value is out of range.
    """
    if name not in table:
        raise ConfigError(f"no preset {name!r}; there are {', '.join(sorted(table))}")
    given = {field: value for field, value in changes.items() if value is not None}
    return replace(table[name], **given)  # type: ignore[type-var]


def to_dict(config: _Checked) -> dict[str, Any]:
    """Plain values, fit for JSON or TOML."""
    return asdict(config)  # type: ignore[call-overload,no-any-return]


def from_dict(kind: type[Config], values: Mapping[str, Any]) -> Config:
    """The inverse of `to_dict`; lists become tuples.

    Raises:
        ConfigError: A key is unknown or missing, or a value is out of range.
    """
    known = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    if unknown := sorted(set(values) - known):
        raise ConfigError(
            f"{kind.__name__}: unknown {', '.join(unknown)}; known are {', '.join(sorted(known))}"
        )
    plain = {key: tuple(v) if isinstance(v, list) else v for key, v in values.items()}
    try:
        return kind(**plain)
    except TypeError as error:
        raise ConfigError(f"{kind.__name__}: {error}") from None
