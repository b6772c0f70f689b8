"""How processes are started that compute, so that the one that starts them need not load torch."""

import os
import sys
from collections.abc import Callable
from multiprocessing import forkserver, get_context, parent_process
from multiprocessing.connection import Connection, wait
from typing import ParamSpec, TypeVar

from jointvos.errors import DeviceError

# They must not be forked from a process that computes: OpenMP and CUDA do not survive that. On
# Linux they are forked from one that has everything imported and never computes.
CONTEXT = get_context("forkserver") if sys.platform == "linux" else get_context("spawn")
CONTEXT.set_forkserver_preload(
    ["jointvos.batch.worker", "jointvos.checkpoints.load", "jointvos.inference"]
)

Args = ParamSpec("Args")
Result = TypeVar("Result")


def apart(function: Callable[Args, Result], *args: Args.args, **kwargs: Args.kwargs) -> Result:
    """Call a function of a module in a process of its own.

    Raises:
        DeviceError: The process ended before it had a result.
    """
    ours, theirs = CONTEXT.Pipe(duplex=False)
    with ours:
        process = CONTEXT.Process(target=_answer, args=(theirs, function, args, kwargs))
        process.start()
        theirs.close()
        try:
            result: Result = ours.recv()
        except EOFError:
            process.join()
            raise DeviceError(
                f"a process that was to compute ended with {process.exitcode}"
            ) from None
        process.join()
    return result


def warm_up() -> None:
    """Let what processes are forked from be imported meanwhile, which takes seconds."""
    if CONTEXT.get_start_method() == "forkserver":
        forkserver.ensure_running()


def end_with_parent() -> None:
    """End at once when the parent is gone, so that nobody else's work is disturbed."""
    parent = parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)


def _answer(
    link: Connection,
    function: Callable[..., object],
    args: tuple[object, ...],
    kwargs: dict[str, object],
) -> None:
    link.send(function(*args, **kwargs))
