"""What the network learns from in a step, and what can make it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from jointvos.types import Image


@dataclass(frozen=True)
class MiniSequences:
    """A batch: images uint8 [B,T,3,H,W] (RGB) and masks uint8 [B,T,1,H,W] in {0,1}."""

    images: Tensor
    masks: Tensor

    def to(self, device: str | torch.device) -> "MiniSequences":
        """The same batch on a device."""
        return MiniSequences(self.images.to(device), self.masks.to(device))


def stacked(
    crops: Callable[[int], Sequence[tuple[Image, NDArray[np.uint8]]]], size: int
) -> MiniSequences:
    """A batch of B mini-sequences, each given by its T images [H,W,3] and masks [H,W] above 0."""
    images, masks = [], []
    for index in range(size):
        pictures, targets = zip(*crops(index), strict=True)
        images.append(np.stack(pictures).transpose(0, 3, 1, 2))
        masks.append((np.stack(targets)[:, None] > 0).astype(np.uint8))
    return MiniSequences(torch.from_numpy(np.stack(images)), torch.from_numpy(np.stack(masks)))


class Data(Protocol):
    """Where mini-sequences come from: a pure function of its arguments and a seed."""

    def batch(
        self,
        step: int,
        size: int,
        mix: Mapping[str, float],
        crop_size: tuple[int, int],
        frames: int,
        *,
        first: int = 0,
    ) -> MiniSequences:
        """Mini-sequences `first` to `first + size - 1` of a step."""
        ...
