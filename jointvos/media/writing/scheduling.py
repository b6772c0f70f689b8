"""How the system schedules this process, which an encoder may not decide."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

TASKS = Path("/proc/self/task")
"""Where Linux lists the threads of this process."""


@contextmanager
def scheduling_kept() -> Iterator[None]:
    """Have threads scheduled afterwards as they were before.

    SVT-AV1 gives itself real-time priority, 99 of 99, wherever it may, which is as root and so in
    most containers; it keeps it after the encoder is closed, and everything else on the machine
    has to wait.
    """
    if not TASKS.is_dir():
        yield
        return
    before = os.sched_getscheduler(0)
    try:
        yield
    finally:
        for task in TASKS.iterdir():
            with suppress(OSError):  # a thread that has just ended
                if os.sched_getscheduler(int(task.name)) != before:
                    os.sched_setscheduler(int(task.name), before, os.sched_param(0))
