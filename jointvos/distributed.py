"""A run shared by several processes, as `torchrun` starts them."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import torch
import torch.distributed as dist

# Loaded now, for its functions take the group that exists at that time as a default: loaded later
# (torchvision does), they would keep it, and threads of it that may abort the process at its end.
import torch.distributed.nn
from torch import Tensor
from torch.distributed.distributed_c10d import PrefixStore, Store
from torch.distributed.rendezvous import rendezvous

Item = TypeVar("Item")

PATIENCE = timedelta(minutes=30)
"""How long one process waits for the others."""


@dataclass(frozen=True)
class Processes:
    """Which of how many processes this is; alone by default."""

    rank: int = 0
    count: int = 1
    store: Store | None = None

    @property
    def first(self) -> bool:
        """Whether this process writes the files."""
        return self.rank == 0

    def gather(self, own: Tensor) -> Tensor:
        """The parts of all processes joined along dimension 0; gradients reach the own part only.

        Shapes: own [B,...], the same in every process; result [count*B,...], by rank.

        Every process adds its own share of the gradient, so their sum is the whole one.
        """
        if self.count == 1:
            return own
        parts = [torch.empty_like(own) for _ in range(self.count)]
        dist.all_gather(parts, own.detach().contiguous())
        parts[self.rank] = own
        return torch.cat(parts)

    def mean(self, values: Tensor) -> Tensor:
        """Averages over all processes, element by element; [...], in and out."""
        if self.count == 1:
            return values
        values = values.detach().clone()
        dist.all_reduce(values)
        return values / self.count

    def share(self, items: Sequence[Item]) -> Iterator[Item]:
        """Each item in just one of the processes: whoever is free takes the next; once per run."""
        if self.store is None:
            yield from items
            return
        while (taken := self.store.add("shared", 1)) <= len(items):
            yield items[taken - 1]

    def everything(self, own: Item) -> list[Item]:
        """What each process has, by rank; waits for all of them. It is pickled."""
        if self.count == 1:
            return [own]
        parts: list[Item | None] = [None] * self.count
        dist.all_gather_object(parts, own)
        return parts  # type: ignore[return-value]

    def any(self, flag: bool, device: torch.device) -> bool:
        """Whether it is so in any process; all get the same answer."""
        return bool(self.mean(torch.tensor(float(flag), device=device)) > 0)


@contextmanager
def joined_processes(
    device: str, backend: str | None = None, patience: timedelta = PATIENCE
) -> Iterator[tuple[Processes, str]]:
    """Join the processes that `torchrun` started, and say which device is this one's.

    Without torchrun there is one process, and the device stays what it was.

    Args:
        device: As the user named it.
        backend: How they talk; by default nccl between GPUs, else gloo.
        patience: How long one waits for the others.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        yield Processes(), device
        return
    cuda = device in ("auto", "cuda") and torch.cuda.is_available()
    if cuda:
        device = f"cuda:{os.environ['LOCAL_RANK']}"
        torch.cuda.set_device(device)
    store, rank, _ = next(rendezvous("env://", timeout=patience))
    dist.init_process_group(
        backend or ("nccl" if cuda else "gloo"),
        store=PrefixStore("group", store),
        rank=rank,
        world_size=count,
        timeout=patience,
    )
    try:
        yield Processes(rank, count, store), device
    finally:
        dist.destroy_process_group()
