"""Tensors and plain values in a file that is never seen half: states to go on from."""

from pathlib import Path
from pickle import UnpicklingError
from typing import Any

from jointvos.errors import OutputError
from jointvos.files.whole_file import whole_file


def save_state(path: Path, state: dict[str, Any]) -> None:
    """Write a state; an older one stays until the new one is complete.

    Raises:
        OutputError: It cannot be written.
    """
    import torch

    with whole_file(path) as partial:
        try:
            torch.save(state, partial)
        except RuntimeError as error:  # torch has errors of its own for a full disk
            raise OutputError(f"{path} cannot be written: {error}") from error


def load_state(path: Path) -> Any:
    """What `save_state` has written, on the CPU.

    Raises:
        ValueError: It is damaged, or cannot be read.
    """
    import torch

    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, OSError, UnpicklingError) as error:
        raise ValueError(str(error)) from error
