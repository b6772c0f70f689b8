"""Sixty memory updates against numbers recorded from the authors' code."""

import pytest
import torch

from jointvos.config import InferenceConfig
from jointvos.inference.memory_bank import MemoryBank, Template
from jointvos.model import MaskEncodings

NOTHING = MaskEncodings(None, None, None)


def numbered(i: int) -> Template:
    return Template(torch.full((1, 1, 1, 1), float(i)), None, NOTHING)


@pytest.mark.parametrize("size", [4, 20])
def test_sixty_updates(recorded, size):
    reference = recorded("memory_weights")
    weights, owners = reference[f"w_{size}"], reference[f"owner_{size}"]
    slots = reference[f"replaced_{size}"]
    bank = MemoryBank(numbered(0), InferenceConfig(memory_size=size))
    for update in range(1, 61):
        slot = bank.add(numbered(update))
        held = len(bank)
        assert slot == int(slots[update])
        held_maps = torch.cat([each.transduction for each in bank.templates])
        assert held_maps.flatten().tolist() == owners[update, :held].tolist()
        assert (owners[update, held:] == -1).all()
        # Single precision on both sides, in another order: a few ulp of a weight below 1.
        assert torch.allclose(bank.weights, weights[update, :held], rtol=0, atol=1e-6)
    assert held == size


def test_the_decay_is_visible(recorded):
    bank = MemoryBank(numbered(0), InferenceConfig(memory_size=4, template_decay=0.2))
    bank.add(numbered(1))
    assert abs(float(bank.weights[0] - recorded("memory_weights")["w_4"][1, 0])) > 0.01
