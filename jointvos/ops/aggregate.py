"""Soft aggregation: logits of independent objects to probabilities that sum to 1."""

import torch
from torch import Tensor

EPSILON = 1e-7


def soft_aggregate(logits: Tensor) -> Tensor:
    """Probabilities of background and objects.

    The background's probability is that no object is there; all are then merged as a softmax of
    logits. A lone object gets sigmoid(2 s), as in the paper's code.

    Shapes: logits [O,Hv,Wv]; result [1+O,Hv,Wv], background first.
    """
    background = (1 - logits.sigmoid()).prod(dim=0, keepdim=True).clamp(EPSILON, 1 - EPSILON)
    return torch.softmax(torch.cat((torch.logit(background), logits)), dim=0)
