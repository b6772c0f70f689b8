"""`--profile`: what the machine does during a few frames, as a Chrome trace."""

import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from jointvos.errors import OutputError, OutputExists

if TYPE_CHECKING:
    from torch.profiler import profile

Item = TypeVar("Item")

WARM_UP, TRACED = 2, 20
"""Frames that pass before, and frames that are recorded: traces are large."""


def check_trace(path: Path, overwrite: bool) -> None:
    """See early whether the trace can be written.

    Raises:
        OutputExists: There is a file already.
        OutputError: Its folder is not there.
    """
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # torch's recorder talks; read when it loads
    if path.exists() and not overwrite:
        raise OutputExists(f"{path} is there already; -f replaces it")
    if not path.absolute().parent.is_dir():
        raise OutputError(f"{path}: there is no folder {path.parent}; make it first")


def traced(items: Iterable[Item], path: Path) -> Iterator[Item]:
    """Pass frames on and record what is done to make some of the first ones.

    Raises:
        OutputError: The trace cannot be written.
    """
    from torch import cuda
    from torch.profiler import ProfilerActivity, profile, schedule

    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if cuda.is_available() else [])]
    plan = schedule(wait=0, warmup=WARM_UP, active=TRACED, repeat=1)
    with profile(
        activities=activities, schedule=plan, on_trace_ready=lambda done: _write(done, path)
    ) as recording:
        for item in items:
            recording.step()
            yield item


def _write(recording: "profile", path: Path) -> None:
    partial = path.with_name(f".{path.stem}.{secrets.token_hex(4)}.json")
    try:
        recording.export_chrome_trace(str(partial))
        partial.replace(path)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        # Gone already after success; where it never came to be, this fails as well.
        with suppress(OSError):
            partial.unlink()
