"""Processes that share a run."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from command import CONTEXT

from jointvos.distributed import joined_processes

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


def _first_of_two(shared: dict[str, str], out: Path) -> None:
    os.environ |= {**shared, "RANK": "0", "LOCAL_RANK": "0"}
    with joined_processes("cpu") as (processes, _):
        assert processes.everything(processes.rank) == [0, 1]
    names = [each.joinpath("comm").read_text() for each in Path("/proc/self/task").iterdir()]
    out.write_text(" ".join(names))


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="threads are listed on Linux only")
def test_nothing_of_the_group_is_left_when_the_run_has_ended(tmp_path):
    """Threads of it that live on may abort a process that is done."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    first = CONTEXT.Process(target=_first_of_two, args=(shared, tmp_path / "threads"))
    first.start()
    second = subprocess.run(
        [sys.executable, "-c", SHARING],
        env={**os.environ, **shared, "RANK": "1", "LOCAL_RANK": "1"},
        stdout=subprocess.PIPE,
        text=True,
        timeout=120,
        check=True,
    )
    first.join(60)
    assert first.exitcode == 0
    everything, has_threads, names = second.stdout.splitlines()
    assert (everything, has_threads) == ("[0, 1]", "True")
    assert len(names.split()) == 1, names
    # The first one also serves the others' store.
    assert "gloo" not in (tmp_path / "threads").read_text()
