"""Processes that share a run."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

SHARING = """
import sys
from pathlib import Path
from jointvos.distributed import joined_processes
with joined_processes("cpu") as (processes, _):
    import torchvision  # as what a command needs is loaded when it needs it
    print(processes.everything(processes.rank))
    print(len([*Path("/proc/self/task").iterdir()]) > 1)
print(*(each.joinpath("comm").read_text().strip() for each in Path("/proc/self/task").iterdir()))
"""


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="threads are listed on Linux only")
def test_nothing_of_the_group_is_left_when_the_run_has_ended():
    """Threads of it that live on may abort a process that is done."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    both = [
        subprocess.Popen(
            [sys.executable, "-c", SHARING],
            env={**os.environ, **shared, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank in (0, 1)
    ]
    said = [process.communicate(timeout=120)[0].splitlines() for process in both]
    assert [process.returncode for process in both] == [0, 0]
    for everything, has_threads, _ in said:
        assert everything == "[0, 1]"
        assert has_threads == "True"
    # The first one also serves the others' store.
    assert len(said[1][2].split()) == 1, said[1][2]
    assert "gloo" not in said[0][2]
