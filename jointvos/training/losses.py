"""Losses of Sec. 3.6 and those that a network trained from scratch starts with."""

import torch
import torch.nn.functional as F
from torch import Tensor


def lovasz_loss(probabilities: Tensor, masks: Tensor) -> Tensor:
    """Lovasz extension of the Jaccard loss for one class (Eq. 9).

    Taken over all pixels of all frames and sequences together, as the paper's code does (Eq. 10
    averages over frames). Shapes: any, both alike; masks are exactly 0 or 1.
    """
    errors = (masks - probabilities).abs().flatten()
    errors, order = errors.sort(descending=True)
    labels = masks.flatten()[order]
    total = labels.sum()
    intersection = total - labels.cumsum(0)
    union = total + (1 - labels).cumsum(0)
    jaccard = 1 - intersection / union
    gradient = torch.cat((jaccard[:1], jaccard[1:] - jaccard[:-1]))
    return errors @ gradient.detach()


def cosine_loss(transduction: Tensor, induction: Tensor) -> Tensor:
    """Similarity of the two mask encodings (Eq. 8), averaged over frames and sequences.

    Shapes: both [B,N,D,h,w]; a frame's encoding is one vector.
    """
    a = F.normalize(transduction.flatten(2), dim=-1)
    b = F.normalize(induction.flatten(2), dim=-1)
    return (a * b).sum(-1).mean()


def soft_iou_loss(probabilities: Tensor, masks: Tensor) -> Tensor:
    """1 - soft intersection over union, averaged over leading dimensions of [B,T,1,H,W]."""
    intersection = (probabilities * masks).sum((2, 3, 4))
    union = (probabilities + masks - probabilities * masks).sum((2, 3, 4))
    return (1 - (intersection + 1) / (union + 1)).mean()
