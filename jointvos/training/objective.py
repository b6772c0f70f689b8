"""The total loss of a batch (Eq. 10, and what a network trained from scratch needs beside it)."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from jointvos.distributed import Processes
from jointvos.training.losses import cosine_loss, lovasz_loss, soft_iou_loss
from jointvos.training.train_config import TrainConfig
from jointvos.training.unroll import Unrolled


@dataclass(frozen=True)
class Objective:
    """Losses of a batch, scalars; all but `total` without gradient.

    Attributes:
        total: To go down; its gradients, averaged over the processes, are those of the batch.
        loss: Its value for the whole batch.
        segmentation: The segmentation part, not weighted.
        cosine: Eq. 8, not weighted; 0 without one of the branches.
        auxiliary: Cross-entropy of the mask encodings, not weighted; 0 without that loss.
        iou: Mean soft IoU of the predictions with the truth.
        foreground: Predicted foreground relative to the true one.
    """

    total: Tensor
    loss: Tensor
    segmentation: Tensor
    cosine: Tensor
    auxiliary: Tensor
    iou: Tensor
    foreground: Tensor


def objective(
    out: Unrolled,
    guess: Tensor | None,
    truth: Tensor,
    config: TrainConfig,
    lovasz_share: float,
    processes: Processes,
) -> Objective:
    """Loss of what the network made of a batch (of this process's part of it).

    Args:
        out: Of `unroll`.
        guess: Logits of the masks from their encodings at stride 16, [B*(T-1),1,h,w].
        truth: Masks of all frames but the first, [B,T-1,1,H,W] in {0, 1}.
        config: Weights of the losses.
        lovasz_share: From 0 (cross-entropy and soft IoU) to 1.
        processes: That share the batch.
    """
    probabilities = out.logits.sigmoid()
    nothing = truth.new_zeros(())
    cross_entropy = F.binary_cross_entropy_with_logits(out.logits, truth)
    soft_iou = soft_iou_loss(probabilities, truth)
    lovasz = nothing
    if lovasz_share > 0:
        # Not a mean over sequences: the whole batch is sorted together, in every process.
        gathered = processes.gather(probabilities), processes.gather(truth)
        lovasz = lovasz_loss(*gathered, per_frame=config.lovasz_per_frame)
    cosine = nothing
    tra, ind = out.encodings.transduction, out.encodings.induction
    if tra is not None and ind is not None and config.network().two_head:
        cosine = cosine_loss(tra, ind)
    auxiliary = nothing
    if guess is not None:
        coarse = F.avg_pool2d(truth.flatten(0, 1), 16)
        auxiliary = F.binary_cross_entropy_with_logits(guess, coarse)

    weight = config.segmentation_weight
    safety = config.safety_cross_entropy
    segmentation = (1 - lovasz_share) * (2 * cross_entropy + soft_iou)
    segmentation = segmentation + lovasz_share * safety * cross_entropy
    rest = weight * segmentation + config.auxiliary_weight * auxiliary
    if "cosine" not in config.without:
        rest = rest + config.cosine_weight * cosine
    whole_lovasz = weight * lovasz_share * lovasz
    total = rest + processes.count * whole_lovasz

    with torch.no_grad():
        shown = torch.stack(
            [
                rest,
                segmentation,
                cosine,
                auxiliary,
                1 - soft_iou,
                probabilities.sum(),
                truth.sum(),
            ]
        )
        shown = processes.mean(shown)
        loss, segmentation, cosine, auxiliary, iou, predicted, true = shown
        return Objective(
            total=total,
            loss=loss + whole_lovasz,
            segmentation=segmentation + lovasz_share * lovasz,
            cosine=cosine,
            auxiliary=auxiliary,
            iou=iou,
            foreground=predicted / true.clamp_min(1 / processes.count),
        )
