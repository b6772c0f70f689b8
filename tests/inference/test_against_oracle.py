"""The session against the straightforward implementation beside this file."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from oracle import Oracle
from watched_net import WatchedNet

from jointvos import VideoSegmenter, load_model
from jointvos.config import INFERENCE, InferenceConfig
from jointvos.inference.target import Target
from jointvos.masks import read_mask
from jointvos.media.reading import open_source
from jointvos.model import JointNet

EXAMPLES = Path(__file__).parents[2] / "examples"
AGREEMENT = 0.999
"""Share of pixels that must have the same label."""
LABEL_PIXELS = 10
"""Of 409 920 that rounding may turn over."""


def agreements(net: JointNet, config: InferenceConfig, frames, masks) -> list[float]:
    """Share of equal labels, frame by frame; both run freely."""
    oracle, session = Oracle(net, config), VideoSegmenter(net, config, device="cpu")
    shares = []
    for t, image in enumerate(frames):
        expected = oracle.step(image, masks.get(t))
        shares.append(float((session.step(image, masks.get(t)).labels == expected).mean()))
        assert len(np.unique(expected)) > 1
    return shares


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({}, id="evictions"),
        pytest.param({"memory_size": 1}, id="the first template only"),
        pytest.param({"template_interval": 1, "memory_size": 20}, id="every frame"),
    ],
)
def test_same_labels(tiny_net, clip, changes):
    frames, labels = clip
    config = InferenceConfig(
        crop_size=(64, 96), template_interval=2, memory_size=3, initial_steps=4, update_steps=2
    )
    masks = {0: np.where(labels[0] == 1, 1, 0).astype(np.uint8), 2: (labels[2] == 2) * np.uint8(2)}
    shares = agreements(tiny_net, replace(config, **changes), frames, masks)
    assert min(shares) >= AGREEMENT


def test_a_forgotten_template_is_seen(tiny_net, clip):
    """The comparison can fail: a memory of another size makes other labels."""
    frames, labels = clip
    config = InferenceConfig(
        crop_size=(64, 96), template_interval=1, memory_size=3, initial_steps=4, update_steps=2
    )
    oracle = Oracle(tiny_net, config)
    session = VideoSegmenter(tiny_net, replace(config, memory_size=2), device="cpu")
    shares = []
    for t, image in enumerate(frames):
        mask = labels[0] if t == 0 else None
        shares.append((oracle.step(image, mask) == session.step(image, mask).labels).mean())
    assert min(shares) < AGREEMENT


def clip_frames(count: int) -> tuple[list[np.ndarray], dict[int, np.ndarray]]:
    with open_source(EXAMPLES / "crossing.mp4") as source:
        mask = read_mask(EXAMPLES / "crossing_first.png", source.info)
        frames = [frame.image for frame, _ in zip(source, range(count), strict=False)]
    return frames, {0: mask}


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_hundred_frames_of_a_clip():
    """Two objects, 20 template updates, of which 16 evict.

    Both choose their search regions: one ulp can move a region by a pixel, and some labels of that
    frame.
    """
    frames, masks = clip_frames(100)
    config = replace(INFERENCE["small"], crop_size=(240, 416), reach=0.0)
    shares = agreements(load_model(), config, frames, masks)
    assert len(shares) == 100
    print(f"equal labels: {np.mean(shares):.5%}, in the worst frame {min(shares):.5%}")
    assert np.mean(shares) >= AGREEMENT
    assert min(shares) >= 0.998


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_running_sums_change_no_label(monkeypatch):
    """Against the same session with the template encoder computed as a whole.

    In the same search regions: one ulp can move a region by a pixel, and that some labels.
    """
    frames, masks = clip_frames(100)
    net = WatchedNet(load_model())
    config = replace(INFERENCE["small"], crop_size=(128, 224), template_interval=2)
    regions = []
    region = Target.region

    def recording(self, *where):
        regions.append(region(self, *where))
        return regions[-1]

    def labels() -> list[np.ndarray]:
        session = VideoSegmenter(net, config, device="cpu")
        return [session.step(image, masks.get(t)).labels for t, image in enumerate(frames)]

    monkeypatch.setattr(Target, "region", recording)
    running = labels()
    monkeypatch.setattr(Target, "region", lambda *_: regions.pop(0))
    net.watches["template_keys"] = lambda _, encoded, encodings: net.encode_templates(
        torch.stack([each.features for each in encoded], dim=1), encodings
    )
    whole = labels()
    assert not regions
    assert max(int((a != b).sum()) for a, b in zip(running, whole, strict=True)) <= LABEL_PIXELS
