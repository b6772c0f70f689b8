"""From probabilities to what a frame's result says.

The first half is asked of the device with all other work of the frame, the second done on the
host once it has been told of the outcome.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from jointvos.inference.device import downloading
from jointvos.inference.drawing import overlay
from jointvos.inference.trees import distinct, mapped
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
        overlay: The objects drawn over the image, uint8 [Hv,Wv,3]; None as above.
    """

    targets: Tensor
    winner: Tensor
    owned: Tensor
    certainty: Tensor
    probabilities: Tensor | None
    overlay: Tensor | None

    @classmethod
    def of(
        cls,
        probabilities: Tensor,
        image: Tensor | None = None,
        colors: Tensor | None = None,
        *,
        keep: bool,
    ) -> tuple["Findings", Tensor]:
        """The findings, where the probabilities [1+O,Hv,Wv] are; nothing waits.

        Args:
            probabilities: Of background and objects.
            image: RGB, uint8 [Hv,Wv,3].
            colors: Of objects that are to be drawn over it, see `drawing.colors_of`.
            keep: Whether the probabilities are among the findings.

        Returns:
            Also the pixels that each object has, bool [O,Hv,Wv].
        """
        objects = probabilities[1:]
        winner = probabilities.max(dim=0).indices  # on the CPU a tenth of the time of `argmax`
        own = winner == torch.arange(1, len(probabilities), device=winner.device)[:, None, None]
        narrow = winner.to(torch.uint8 if len(objects) < 256 else torch.int32)
        certainty = (objects * own).sum((1, 2))
        kept = probabilities if keep else None
        drawn = None
        if image is not None and colors is not None:
            drawn = overlay(image, narrow, colors)
        return cls(marginals(objects), narrow, marginals(own), certainty, kept, drawn), own

    def fetching(self) -> Callable[[], "Findings"]:
        """Ask for them on the host; what is returned waits for them, not for what came after."""
        wait = downloading(distinct(self))

        def fetched() -> Findings:
            here = iter(wait())
            return mapped(lambda _: next(here), self)

        return fetched


def frame_result(
    found: Findings,
    object_ids: Sequence[int],
    paused: Collection[int],
    order: Sequence[int],
    *,
    index: int,
    cut: bool,
) -> FrameResult:
    """The result of a frame from findings on the host.

    Args:
        found: The findings.
        object_ids: IDs of the objects in the order of the findings.
        paused: Those that have not been seen again since a cut.
        order: The same IDs in the order of the result.
        index: Number of the frame.
        cut: Whether another shot begins with it.
    """
    frame = found.winner.shape
    states = {}
    for i, object_id in enumerate(object_ids):
        rows, columns = (part.long().numpy() for part in torch.split(found.owned[i], list(frame)))
        certainty = float(found.certainty[i])
        states[object_id] = ObjectState.of_sums(
            object_id, rows, columns, certainty, paused=object_id in paused
        )
    probabilities = None if found.probabilities is None else found.probabilities.numpy()
    if probabilities is not None and list(order) != list(object_ids):
        place = {object_id: i for i, object_id in enumerate(object_ids, start=1)}
        probabilities = probabilities[[0, *(place[object_id] for object_id in order)]]
    return FrameResult(
        index=index,
        labels=np.array([0, *object_ids], dtype=label_type(object_ids))[found.winner.numpy()],
        objects=tuple(states[object_id] for object_id in order),
        probabilities=probabilities,
        cut=cut,
        overlay=None if found.overlay is None else found.overlay.numpy(),
    )
