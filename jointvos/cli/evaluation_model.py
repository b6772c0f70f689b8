"""The model that is evaluated: its session, and all that its masks depend on."""

import hashlib
import platform
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jointvos
from jointvos.cli.console import Reporter
from jointvos.cli.session import check_options
from jointvos.config import INFERENCE, preset, to_dict
from jointvos.errors import ConfigError

if TYPE_CHECKING:
    from jointvos.inference import VideoSegmenter
    from jointvos.model.ablation import Branch

FOR_THE_PAPER = ("paper", "davis", "ytvos")
"""Presets of models that follow the paper, which changes the template interval by data set."""


@dataclass(frozen=True)
class ModelRequest:
    """The options that say which model runs and how; see `jointvos eval --help`.

    Attributes:
        dataset_preset: Preset of the paper for the data set.
    """

    model: str | None
    weights: Path | None
    preset: str | None
    memory_size: int | None
    memory_precision: str | None
    template_interval: int | None
    reach: float | None
    without: "Branch | None"
    device: str
    precision: str
    dataset_preset: str

    def check(self) -> None:
        """What can be found wrong before anything is loaded.

        Raises:
            ConfigError: Options contradict each other or are unknown.
        """
        check_options(self.model, self.weights, self.preset, self.precision)


def branch_named(name: str | None) -> "Branch | None":
    """The branch of the network that --without names.

    Raises:
        ConfigError: It names something else.
    """
    branches: dict[str | None, Branch | None]
    branches = {None: None, "transduction": "transduction", "induction": "induction"}
    if name in branches:
        return branches[name]
    raise ConfigError(
        f"--without {name}: expected transduction or induction, the branch to silence"
    )


@dataclass(frozen=True)
class EvaluatedModel:
    """A loaded model.

    Attributes:
        make_session: Makes a fresh session.
        settings: All that the masks depend on, fit for JSON.
        shown: The same for people, by name.
    """

    make_session: "Callable[[], VideoSegmenter]"
    settings: dict[str, Any]
    shown: dict[str, str]


def load_model_for(request: ModelRequest, reporter: Reporter) -> EvaluatedModel:
    """Load the model and say which, with which preset and where.

    A model that follows the paper is run with the data set's preset, any other with its own,
    unless one is named.

    Raises:
        ConfigError: Options contradict each other or are out of range.
        WeightsError: The model is missing or unusable.
        DeviceUnavailable: The device is not there.
    """
    request.check()
    import torch

    from jointvos.checkpoints import find_weights, load_model
    from jointvos.inference import VideoSegmenter
    from jointvos.model import without_branch

    path = find_weights(request.weights if request.weights is not None else request.model)
    net = load_model(path)
    if request.without is not None:
        if not (net.config.transduction and net.config.induction):
            raise ConfigError(f"{path} has a single branch; leave out --without")
        net = without_branch(net, request.without)
    own = net.config.inference
    chosen = request.preset or (request.dataset_preset if own in FOR_THE_PAPER else own)
    config = preset(
        INFERENCE,
        chosen,
        memory_size=request.memory_size,
        memory_precision=request.memory_precision,
        template_interval=request.template_interval,
        reach=request.reach,
    )

    def make() -> VideoSegmenter:
        return VideoSegmenter(net, config, device=request.device, precision=request.precision)

    session = make()
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    used = "fp32" if session.dtype is None else str(session.dtype).removeprefix("torch.")
    where = str(session.device)
    if session.device.type == "cuda":
        where += f" ({torch.cuda.get_device_name(session.device)})"
    reporter.note(
        f"model {path.stem}, preset {chosen} (a template every {config.template_interval} "
        f"frames), {used} on {where}"
    )
    return EvaluatedModel(
        make,
        {
            "weights": digest,
            "inference": to_dict(config),
            "without": request.without,
            "precision": used,
            "device": session.device.type,
            "version": jointvos.__version__,
        },
        {
            "model": path.stem,
            "weights, SHA-256": digest,
            **({"without": request.without} if request.without else {}),
            "preset": chosen,
            "template interval": str(config.template_interval),
            "memory size": str(config.memory_size),
            "memory precision": config.memory_precision,
            "reach": f"{config.reach:g} times the target's side" if config.reach else "no limit",
            "search region": f"{config.crop_size[1]}x{config.crop_size[0]}",
            "device": where,
            "precision": used,
            "torch": torch.__version__,
        },
    )


def versions() -> dict[str, str]:
    """What the figures were computed with."""
    import cv2
    import numpy as np

    return {
        "jointvos": jointvos.__version__,
        "Python": platform.python_version(),
        "NumPy": np.__version__,
        "OpenCV": cv2.__version__,
        "system": f"{platform.system()} {platform.machine()}",
    }
