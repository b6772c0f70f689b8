"""A GPU played by the CPU: tensors that say they are on `cuda` and keep to its rules.

Operations on tensors of two devices are an error, as they are there, and whatever is asked of the
device is written down in its order, copies to the host among it: those wait for all that was asked
before, or leave that to `synchronize`. Numbers are those of the CPU, so results can be compared to
the bit.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

CPU, GPU = torch.device("cpu"), torch.device("cuda", 0)
WAITING = ("aten::item", "aten::is_nonzero", "aten::nonzero", "aten::masked_select", "aten::equal")
"""Operations whose result, or its size, the host has to know."""


class PlayedTensor(Tensor):
    """A tensor of the CPU that says it is on the GPU."""

    own: Tensor

    @staticmethod
    def __new__(cls, own: Tensor) -> "PlayedTensor":
        wrapped = Tensor._make_wrapper_subclass(
            cls,
            own.size(),
            strides=own.stride(),
            storage_offset=own.storage_offset(),
            dtype=own.dtype,
            device=GPU,
        )
        wrapped.own = own
        return wrapped

    @classmethod
    def __torch_dispatch__(cls, operation, types, args=(), kwargs=None):
        raise AssertionError(f"{operation} outside the play")


class PlayedGPU(TorchDispatchMode):
    """What is asked of the device, and what it answers.

    Attributes:
        asked: Names of the operations, in order; "wait" stands for each wait of the host.
    """

    _mode_key = torch._C._TorchDispatchModeKey.FAKE  # or torch would look for a driver

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def record_event(self) -> "PlayedGPU":
        """An event of which one can wait."""
        self.asked.append("event")
        return self

    def synchronize(self) -> None:
        """Wait for what was asked."""
        self.asked.append("wait")

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        name = operation._schema.name
        if name == "aten::_has_compatible_shallow_copy_type":
            return False  # so that modules take other parameters
        leaves = tree_leaves((args, kwargs))
        tensors = [leaf for leaf in leaves if isinstance(leaf, Tensor)]
        there = {id(each.own): each for each in tensors if isinstance(each, PlayedTensor)}
        device = next((leaf for leaf in leaves if isinstance(leaf, torch.device)), None)
        moves = device is not None or name in ("aten::copy_", "aten::_to_copy")
        here = [tuple(t.shape) for t in tensors if t.dim() > 0 and not isinstance(t, PlayedTensor)]
        if there and here and not moves:
            raise RuntimeError(f"{name}: also tensors on the CPU, {here}")
        plain_args, plain_kwargs = tree_map_only(PlayedTensor, lambda t: t.own, (args, kwargs))
        plain_args, plain_kwargs = tree_map_only(
            torch.device, lambda device: CPU, (plain_args, plain_kwargs)
        )
        on_gpu = bool(there) if device is None else device.type == "cuda"
        if there:
            self.asked.append(name)
            by_mask = name == "aten::index" and any(t.dtype == torch.bool for t in tensors[1:])
            copied = not on_gpu and not kwargs.get("non_blocking", False)
            if copied or by_mask or name in WAITING:
                self.asked.append("wait")
        outcome = operation(*plain_args, **plain_kwargs)
        if not on_gpu:
            return outcome
        return tree_map_only(
            Tensor, lambda t: there[id(t)] if id(t) in there else PlayedTensor(t), outcome
        )


@contextmanager
def played_gpu() -> Iterator[PlayedGPU]:
    """Inside the block there is a device "cuda"."""
    torch._C._ensureCUDADeviceGuardSet()
    gpu = PlayedGPU()
    stream = patch.object(torch.cuda, "current_stream", lambda device: gpu)
    with stream, torch.inference_mode(), gpu:
        yield gpu
