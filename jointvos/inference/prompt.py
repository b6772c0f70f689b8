"""Masks from the user: of an object's first frame, or to correct it later."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from jointvos.types import VOID, LabelMap, object_ids

PROMPT_LOGIT = 100.0
"""Logit of a mask from the user, in its own frame."""


@dataclass(frozen=True, eq=False)
class FramePrompt:
    """The user's masks for one frame.

    Every pixel of the objects that occur is known, but for void ones; of others nothing is said.

    Attributes:
        ids: The objects that occur, rising.
        labels: Ids per pixel, int32 [Hv,Wv].
        void: Where nothing is said of any object, bool [Hv,Wv]; None where there is no such pixel.
    """

    ids: tuple[int, ...]
    labels: Tensor
    void: Tensor | None

    @classmethod
    def of(cls, masks: LabelMap, device: torch.device) -> "FramePrompt":
        """Of a label map [Hv,Wv], on that device."""
        labels = torch.from_numpy(masks.astype(np.int32)).to(device)
        has_void = masks.dtype == np.uint8 and bool((masks == VOID).any())
        return cls(tuple(object_ids(masks)), labels, labels == VOID if has_void else None)

    def masks(self, object_ids: Sequence[int]) -> Tensor:
        """Pixels of objects, float [O,Hv,Wv]."""
        ids = torch.tensor(object_ids, dtype=self.labels.dtype).to(self.labels.device)
        return (self.labels == ids[:, None, None]).float()

    def logits(self, masks: Tensor, predicted: Tensor | None = None) -> Tensor:
        """Logits of these masks, and where void the predicted ones; [O,Hv,Wv], in and out."""
        known = (2 * masks - 1) * PROMPT_LOGIT
        if predicted is None or self.void is None:
            return known
        return torch.where(self.void, predicted.to(known.dtype), known)
