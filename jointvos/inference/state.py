"""Parts of a `state_dict`, checked when they are loaded."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from jointvos.errors import ConfigError

CPU = torch.device("cpu")


def loaded(state: Mapping[str, Any], name: str, kind: Any) -> Any:
    """The entry of that name, which is of that type.

    Raises:
        ConfigError: It is missing or of another type.
    """
    if not isinstance(state, Mapping) or name not in state:
        raise ConfigError(f"the saved state has no {name}")
    if not isinstance(value := state[name], kind):
        expected = getattr(kind, "__name__", kind)
        raise ConfigError(
            f"the saved {name} is of type {type(value).__name__}, expected {expected}"
        )
    return value


def loaded_tensor(
    state: Mapping[str, Any], name: str, *shape: int | None, device: torch.device = CPU
) -> Tensor:
    """The tensor of that name, on that device, [*shape]; None in it fits any length.

    Raises:
        ConfigError: It is missing or has another shape.
    """
    value: Tensor = loaded(state, name, Tensor)
    fits = value.dim() == len(shape) and all(
        expected in (None, length) for length, expected in zip(value.shape, shape, strict=True)
    )
    if not fits:
        expected = ", ".join("any" if length is None else str(length) for length in shape)
        raise ConfigError(
            f"the saved {name} has the shape {list(value.shape)}, expected [{expected}]"
        )
    return value.to(device)
