"""A mini-sequence through the network, as in online inference (Sec. 3.6).

The first frame comes with its mask; every later one is predicted, and its detached prediction
becomes a template at once. Crops come from ground-truth boxes, there is no soft aggregation.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from jointvos.model import JointNet, MaskEncodings, TargetModel


@dataclass(frozen=True)
class Unrolled:
    """What the losses need.

    Attributes:
        logits: Of all frames but the first, [B,T-1,1,H,W].
        encodings: Of the given and the predicted masks, [B,T,D,h,w] each.
        search_encodings: E_tra* + E_ind* of all frames but the first, [B,T-1,D,h,w].
    """

    logits: Tensor
    encodings: MaskEncodings
    search_encodings: Tensor


def append(memory: MaskEncodings, new: MaskEncodings) -> MaskEncodings:
    """Encodings of N + M templates."""

    def both(a: Tensor | None, b: Tensor | None) -> Tensor | None:
        return None if a is None or b is None else torch.cat((a, b), dim=1)

    return MaskEncodings(
        both(memory.transduction, new.transduction),
        both(memory.induction, new.induction),
        both(memory.importance, new.importance),
    )


def unroll(
    net: JointNet,
    images: Tensor,
    first_mask: Tensor,
    initial_steps: int,
    update_steps: int,
    branch_mask: Tensor | None = None,
) -> Unrolled:
    """Predict frames 1..T-1 from frame 0 and its mask.

    Shapes: images [B,T,3,H,W], RGB in [0, 255]; first_mask [B,1,1,H,W] in {0, 1}; branch_mask
    [B,2], what transduction and induction count in the sum of Eq. 7 (1 each where it is None).
    """
    B, T = images.shape[:2]
    features = net.encode_image(images.flatten(0, 1))
    stages = [stage.view(B, T, *stage.shape[1:]) for stage in features.stages]
    tra, ind = features.transduction, features.induction
    tra = None if tra is None else tra.view(B, T, *tra.shape[1:])
    ind = None if ind is None else ind.view(B, T, *ind.shape[1:])

    memory = net.encode_masks(first_mask)
    target: TargetModel | None = None
    logits, search_encodings = [], []
    for t in range(1, T):
        parts = []
        if tra is not None and memory.transduction is not None:
            keys = net.encode_templates(tra[:, :t], memory.transduction)
            parts.append(net.propagate(tra[:, t], keys))
        if ind is not None:
            steps = initial_steps if target is None else update_steps
            target = net.fit_target_model(ind[:, :t], memory, start=target, steps=steps)
            parts.append(net.apply_target_model(target, ind[:, t]))
        branches = torch.stack(parts)
        if branch_mask is not None:
            branches = branches * branch_mask.T[..., None, None, None]
        encoding = branches.sum(0)
        logits.append(net.decode(encoding, tuple(stage[:, t] for stage in stages)))
        search_encodings.append(encoding)
        predicted = logits[-1].detach().sigmoid().unsqueeze(1)  # [B,1,1,H,W]
        memory = append(memory, net.encode_masks(predicted))
    return Unrolled(torch.stack(logits, 1), memory, torch.stack(search_encodings, 1))
