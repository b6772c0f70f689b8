"""From a few settings to sessions: which model, where, and how it runs a video.

torch is imported when the model is loaded and not before.
"""

import warnings
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from jointvos.config import CUTS, INFERENCE, PRECISIONS, OnOOM, preset
from jointvos.errors import ConfigError

if TYPE_CHECKING:
    from jointvos.inference import VideoSegmenter
    from jointvos.model import JointNet
    from jointvos.model.ablation import Branch

FOR_THE_PAPER = ("paper", "davis", "ytvos")
"""Presets of models that follow the paper, which changes the template interval by data set."""

OF_LOADING = ("model", "weights", "device", "precision", "compiled", "without")
"""What a spec decides about a network when it is loaded; the rest may change afterwards."""


@dataclass(frozen=True)
class SessionSpec:
    """Which model segments, where, and how; None leaves it to the model's preset.

    Attributes:
        model: Name of an installed model; the best one installed by default.
        weights: A model file, in place of a name.
        preset: Name of an inference preset; the model's own by default.
        device: "auto", "cpu", "cuda", "cuda:N" or "mps".
        precision: "auto", "fp32", "bf16" or "fp16"; "auto" is bf16 on a GPU that has it.
        crop_size: Height and width of the search region as the network sees it, pixels.
        memory_size: Past frames kept per object.
        memory_precision: What they are kept in, "fp32" or "fp16".
        template_interval: Every how many frames one is remembered.
        reach: How far a target may go from one frame to the next, in sides of its own; 0 sets no
            limit.
        cuts: What happens at the first frame of a new shot, see `InferenceConfig.cuts`; "off"
            also saves looking for shots.
        on_oom: When the device runs out of memory: "retry" in smaller steps, or "fail".
        compiled: Whether the network is compiled first, which takes a minute or more.
        without: A branch of the network to silence, "transduction" or "induction".
    """

    model: str | None = None
    weights: Path | None = None
    preset: str | None = None
    device: str = "auto"
    precision: str = "auto"
    crop_size: tuple[int, int] | None = None
    memory_size: int | None = None
    memory_precision: str | None = None
    template_interval: int | None = None
    reach: float | None = None
    cuts: Literal["off", "pause", "reset"] = "pause"
    on_oom: OnOOM = "retry"
    compiled: bool = False
    without: "Branch | None" = None

    def check(self) -> None:
        """Refuse what can be found wrong before anything is loaded.

        Raises:
            ConfigError: Settings contradict each other or are unknown.
        """
        if self.model is not None and self.weights is not None:
            raise ConfigError("`model` and `weights` cannot be combined", hint="pass one of them")
        if self.preset is not None:
            preset(INFERENCE, self.preset)
        if self.precision not in PRECISIONS:
            raise ConfigError(
                f"unknown precision {self.precision!r}; expected {', '.join(PRECISIONS)}"
            )
        if self.cuts not in CUTS:
            raise ConfigError(f"`cuts` is {self.cuts!r}, expected {', '.join(CUTS)}")
        if self.on_oom not in get_args(OnOOM):
            raise ConfigError(
                f"`on_oom` is {self.on_oom!r}, expected {' or '.join(get_args(OnOOM))}"
            )
        if self.without not in (None, "transduction", "induction"):
            raise ConfigError(
                f"`without` is {self.without!r}, expected transduction or induction, the branch to "
                "silence"
            )

    def load(
        self, *, paper_preset: str | None = None, say: Callable[[str], None] = warnings.warn
    ) -> "LoadedModel":
        """Load the model.

        Args:
            paper_preset: Preset that takes the place of the model's own if it is one of the
                paper's, which has one for every data set.
            say: Told in a line whenever memory runs out and smaller steps are taken.

        Raises:
            ConfigError: Settings contradict each other, are unknown or out of range.
            WeightsError: The model is missing or unusable.
            DeviceError: The device is not there or has too little memory, or the network was to
                be compiled, which does not work here.
        """
        self.check()
        from jointvos.checkpoints import find_weights, load_model
        from jointvos.model import without_branch

        path = find_weights(self.weights if self.weights is not None else self.model)
        net = load_model(path)
        if self.without is not None:
            if not (net.config.transduction and net.config.induction):
                raise ConfigError(f"{path} has a single branch", hint="leave out `without`")
            net = without_branch(net, self.without)
        return LoadedModel(self, net, path, paper_preset=paper_preset, say=say)


