"""How far a batch is: a live table on a terminal, else a line at times."""

import sys
import time
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from jointvos.cli.console import PLAIN_INTERVAL_S, duration, stderr

if TYPE_CHECKING:
    from rich.table import Table


class Board:
    """What runs, what has ended, and how long the rest takes."""

    def __init__(self) -> None:
        """Before anything runs."""
        self._running: dict[str, tuple[int, int | None, str]] = {}
        self._videos = self._frames = self._done = self._failed = self._ended_frames = 0
        self._begin = self._said = time.monotonic()
        self._plain = False

    def begin(self, videos: int, frames: int) -> None:
        """So many are to be done."""
        self._videos, self._frames = videos, frames
        self._failed = 0
        self._begin = self._said = time.monotonic()

    def shown(self, quiet: bool) -> AbstractContextManager[Any]:
        """What shows it while the context lasts; nothing if quiet."""
        if quiet:
            return nullcontext()
        if sys.stderr.isatty():
            from rich.live import Live

            return Live(get_renderable=self._table, console=stderr(), transient=True)
        self._plain = True
        return nullcontext()

    def progress(self, name: str, done: int, total: int | None, device: str) -> None:
        """A video is at some frame."""
        self._running[name] = done, total, device
        now = time.monotonic()
        if self._plain and now - self._said >= PLAIN_INTERVAL_S:
            self._said = now
            stderr().print(self._line())

    def paused(self, name: str) -> None:
        """A video is no longer running and not at its end."""
        self._running.pop(name, None)

    def ended(self, name: str, frames: int, failed: bool) -> None:
        """A video is done or has failed."""
        self._running.pop(name, None)
        self._done += not failed
        self._failed += failed
        self._ended_frames += frames

    def _line(self) -> str:
        done = self._ended_frames + sum(frames for frames, *_ in self._running.values())
        parts = [f"videos {self._done}/{self._videos}"]
        parts += [f"{self._failed} failed"] if self._failed else []
        parts += [f"{len(self._running)} running"]
        rate = done / max(time.monotonic() - self._begin, 1e-9)
        if done:
            parts.append(f"{rate:.1f} frames/s")
        if done and self._frames > done:
            parts.append(f"about {duration((self._frames - done) / rate)} left")
        return ", ".join(parts)

    def _table(self) -> "Table":
        from rich.progress_bar import ProgressBar
        from rich.table import Table

        table = Table.grid(padding=(0, 2))
        for name, (done, total, device) in self._running.items():
            bar = ProgressBar(total=total or 1, completed=done if total else 0, width=30)
            table.add_row(name, bar, f"{done}/{total or '?'}", device)
        outer = Table.grid()
        outer.add_row(table)
        outer.add_row(self._line())
        return outer
