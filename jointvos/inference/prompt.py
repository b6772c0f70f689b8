"""Masks from the user: of an object's first frame, or to correct it later."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from jointvos.config import InferenceConfig
from jointvos.inference.frame import Prediction
from jointvos.inference.object_group import ObjectGroup
from jointvos.inference.trees import rows_of
from jointvos.model import FrameFeatures, JointNet
from jointvos.ops import TargetState, crop_first_frame, state_of_mask
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


def begin_objects(
    net: JointNet,
    config: InferenceConfig,
    object_ids: Sequence[int],
    frame: Tensor,
    prompt: FramePrompt,
) -> tuple[ObjectGroup, Prediction]:
    """Start a group of objects that are new in a mask; frame uint8 [Hv,Wv,3]."""
    masks = prompt.masks(object_ids)
    group = ObjectGroup(net, config, object_ids, states_of(masks))
    group.learn_first(*first_crops(group, frame, masks))
    return group, Prediction(prompt.logits(masks))


def correct_objects(
    groups: Sequence[ObjectGroup],
    predictions: Sequence[Prediction],
    frame: Tensor,
    prompt: FramePrompt,
) -> tuple[list[ObjectGroup], list[Prediction]]:
    """Correct the objects that occur in a mask; they leave the groups of the others.

    They take the crop of a first frame: an object may be outside its search region.

    Shapes: frame uint8 [Hv,Wv,3].
    """
    after: list[ObjectGroup] = []
    found: list[Prediction] = []
    for group, own in zip(groups, predictions, strict=True):
        given = [i for i, object_id in enumerate(group.object_ids) if object_id in prompt.ids]
        others = [i for i in range(len(group)) if i not in given]
        if others:
            after.append(group.part(others) if given else group)
            found.append(rows_of(own, others) if given else own)
        if not given:
            continue
        corrected = group.part(given) if others else group
        predicted = rows_of(own.logits, given)
        masks = prompt.masks(corrected.object_ids)
        corrected.place(states_of(masks))
        soft = masks
        if prompt.void is not None:
            soft = torch.where(prompt.void, predicted.sigmoid().to(masks.dtype), masks)
        corrected.correct(*first_crops(corrected, frame, soft))
        after.append(corrected)
        found.append(Prediction(prompt.logits(masks, predicted)))
    return after, found


def first_crops(group: ObjectGroup, frame: Tensor, masks: Tensor) -> tuple[FrameFeatures, Tensor]:
    """Features of a first frame's crops, and the crops [O,1,H,W] of its masks [O,Hv,Wv]."""
    target, crop = group.target, group.config.crop_size
    image = frame.permute(2, 0, 1)
    images, masks = crop_first_frame(image, masks, target.state, target.scale, crop)
    return group.net.encode_image(images), masks


def states_of(masks: Tensor) -> TargetState:
    """Tight boxes of binary masks [O,Hv,Wv]."""
    states = [state_of_mask(mask) for mask in masks]
    return TargetState(
        torch.cat([state.center for state in states]), torch.cat([state.size for state in states])
    )
