"""What can be set, as frozen dataclasses with named presets; no framework, no torch.

`ModelConfig` describes the network (and so belongs to a weights file), `InferenceConfig` how a
video is run through it. Both check themselves when they are made: a value of another type is
converted if nothing is lost, else refused; all that are out of range are named at once.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, is_dataclass, replace
from numbers import Integral, Real
from typing import Any, Literal, TypeAlias, TypeVar, get_args, get_origin, get_type_hints

from jointvos.errors import ConfigError

Config = TypeVar("Config", bound="Checked")


Range: TypeAlias = tuple[Callable[[Any], bool], str]
"""Whether a value is in it, and what it consists of, in words."""

ABOVE_0: Range = (lambda value: value > 0, "more than 0")
FROM_0: Range = (lambda value: value >= 0, "0 or more")
FROM_1: Range = (lambda value: value >= 1, "1 or more")
SHARE: Range = (lambda value: 0 <= value <= 1, "0 to 1")
BELOW_1: Range = (lambda value: 0 <= value < 1, "0 to below 1")
CROP_SIZE: Range = (
    lambda size: all(side >= 32 and side % 16 == 0 for side in size),
    "multiples of 16 from 32 up",
)


def _convert(hint: Any, value: Any, where: str) -> Any:
    """A plain value, or one that is it already, as what the annotation says."""
    origin, arguments = get_origin(hint), get_args(hint)
    if isinstance(hint, type) and is_dataclass(hint):
        return value if isinstance(value, hint) else _convert_table(hint, value, where)
    if origin is Literal and value in arguments:
        return value
    if origin is tuple and isinstance(value, list | tuple):
        if arguments[-1] is Ellipsis:
            arguments = arguments[:1] * len(value)
        if len(arguments) == len(value):
            pairs = zip(arguments, value, strict=True)
            return tuple(_convert(each, v, f"{where}[{i}]") for i, (each, v) in enumerate(pairs))
    if origin is Mapping and isinstance(value, Mapping):
        return {key: _convert(arguments[1], v, f"{where}.{key}") for key, v in value.items()}
    if hint is float and not isinstance(value, bool) and isinstance(value, Real):
        if math.isfinite(value):
            return float(value)
    elif hint is int and not isinstance(value, bool) and isinstance(value, Integral):
        return int(value)
    elif origin is None and type(value) is hint:
        return value
    if hint is float:
        expected = "a finite number"
    elif origin is Literal:
        expected = ", ".join(arguments)
    else:
        expected = str(hint) if arguments else hint.__name__
    raise ConfigError(f"{where} is {value!r}, expected {expected.replace('typing.', '')}")


def _convert_table(kind: Any, values: Any, where: str) -> Any:
    if not isinstance(values, Mapping):
        raise ConfigError(f"{where} is {values!r}, expected a table")
    hints = get_type_hints(kind)
    if unknown := sorted(set(values) - set(hints)):
        raise ConfigError(f"{where}: unknown {', '.join(unknown)}; known are {', '.join(hints)}")
    plain = {key: _convert(hints[key], v, f"{where}.{key}") for key, v in values.items()}
    try:
        return kind(**plain)
    except TypeError as error:  # a field without default is not there
        raise ConfigError(f"{where}: {error}") from None


class Checked:
    """Shared by the configurations, dataclasses with annotations that `from_dict` knows."""

    def __post_init__(self) -> None:
        for name, hint in get_type_hints(type(self)).items():
            object.__setattr__(self, name, _convert(hint, getattr(self, name), name))
        if problems := self.problems():
            raise ConfigError("; ".join(problems))

    def ranges(self) -> Mapping[str, Range]:
        """Of the fields that have one."""
        return {}

    def problems(self) -> list[str]:
        """What is wrong, in the user's words."""
        return [
            f"{name} is {value}, expected {expected}"
            for name, (fits, expected) in self.ranges().items()
            if not fits(value := getattr(self, name))
        ]


