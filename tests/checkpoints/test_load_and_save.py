"""Our model files: round trip, strictness, and what is said about files that are no model."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

import jointvos.checkpoints.load as loading
from jointvos.checkpoints import begin_with, load_model, save_model
from jointvos.config import MODELS, ModelConfig, to_dict
from jointvos.errors import IncompatibleWeights, OutputError, WeightsNotFound
from jointvos.model import JointNet


def header(config: ModelConfig, **changes: object) -> dict[str, str]:
    return {"format": "jointvos/1", "model": json.dumps(to_dict(config) | changes)}


@pytest.fixture
def saved(tmp_path: Path, tiny_net: JointNet) -> Path:
    path = tmp_path / "tiny.safetensors"
    save_model(tiny_net, path, metadata={"note": "hello"})
    return path


def test_a_network_survives_the_round_trip(saved, tiny_net):
    net = load_model(saved)
    assert net.config == tiny_net.config
    assert not net.training
    original = tiny_net.state_dict()
    assert net.state_dict().keys() == original.keys()
    for name, tensor in net.state_dict().items():
        assert torch.equal(tensor, original[name]), name
    image = 255 * torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        for ours, theirs in zip(
            net.encode_image(image).stages, tiny_net.encode_image(image).stages, strict=True
        ):
            assert torch.equal(ours, theirs)


def test_everything_is_real_fp32_and_trainable(saved):
    net = load_model(str(saved))
    for name, tensor in [*net.named_parameters(), *net.named_buffers()]:
        assert tensor.device.type == "cpu", name
        assert tensor.dtype == torch.float32, name
    assert all(p.requires_grad and p.is_leaf for p in net.parameters())
    assert not any(b.requires_grad for b in net.buffers())


def test_the_network_outlives_its_file(saved, tiny_net):
    net = load_model(saved)
    with saved.open("r+b") as file:
        file.write(bytes(saved.stat().st_size))
    assert torch.equal(net.heads.weight, tiny_net.heads.weight)


def test_the_header_says_what_it_is(saved, tiny_config):
    with safe_open(saved, framework="pt") as file:
        notes = file.metadata()
    assert notes["format"] == "jointvos/1"
    assert notes["note"] == "hello"
    assert json.loads(notes["model"])["feature_dim"] == tiny_config.feature_dim
    assert saved.stat().st_mode & 0o777 == 0o666 & ~current_umask(saved.parent)


def current_umask(folder: Path) -> int:
    probe = folder / "probe"
    probe.touch()
    return 0o666 & ~probe.stat().st_mode


def test_half_files_keep_vectors_and_what_would_overflow(tmp_path, tiny_config):
    net = JointNet(tiny_config)
    with torch.no_grad():
        net.heads.weight[0, 0, 0, 0] = 1e5
    path = tmp_path / "half.safetensors"
    save_model(net, path, half=True)
    stored = load_file(path)
    assert stored["backbone.stem.weight"].dtype == torch.float16
    assert stored["backbone.stem.bias"].dtype == torch.float32
    assert stored["learner.filter_reg"].dtype == torch.float32
    assert stored["heads.weight"].dtype == torch.float32
    loaded = load_model(path).state_dict()
    for name, tensor in net.state_dict().items():
        assert loaded[name].dtype == torch.float32
        # fp16 keeps 11 bits, and steps of 2^-24 near zero.
        torch.testing.assert_close(loaded[name], tensor, rtol=2**-11, atol=2**-25)
    assert loaded["heads.weight"][0, 0, 0, 0] == 1e5


def renamed(state: dict[str, Tensor]) -> None:
    state["extra"] = state.pop("heads.weight")


def emptied(state: dict[str, Tensor]) -> None:
    state.clear()


def reshaped(state: dict[str, Tensor]) -> None:
    state["heads.weight"] = torch.zeros(2, 3)


def spoilt(state: dict[str, Tensor]) -> None:
    state["heads.weight"] = state["heads.weight"].clone()
    state["heads.weight"][1, 2, 0, 0] = float("nan")


def infinite(state: dict[str, Tensor]) -> None:
    state["backbone.stem.bias"] = torch.full_like(state["backbone.stem.bias"], float("-inf"))


def counted(state: dict[str, Tensor]) -> None:
    state["backbone.stem.bias"] = state["backbone.stem.bias"].long()


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        pytest.param(renamed, "missing 'heads.weight'; unexpected 'extra'", id="renamed"),
        pytest.param(emptied, "'backbone.blocks.0.depthwise.weight' and 1", id="empty"),
        pytest.param(reshaped, "heads.weight is [2, 3], expected [32, 112, 3, 3]", id="shape"),
        pytest.param(spoilt, "NaN or infinite values in 'heads.weight'", id="nan"),
        pytest.param(infinite, "NaN or infinite values in 'backbone.stem.bias'", id="infinite"),
        pytest.param(counted, "no floating-point values in 'backbone.stem.bias'", id="integers"),
    ],
)
def test_tensors_that_do_not_fit_are_refused(spoil, said, tmp_path, tiny_net):
    state = dict(tiny_net.state_dict())
    spoil(state)
    path = tmp_path / "bad.safetensors"
    save_file(state, path, header(tiny_net.config))
    refused(path, said)


@pytest.mark.parametrize(
    ("notes", "said"),
    [
        pytest.param(None, "format mark 'none', expected 'jointvos/1'", id="no-header"),
        pytest.param({"format": "jointvos/2", "model": "{}"}, "'jointvos/2'", id="newer"),
        pytest.param({"format": "jointvos/1"}, "describes no network", id="no-config"),
        pytest.param({"format": "jointvos/1", "model": "[1]"}, "not a table", id="list"),
        pytest.param({"format": "jointvos/1", "model": "{}"}, "describes no network", id="fields"),
        pytest.param(header(MODELS["joint-lite"], wings=2), "unknown wings", id="unknown"),
        pytest.param(header(MODELS["joint-lite"], stages=7), "stages is 7", id="stages"),
        pytest.param(header(MODELS["joint-lite"], backbone="vgg"), "vgg", id="backbone"),
        pytest.param(header(MODELS["joint-lite"], feature_dim=-3), "network", id="negative"),
        pytest.param(header(MODELS["joint-lite"], feature_dim="x"), "network", id="text"),
        pytest.param(header(MODELS["joint-lite"], inference="fast"), "'fast'", id="inference"),
    ],
)
def test_headers_that_describe_no_network_are_refused(notes, said, tmp_path):
    path = tmp_path / "bad.safetensors"
    save_file({"x": torch.zeros(1)}, path, notes)
    refused(path, said)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(b"PK\x03\x04" + bytes(99), "install(NAME, source=", id="torch"),
        pytest.param(b"GIF89a" + bytes(99), "of an unknown kind", id="unknown"),
    ],
)
def test_other_files_are_called_by_their_kind(content, said, tmp_path):
    path = tmp_path / "other.safetensors"
    path.write_bytes(content)
    refused(path, said)


@pytest.mark.parametrize("kept", [9, 300, 0.5, 0.999])
def test_truncated_files_are_refused(kept, saved):
    content = saved.read_bytes()
    saved.write_bytes(content[: int(kept if kept > 1 else kept * len(content))])
    refused(saved, "damaged or cut off")


def refused(path: Path, said: str) -> None:
    with pytest.raises(IncompatibleWeights) as caught:
        load_model(path)
    message = str(caught.value)
    assert said in message
    assert str(path) in message
    assert "\n" not in message


def test_a_network_begins_with_what_fits_of_another(saved, tiny_net, tiny_config):
    torch.manual_seed(1)
    net = JointNet(replace(tiny_config, decoder_dims=(8, 8, 16)))
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    path, anew = begin_with(net, saved)
    assert path == saved
    changed = ("decoder.levels.1.project.", "decoder.levels.2.")  # the deepest level is wider
    assert anew
    assert all(name.startswith(changed) for name in anew)
    for name, tensor in net.state_dict().items():
        expected = before[name] if name in anew else tiny_net.state_dict()[name]
        assert torch.equal(tensor, expected), name


def test_a_model_with_another_backbone_is_refused(saved, tiny_config):
    net = JointNet(replace(tiny_config, name="other", backbone="resnet50_v1.5"))
    with pytest.raises(
        IncompatibleWeights,
        match=r"efficientnet_lite0, but 'other' has resnet50_v1\.5; set .* to 'tiny'",
    ):
        begin_with(net, saved)


def test_a_model_of_which_nothing_fits_is_refused(saved, tiny_net):
    class Other(torch.nn.Linear):
        config = tiny_net.config

    with pytest.raises(IncompatibleWeights, match="nothing that fits the network 'tiny'"):
        begin_with(Other(2, 2), saved)


def test_a_missing_file_is_named_with_the_remedy(tmp_path, saved):
    with pytest.raises(
        WeightsNotFound,
        match=r"absent\.safetensors does not exist; .*install\(NAME\)` fetches joint-",
    ):
        load_model(tmp_path / "absent.safetensors")


def test_a_failed_write_keeps_the_old_file(saved, tiny_net, full_disk):
    before = saved.read_bytes()
    with (
        full_disk(1000),
        pytest.raises(OutputError, match="cannot be written: File too large"),
    ):
        save_model(tiny_net, saved, half=True)
    assert saved.read_bytes() == before
    assert [each for each in saved.parent.iterdir() if each != saved] == []


def test_a_skeleton_is_the_network_without_values():
    config = MODELS["joint-r50"]
    state = loading.skeleton(config).state_dict()
    assert all(tensor.is_meta for tensor in state.values())
    assert sum(tensor.numel() for tensor in state.values()) > 41e6


COST = """
import sys
from pathlib import Path
from jointvos.checkpoints.load import load_model

def memory(name):
    text = Path("/proc/self/status").read_text()
    return int(text.split(name + ":")[1].split()[0]) * 1024

load_model("joint-lite")  # what torch does once
import jointvos.model.backbone  # brings torchvision along
before = memory("VmRSS")
net = load_model(Path(sys.argv[1]))
print(memory("VmHWM") - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_network_of_the_paper_is_in_memory_once(tmp_path):
    """The file's size, and little more."""
    path = tmp_path / "paper.safetensors"
    save_model(JointNet(MODELS["joint-r50"]), path)
    run = subprocess.run(
        [sys.executable, "-c", COST, path], capture_output=True, text=True, check=True, timeout=100
    )
    assert int(run.stdout) < 1.15 * path.stat().st_size
