"""Backbones of other projects: under our names, for our images, or refused by name."""

import pickle
import subprocess
import sys
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from hostile_pickles import codings, dicts, more_than_the_file, pairs, roomy
from misbehaving import Listener
from torch import Tensor
from torch.nn import functional
from torchvision.models import resnet50
from torchvision.models.resnet import ResNet

from jointvos.checkpoints import install, load_backbone
from jointvos.checkpoints.backbone import EXPECTED, IMAGENET, _under_our_names, convert_backbone
from jointvos.checkpoints.load import skeleton
from jointvos.checkpoints.locate import place
from jointvos.checkpoints.pytorch_file import read_state_dict
from jointvos.checkpoints.safetensors_file import read_tensors
from jointvos.config import MODELS
from jointvos.errors import IncompatibleWeights
from jointvos.model import JointNet

MASK_RCNN = "mask-rcnn-r50-backbone"


@pytest.fixture(scope="module")
def theirs() -> ResNet:
    """Torchvision's network with normalization that does something."""
    torch.manual_seed(0)
    with torch.device("meta"):
        net = resnet50()
    net = net.to_empty(device="cpu").eval()
    for tensor in net.state_dict().values():
        if tensor.is_floating_point():
            tensor.uniform_(-0.05, 0.05)
    for name, tensor in net.state_dict().items():
        if "running_mean" in name:
            tensor.normal_(0, 0.1)
        elif "running_var" in name:
            tensor.uniform_(0.5, 1.5)
    return net


@pytest.fixture(scope="module")
def state(theirs: ResNet) -> dict[str, Tensor]:
    return {
        name: tensor
        for name, tensor in theirs.state_dict().items()
        if not name.startswith("fc.") and "num_batches" not in name
    }


@pytest.fixture(scope="module")
def net() -> JointNet:
    """Its backbone is filled anew by every test that looks at it."""
    return JointNet(MODELS["joint-r50"]).eval()


def plain(state: dict[str, Tensor]) -> object:
    return state


def torchvision_like(state: dict[str, Tensor]) -> object:
    counters = {
        f"{name[:-4]}num_batches_tracked": torch.tensor(3) for name in state if "var" in name
    }
    return {**state, **counters, "fc.weight": torch.zeros(1000, 2048), "fc.bias": torch.zeros(1000)}


def detector_like(state: dict[str, Tensor]) -> object:
    """As maskrcnn-benchmark writes it from several processes, with what else a detector has."""
    prefix = "module.backbone.body."
    renamed = {
        prefix + ("stem." if name.startswith(("conv1", "bn1")) else "") + name: tensor
        for name, tensor in state.items()
    }
    other = {"module.backbone.fpn.fpn_inner1.weight": torch.zeros(3), "module.rpn.b": torch.ones(1)}
    return {"model": {**renamed, **other}, "iteration": 90_000}


def wrapped(state: dict[str, Tensor]) -> object:
    return {"state_dict": OrderedDict((f"backbone.{name}", t) for name, t in state.items())}


@pytest.mark.parametrize("layout", [plain, torchvision_like, detector_like, wrapped])
def test_layouts_that_are_known_are_read(layout, state, tmp_path):
    path = tmp_path / "theirs.pkl"
    torch.save(layout(state), path)
    found = _under_our_names(read_state_dict(path, EXPECTED))
    assert found.keys() == state.keys()
    assert all(torch.equal(found[name], tensor) for name, tensor in state.items())


def test_a_detector_s_backbone_is_installed_and_loaded(state, net, tmp_path, cache):
    path = tmp_path / "theirs.pkl"
    torch.save(detector_like(state), path)
    installed = install(MASK_RCNN, Listener(), source=str(path))
    assert installed == place(MASK_RCNN, cache)
    assert load_backbone(net, ["imagenet-r50", MASK_RCNN]) == MASK_RCNN
    for name, tensor in net.backbone.state_dict().items():
        expected = state[name].flip(1) if name == "conv1.weight" else state[name]
        assert torch.equal(tensor, expected), name
    notes = read_tensors(installed)[0]
    assert notes["source"] == "e2e_mask_rcnn_R_50_FPN_1x_converted.pkl"
    assert notes["license"] == "none is stated with the file"
    installed.write_bytes(installed.read_bytes()[:-4])
    with pytest.raises(IncompatibleWeights, match="not the file that was installed"):
        load_backbone(net, [MASK_RCNN])


ARRAYS = OrderedDict(
    kernel=np.random.default_rng(0).random((2, 3, 4), dtype=np.float32),
    turned=np.arange(12, dtype=np.float64).reshape(3, 4).T,
    halves=np.arange(300, dtype=np.float16),
    count=np.array(7),
)


@pytest.mark.parametrize("protocol", [2, 3, 4])
@pytest.mark.parametrize("nested", [False, True])
def test_plain_pickles_of_arrays_are_read(nested, protocol, tmp_path):
    path = tmp_path / "theirs.pkl"
    path.write_bytes(pickle.dumps({"model": ARRAYS} if nested else ARRAYS, protocol))
    found = read_state_dict(path, EXPECTED)
    assert found.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert found[name].numpy().dtype == array.dtype
        assert np.array_equal(found[name].numpy(), array), name


