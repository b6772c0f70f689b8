"""Whole runs of the session against runs of the authors' code, frame by frame.

The session runs freely, so every difference may grow, with one exception. Where a search region
fills the frame along one axis, the official code truncates a length that is a whole number but
for rounding, and one ulp of the scale decides over one pixel of the region (and some 300 pixels
of the contour). Our region must be within that pixel of the recorded one and is then replaced by
it. That happens once, in frame 2 of "late", with AVX-512; other processors may round elsewhere.

The session commits a frame at its end; the recordings hold an object's state as the next frame
finds it, so what is recorded of frame t is what our session holds before step t.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import synth
import torch
from torch import Tensor

from jointvos.config import INFERENCE, InferenceConfig
from jointvos.inference import VideoSegmenter
from jointvos.inference.object_group import ObjectGroup
from jointvos.model import JointNet
from jointvos.ops import SearchRegion


@dataclass(frozen=True)
class Run:
    """A recorded run: how the tracker was set, on which clip, which objects begin when."""

    name: str
    config: InferenceConfig
    clip: dict[str, Any]
    given: dict[int, tuple[int, ...]]


MOVING = {"seed": 7, "n": 8}
THREE = {"seed": 8, "n": 8, "n_obj": 3, "late": {3: 3}}
DEFAULT = Run("default", INFERENCE["davis"], MOVING, {0: (1, 2)})
EVICT = Run("evict", InferenceConfig(memory_size=4, template_interval=1), MOVING, {0: (1, 2)})
LATE = Run("late", InferenceConfig(template_interval=2), THREE, {0: (1, 2), 3: (3,)})

LABEL_PIXELS = 10
"""Of 409 920 that may differ; we differ in none, a second implementation in 1."""
PROBABILITY = 1e-3
"""Recorded in half precision, whose rounding alone is 2.4e-4."""


def difference(a: Tensor, b: Tensor) -> float:
    return float((a - b).abs().max())


def check_state(alone: ObjectGroup, theirs: dict[str, Tensor]) -> None:
    """Place, memory and target model before a frame; `theirs` as recorded of that frame."""
    stored = len(alone.bank)
    assert stored == int(theirs["num"])
    assert difference(alone.bank.weights, theirs["sw"][:stored]) <= 1e-6
    assert difference(alone.target.state.center, theirs["pos"]) <= 2e-3  # pixels; we reach 1.2e-4
    assert abs(float(alone.target.scale / theirs["scale"]) - 1) <= 1e-5  # we reach 6e-7
    kernel = alone.target_model.kernel[0, :, ::64, 1, 1]
    assert difference(kernel, theirs["filt"]) <= 3e-6  # of 0.1; we reach 3e-7


def settle_regions(group: ObjectGroup, frame: tuple[int, int], coordinates: Tensor) -> None:
    """Check our regions and put the recorded ones in their place where they differ by a pixel.

    Coordinates [O,4] are top, left, bottom, right.
    """
    ours = group.target.region(group.config, group.net.config.kernel_size, frame)
    assert (ours.step == 1).all()
    start, end = coordinates.long().split(2, dim=1)
    theirs = SearchRegion(start, end - start, ours.step, ours.offset)
    off = (ours.start - theirs.start).abs() + (ours.size - theirs.size).abs()
    assert off.max() <= 1
    if off.any():
        vars(group.target)["region"] = lambda *_: theirs  # until the target has moved


def follow(run: Run, net: JointNet, reference: dict[str, Tensor]) -> None:
    frames, labels = synth.clip(**run.clip)
    size = (frames.shape[1], frames.shape[2])
    session = VideoSegmenter(net, run.config, device="cpu", probabilities=True)
    for t, image in enumerate(frames):
        recordings = {
            object_id: {
                key.removeprefix(f"f{t}_o{object_id}_"): value
                for key, value in reference.items()
                if key.startswith(f"f{t}_o{object_id}_")
            }
            for object_id in (1, 2, 3)
        }
        for group in session.groups:
            own = [recordings[object_id] for object_id in group.object_ids]
            for i, theirs in enumerate(own):
                check_state(group.part([i]), theirs)
            settle_regions(group, size, torch.stack([each["coords"] for each in own]))
        new = run.given.get(t)
        mask = None if new is None else np.where(np.isin(labels[t], new), labels[t], 0)
        result = session.step(image, mask)

        wrong = int((torch.from_numpy(result.labels) != reference["label"][t]).sum())
        assert wrong <= LABEL_PIXELS, f"{wrong} label pixels differ in frame {t}"
        for i, object_id in enumerate(session.object_ids, start=1):
            ours = torch.from_numpy(result.probabilities[i, ::8, ::8])
            theirs = recordings[object_id]["prob_s8"].float()
            assert difference(ours, theirs) <= PROBABILITY


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_default(official_net, recorded):
    follow(DEFAULT, official_net, recorded("track_default"))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_memory_with_eviction(official_net, recorded):
    follow(EVICT, official_net, recorded("track_evict"))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_object_that_appears_late(official_net, recorded):
    follow(LATE, official_net, recorded("track_late"))
