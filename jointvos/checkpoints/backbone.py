"""Weights that training starts with: backbones alone, in a folder of their own.

A file holds the tensors of `JointNet.backbone` under their names, as safetensors, and takes
images as the network does: RGB in [0, 255] minus the network's mean.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from jointvos.checkpoints.convert import PRESET, origin
from jointvos.checkpoints.efficientnet import fold
from jointvos.checkpoints.file_kind import listing
from jointvos.checkpoints.load import skeleton
from jointvos.checkpoints.locate import installed_backbones, packaged_backbone
from jointvos.checkpoints.pytorch_file import read_state_dict
from jointvos.checkpoints.record import check_quickly
from jointvos.checkpoints.registry import KNOWN
from jointvos.checkpoints.safetensors_file import compare, is_finite, read_tensors, write_tensors
from jointvos.config import MODELS
from jointvos.errors import IncompatibleWeights
from jointvos.model import JointNet

IMAGENET = "imagenet-r50"
LITE = {"imagenet-lite0": "efficientnet_lite0", "imagenet-lite2": "efficientnet_lite2"}
RESNET = {"mask-rcnn-r50-backbone": "resnet50", IMAGENET: "resnet50_v1.5"}
"""The two are alike in names and shapes, but not in where their strides are."""

EFFICIENTNET = "an EfficientNet-Lite"
EXPECTED = "a ResNet-50 with the names of torchvision or of maskrcnn-benchmark"
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
FIRST, LAST = "conv1.weight", "layer4.2.conv3.weight"


def load_backbone(net: JointNet, names: Sequence[str]) -> str | None:
    """Give a network the first of these backbones that is there, and say which.

    Installed ones come before those of Python packages.

    Raises:
        IncompatibleWeights: The file is damaged, changed or of another network.
    """
    there = installed_backbones()
    for name in names:
        expected = net.backbone.state_dict()
        if path := there.get(name):
            if RESNET.get(name, net.config.backbone) != net.config.backbone:
                raise IncompatibleWeights(
                    f"{name} fits the backbone {RESNET[name]}, but {net.config.name!r} has "
                    f"{net.config.backbone}",
                    hint=f"set the recipe's model to {KNOWN[name].preset!r}",
                )
            check_quickly(path)
            state = read_tensors(path)[1]
        elif path := packaged_backbone(name):
            state = fold(read_state_dict(path, EFFICIENTNET), expected, path)
        else:
            continue
        compare(expected, state, f"{path} does not fit the backbone")
        net.backbone.load_state_dict(state)
        return name
    return None


def convert_backbone(path: Path, name: str, target: Path) -> None:
    """Write a network of another project as a backbone of ours.

    Under `imagenet-lite0` and `-lite2` it is an EfficientNet-Lite, under other names a ResNet-50:
    under `imagenet-r50` it takes images as torchvision does (RGB, scaled), else as Caffe and
    Mask R-CNN do (BGR in [0, 255] minus a mean, which is ours as well).

    Args:
        path: A checkpoint, or a plain pickle of arrays.
        name: What it will be installed as.
        target: The file to write.

    Raises:
        WeightsError: The file cannot be read.
        IncompatibleWeights: It is no such network.
        OutputError: The backbone cannot be written.
    """
    if name in LITE:
        _convert_lite(path, name, target)
        return
    expected = skeleton(MODELS[PRESET]).backbone.state_dict()
    found = _under_our_names(read_state_dict(path, EXPECTED))
    compare(expected, found, f"{path} is not {EXPECTED}")
    # Copies, so that tensors that share memory in a hostile file do not in ours.
    kept = {key: tensor.float().clone().contiguous() for key, tensor in found.items()}
    if broken := [key for key, tensor in kept.items() if not is_finite(tensor)]:
        raise IncompatibleWeights(f"{path} has NaN or infinite values in {listing(broken)}")
    state = _from_scaled_rgb(kept) if name == IMAGENET else _from_bgr(kept)
    write_tensors(state, target, origin(path, name))


def _convert_lite(path: Path, name: str, target: Path) -> None:
    config = replace(MODELS[KNOWN[name].preset], backbone=LITE[name])  # type: ignore[arg-type]
    expected = skeleton(config).backbone.state_dict()
    state = fold(read_state_dict(path, EFFICIENTNET), expected, path)
    if broken := [key for key, tensor in state.items() if not is_finite(tensor)]:
        raise IncompatibleWeights(f"{path} has NaN or infinite values in {listing(broken)}")
    write_tensors(state, target, origin(path, name))


def _under_our_names(found: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What lies beside the first convolution, and not what other parts of a detector hold.

    maskrcnn-benchmark puts the first convolution and its normalization one level deeper.
    """
    prefixes = [name.removesuffix(LAST) for name in found if name.endswith(LAST)]
    prefix = min(prefixes, key=len, default="")
    inside = {
        name.removeprefix(prefix).removeprefix("stem."): tensor
        for name, tensor in found.items()
        if name.startswith(prefix)
    }
    return {
        name: tensor
        for name, tensor in inside.items()
        if not name.startswith("fc.") and not name.endswith("num_batches_tracked")
    }


def _from_bgr(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Turn the first convolution from BGR to RGB."""
    return {**state, FIRST: state[FIRST].flip(1).contiguous()}


def _from_scaled_rgb(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Move torchvision's scaling of images into the first convolution and its normalization.

    Exact but for the outermost pixels, where the convolution's padding is our mean, not theirs.
    """
    kernel = state[FIRST] / (255 * torch.tensor(IMAGENET_STD)).view(1, 3, 1, 1)
    ours = torch.tensor(MODELS[PRESET].pixel_mean)
    shift = (ours - 255 * torch.tensor(IMAGENET_MEAN)).view(1, 3, 1, 1)
    mean = state["bn1.running_mean"] - (kernel * shift).sum((1, 2, 3))
    return {**state, FIRST: kernel, "bn1.running_mean": mean}
