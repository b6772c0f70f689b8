"""Model files: where they are, how they are read and written, and how foreign ones come in.

Loaded on first use: to list models or to fetch one needs no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jointvos.checkpoints.backbone import load_backbone
    from jointvos.checkpoints.installing import install
    from jointvos.checkpoints.load import begin_with, load_model, save_model
    from jointvos.checkpoints.locate import find_weights, installed

HOMES = {
    "begin_with": "load",
    "find_weights": "locate",
    "install": "installing",
    "installed": "locate",
    "load_backbone": "backbone",
    "load_model": "load",
    "save_model": "load",
}

__all__ = [
    "begin_with",
    "find_weights",
    "install",
    "installed",
    "load_backbone",
    "load_model",
    "save_model",
]


def __getattr__(name: str) -> Any:
    if name in HOMES:
        return getattr(import_module(f"jointvos.checkpoints.{HOMES[name]}"), name)
    raise AttributeError(f"module 'jointvos.checkpoints' has no attribute {name!r}")
