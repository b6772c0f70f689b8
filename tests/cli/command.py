"""Runs of `jointvos`: forks of one process that has everything imported, with a tiny search region.

A fresh process would take seconds to import torch, and the presets' search region seconds for
every frame, whatever its size.
"""

import faulthandler
import os
import re
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, partialmethod
from itertools import count
from multiprocessing import active_children, forkserver, get_context
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from jointvos import config
from jointvos.errors import OutOfDeviceMemory

CONTEXT = get_context("forkserver")
Image.init()
# The process that is forked may import, but never compute: OpenMP does not survive a fork.
CONTEXT.set_forkserver_preload(
    [
        *("jointvos.cli.app", "jointvos.checkpoints.load", "jointvos.inference", "jointvos.runs"),
        *("jointvos.evaluation.outputs", "jointvos.evaluation.charts", "jointvos.training.trainer"),
        *("jointvos.batch.run", "jointvos.batch.urls", "jointvos.paint.server", "torchvision"),
        # What is loaded when it is needed, and what every child loads that pytest has started.
        *(name for name in sys.modules if name.startswith("PIL.")),
        *("typer._adapters", "rich.progress", "rich._emoji_codes", "numpy.ma", "tomli_w"),
        *("av.subtitles.stream", "pytest"),
    ]
)

SMALL = config.InferenceConfig(
    crop_size=(32, 48),
    reach=1.0,
    memory_size=3,
    template_interval=3,
    initial_steps=2,
    update_steps=1,
)
"""Stands for the preset `small` in these runs: a few milliseconds a frame."""

_TELL = signal.SIGUSR1
"""Makes a run that hangs say on stderr where."""


def environment_for(folder: Path) -> dict[str, str]:
    """That of a user who has set nothing, with a cache beside the folder."""
    return {
        **{k: v for k, v in os.environ.items() if not k.startswith("JOINTVOS_")},
        "JOINTVOS_CACHE": str(folder.with_name(f"{folder.name}-cache")),
        "NO_COLOR": "1",
    }


@dataclass(frozen=True)
class Ended:
    """What came of a run; the code is that of the process, negative for a signal."""

    returncode: int
    output: bytes
    stderr: str
    peak_kib: int
    """Most memory that it had, modules that it shares included (Linux; 0 if it was killed)."""

    @cached_property
    def stdout(self) -> str:
        return self.output.decode()


class Run:
    """`jointvos` with arguments in a folder, started at once.

    It pauses before every frame from the fourth on, and before every output that gets its name.
    Bytes reach stdin through a pipe.
    """

    def __init__(
        self,
        folder: Path,
        *arguments: str | Path,
        environment: Mapping[str, str] | None = None,
        stdin: Path | bytes | None = None,
        stdout: Path | None = None,
        pause_s: float = 0.0,
        largest_file: int | None = None,
    ) -> None:
        logs = Path(tempfile.mkdtemp(prefix=f"{folder.name}-run", dir=folder.parent))
        self._stdout, self._stderr = stdout or logs / "stdout", logs / "stderr"
        self._peak = logs / "peak"
        self._arguments = [str(argument) for argument in arguments]
        source: Path | Connection
        if isinstance(stdin, bytes):
            source, feed = CONTEXT.Pipe(duplex=False)
            threading.Thread(target=_feed, args=(feed, stdin), daemon=True).start()
        else:
            source = stdin or Path(os.devnull)
        self.process: ForkServerProcess = CONTEXT.Process(
            target=_become_the_command,
            args=(folder, self._arguments, dict(environment or environment_for(folder))),
            kwargs={
                "streams": (source, self._stdout, self._stderr),
                "peak": self._peak,
                "pause_s": pause_s,
                "largest_file": largest_file,
            },
        )
        self.process.start()
        if isinstance(source, Connection):
            source.close()

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send a signal; does nothing when the run has ended."""
        assert self.process.pid is not None
        with suppress(ProcessLookupError):
            os.kill(self.process.pid, number)

    def until(self, condition: Callable[[], object]) -> None:
        """Wait until something is the case, or the run has ended."""
        deadline = time.monotonic() + 120
        while self.process.is_alive() and not condition():
            if time.monotonic() > deadline:
                pytest.fail(f"{self._arguments} did not get that far in 120 s")
            time.sleep(0.002)

    def end(self, timeout: float = 120) -> Ended:
        """Wait for its end; a run that takes longer is killed, and fails the test."""
        self.process.join(timeout)
        code = self.process.exitcode
        if code is None:
            self.kill(_TELL)
            self.process.join(2)
            _kill(self.process)
            said = self._stderr.read_text() if self._stderr.exists() else ""
            pytest.fail(f"{self._arguments} ran longer than {timeout} s; it said: {said}")
        return Ended(
            code,
            self._stdout.read_bytes() if self._stdout.is_file() else b"",
            self._stderr.read_text(),
            int(self._peak.read_text()) if self._peak.exists() else 0,
        )


def kill_all() -> None:
    """End what is still there of this module's processes."""
    for process in active_children():
        _kill(process)


