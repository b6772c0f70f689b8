"""What the network learns from in a step, and what can make it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from jointvos.types import Image

Item = TypeVar("Item")


@dataclass(frozen=True)
class MiniSequences:
    """A batch: images uint8 [B,T,3,H,W] (RGB) and masks float32 [B,T,1,H,W] in {0,1}."""

    images: Tensor
    masks: Tensor

    def to(self, device: str | torch.device) -> "MiniSequences":
        """The same batch on a device."""
        return MiniSequences(self.images.to(device), self.masks.to(device))


def shared(task: Callable[[int], Item], indices: Iterable[int], workers: int) -> list[Item]:
    """Results of a task for every index, in order, the work shared by threads."""
    if workers == 1:
        return [task(index) for index in indices]
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(task, indices))


def stacked(
    crops: Callable[[int], Sequence[tuple[Image, NDArray[np.uint8]]]], size: int, workers: int
) -> MiniSequences:
    """A batch of B mini-sequences, each given by its T pictures [H,W,3] and masks [H,W] above 0."""

    def arrays(index: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        images, masks = zip(*crops(index), strict=True)
        return np.stack(images).transpose(0, 3, 1, 2), (np.stack(masks)[:, None] > 0).astype(
            np.float32
        )

    images, masks = zip(*shared(arrays, range(size), workers), strict=True)
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
