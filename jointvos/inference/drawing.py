"""Masks drawn over a frame where both are: on the device."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from jointvos.masks.overlay import HALF_UP, TINT, line_width, overlay_colors
from jointvos.types import label_type


def colors_of(object_ids: Sequence[int], device: torch.device) -> Tensor:
    """Tints and lines of background and objects in that order, uint8 [2,1+O,3]."""
    count = int(np.iinfo(label_type(object_ids)).max) + 1
    colors = np.stack(overlay_colors(count))[:, [0, *object_ids]]
    return torch.from_numpy(colors).to(device, non_blocking=True)


def overlay(image: Tensor, winner: Tensor, colors: Tensor) -> Tensor:
    """What `masks.draw_overlay` draws, uint8 [Hv,Wv,3].

    Args:
        image: RGB, uint8 [Hv,Wv,3].
        winner: Background or object that each pixel belongs to, [Hv,Wv].
        colors: See `colors_of`.
    """
    tints, lines = colors
    index, there = winner.long(), (winner > 0)[..., None]
    tinted = (image * (1 - TINT) + tints[index] * TINT + HALF_UP).round().to(torch.uint8)
    width = line_width(winner.shape)
    padded = F.pad(winner.float()[None], [width] * 4, mode="replicate")
    highest = F.max_pool2d(padded, 2 * width + 1, stride=1)[0]
    lowest = -F.max_pool2d(-padded, 2 * width + 1, stride=1)[0]
    border = (highest > lowest)[..., None] & there
    return torch.where(border, lines[index], torch.where(there, tinted, image))
