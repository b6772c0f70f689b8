"""Losses of Sec. 3.6 and those that a network trained from scratch starts with."""

import torch
import torch.nn.functional as F
from torch import Tensor


def lovasz_loss(probabilities: Tensor, masks: Tensor, *, per_frame: bool = False) -> Tensor:
    """Lovasz extension of the Jaccard loss for one class (Eq. 9).

    Shapes: any, both alike; masks are exactly 0 or 1.

    Args:
        probabilities: Predicted.
        masks: The truth.
        per_frame: Whether it is averaged over frames, shapes [...,H,W], as in Eq. 10; else it is
            taken over all pixels of all frames and sequences together, as the paper's code does.
    """
    rows = -1 if per_frame else 1
    frame = masks.shape[-2:].numel() if per_frame else masks.numel()
    masks = masks.reshape(rows, frame)
    errors = (masks - probabilities.reshape(rows, frame)).abs()
    errors, order = errors.sort(dim=1, descending=True)
    labels = masks.gather(1, order)
    total = labels.sum(1, keepdim=True)
    intersection = total - labels.cumsum(1)
    union = total + (1 - labels).cumsum(1)
    jaccard = 1 - intersection / union
    gradient = torch.cat((jaccard[:, :1], jaccard[:, 1:] - jaccard[:, :-1]), 1)
    return (errors * gradient.detach()).sum(1).mean()


def cosine_loss(transduction: Tensor, induction: Tensor) -> Tensor:
    """Similarity of the two mask encodings (Eq. 8), averaged over frames and sequences.

    Orthogonal is as far apart as they are pushed, which is all that the paper's encodings, never
    negative, can do. Leaky ones could become opposites, and their sum nothing.

    Shapes: both [B,N,D,h,w]; a frame's encoding is one vector.
    """
    a = F.normalize(transduction.flatten(2), dim=-1)
    b = F.normalize(induction.flatten(2), dim=-1)
    return (a * b).sum(-1).clamp_min(0).mean()


def soft_iou_loss(probabilities: Tensor, masks: Tensor) -> Tensor:
    """1 - soft intersection over union, averaged over leading dimensions of [B,T,1,H,W]."""
    intersection = (probabilities * masks).sum((2, 3, 4))
    union = (probabilities + masks - probabilities * masks).sum((2, 3, 4))
    return (1 - (intersection + 1) / (union + 1)).mean()
