import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

# Two cores and other work beside us: waiting threads must sleep, not spin, and for networks as
# small as most of ours a second one costs more than it brings.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Jobs in the background of a shell ignore Ctrl-C, and so would the commands that are tested.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Modules that tests of several folders share.
for shared in ("reference", "corpus", "cli"):
    sys.path.insert(0, str(Path(__file__).parent / shared))


@pytest.fixture(scope="session")
def make_httpserver() -> Iterator[HTTPServer]:
    """Of pytest-httpserver, with a thread for each request: some answers make the client wait."""
    with HTTPServer("127.0.0.1", threaded=True) as server:
        yield server


@pytest.fixture(autouse=True)
def _no_process_is_left() -> Iterator[None]:
    """Of those that a failed test has started."""
    from command import kill_all

    yield
    kill_all()
