"""From probabilities to what a frame's result says.

The first half is asked of the device with all other work of the frame, the second done on the
host once it has been told of the outcome.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from jointvos.inference.device import download
from jointvos.inference.object_tracker import ObjectTracker
from jointvos.ops import marginals
from jointvos.types import FrameResult, ObjectState, label_type


@dataclass(frozen=True)
class Findings:
    """What is taken from a frame's merged probabilities [1+O,Hv,Wv].

    Attributes:
        targets: `marginals` of the objects' probabilities, [O,Hv+Wv].
        winner: The most probable of background and objects, [Hv,Wv].
        owned: `marginals` of the pixels that each object has, [O,Hv+Wv].
        certainty: Sum of each object's probabilities over these pixels, [O].
        probabilities: All of them; None if they are not asked for.
    """

    targets: Tensor
    winner: Tensor
    owned: Tensor
    certainty: Tensor
    probabilities: Tensor | None

    @classmethod
    def of(cls, probabilities: Tensor, *, keep: bool) -> "Findings":
        """The findings, where the probabilities [1+O,Hv,Wv] are; nothing waits."""
        objects = probabilities[1:]
        confidence, winner = probabilities.max(dim=0)
        targets = marginals(objects)
        owned, certainty = torch.zeros_like(targets), targets.new_zeros(len(objects))
        for i in range(len(objects)):  # one after the other: large frames with many would not fit
            own = (winner == i + 1).float()
            owned[i] = marginals(own)
            certainty[i] = (confidence * own).sum()
        narrow = winner.to(torch.uint8 if len(objects) < 256 else torch.int32)
        return cls(targets, narrow, owned, certainty, probabilities if keep else None)

    def fetched(self) -> "Findings":
        """The same on the host, which waits for them once."""
        kept = [] if self.probabilities is None else [self.probabilities]
        asked = [self.targets, self.winner, self.owned, self.certainty, *kept]
        targets, winner, owned, certainty, *kept = download(asked)
        return Findings(targets, winner, owned, certainty, kept[0] if kept else None)


def frame_result(
    found: Findings, trackers: Sequence[ObjectTracker], *, index: int, cut: bool
) -> FrameResult:
    """The result of a frame from findings on the host; trackers in the objects' order."""
    ids = [tracker.object_id for tracker in trackers]
    frame = found.winner.shape
    states = []
    for tracker, sums, certainty in zip(trackers, found.owned, found.certainty, strict=True):
        rows, columns = (part.long().numpy() for part in sums.split(list(frame)))
        states.append(
            ObjectState.of_sums(
                tracker.object_id, rows, columns, float(certainty), paused=tracker.paused
            )
        )
    return FrameResult(
        index=index,
        labels=np.array([0, *ids], dtype=label_type(ids))[found.winner.numpy()],
        objects=tuple(states),
        probabilities=None if found.probabilities is None else found.probabilities.numpy(),
        cut=cut,
    )
