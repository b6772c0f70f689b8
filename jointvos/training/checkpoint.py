"""The state of a training run on disk, replaced atomically."""

from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch

from jointvos.errors import TrainingError


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write the state beside `path` and move it there when it is complete."""
    partial = path.with_name(f".{path.name}.partial")
    torch.save(state, partial)
    partial.replace(path)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a state written by `save_checkpoint`.

    Raises:
        TrainingError: There is none, or it is damaged.
    """
    if not path.is_file():
        raise TrainingError(f"{path} is not there; start without --resume first")
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, ValueError, EOFError, OSError, UnpicklingError) as error:
        raise TrainingError(f"{path} is damaged or no checkpoint; delete it") from error
    return state
