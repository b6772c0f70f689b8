from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import misbehaving
import pytest
import torch
from misbehaving import Listener, Server, serving
from pytest_httpserver import HTTPServer

from jointvos.checkpoints import save_model
from jointvos.config import MODELS, ModelConfig
from jointvos.model import JointNet

TINY = replace(
    MODELS["joint-lite"],
    name="tiny",
    feature_dim=16,
    key_dim=8,
    decoder_dims=(8, 8, 8),
    upsampler_dim=4,
)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOINTVOS_CACHE", str(tmp_path / "cache"))
    for name in (
        "JOINTVOS_MODEL",
        "JOINTVOS_MIRROR",
        "JOINTVOS_OFFLINE",
        "http_proxy",
        "HTTP_PROXY",
    ):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    (tmp_path / "cache").mkdir()
    return tmp_path / "cache"


@pytest.fixture
def bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the bundled model would be, in `package` or in `weights` of a checkout: both empty."""
    folders = tmp_path / "package", tmp_path / "weights"
    for folder in folders:
        folder.mkdir()
    monkeypatch.setattr("jointvos.checkpoints.locate.BUNDLED_FOLDERS", folders)
    return tmp_path


@pytest.fixture(scope="session")
def tiny_config() -> ModelConfig:
    return TINY


@pytest.fixture(scope="session")
def tiny_net() -> JointNet:
    torch.manual_seed(0)
    return JointNet(TINY).eval()


@pytest.fixture(scope="session")
def tiny_file(tiny_net: JointNet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of jointvos, as small as they come."""
    path = tmp_path_factory.mktemp("tiny") / "tiny.safetensors"
    save_model(tiny_net, path, half=True)
    return path


@pytest.fixture
def server(httpserver: HTTPServer, tiny_file: Path) -> Iterator[Server]:
    with serving(httpserver, tiny_file.read_bytes()) as server:
        server.behaviors |= {"/good": misbehaving.good, "/slow": misbehaving.slowly}
        yield server


@pytest.fixture
def listener() -> Listener:
    return Listener()
