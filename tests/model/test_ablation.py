"""A network with a branch silenced says what the other branch says in the whole one."""

from dataclasses import replace

import pytest
import torch

from jointvos.config import MODELS
from jointvos.model import JointNet, without_branch

TINY = replace(
    MODELS["joint-lite"],
    name="tiny",
    feature_dim=16,
    key_dim=8,
    decoder_dims=(8, 8, 8),
    upsampler_dim=4,
)


@pytest.mark.parametrize("two_head", [True, False])
@pytest.mark.parametrize("silent", ["transduction", "induction"])
def test_the_other_branch_is_unchanged(silent, two_head):
    torch.manual_seed(0)
    net = JointNet(replace(TINY, two_head=two_head)).eval().requires_grad_(False)
    other = without_branch(net, silent).requires_grad_(False)
    assert not other.training
    images = 255 * torch.rand(2, 3, 64, 96)
    mask = torch.zeros(1, 1, 1, 64, 96)
    mask[..., 20:40, 30:60] = 1

    def encoding(network: JointNet, branch: str) -> torch.Tensor:
        features, memory = network.encode_image(images), network.encode_masks(mask)
        if branch == "transduction":
            keys = network.encode_templates(features.transduction[None, :1], memory.transduction)
            return network.propagate(features.transduction[1:], keys)
        target = network.fit_target_model(features.induction[None, :1], memory, steps=5)
        return network.apply_target_model(target, features.induction[1:])

    branch = "induction" if silent == "transduction" else "transduction"
    torch.testing.assert_close(encoding(other, branch), encoding(net, branch))
    features = other.encode_image(images)
    assert (features.transduction is None) == (silent == "transduction")
    assert (features.induction is None) == (silent == "induction")
    assert sum(p.numel() for p in other.parameters()) < sum(p.numel() for p in net.parameters())
