"""The network with the deterministic weights of the recordings, and the recordings."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import refweights
import torch
from torch import Tensor

from jointvos.checkpoints.convert import convert_official
from jointvos.checkpoints.load import fill, skeleton
from jointvos.config import MODELS
from jointvos.model import JointNet

REFERENCE = Path(__file__).parents[1] / "reference"
DIGEST = 492029099
"""CRC of the weights that the recordings were made with."""


@pytest.fixture(scope="session")
def official_state() -> dict[str, Tensor]:
    """The state dict of an official checkpoint, with weights that anyone can regenerate."""
    state = refweights.fill(json.loads((REFERENCE / "keys.json").read_text()), refweights.SEED_A)
    assert refweights.digest(state) == DIGEST
    return state


@pytest.fixture(scope="session")
def official_net(official_state: dict[str, Tensor]) -> JointNet:
    """joint-r50 with those weights."""
    net = fill(skeleton(MODELS["joint-r50"]), convert_official(official_state), REFERENCE)
    return net.requires_grad_(False)


@pytest.fixture(scope="session")
def recorded() -> Callable[[str], dict[str, Tensor]]:
    """Arrays of one file of tests/reference, as tensors."""

    def load(name: str) -> dict[str, Tensor]:
        with np.load(REFERENCE / f"{name}.npz") as arrays:
            return {key: torch.from_numpy(arrays[key]) for key in arrays}

    return load
