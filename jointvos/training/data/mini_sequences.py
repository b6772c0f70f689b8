"""What the network learns from in a step, and what can make it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor


@dataclass(frozen=True)
class MiniSequences:
    """A batch: images uint8 [B,T,3,H,W] (RGB) and masks float32 [B,T,1,H,W] in {0,1}."""

    images: Tensor
    masks: Tensor

    def to(self, device: str | torch.device) -> "MiniSequences":
        """The same batch on a device."""
        return MiniSequences(self.images.to(device), self.masks.to(device))


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