@dataclass(frozen=True)
class ModelConfig(Checked):
    """Shape of the network; JOINT_R50 is the paper's.

    Attributes:
        name: Preset the network was made from.
        backbone: "resnet50" (the paper's and Mask R-CNN's; stride on the first 1x1),
            "resnet50_v1.5" (torchvision's; stride on the 3x3), "efficientnet_lite0" or
            "efficientnet_lite2" (to stride 16, so 3 stages).
        norm: "frozen_batch" (BatchNorm whose statistics never change) or "group" (GroupNorm).
        stages: Number of stages that are built and handed to the decoder, 3 or 4. The third
            (stride 16, the paper's res3) feeds both branches.
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
    backbone: Literal["resnet50", "resnet50_v1.5", "efficientnet_lite0", "efficientnet_lite2"]
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

    def ranges(self) -> Mapping[str, Range]:
        widths = (lambda widths: all(width >= 1 for width in widths), "widths of 1 or more")
        return {
            **dict.fromkeys(("feature_dim", "key_dim", "encoding_dim", "upsampler_dim"), FROM_1),
            **dict.fromkeys(("label_encoder_dims", "decoder_dims"), widths),
            "kernel_size": (lambda size: size >= 1 and size % 2 == 1, "an odd number from 1 up"),
            "temperature": ABOVE_0,
            "pixel_std": (lambda std: min(std) > 0, "more than 0"),
        }

    def problems(self) -> list[str]:
        found = super().problems()
        if self.stages not in (3, 4):
            found.append(f"stages is {self.stages}, expected 3 or 4")
        if self.backbone.startswith("efficientnet") and self.stages != 3:
            found.append(f"stages is {self.stages}, expected 3 with {self.backbone}")
        if len(self.decoder_dims) != self.stages:
            found.append(f"decoder_dims needs {self.stages} widths, got {self.decoder_dims}")
        if not (self.transduction or self.induction):
            found.append("at least one of transduction and induction must be on")
        if self.two_head and not (self.transduction and self.induction):
            found.append("two_head needs both branches; switch it off for one branch alone")
        return found


@dataclass(frozen=True)
class InferenceConfig(Checked):
    """How a video is run (Sec. 3.5); the defaults are the paper's and its code's.

    Attributes:
        crop_size: Height and width of the search region as the network sees it, multiples of 16.
        search_scale: Side of the search region relative to the target's.
        exact_paste: Whether results go back to exactly where the search region came from; the
            paper's code rounds to whole pixels.
        reach: How far a target may be from its last mask, relative to the root of its area; not in
            the paper. 0 sets no limit but the search region.
        template_interval: T, every how many frames one becomes a template.
        memory_size: N_max, templates kept per object, the first one included.
        memory_precision: What their features, and sums over them, are kept in between frames;
            "fp16" takes half the memory and changes results a little.
        initial_steps: Steepest-descent steps on the first frame.
        update_steps: Steepest-descent steps after each new template.
        template_decay: Weight of a new template relative to all older ones.
        first_template_weight: Least share of the first template.
        scale_change: Limits of the target's scale change from frame to frame.
        min_target_area: Below this sum of probabilities (pixels) the target's box stays put.
        min_target_share: Share of the given mask's box that is enough, if it has fewer pixels than
            `min_target_area` or `redetection_area`; 0 for none, as in the paper's code, which
            never follows what is smaller.
        objects_at_once: Most search regions that go through the network together; more objects
            are predicted one such part after the other. 0 picks what is fastest on the device.
        cuts: What the first frame of a new shot does: "pause" takes no template and searches the
            whole frame, then closer where something is, until the target is seen again, "reset"
            also goes back to the masks that were given, "off" nothing.
        redetection_area: Pixels that a target must have, after a cut, to be seen again.
        redetection_probability: Least mean probability over those pixels.
    """

    crop_size: tuple[int, int] = (480, 832)
    search_scale: float = 5.0
    exact_paste: bool = False
    reach: float = 0.0
    template_interval: int = 5
    memory_size: int = 20
    memory_precision: Literal["fp32", "fp16"] = "fp32"
    initial_steps: int = 20
    update_steps: int = 3
    template_decay: float = 0.1
    first_template_weight: float = 0.25
    scale_change: tuple[float, float] = (0.95, 1.1)
    min_target_area: float = 100.0
    min_target_share: float = 0.0
    objects_at_once: int = 0
    cuts: Literal["off", "pause", "reset"] = "pause"
    redetection_area: int = 100
    redetection_probability: float = 0.95

    def ranges(self) -> Mapping[str, Range]:
        return {
            "crop_size": CROP_SIZE,
            **dict.fromkeys(("template_interval", "memory_size", "initial_steps"), FROM_1),
            **dict.fromkeys(("reach", "update_steps", "objects_at_once"), FROM_0),
            # An area of 0 would let a target that is gone move its box, to nowhere.
            **dict.fromkeys(("search_scale", "min_target_area"), ABOVE_0),
            "redetection_area": FROM_0,
            "template_decay": BELOW_1,
            **dict.fromkeys(
                ("first_template_weight", "min_target_share", "redetection_probability"), SHARE
            ),
            "scale_change": (
                lambda limits: 0 < limits[0] <= 1 <= limits[1],
                "a limit above 0 up to 1, and one from 1 up",
            ),
        }


CUTS = ("off", "pause", "reset")
"""What the session can do at a cut."""

OnOOM: TypeAlias = Literal["retry", "fail"]
"""What it does when the device runs out of memory: smaller steps, or an error at once."""

PRECISIONS = ("auto", "fp32", "bf16", "fp16")
"""What the network can compute in; "auto" is bf16 on a GPU that has it, else fp32."""

JOINT_R50 = ModelConfig(
    name="joint-r50",
    backbone="resnet50",
    norm="frozen_batch",
    stages=4,
    feature_dim=512,
    key_dim=128,
)

MODELS: Mapping[str, ModelConfig] = {
    "joint-r50": JOINT_R50,
    "joint-r50-imagenet": replace(JOINT_R50, name="joint-r50-imagenet", backbone="resnet50_v1.5"),
    "joint-lite": ModelConfig(
        name="joint-lite",
        backbone="efficientnet_lite0",
        norm="group",
        stages=3,
        feature_dim=128,
        key_dim=64,
        pixel_mean=(127.0, 127.0, 127.0),
        pixel_std=(128.0, 128.0, 128.0),
        leaky_encodings=True,
        decoder_dims=(48, 64, 96),
        upsampler_dim=24,
        upsampling="bilinear",
        inference="small",
    ),
}

INFERENCE: Mapping[str, InferenceConfig] = {
    "paper": InferenceConfig(),
    "davis": InferenceConfig(template_interval=3),
    "ytvos": InferenceConfig(template_interval=5),
    "small": InferenceConfig(
        crop_size=(480, 832),
        search_scale=3.0,
        exact_paste=True,
        min_target_share=0.2,
        reach=1.0,
        memory_size=5,
    ),
}


def preset(table: Mapping[str, Config], name: str, **changes: Any) -> Config:
    """The named preset, with those fields replaced whose value is not None.

    Raises:
        ConfigError: The name is not in the table, or a value is out of range.
    """
    if name not in table:
        raise ConfigError(f"unknown preset {name!r}; expected one of {', '.join(sorted(table))}")
    chosen = {field: value for field, value in changes.items() if value is not None}
    return replace(table[name], **chosen)  # type: ignore[type-var]


def to_dict(config: Checked) -> dict[str, Any]:
    """Plain values, fit for JSON or TOML."""
    return asdict(config)  # type: ignore[call-overload,no-any-return]


def from_dict(kind: type[Config], values: Mapping[str, Any]) -> Config:
    """The inverse of `to_dict`; lists become tuples, tables configurations.

    Raises:
        ConfigError: A key is unknown or missing, a value of the wrong type or out of range.
    """
    return _convert(kind, values, kind.__name__)  # type: ignore[no-any-return]
