import gc
import os
import signal
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

# Two cores and other work beside us: waiting threads must sleep, not spin, and for networks as
# small as most of ours a second one costs more than it brings.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Jobs in the background of a shell ignore Ctrl-C, and so would the commands that are tested.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Modules that tests of several folders share.
for shared in ("reference", "corpus", "cli", "paint"):
    sys.path.insert(0, str(Path(__file__).parent / shared))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Modules and thousands of tests stay to the end: never search them for garbage."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.fixture(scope="session")
def make_httpserver() -> Iterator[HTTPServer]:
    """Of pytest-httpserver, with a thread for each request: some answers make the client wait."""
    with HTTPServer("127.0.0.1", threaded=True) as server:
        yield server


@pytest.fixture(autouse=True)
def _no_process_is_left() -> Iterator[None]:
    """Of those that a failed test has started."""
    from command import kill_all

    yield
    kill_all()


@pytest.fixture(scope="session")
def tiny_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network that is small enough to run in no time.

    Random, but with a steep last layer: its masks are rubbish that fills part of the frame.
    """
    import torch

    from jointvos.checkpoints import save_model
    from jointvos.config import ModelConfig
    from jointvos.model import JointNet

    torch.manual_seed(7)
    config = ModelConfig(
        name="tiny",
        backbone="efficientnet_lite0",
        norm="group",
        stages=3,
        feature_dim=16,
        key_dim=16,
        label_encoder_dims=(8, 8, 16),
        decoder_dims=(8, 8, 16),
        upsampler_dim=8,
        upsampling="bilinear",
        inference="small",
    )
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    net = JointNet(config).requires_grad_(False)
    torch.nn.init.normal_(net.decoder.upsample2.weight, std=0.3)
    torch.nn.init.zeros_(net.decoder.upsample2.bias)
    save_model(net, path)
    return path


@contextmanager
def no_file_above(size: int) -> Iterator[None]:
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)


_audited: dict[str, Callable[..., None]] = {}


@cache
def _start_auditing() -> None:
    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if event in _audited:
            _audited[event](*arguments)

    sys.addaudithook(hook)


@pytest.fixture
def audited() -> Iterator[dict[str, Callable[..., None]]]:
    """By an audit event of Python ("os.rename"), a function called before what it tells of.

    An error of the function takes the place of it.
    """
    _start_auditing()
    yield _audited
    _audited.clear()


@pytest.fixture
def full_disk() -> Callable[[int], AbstractContextManager[None]]:
    """A disk that is full after so many bytes of a file."""
    return no_file_above
