"""Runs of the command in forked processes with a tiny search region: a few milliseconds a frame."""

import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

_CONTEXT = get_context("forkserver")
_CONTEXT.set_forkserver_preload(
    ["jointvos.cli.app", "jointvos.checkpoints", "jointvos.inference", "jointvos.media"]
)


@dataclass(frozen=True)
class Ended:
    """What came of a run; the code is that of the process, negative for a signal."""

    code: int
    stdout: bytes
    stderr: str


class Run:
    """`jointvos` with arguments in a folder, started at once.

    It pauses before every frame and before every output that gets its name.
    """

    def __init__(
        self,
        folder: Path,
        *arguments: str | Path,
        stdin: Path | None = None,
        stdout: Path | None = None,
        pause_s: float = 0.0,
        largest_file: int | None = None,
    ) -> None:
        self.logs = folder.parent / f"{folder.name}-logs"
        self.logs.mkdir(exist_ok=True)
        self.stdout = stdout or self.logs / "stdout"
        paths = [stdin or Path(os.devnull), self.stdout, self.logs / "stderr"]
        self.process: ForkServerProcess = _CONTEXT.Process(
            target=_run,
            args=(folder, [str(a) for a in arguments], paths, pause_s, largest_file),
        )
        self.process.start()

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send a signal; does nothing when the run has ended."""
        assert self.process.pid is not None
        with suppress(ProcessLookupError):
            os.kill(self.process.pid, number)

    def end(self, timeout: float = 100) -> Ended:
        self.process.join(timeout)
        code = self.process.exitcode
        assert code is not None, "the run hangs"
        out = self.stdout.read_bytes() if self.stdout.is_file() else b""
        return Ended(code, out, (self.logs / "stderr").read_text())


def later(function: Callable[..., Any], pause_s: float) -> Callable[..., Any]:
    """The same after a pause."""

    def paused(*args: Any, **kwargs: Any) -> Any:
        time.sleep(pause_s)
        return function(*args, **kwargs)

    return paused


def _run(
    folder: Path,
    arguments: list[str],
    paths: list[Path],
    pause_s: float,
    largest_file: int | None,
) -> None:
    """In the child: become the command."""
    flags = [os.O_RDONLY, *[os.O_WRONLY | os.O_CREAT | os.O_TRUNC] * 2]
    for number, (path, flag) in enumerate(zip(paths, flags, strict=True)):
        os.dup2(os.open(path, flag), number)
    os.chdir(folder)
    os.environ |= {"JOINTVOS_CACHE": str(folder.parent / "cache"), "NO_COLOR": "1"}

    from jointvos import config
    from jointvos.inference import VideoSegmenter
    from jointvos.media import StagedSink

    assert isinstance(config.INFERENCE, dict)
    config.INFERENCE["small"] = config.InferenceConfig(
        crop_size=(32, 48), memory_size=3, template_interval=3, initial_steps=2, update_steps=1
    )
    if pause_s:
        VideoSegmenter.step = later(VideoSegmenter.step, pause_s)  # type: ignore[method-assign]
        StagedSink.commit = later(StagedSink.commit, pause_s)  # type: ignore[method-assign]
    if largest_file is not None:
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))
    from jointvos.cli.app import run

    sys.argv = ["jointvos", *arguments]
    # multiprocessing has handlers of its own; a fresh process would start like this.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    run()
