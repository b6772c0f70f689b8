"""One process at a time in a folder; the others wait."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from filelock import FileLock, Timeout

POLL_S = 0.2


@contextmanager
def alone(path: Path, on_wait: Callable[[], None]) -> Iterator[bool]:
    """Hold the lock file `path`; it is free again when the process ends, however.

    Some network file systems know no locks: then it yields False at once, and what others may be
    working on must be left alone. (A mark in place of a lock would outlive a killed process.)

    Args:
        path: The file.
        on_wait: Called once if another process holds it.

    Raises:
        OSError: The file cannot be created.
    """
    path.open("ab").close()  # so that an error of the lock below is about locks
    lock = FileLock(path, poll_interval=POLL_S, fallback_to_soft=False)
    held: AbstractContextManager[object]
    try:
        held = lock.acquire(blocking=False)
    except Timeout:
        on_wait()
        held = lock.acquire()
    except OSError:  # there are no locks here
        held = nullcontext()
    with held:
        yield lock.is_locked
