"""The unrolled mini-sequence: the verbs in their order, and gradients wherever they belong."""

from dataclasses import replace

import pytest
import torch

from jointvos.config import ModelConfig
from jointvos.model import JointNet, MaskEncodings
from jointvos.training.unroll import Unrolled, unroll

TINY = ModelConfig(
    name="tiny",
    backbone="efficientnet_lite0",
    norm="group",
    stages=3,
    feature_dim=32,
    key_dim=16,
    pixel_std=(58.0, 57.0, 58.0),
    leaky_encodings=True,
    decoder_dims=(16, 16, 16),
    upsampler_dim=8,
    upsampling="bilinear",
)
CROP = (64, 96)
FRAMES = 3
VARIANTS = [
    pytest.param({}, id="joint"),
    pytest.param({"induction": False, "two_head": False}, id="transduction alone"),
    pytest.param({"transduction": False, "two_head": False}, id="induction alone"),
    pytest.param({"two_head": False}, id="one head"),
]


def network(**changes: bool) -> JointNet:
    torch.manual_seed(0)
    net = JointNet(replace(TINY, **changes))
    if net.learner is not None:  # its initial value is too small to leave a visible gradient
        torch.nn.init.constant_(net.learner.filter_reg, 0.1)
    return net


@pytest.fixture(scope="module")
def sequence() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    images = 255 * torch.rand(2, FRAMES, 3, *CROP, generator=generator)
    mask = torch.zeros(2, 1, 1, *CROP)
    mask[0, ..., 16:48, 16:48], mask[1, ..., 8:56, 40:80] = 1, 1
    return images, mask


@pytest.mark.parametrize("changes", VARIANTS)
def test_shapes(changes, sequence):
    with torch.no_grad():
        out = unroll(network(**changes), *sequence, initial_steps=2, update_steps=1)
    assert out.logits.shape == (2, FRAMES - 1, 1, *CROP)
    assert out.search_encodings.shape == (2, FRAMES - 1, 16, 4, 6)
    for name in ("transduction", "induction", "importance"):
        part = getattr(out.encodings, name)
        there = changes.get("transduction" if name == "transduction" else "induction", True)
        assert (part.shape == (2, FRAMES, 16, 4, 6)) if there else (part is None)


def by_hand(net: JointNet, images: torch.Tensor, first_mask: torch.Tensor) -> Unrolled:
    """Three frames written out with the seven verbs, one frame through the backbone at a time."""
    f0, f1, f2 = (net.encode_image(images[:, t]) for t in range(3))
    e0 = net.encode_masks(first_mask)

    keys = net.encode_templates(f0.transduction[:, None], e0.transduction)
    model = net.fit_target_model(f0.induction[:, None], e0, steps=4)
    s1 = net.propagate(f1.transduction, keys) + net.apply_target_model(model, f1.induction)
    l1 = net.decode(s1, f1.stages)
    e1 = net.encode_masks(l1.sigmoid()[:, None])
    memory = MaskEncodings(
        torch.cat((e0.transduction, e1.transduction), 1),
        torch.cat((e0.induction, e1.induction), 1),
        torch.cat((e0.importance, e1.importance), 1),
    )

    both = torch.stack((f0.transduction, f1.transduction), 1)
    keys = net.encode_templates(both, memory.transduction)
    both = torch.stack((f0.induction, f1.induction), 1)
    model = net.fit_target_model(both, memory, start=model, steps=2)
    s2 = net.propagate(f2.transduction, keys) + net.apply_target_model(model, f2.induction)
    l2 = net.decode(s2, f2.stages)
    e2 = net.encode_masks(l2.sigmoid()[:, None])
    return Unrolled(
        torch.stack((l1, l2), 1),
        MaskEncodings(
            torch.cat((memory.transduction, e2.transduction), 1),
            torch.cat((memory.induction, e2.induction), 1),
            torch.cat((memory.importance, e2.importance), 1),
        ),
        torch.stack((s1, s2), 1),
    )


def test_equals_the_verbs_driven_by_hand(sequence):
    net = network()
    with torch.no_grad():
        ours = unroll(net, *sequence, initial_steps=4, update_steps=2)
        hand = by_hand(net, *sequence)
        other = unroll(net, *sequence, initial_steps=1, update_steps=1)
    pairs = [
        (ours.logits, hand.logits),
        (ours.search_encodings, hand.search_encodings),
        (ours.encodings.transduction, hand.encodings.transduction),
        (ours.encodings.induction, hand.encodings.induction),
        (ours.encodings.importance, hand.encodings.importance),
    ]
    for a, b in pairs:  # batches of another size are summed in another order
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)
    assert float((ours.search_encodings - other.search_encodings).abs().max()) > 1e-2


def test_a_dropped_branch_does_not_reach_the_decoder(sequence):
    net, (images, first_mask) = network(), sequence
    one_each = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    with torch.no_grad():
        both = unroll(net, images, first_mask, 2, 1)
        same = unroll(net, images, first_mask, 2, 1, torch.ones(2, 2))
        dropped = unroll(net, images, first_mask, 2, 1, one_each).search_encodings[:, 0]
        f0, f1 = (net.encode_image(images[:, t]) for t in range(2))
        e0 = net.encode_masks(first_mask)
        keys = net.encode_templates(f0.transduction[:, None], e0.transduction)
        propagated = net.propagate(f1.transduction, keys)
        model = net.fit_target_model(f0.induction[:, None], e0, steps=2)
        induced = net.apply_target_model(model, f1.induction)
    assert torch.equal(both.logits, same.logits)
    torch.testing.assert_close(dropped[0], propagated[0], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(dropped[1], induced[1], rtol=1e-4, atol=1e-4)
    assert not torch.allclose(propagated, induced, atol=0.1)


@pytest.mark.parametrize("changes", VARIANTS)
def test_every_parameter_learns(changes, sequence):
    net = network(**changes)
    out = unroll(net, *sequence, initial_steps=2, update_steps=1)
    parts = (out.encodings.transduction, out.encodings.induction)
    loss = out.logits.square().mean() + sum(
        part.square().mean() for part in parts if part is not None
    )
    loss.backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name


def test_the_prediction_that_is_fed_back_is_detached(sequence):
    """What the label encoder makes of a predicted mask pulls on no other part of the network."""
    net = network()
    out = unroll(net, *sequence, initial_steps=2, update_steps=1)
    out.encodings.induction[:, 1:].sum().backward()
    trained = {name for name, p in net.named_parameters() if p.grad is not None and p.grad.any()}
    assert trained
    assert all(name.startswith("label_encoder.") for name in trained)