def _kill(process: BaseProcess) -> None:
    """With the processes that it has started."""
    assert process.pid is not None
    with suppress(ProcessLookupError):  # it has no group of its own before its first steps
        os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.join()


def _feed(pipe: Connection, data: bytes) -> None:
    """Write until there is no more, or no reader."""
    with pipe, suppress(BrokenPipeError):
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(pipe.fileno(), rest) :]


def _later(function: Callable[..., Any], pause_s: float, first: int = 0) -> Callable[..., Any]:
    """The same after a pause, from the call of this number on."""
    calls = count()

    def paused(*args: Any, **kwargs: Any) -> Any:
        if next(calls) >= first:
            time.sleep(pause_s)
        return function(*args, **kwargs)

    return paused


def shrink() -> None:
    """Make the preset `small` of this process tiny."""
    assert isinstance(config.INFERENCE, dict)
    config.INFERENCE["small"] = SMALL


def step_or_break(session: Any, step: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """A frame, with what files of these names ask for.

    With `bug` the fourth frame is an error, once. With `slow` frames from the fifth on take so long
    that no video ends before it is interrupted.
    """
    if kwargs["index"] == 3 and Path("bug").exists():
        Path("bug").unlink()
        raise KeyError("lost")
    if kwargs["index"] >= 4 and Path("slow").exists():
        time.sleep(0.5)
    return step(session, *args, **kwargs)


def hook_steps() -> None:
    """Make the frames of this process what files ask for."""
    from jointvos.inference import VideoSegmenter

    VideoSegmenter.step = partialmethod(step_or_break, VideoSegmenter.step)  # type: ignore[assignment]


def take_room(full: Path) -> None:
    """Take all there is, and wait until another process has found out."""
    if hasattr(VideoSegmenter, "has_room"):
        return
    try:
        Path("taken").touch(exist_ok=False)
    except FileExistsError:
        full.touch()
        raise OutOfDeviceMemory("the GPU is full") from None
    VideoSegmenter.has_room = True  # type: ignore[attr-defined]
    while not full.exists():
        time.sleep(0.01)


def on_played_gpu(
    session: Any, make: Callable[..., Any], *args: Any, device: str, **kw: Any
) -> Any:
    """A session on the CPU that takes itself to be on the GPU that it was given.

    The file `room` says that there is room for one process only: "load" if another one cannot even
    load the model, "video" if it has no room for a video.
    """
    if device.startswith("cuda") and Path("room").exists():
        if hasattr(VideoSegmenter, "loaded") or Path("room").read_text() == "load":
            take_room(Path("full"))
        VideoSegmenter.loaded = True  # type: ignore[attr-defined]
    return make(session, *args, device="cpu" if device.startswith("cuda") else device, **kw)


def _become_the_command(
    folder: Path,
    arguments: list[str],
    environment: dict[str, str],
    streams: tuple[Path | Connection, Path, Path],
    peak: Path,
    pause_s: float,
    largest_file: int | None,
) -> None:
    """In the child: what a fresh process would be."""
    os.setsid()
    if sys.platform == "linux":  # the mark begins with that of the process that was forked
        Path("/proc/self/clear_refs").write_text("5")
    flags = [os.O_RDONLY, *[os.O_WRONLY | os.O_CREAT | os.O_TRUNC] * 2]
    for number, (stream, flag) in enumerate(zip(streams, flags, strict=True)):
        opened = os.open(stream, flag) if isinstance(stream, Path) else stream.fileno()
        os.dup2(opened, number)
        if isinstance(stream, Path):
            os.close(opened)
        else:
            stream.close()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["jointvos", *arguments]
    # Workers of a batch import this module, and are forked like this one instead of from a process
    # that would have to import everything first.
    sys.modules["__main__"] = sys.modules[__name__]
    forkserver.ensure_running = lambda: None
    forkserver._forkserver.ensure_running = lambda: None  # type: ignore[method-assign]
    faulthandler.register(_TELL, file=2)
    # multiprocessing has handlers of its own.
    signal.signal(signal.SIGINT, signal.default_int_handler)

    from jointvos.__main__ import main
    from jointvos.files.staged import StagedSink
    from jointvos.inference import VideoSegmenter

    shrink()
    if pause_s:
        VideoSegmenter.step = _later(VideoSegmenter.step, pause_s, first=3)  # type: ignore[method-assign]
        StagedSink.commit = _later(StagedSink.commit, pause_s)  # type: ignore[method-assign]
    if largest_file is not None:
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))
    try:
        main()
    finally:
        if sys.platform == "linux":
            status = Path("/proc/self/status").read_text()
            peak.write_text(re.search(r"VmHWM:\s+(\d+) kB", status)[1])  # type: ignore[index]


if __name__ == "__mp_main__":  # in the workers of a batch
    from jointvos.inference import VideoSegmenter

    shrink()
    hook_steps()
    if Path("gpus").exists():
        import torch

        torch.cuda.device_count = lambda: int(Path("gpus").read_text())
        VideoSegmenter.__init__ = partialmethod(on_played_gpu, VideoSegmenter.__init__)  # type: ignore
if __name__ == "__main__":  # where a process of its own is wanted
    from jointvos.__main__ import main

    shrink()
    main()