class LoadedModel:
    """A network on its device, ready to make sessions.

    Attributes:
        spec: What was asked for.
        net: The network.
        path: The model's file; None for a network that comes from none.
        preset: Name of the inference preset that `config` began with.
        config: How it runs a video.
        device: Where.
        dtype: Type of most weights; None is fp32 throughout.
        compile_s: Seconds that compiling took; 0 if nothing was to be compiled.
    """

    def __init__(
        self,
        spec: SessionSpec,
        net: "JointNet",
        path: Path | None = None,
        *,
        paper_preset: str | None = None,
        say: Callable[[str], None] = warnings.warn,
    ) -> None:
        """Take over a network, move it to its device and compile it; see `SessionSpec.load`."""
        self.spec, self.net, self.path, self._say = spec, net, path, say
        own = net.config.inference
        if paper_preset is not None and own in FOR_THE_PAPER:
            own = paper_preset
        self._own_preset = own
        self._configure()
        self.compile_s = 0.0
        first = self.session()
        self.net, self.device, self.dtype = first.net, first.device, first.dtype
        if spec.compiled:
            from jointvos.inference.compiled import compile_session

            self.compile_s = compile_session(first)

    def _configure(self) -> None:
        spec = self.spec
        self.preset = spec.preset or self._own_preset
        self.config = preset(
            INFERENCE,
            self.preset,
            crop_size=spec.crop_size,
            memory_size=spec.memory_size,
            memory_precision=spec.memory_precision,
            template_interval=spec.template_interval,
            reach=spec.reach,
            cuts=spec.cuts,
        )

    def for_spec(self, spec: SessionSpec, say: Callable[[str], None]) -> "LoadedModel":
        """The same network, where and as it is, with the settings of another spec.

        What loading has decided (`OF_LOADING`) must be left at its default there, or agree.

        Raises:
            ConfigError: Settings are unknown or out of range, or the model was loaded otherwise.
            WeightsNotFound: The spec names a model that is missing.
            DeviceUnavailable: The spec names a device that is not there.
        """
        for name in OF_LOADING:
            asked = getattr(spec, name)
            default, own = getattr(SessionSpec, name), getattr(self.spec, name)
            if asked not in (default, own) and not self._agrees(name, asked):
                raise ConfigError(
                    f"`{name}` is {asked}, but the model was loaded otherwise: {self.name}, "
                    f"{self.precision} on {self.device}",
                    hint=f"leave out `{name}`, or load the model with it",
                )
        other = copy(self)
        other.spec = replace(spec, **{name: getattr(self.spec, name) for name in OF_LOADING})
        other._say = say
        other._configure()
        return other

    def _agrees(self, name: str, asked: Any) -> bool:
        """Whether a setting means, in other words, what the model was loaded with."""
        from jointvos.checkpoints import find_weights
        from jointvos.inference.device import choose_device, choose_dtype

        match name:
            case "model" | "weights":
                return self.path is not None and find_weights(asked).samefile(self.path)
            case "device":
                there, here = choose_device(asked), self.device
                return (there.type, there.index or 0) == (here.type, here.index or 0)
            case "precision":
                return choose_dtype(asked, self.device) == self.dtype
        return False

    @property
    def name(self) -> str:
        """What to call the model."""
        return self.net.config.name if self.path is None else self.path.stem

    @property
    def precision(self) -> str:
        """What most weights are in, for people."""
        return "fp32" if self.dtype is None else str(self.dtype).removeprefix("torch.")

    def session(self) -> "VideoSegmenter":
        """A session without objects, for one video."""
        from jointvos.inference import VideoSegmenter

        return VideoSegmenter(
            self.net,
            self.config,
            device=self.spec.device,
            precision=self.spec.precision,
            compiled=self.spec.compiled,
            on_oom=self.spec.on_oom,
            say=self._say,
        )
