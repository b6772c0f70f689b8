"""The state of a training run on disk, replaced atomically."""

from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch

from jointvos.errors import OutputError, TrainingError
from jointvos.files.whole_file import whole_file


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write the state; an older one stays until the new one is complete.

    Raises:
        OutputError: It cannot be written.
    """
    with whole_file(path) as partial:
        try:
            torch.save(state, partial)
        except RuntimeError as error:  # torch has errors of its own for a full disk
            raise OutputError(f"{path} cannot be written: {error}") from error


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a state written by `save_checkpoint`.

    Raises:
        TrainingError: There is none, or it is damaged.
    """
    if not path.is_file():
        raise TrainingError(f"{path} does not exist", hint="start without `resume` first")
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, ValueError, EOFError, OSError, UnpicklingError) as error:
        raise TrainingError(f"{path} is damaged or no checkpoint; delete it") from error
    return state
