"""What the machine does during a few frames, as a Chrome trace."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from jointvos.errors import OutputError, OutputExists
from jointvos.files.whole_file import whole_file

if TYPE_CHECKING:
    from torch.profiler import profile

    from jointvos.files.staged import TwoPhaseSink
    from jointvos.types import Frame, FrameResult

Item = TypeVar("Item")

WARM_UP, TRACED = 2, 6
"""Frames that pass before, and frames that are recorded: a trace should fit into a mail."""


def check_trace(path: Path, overwrite: bool) -> None:
    """See early whether the trace can be written.

    Raises:
        OutputExists: There is a file already.
        OutputError: Its folder is not there.
    """
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # torch's recorder talks; read when it loads
    if path.exists() and not overwrite:
        raise OutputExists(f"{path} already exists")
    if not path.absolute().parent.is_dir():
        raise OutputError(f"{path}: the folder {path.parent} does not exist; create it first")


def traced(items: Iterable[Item], path: Path) -> Iterator[Item]:
    """Pass frames on and record what all threads do while some of the first ones are made.

    Raises:
        OutputError: The trace cannot be written.
    """
    from torch import cuda
    from torch._C._profiler import _ExperimentalConfig
    from torch.profiler import ProfilerActivity, profile, schedule

    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if cuda.is_available() else [])]
    plan = schedule(wait=0, warmup=WARM_UP, active=TRACED, repeat=1)
    with profile(
        activities=activities,
        schedule=plan,
        acc_events=True,  # there is a single cycle; torch warns of what happens after one
        on_trace_ready=lambda done: _write(done, path),
        experimental_config=_ExperimentalConfig(profile_all_threads=True),
    ) as recording:
        for item in items:
            recording.step()
            yield item


def marked(items: Iterable[Item], name: str) -> Iterator[Item]:
    """Pass items on; in a trace each appears under that name while it is made."""
    from torch.profiler import record_function

    source = iter(items)
    while True:
        with record_function(name):
            try:
                item = next(source)
            except StopIteration:
                return
        yield item


class MarkedSink:
    """A sink whose writing appears in a trace, named like its file."""

    def __init__(self, sink: "TwoPhaseSink") -> None:
        self._sink = sink
        self.path = sink.path
        self.close, self.commit, self.abort = sink.close, sink.commit, sink.abort

    def write(self, frame: "Frame", result: "FrameResult") -> None:
        """Add a frame."""
        from torch.profiler import record_function

        with record_function(f"write {self.path.name}"):
            self._sink.write(frame, result)


def _write(recording: "profile", path: Path) -> None:
    with whole_file(path) as partial:
        recording.export_chrome_trace(str(partial))
