import pytest
import torch

from jointvos.errors import ConfigError, DeviceUnavailable
from jointvos.inference import VideoSegmenter
from jointvos.inference.device import choose_device, choose_dtype


@pytest.fixture
def machine(monkeypatch):
    """Pretend that a machine has so many CUDA devices, with bf16 or not, and, or not, MPS."""

    def pretend(cuda: int = 0, mps: bool = False, bf16: bool = False) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: cuda)
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: bf16)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)

    return pretend


@pytest.mark.parametrize(
    ("has", "expected"),
    [
        pytest.param({}, "cpu", id="nothing"),
        pytest.param({"mps": True}, "mps", id="mps"),
        pytest.param({"cuda": 1, "mps": True}, "cuda", id="cuda first"),
    ],
)
def test_auto(machine, has, expected):
    machine(**has)
    assert choose_device("auto") == torch.device(expected)


@pytest.mark.parametrize(
    ("name", "has", "error"),
    [
        pytest.param("tpu", {}, ConfigError, id="unheard of"),
        pytest.param("meta", {}, ConfigError, id="of no use"),
        pytest.param("cuda:one", {"cuda": 1}, ConfigError, id="no number"),
        pytest.param("cuda", {}, DeviceUnavailable, id="no cuda"),
        pytest.param("cuda:1", {"cuda": 1}, DeviceUnavailable, id="no second cuda"),
        pytest.param("mps", {"cuda": 1}, DeviceUnavailable, id="no mps"),
    ],
)
def test_what_is_not_there(machine, name, has, error):
    machine(**has)
    with pytest.raises(error, match=name) as caught:
        choose_device(name)
    assert "\n" not in str(caught.value)


def test_the_second_of_two(machine):
    machine(cuda=2)
    assert choose_device("cuda:1") == torch.device("cuda", 1)


@pytest.mark.parametrize("name", ["tpu", "cuda"])
def test_the_session_refuses_at_once(machine, tiny_net, name):
    machine()
    with pytest.raises((ConfigError, DeviceUnavailable), match=name):
        VideoSegmenter(tiny_net, device=name)


@pytest.mark.parametrize(
    ("precision", "device", "expected"),
    [
        pytest.param("auto", "cpu", None, id="auto"),
        pytest.param("auto", "cuda", torch.bfloat16, id="auto on a GPU"),
        pytest.param("fp32", "cuda", None, id="fp32"),
        pytest.param("bf16", "cpu", torch.bfloat16, id="bf16"),
        pytest.param("fp16", "cuda", torch.float16, id="fp16"),
    ],
)
def test_precision(machine, precision, device, expected):
    machine(cuda=1, bf16=True)
    assert choose_dtype(precision, torch.device(device)) == expected


@pytest.mark.parametrize(
    ("precision", "device", "message"),
    [
        pytest.param("fp16", "cpu", "fp16 needs a GPU", id="fp16 on the CPU"),
        pytest.param("int8", "cpu", "unknown precision 'int8'", id="unheard of"),
        pytest.param("bf16", "cuda", "no bf16", id="old GPU"),
    ],
)
def test_precision_that_does_not_fit(machine, precision, device, message):
    machine(cuda=1)
    with pytest.raises(ConfigError, match=message):
        choose_dtype(precision, torch.device(device))
    assert choose_dtype("auto", torch.device(device)) is None


def test_half_precision_is_not_undone(session):
    half = session(precision="bf16").net
    for precision in ("auto", "bf16"):
        again = session(half, precision=precision)
        assert again.net is half
        assert again.dtype == torch.bfloat16
    with pytest.raises(ConfigError, match="is 'fp32', but the network is in bf16 already"):
        session(half, precision="fp32")