@pytest.mark.parametrize("ordered", [False, True])
def test_pickles_of_python_2_are_read(ordered, tmp_path):
    """There an array's bytes are a text, and an OrderedDict is a call with its items."""
    array = ARRAYS["kernel"]
    sides = b"".join(b"J" + side.to_bytes(4, "little") for side in array.shape)
    item = (
        b"U\x06kernelcnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85U"
        b"\x01btR(K\x01(" + sides + b"tcnumpy\ndtype\n(U\x02f4K\x00K\x01tR(K\x03U\x01<NNN"
        b"J\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89T"
        + array.nbytes.to_bytes(4, "little")
        + array.tobytes()
        + b"tb"
    )
    path = tmp_path / "theirs.pkl"
    if ordered:
        path.write_bytes(b"\x80\x02ccollections\nOrderedDict\n]](" + item + b"ea\x85R.")
    else:
        path.write_bytes(b"\x80\x02}" + item + b"s.")
    assert np.array_equal(read_state_dict(path, EXPECTED)["kernel"].numpy(), array)


def calls_something(canary: Path) -> bytes:
    return b"\x80\x02}U\x01xcposix\nsystem\nU%ctouch %b\x85Rs." % (
        6 + len(bytes(canary)),
        bytes(canary),
    )


@pytest.mark.parametrize(
    ("make", "said"),
    [
        pytest.param(calls_something, "refers to 'posix.system', which", id="call"),
        pytest.param(lambda _: b"\x80\x02cposix\nsystem\n.", "it was run, do not", id="name-only"),
        pytest.param(lambda _: b"\x80\x02]K\x01aQ.", "damaged, cut off", id="persistent"),
        pytest.param(lambda _: b"\x80\x02c__builtin__\nset\n)\x81.", "builtin__.set'", id="object"),
        pytest.param(lambda _: b"\x80\x02}U\x01xN", "damaged, cut off or hostile", id="cut"),
        pytest.param(lambda _: b"\x80\x02tttt.", "damaged, cut off or hostile", id="no-mark"),
        pytest.param(lambda _: b"\x80\x02RRR.", "damaged, cut off or hostile", id="empty-stack"),
        pytest.param(lambda _: b"\x80\x02" + 4 * b"N" + b".", "has no network", id="several"),
        pytest.param(lambda _: b"\x80\x02" + 2_000_000 * b"0N", "damaged", id="endless"),
        pytest.param(lambda _: b"\x80\x02})" + 400_000 * b"\x85" + b"Ns.", "damaged", id="nested"),
        pytest.param(lambda _: b"\x80\x02}q\x00U\x01xh\x00s.", "no tensor", id="loop"),
        pytest.param(more_than_the_file, "damaged, cut off or hostile", id="expanding"),
        pytest.param(roomy, "damaged, cut off or hostile", id="roomy"),
        pytest.param(dicts, "'5999' in it, no tensor", id="dicts"),
        pytest.param(pairs, "no tensor", id="pairs"),
        pytest.param(codings, "no tensor", id="codings"),
    ],
)
def test_other_plain_pickles_are_refused(make, said, tmp_path):
    path, canary = tmp_path / "theirs.pkl", tmp_path / "canary"
    path.write_bytes(make(canary))
    with pytest.raises(IncompatibleWeights) as caught:
        convert_backbone(path, MASK_RCNN, tmp_path / "made.safetensors")
    assert said in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert [found.name for found in tmp_path.iterdir()] == [path.name]


def missing(state: dict[str, Tensor]) -> object:
    return {name: tensor for name, tensor in state.items() if not name.startswith("layer2.1")}


def other_depth(state: dict[str, Tensor]) -> object:
    return {**state, **{f"layer3.{i}.conv1.weight": torch.zeros(1) for i in range(6, 23)}}


def other_shape(state: dict[str, Tensor]) -> object:
    return {**state, "conv1.weight": torch.zeros(64, 1, 7, 7)}


def not_finite(state: dict[str, Tensor]) -> object:
    return {**state, "layer1.0.bn1.bias": torch.full((64,), float("nan"))}


def caffe_names(state: dict[str, Tensor]) -> object:
    return {"conv1_w": torch.zeros(1), "res2_0_branch2a_w": torch.zeros(1)}


@pytest.mark.parametrize(
    ("layout", "said"),
    [
        pytest.param(missing, "missing 'layer2.1.conv1.weight', 'layer2.1.bn1", id="missing"),
        pytest.param(other_depth, "unexpected 'layer3.6.conv1.weight'", id="resnet101"),
        pytest.param(other_shape, "conv1.weight is [64, 1, 7, 7], expected [64, 3", id="shape"),
        pytest.param(not_finite, "NaN or infinite values in 'layer1.0.bn1.bias'", id="nan"),
        pytest.param(caffe_names, "unexpected 'conv1_w', 'res2_0_branch2a_w'", id="caffe"),
    ],
)
def test_what_does_not_fit_is_named(layout, said, state, tmp_path):
    path = tmp_path / "theirs.pth"
    torch.save(layout(state), path)
    with pytest.raises(IncompatibleWeights) as caught:
        convert_backbone(path, MASK_RCNN, tmp_path / "made.safetensors")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert [found.name for found in tmp_path.iterdir()] == [path.name]


