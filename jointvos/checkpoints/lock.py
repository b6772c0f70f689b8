"""One process at a time in a folder; the others wait."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

POLL_S = 0.2

if sys.platform == "win32":
    import msvcrt

    def _take(file: BinaryIO) -> None:
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _take(file: BinaryIO) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextmanager
def alone(path: Path, on_wait: Callable[[], None]) -> Iterator[bool]:
    """Hold the lock file `path`, which stays; it is free again when the process ends, however.

    Some network file systems know no locks: then it yields False at once, and what others may be
    working on must be left alone.

    Args:
        path: The file.
        on_wait: Called once if another process holds it.

    Raises:
        OSError: The file cannot be made.
    """
    with path.open("ab") as file:
        waited = False
        while True:
            try:
                _take(file)
                held = True
                break
            except (BlockingIOError, PermissionError):
                if not waited:
                    on_wait()
                waited = True
                time.sleep(POLL_S)
            except OSError:  # there are no locks here
                held = False
                break
        yield held
