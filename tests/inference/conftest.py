"""A network so small that a session takes milliseconds, and a clip for it."""

from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch
from watched_net import WatchedNet

from jointvos.config import MODELS, InferenceConfig
from jointvos.inference import VideoSegmenter
from jointvos.model import JointNet

CONFIG = InferenceConfig(
    crop_size=(64, 96),
    template_interval=2,
    memory_size=3,
    initial_steps=4,
    update_steps=2,
    objects_at_once=8,  # as on a GPU
)
SIZE = (120, 160)


@pytest.fixture(scope="session")
def tiny_net() -> JointNet:
    """Random, but with a steep last layer: its masks are rubbish that fills part of the frame."""
    torch.manual_seed(6)
    net = JointNet(
        replace(
            MODELS["joint-lite"],
            name="tiny",
            feature_dim=32,
            key_dim=16,
            decoder_dims=(16, 16, 16),
            upsampler_dim=8,
        )
    )
    torch.nn.init.normal_(net.decoder.upsample2.weight, std=2.0)
    torch.nn.init.zeros_(net.decoder.upsample2.bias)
    return net.requires_grad_(False)


@pytest.fixture(scope="session")
def watched_copy(tiny_net: JointNet) -> WatchedNet:
    return WatchedNet(tiny_net)


@pytest.fixture
def watched(watched_copy: WatchedNet) -> Iterator[WatchedNet]:
    """The same network, as one whose verbs can be watched."""
    yield watched_copy
    watched_copy.watches.clear()


@pytest.fixture
def session(tiny_net: JointNet) -> Callable[..., VideoSegmenter]:
    """Start a session, on the CPU by default; keywords change the configuration or the session."""

    def start(net: JointNet = tiny_net, **changes) -> VideoSegmenter:
        options = {
            key: changes.pop(key)
            for key in ("precision", "probabilities", "overlays", "on_oom", "say")
            if key in changes
        }
        device = changes.pop("device", "cpu")
        own = net if device == "cpu" else deepcopy(net)
        return VideoSegmenter(own, replace(CONFIG, **changes), device=device, **options)

    return start


@pytest.fixture(scope="session")
def clip() -> tuple[np.ndarray, np.ndarray]:
    """Eight frames with two moving rectangles on noise, and their labels 1 and 2."""
    random = np.random.default_rng(5)
    background = random.integers(0, 90, (*SIZE, 3), dtype=np.uint8)
    frames = np.repeat(background[None], 8, axis=0)
    labels = np.zeros((8, *SIZE), np.uint8)
    for t in range(8):
        for object_id, (top, left, color) in {
            1: (20 + 3 * t, 25 + 4 * t, (240, 80, 60)),
            2: (75 - 2 * t, 110 - 3 * t, (60, 200, 240)),
        }.items():
            area = (slice(top, top + 30), slice(left, left + 26))
            labels[t][area], frames[t][area] = object_id, color
    return frames, labels