def features(net: ResNet, image: Tensor) -> Tensor:
    return net.relu(net.bn1(net.conv1(image)))


def test_torchvision_s_scaling_of_images_is_kept(theirs, net, tmp_path):
    path, made = tmp_path / "theirs.pth", tmp_path / "made.safetensors"
    torch.save(theirs.state_dict(), path)
    convert_backbone(path, IMAGENET, made)
    net.backbone.load_state_dict(read_tensors(made)[1])
    image = 255 * torch.rand(1, 3, 64, 64)
    mean = torch.tensor((0.485, 0.456, 0.406)).view(1, 3, 1, 1)
    std = torch.tensor((0.229, 0.224, 0.225)).view(1, 3, 1, 1)
    with torch.inference_mode():
        expected = features(theirs, (image / 255 - mean) / std)
        ours = net.backbone
        centerd = ours.normalize(image)
        found = ours.relu(ours.bn1(ours.conv1(centerd)))
    inner = (..., slice(2, -2), slice(2, -2))
    torch.testing.assert_close(found[inner], expected[inner], rtol=1e-3, atol=1e-4)


def test_torchvision_s_network_is_kept(tmp_path, cache):
    torch.manual_seed(0)
    theirs = resnet50().eval()
    theirs.conv1.weight.requires_grad_(False)[..., (0, 1, 2, 5, 6), :] = 0
    theirs.conv1.weight[..., (0, 1, 2, 5, 6)] = 0  # what would see the padding, which differs
    for name, tensor in theirs.state_dict().items():
        if "running_mean" in name:
            tensor.normal_(0, 0.1)
        elif "running_var" in name:
            tensor.uniform_(0.5, 1.5)
    path, made = tmp_path / "theirs.pth", place(IMAGENET, cache)
    torch.save(theirs.state_dict(), path)
    made.parent.mkdir()
    convert_backbone(path, IMAGENET, made)
    assert read_tensors(made)[0]["preset"] == "joint-r50-imagenet"
    net = JointNet(MODELS["joint-r50-imagenet"]).eval()
    assert load_backbone(net, [IMAGENET]) == IMAGENET
    image = 255 * torch.rand(1, 3, 64, 64)
    mean = torch.tensor((0.485, 0.456, 0.406)).view(1, 3, 1, 1)
    std = torch.tensor((0.229, 0.224, 0.225)).view(1, 3, 1, 1)
    with torch.inference_mode():
        found = net.backbone(image)
        x = theirs.maxpool(features(theirs, (image / 255 - mean) / std))
        for ours, layer in zip(
            found, (theirs.layer1, theirs.layer2, theirs.layer3, theirs.layer4), strict=True
        ):
            x = layer(x)
            assert (ours - x).norm() < 1e-4 * x.norm()


def test_a_backbone_with_other_strides_is_refused(net, cache):
    """Nothing else tells the two apart: names and shapes are the same."""
    path = place(IMAGENET, cache)
    path.parent.mkdir()
    path.touch()
    with pytest.raises(IncompatibleWeights) as caught:
        load_backbone(net, [IMAGENET])
    assert str(caught.value) == (
        "imagenet-r50 fits the backbone resnet50_v1.5, but 'joint-r50' has resnet50; "
        "set the recipe's model to 'joint-r50-imagenet'"
    )


def test_images_in_bgr_are_met(state, net, tmp_path):
    """Caffe's input: BGR in [0, 255] minus its mean, which is ours the other way round."""
    path, made = tmp_path / "theirs.pth", tmp_path / "made.safetensors"
    torch.save(state, path)
    convert_backbone(path, MASK_RCNN, made)
    net.backbone.load_state_dict(read_tensors(made)[1])
    image = 255 * torch.rand(1, 3, 32, 32)
    bgr = image.flip(1) - torch.tensor((102.9801, 115.9465, 122.7717)).view(1, 3, 1, 1)
    with torch.inference_mode():
        expected = functional.conv2d(bgr, state["conv1.weight"], stride=2, padding=3)
        found = net.backbone.conv1(net.backbone.normalize(image))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-3)


def test_nothing_installed_is_no_error(net):
    assert load_backbone(net, [IMAGENET, MASK_RCNN]) is None


def test_the_skeleton_of_a_backbone_has_no_values():
    tensors = skeleton(MODELS["joint-r50"]).backbone.state_dict().values()
    assert all(tensor.is_meta for tensor in tensors)


def test_backbones_are_found_without_torch():
    code = (
        "import sys; from jointvos.checkpoints.locate import installed_backbones;"
        "installed_backbones(); sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
