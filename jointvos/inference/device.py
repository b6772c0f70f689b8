"""Which device computes, in which precision, and what to say when it cannot."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from jointvos.errors import ConfigError, DeviceUnavailable
from jointvos.types import Image

DTYPES = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}
"""Types of weights for `config.PRECISIONS` but "auto"; None is fp32 throughout."""


def choose_device(name: str) -> torch.device:
    """The device of that name; "auto" takes CUDA, then MPS, then the CPU.

    Raises:
        DeviceUnavailable: It is not there.
        ConfigError: There is no such kind of device.
    """
    available = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if name == "auto":
        return torch.device(next(kind for kind, there in available.items() if there))
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or device.type not in available:
        raise ConfigError(f"unknown device {name!r}; expected auto, cpu, cuda, cuda:N or mps")
    beyond = device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count()
    if not available[device.type] or beyond:
        there = ", ".join(kind for kind, is_there in available.items() if is_there)
        raise DeviceUnavailable(f"device {name} is not available here; available: {there}")
    return device


def choose_dtype(
    precision: str, device: torch.device, now: torch.dtype = torch.float32
) -> torch.dtype | None:
    """The type of most weights for a precision; None means fp32 throughout.

    "auto" is bf16 on a GPU that computes in it, where labels hardly change, and fp32 elsewhere.
    The few-shot learner, attention and soft aggregation stay in fp32 whatever is asked for.

    Args:
        precision: What is asked for.
        device: What computes.
        now: What the weights are in. Half precision cannot be undone, so "auto" keeps it.

    Raises:
        ConfigError: There is no such precision, the device cannot compute in it, or the weights
            are in another half precision already.
    """
    for name, half in DTYPES.items():
        if half == now and precision != name:
            if precision != "auto":
                raise ConfigError(
                    f"`precision` is {precision!r}, but the network is in {name} already",
                    hint="load the network again, or leave out `precision`",
                )
            precision = name
    if precision == "auto":
        fast = device.type == "cuda" and torch.cuda.is_available() and has_bf16()
        return torch.bfloat16 if fast else None
    if precision not in DTYPES:
        raise ConfigError(f"unknown precision {precision!r}; expected auto, {', '.join(DTYPES)}")
    if precision == "bf16" and device.type == "cuda" and not has_bf16():
        raise ConfigError("this GPU has no bf16", hint="use `precision='fp16'` or fp32")
    if precision == "fp16" and device.type == "cpu":
        raise ConfigError("fp16 needs a GPU", hint="use `precision='fp32'` or bf16 on the CPU")
    return DTYPES[precision]


def has_bf16() -> bool:
    """Whether the GPU computes in bf16 itself."""
    return bool(torch.cuda.is_bf16_supported(including_emulation=False))


def upload(image: Image, device: torch.device) -> Tensor:
    """The image [Hv,Wv,3] on the device; a GPU fetches it itself while the host goes on."""
    pixels = torch.from_numpy(np.require(image, requirements=["C", "W"]))
    if device.type != "cuda":
        return pixels.to(device)
    return pixels.pin_memory().to(device, non_blocking=True)


def downloading(tensors: Sequence[Tensor]) -> Callable[[], list[Tensor]]:
    """Begin to copy tensors [...] of one device to the host; what is returned waits for them.

    On a GPU it does not wait for what is asked of it in between. Such copies go to pinned memory.
    """
    device = tensors[0].device
    here = [each.to("cpu", non_blocking=device.type == "cuda") for each in tensors]
    if device.type != "cuda":
        return lambda: here
    done = torch.cuda.current_stream(device).record_event()

    def wait() -> list[Tensor]:
        done.synchronize()
        return here

    return wait
