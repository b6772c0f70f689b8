"""Names for the parts of a frame's work: ranges in a profiler's trace, entries of a stopwatch."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from enum import StrEnum
from time import perf_counter

import torch
from torch.profiler import record_function


class Stage(StrEnum):
    """Parts of a frame's work, in order; they do not overlap. The last three store a template."""

    CROP = "crop"
    FEATURES = "backbone and heads"
    TRANSDUCTION = "transduction"
    INDUCTION = "induction"
    DECODER = "decoder"
    PASTE = "paste"
    AGGREGATE = "aggregate"
    STATE = "target state"
    RESULT = "result"
    LABELS = "label encoder"
    TEMPLATES = "template encoder"
    LEARNER = "few-shot learner"


class Stopwatch:
    """Adds up, per stage, what a meter reads: seconds, or operations.

    Attributes:
        spent: Readings added up so far.
    """

    def __init__(self, read: Callable[[], float]) -> None:
        self.read = read
        self.spent: dict[Stage, float] = defaultdict(float)

    @contextmanager
    def running(self) -> Iterator["Stopwatch"]:
        """Watch the stages that are passed inside the block, in this thread."""
        token = _watching.set(self)
        try:
            yield self
        finally:
            _watching.reset(token)


_watching: ContextVar[Stopwatch | None] = ContextVar("_watching", default=None)


def watched() -> bool:
    """Whether a stopwatch is running in this thread."""
    return _watching.get() is not None


def clock(device: torch.device) -> Callable[[], float]:
    """Seconds when all that was asked of the device is done."""

    def read() -> float:
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        elif device.type == "mps":
            torch.mps.synchronize()
        return perf_counter()

    return read


@contextmanager
def stage(name: Stage) -> Iterator[None]:
    """Mark the block as that part of a frame's work; a compiled frame has no parts."""
    if torch.compiler.is_compiling():
        yield
        return
    watch = _watching.get()
    with record_function(name.value):
        if watch is None:
            yield
            return
        begin = watch.read()
        yield
        watch.spent[name] += watch.read() - begin
