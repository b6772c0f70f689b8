"""A frame recorded once and replayed, so that a GPU gets all of its work in one go.

Launching them one by one takes longer than most of a frame's kernels. A recording (a CUDA graph)
reads and writes memory at fixed addresses: what a call is given is copied there unless it is
there already, and what it returns is overwritten by the next one.
"""

import warnings
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import torch

from jointvos.inference.stages import watched
from jointvos.inference.trees import distinct, mapped, tensors

Result = TypeVar("Result")

PATIENCE = 2
"""Calls of equal shapes that are run as usual before one is recorded, at least."""


class Capture(Protocol):
    """Records a function without arguments: what replays it, and what it returned then."""

    def __call__(self, function: Callable[[], Result]) -> tuple[Callable[[], None], Result]: ...


class Recorded(Generic[Result]):
    """A function of tensors that is recorded when it has been called in the same shapes before.

    The oldest recording goes when others (of a larger memory, of another object) are made.

    Args:
        function: Depends on nothing but its arguments, which are whole numbers, tuples of them, and
            trees of tensors (see `trees`), and waits for no device.
        capture: How it is recorded.
        say: Told in a line when it cannot be; it is run as usual from then on.
        patience: Calls of equal shapes that are run as usual before one is recorded.
        most: How many recordings are kept.
        copied: Whether the caller keeps what the result holds, which is copied; if not, it must be
            used before the next call.
    """

    def __init__(
        self,
        function: Callable[..., Result],
        capture: Capture,
        say: Callable[[str], None] = warnings.warn,
        *,
        patience: int = PATIENCE,
        most: int = 1,
        copied: bool = False,
    ) -> None:
        self._function = function
        self._capture: Capture | None = capture
        self._say = say
        self._patience, self._most, self._copied = patience, most, copied
        self._known: OrderedDict[Hashable, _Known[Result]] = OrderedDict()

    def forget(self) -> None:
        """Give back the memory of a recording; what is called again is recorded again."""
        self._known.clear()

    def __call__(self, *arguments: Any) -> Result:
        if watched():  # a replay has no parts that could be watched
            return self._function(*arguments)
        known = self._known_of(_form(arguments))
        known.calls += 1
        if known.recording is None and self._capture is not None and known.calls > self._patience:
            try:
                known.recording = _Recording(self._function, self._capture, arguments)
            except RuntimeError as error:
                if isinstance(error, torch.OutOfMemoryError):
                    raise
                self._capture = None
                reason = str(error).strip().splitlines()[0]
                self._say(f"frames cannot be recorded ({reason}); running them step by step")
        if known.recording is None:
            return self._function(*arguments)
        result = known.recording.replayed(arguments)
        return mapped(torch.clone, result) if self._copied else result

    def _known_of(self, form: Hashable) -> "_Known[Result]":
        if form not in self._known:
            while len(self._known) >= self._most:
                self._known.popitem(last=False)
            self._known[form] = _Known()
        self._known.move_to_end(form)
        return self._known[form]


@dataclass
class _Known(Generic[Result]):
    calls: int = 0
    recording: "_Recording[Result] | None" = None


def _form(arguments: tuple[Any, ...]) -> Hashable:
    """What has to be equal for a recording to fit: shapes, numbers, and which tensors are one."""
    place: dict[int, int] = {}
    shapes = tuple(
        (each.shape, each.dtype, each.device, place.setdefault(id(each), len(place)))
        for each in tensors(arguments)
    )
    return shapes, tuple(
        each for each in arguments if isinstance(each, int | tuple) and _plain(each)
    )


def _plain(part: Any) -> bool:
    return isinstance(part, int) or all(isinstance(each, int) for each in part)


class _Recording(Generic[Result]):
    def __init__(
        self, function: Callable[..., Result], capture: Capture, arguments: tuple[Any, ...]
    ) -> None:
        self._given = distinct(arguments)
        held = mapped(torch.clone, arguments)
        self._held = distinct(held)
        self._replay, self._result = capture(lambda: function(*held))

    def replayed(self, arguments: tuple[Any, ...]) -> Result:
        given = distinct(arguments)
        for i, (new, old, held) in enumerate(zip(given, self._given, self._held, strict=True)):
            if new is not old:  # tensors of a session are replaced, never changed in place
                held.copy_(new)
                self._given[i] = new
        self._replay()
        return self._result


def cuda_graph(device: torch.device) -> Capture:
    """Records on a CUDA device.

    What it returns raises a RuntimeError where the function waits for the device, or does what
    cannot be recorded.
    """

    def capture(function: Callable[[], Result]) -> tuple[Callable[[], None], Result]:
        with torch.cuda.device(device):
            main = torch.cuda.current_stream()
            side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
            side.wait_stream(main)
            with torch.cuda.stream(side):  # libraries get ready for a stream in its first call
                function()
            main.wait_stream(side)
            graph = torch.cuda.CUDAGraph()
            # Other threads may use the device meanwhile.
            with torch.cuda.graph(graph, capture_error_mode="thread_local"):
                result = function()

        def replay() -> None:
            with torch.cuda.device(device):
                graph.replay()

        return replay, result

    return capture


def compiled(
    capture: Capture, say: Callable[[str], None] = warnings.warn, backend: str = "inductor"
) -> Capture:
    """Compiles what it records, as a whole; where that fails a line says so.

    It takes a minute or two, in the middle of a video: shapes are known when the memory is full.
    """

    def capture_compiled(function: Callable[[], Result]) -> tuple[Callable[[], None], Result]:
        from torch._dynamo.exc import TorchDynamoException

        try:
            return capture(torch.compile(function, fullgraph=True, dynamic=False, backend=backend))
        except TorchDynamoException as error:
            reason = str(error).strip().splitlines()[0]
            say(f"frames cannot be compiled as a whole ({reason}); running them as they are")
            return capture(function)

    return capture_compiled
