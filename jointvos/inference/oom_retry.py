"""Retries when the device runs out of memory: with less of it each time, and a line for each.

An attempt must change nothing when it fails, so that it can be repeated.
"""

import gc
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeVar

import torch

from jointvos.config import OnOOM
from jointvos.errors import OutOfDeviceMemory
from jointvos.inference.object_group import ObjectGroup
from jointvos.wording import plural

Outcome = TypeVar("Outcome")

SIGNS = ("out of memory", "can't allocate memory", "ALLOC_FAILED")
"""In the errors of CUDA and MPS, of the CPU's allocator, and of cuBLAS and cuDNN."""


@dataclass(frozen=True)
class Fallback:
    """A way to use less memory.

    Attributes:
        what: What is different in the next attempt, for a sentence "trying again ...".
        apply: Makes it so; may itself run out of memory.
    """

    what: str
    apply: Callable[[], None]


class RetryableSession(Protocol):
    """What a retry changes of a session."""

    device: torch.device
    objects_at_once: int
    object_count: int
    groups: list[ObjectGroup]

    def release(self) -> None: ...
    def shrink_memory(self, size: int) -> None: ...
    def move_to_cpu(self) -> None: ...


def retried(
    attempt: Callable[[], Outcome],
    session: RetryableSession,
    on_oom: OnOOM,
    say: Callable[[str], None],
) -> Outcome:
    """The outcome of an attempt, repeated after one step down after the other while memory lacks.

    Raises:
        OutOfDeviceMemory: Nothing helped, or nothing was to be tried.
    """
    fallbacks = steps_down(session) if on_oom == "retry" else iter(())
    fallback: Fallback | None = None
    while True:
        try:
            if fallback is not None:
                session.release()
                free(session.device)
                fallback.apply()
            return attempt()
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            reason = str(error)
        # Only here: inside the except block the error keeps the failed attempt's tensors alive.
        device = session.device
        fallback = next(fallbacks, None)
        if fallback is None:
            raise out_of_memory(device) from RuntimeError(reason)
        say(f"{device} is out of memory; retrying {fallback.what}")


def steps_down(session: RetryableSession) -> Iterator[Fallback]:
    """Mildest first; what helped stays in force for the frames that follow."""
    yield Fallback("with what could be freed", lambda: None)
    together = min(session.objects_at_once, session.object_count)
    while together > 1:
        together //= 2
        what = f"with {plural(together, 'object')} at a time"
        yield Fallback(what, partial(setattr, session, "objects_at_once", together))
    banks = [group.bank for group in session.groups]
    size = max((len(bank) for bank in banks if bank.learned), default=1)
    while size > 1:
        size //= 2
        what = f"with a memory of {plural(size, 'template')} beside corrections"
        yield Fallback(what, partial(session.shrink_memory, size))
    if session.device.type != "cpu":
        yield Fallback("on the CPU", session.move_to_cpu)


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether an error says that memory lacks; not every backend has a class for it."""
    return isinstance(error, torch.OutOfMemoryError) or any(sign in str(error) for sign in SIGNS)


def out_of_memory(device: torch.device) -> OutOfDeviceMemory:
    """The error that says so."""
    way_out = "" if device.type == "cpu" else ", or `device='cpu'`"
    return OutOfDeviceMemory(
        f"{device} has too little memory",
        hint=f"use a smaller `memory_size`, fewer objects{way_out}",
    )


def free(device: torch.device) -> None:
    """Give back what nothing uses."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()
