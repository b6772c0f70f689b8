"""From probabilities to what a frame's result says."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from jointvos.inference.object_tracker import ObjectTracker
from jointvos.types import FrameResult, ObjectState, label_type


def frame_result(
    probabilities: Tensor,
    trackers: Sequence[ObjectTracker],
    *,
    index: int,
    cut: bool,
    keep_probabilities: bool,
) -> FrameResult:
    """The result of a frame; probabilities [1+O,Hv,Wv] of background and objects, in order."""
    confidence, winner = probabilities.max(dim=0)
    ids = [tracker.object_id for tracker in trackers]
    indices = winner.to(torch.int32).cpu().numpy()
    certainty = confidence.cpu().numpy()
    return FrameResult(
        index=index,
        labels=np.array([0, *ids], dtype=label_type(ids))[indices],
        objects=tuple(
            ObjectState.of(tracker.object_id, indices == i, certainty, paused=tracker.paused)
            for i, tracker in enumerate(trackers, start=1)
        ),
        probabilities=probabilities.cpu().numpy() if keep_probabilities else None,
        cut=cut,
    )
