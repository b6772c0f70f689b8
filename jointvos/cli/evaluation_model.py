"""The model that is evaluated: what is said of it, and all that its masks depend on."""

import platform
from typing import TYPE_CHECKING

import jointvos
from jointvos.cli.console import Reporter

if TYPE_CHECKING:
    from jointvos.runs import LoadedModel, SessionSpec


def load_model_for(spec: "SessionSpec", paper_preset: str, reporter: Reporter) -> "LoadedModel":
    """Load the model and say which, with which preset and where.

    A model that follows the paper is run with the data set's preset, any other with its own,
    unless one is named.

    Raises:
        ConfigError: Options contradict each other or are out of range.
        WeightsError: The model is missing or unusable.
        DeviceError: The device is not there, or the network cannot be compiled for it.
    """
    if spec.compiled:
        reporter.note("compiling the network; this takes a minute or more")
    model = spec.load(paper_preset=paper_preset, say=reporter.warn)
    reporter.note(
        f"model {model.name}, preset {model.preset} (a template every "
        f"{model.config.template_interval} frames), {model.precision} on {_where(model)}"
    )
    if spec.compiled:
        reporter.note(f"compiled in {model.compile_s:.0f} s")
    return model


def shown(model: "LoadedModel") -> dict[str, str]:
    """How masks were made, for people, by name."""
    import torch

    from jointvos.checkpoints.record import sha256_of

    config, spec = model.config, model.spec
    assert model.path is not None
    return {
        "model": model.name,
        "weights, SHA-256": sha256_of(model.path),
        **({"without": spec.without} if spec.without else {}),
        "preset": model.preset,
        "template interval": str(config.template_interval),
        "memory size": str(config.memory_size),
        "memory precision": config.memory_precision,
        "reach": f"{config.reach:g} times the target's side" if config.reach else "no limit",
        "search region": f"{config.crop_size[1]}x{config.crop_size[0]}",
        "device": _where(model),
        "precision": model.precision,
        **({"compiled": "yes"} if spec.compiled else {}),
        "torch": torch.__version__,
    }


def _where(model: "LoadedModel") -> str:
    import torch

    if model.device.type != "cuda":
        return str(model.device)
    return f"{model.device} ({torch.cuda.get_device_name(model.device)})"


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
