"""The network as a whole: sizes, names of its parts, ablations, batches."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from jointvos.config import MODELS, ModelConfig
from jointvos.model import JointNet
from jointvos.model.blocks import FrozenBatchNorm2d

TINY = replace(
    MODELS["joint-lite"],
    name="tiny",
    feature_dim=32,
    key_dim=16,
    decoder_dims=(16, 16, 16),
    upsampler_dim=8,
)
SIZE = (64, 96)


def network(config: ModelConfig = TINY) -> JointNet:
    torch.manual_seed(0)
    return JointNet(config).requires_grad_(False)


def pictures(n: int) -> Tensor:
    return 255 * torch.rand(n, 3, *SIZE, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    ("name", "millions"),
    [pytest.param("joint-lite", 2.458, id="lite"), pytest.param("joint-r50", 41.6, id="r50")],
)
def test_number_of_parameters(name, millions):
    with torch.device("meta"):
        net = JointNet(MODELS[name])
    count = sum(parameter.numel() for parameter in net.parameters())
    assert count / 1e6 == pytest.approx(millions, rel=2e-3)


@pytest.mark.parametrize(
    ("changes", "absent"),
    [
        pytest.param({}, (), id="joint"),
        pytest.param(
            {"induction": False, "two_head": False},
            ("learner.", "label_encoder.head.importance", "label_encoder.transduction_head"),
            id="transduction alone",
        ),
        pytest.param(
            {"transduction": False, "two_head": False},
            ("transduction.", "label_encoder.transduction_head"),
            id="induction alone",
        ),
        pytest.param({"two_head": False}, ("label_encoder.transduction_head",), id="one head"),
    ],
)
def test_an_ablation_lacks_the_parameters_of_what_it_leaves_out(changes, absent):
    whole = set(network().state_dict())
    left = set(network(replace(TINY, **changes)).state_dict())
    assert whole - left == {name for name in whole if name.startswith(absent or ("none",))}
    assert left <= whole
    branches = (
        TINY.transduction + TINY.induction - len({"transduction", "induction"} & set(changes))
    )
    heads = network(replace(TINY, **changes)).heads.weight
    assert heads.shape[0] == branches * TINY.feature_dim


@pytest.mark.parametrize(
    ("backbone", "channels"),
    [
        pytest.param("efficientnet_lite0", (24, 40, 112), id="lite0"),
        pytest.param("efficientnet_lite2", (24, 48, 120), id="lite2"),
        pytest.param("resnet50", (256, 512, 1024), id="resnet"),
        pytest.param("resnet50", (256, 512, 1024, 2048), id="resnet to stride 32"),
    ],
)
def test_strides_and_channels(backbone, channels):
    stages = len(channels)
    dims = (16, 16, 16, 16)[:stages]
    net = network(replace(TINY, backbone=backbone, stages=stages, decoder_dims=dims))
    features = net.encode_image(pictures(2))
    sizes = [(16, 24), (8, 12), (4, 6), (2, 3)][:stages]
    expected = [(2, c, *size) for c, size in zip(channels, sizes, strict=True)]
    assert [tuple(stage.shape) for stage in features.stages] == expected
    assert features.transduction.shape == features.induction.shape == (2, 32, 4, 6)
    logits = net.decode(torch.zeros(2, 16, 4, 6), features.stages)
    assert logits.shape == (2, 1, *SIZE)


def test_the_bottleneck_strides_on_its_first_convolution():
    with torch.device("meta"):
        backbone = JointNet(MODELS["joint-r50"]).backbone
    for stage in (backbone.layer2, backbone.layer3, backbone.layer4):
        assert (stage[0].conv1.stride, stage[0].conv2.stride) == ((2, 2), (1, 1))
    assert backbone.layer1[0].conv1.stride == (1, 1)


def test_the_two_heads_are_two_convolutions():
    net = network()
    res3 = net.backbone(pictures(1))[2]
    features = net.encode_image(pictures(1))
    own = torch.nn.functional.conv2d(res3, net.heads.weight[:32], padding=1)
    torch.testing.assert_close(features.transduction, own)
    other = torch.nn.functional.conv2d(res3, net.heads.weight[32:], padding=1)
    ratio = features.induction / other
    torch.testing.assert_close(
        ratio, torch.full_like(ratio, float(ratio.median())), rtol=1e-3, atol=0
    )


def test_importance_starts_at_one():
    masks = torch.rand(1, 2, 1, *SIZE, generator=torch.Generator().manual_seed(2))
    encodings = network().encode_masks(masks)
    assert torch.equal(encodings.importance, torch.ones(1, 2, 16, 4, 6))
    assert not torch.equal(encodings.transduction, encodings.induction)


def test_one_head_serves_both_branches():
    masks = torch.rand(1, 2, 1, *SIZE, generator=torch.Generator().manual_seed(2))
    encodings = network(replace(TINY, two_head=False)).encode_masks(masks)
    assert torch.equal(encodings.transduction, encodings.induction)


def test_encodings_are_positive_unless_leaky():
    masks = torch.rand(1, 1, 1, *SIZE, generator=torch.Generator().manual_seed(2))
    strict = network(replace(TINY, leaky_encodings=False)).encode_masks(masks)
    leaky = network().encode_masks(masks)
    for a, b in ((strict.transduction, leaky.transduction), (strict.induction, leaky.induction)):
        assert (a >= 0).all()
        assert (b < 0).any()
        torch.testing.assert_close(b.clamp_min(0), a)


def test_sequences_of_a_batch_do_not_mix():
    net = network()
    images = pictures(4).view(2, 2, 3, *SIZE)  # template and search frame of two sequences
    masks = torch.zeros(2, 1, 1, *SIZE)
    masks[0, ..., 16:48, 16:48], masks[1, ..., 8:56, 40:80] = 1, 1

    def run(images: Tensor, masks: Tensor) -> Tensor:
        past, search = net.encode_image(images[:, 0]), net.encode_image(images[:, 1])
        encodings = net.encode_masks(masks)
        keys = net.encode_templates(past.transduction[:, None], encodings.transduction)
        target = net.fit_target_model(past.induction[:, None], encodings, steps=5)
        found = net.propagate(search.transduction, keys)
        found = found + net.apply_target_model(target, search.induction)
        return net.decode(found, search.stages)

    both = run(images, masks)
    for b in range(2):
        alone = run(images[b : b + 1], masks[b : b + 1])
        torch.testing.assert_close(alone[0], both[b], rtol=1e-4, atol=1e-4)
    assert float((both[0] - both[1]).abs().max()) > 1e-2


def test_frozen_normalization_never_changes():
    norm = FrozenBatchNorm2d(4).train()
    norm.running_mean.fill_(2.0)
    norm.running_var.fill_(4.0)
    before = {name: value.clone() for name, value in norm.state_dict().items()}
    x = torch.randn(3, 4, 5, 5, generator=torch.Generator().manual_seed(3))
    torch.testing.assert_close(norm(x), (x - 2) / (4 + 1e-5) ** 0.5)
    assert all(torch.equal(value, before[name]) for name, value in norm.state_dict().items())
