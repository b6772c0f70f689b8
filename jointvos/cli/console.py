"""What programs read, on stdout, and what people read, all of it on stderr."""

import logging
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, NoReturn, TypeVar

from jointvos.cli.flags import in_flags
from jointvos.errors import OutputError

if TYPE_CHECKING:
    from rich.console import Console  # slow to import for what --help needs

Item = TypeVar("Item")
PLAIN_INTERVAL_S = 10.0
INTERRUPTED, BROKEN_PIPE, TERMINATED = 130, 141, 143
"""Exit codes of Ctrl-C, of a reader of stdout that went away, and of SIGTERM."""


def data(line: str) -> None:
    """A line of data on stdout; ends the process quietly when nobody reads it any more.

    Raises:
        OutputError: It cannot be written for another reason.
    """
    try:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        close_stdout()
    except OSError as error:
        drop_stdout()
        raise OutputError(f"stdout cannot be written: {error.strerror or error}") from error


def drop_stdout() -> None:
    """Write nothing to stdout any more; Python would flush it at exit and complain again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def close_stdout() -> NoReturn:
    """End the process quietly when nobody reads stdout any more."""
    drop_stdout()
    sys.exit(BROKEN_PIPE)


def stderr() -> "Console":
    """Console on the current stderr; rich honors NO_COLOR, FORCE_COLOR and TERM=dumb."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, soft_wrap=True, markup=False)


def error(message: str) -> None:
    """One line, whatever the message (file names may hold line breaks)."""
    console = stderr()
    console.print("jointvos: ", style="bold red", end="")
    console.print(" ".join(in_flags(message).splitlines()))


class _InFlags(logging.Formatter):
    """The library's warnings in the words of the command line."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        return in_flags(super().formatMessage(record))


class Reporter:
    """Notes for people at the chosen level of detail."""

    def __init__(self, quiet: bool = False, verbose: bool = False) -> None:
        self.quiet = quiet
        self.verbose = verbose and not quiet
        level = logging.ERROR if quiet else logging.DEBUG if verbose else logging.WARNING
        handler = logging.StreamHandler()
        handler.setFormatter(_InFlags("%(message)s"))
        logger = logging.getLogger("jointvos")
        logger.handlers = [handler]
        logger.setLevel(level)

    def note(self, message: str) -> None:
        """A line, unless quiet."""
        if not self.quiet:
            stderr().print(in_flags(message))

    def detail(self, message: str) -> None:
        """A line for those who asked for more."""
        if self.verbose:
            stderr().print(in_flags(message))

    def warn(self, message: str) -> None:
        """A line that must not be overlooked, unless quiet."""
        if not self.quiet:
            stderr().print(in_flags(message), style="bold yellow")

    def track(
        self,
        items: Iterable[Item],
        total: int | None,
        unit: str,
        describe: Callable[[Item], str] | None = None,
    ) -> Iterator[Item]:
        """Pass items on while showing how far it is; see `meter`.

        A bar shows what `describe` says of the last item.
        """
        with self.meter(unit, total) as meter:
            for item in items:
                yield item
                meter.advance(describe(item) if describe else "")

    def meter(self, unit: str, total: int | None) -> "Meter":
        """What shows how far something is: a bar on a terminal, else a line at times."""
        if self.quiet:
            return Meter()
        if not sys.stderr.isatty():
            return Lines(unit, total)
        from jointvos.cli.progress_bar import Bar

        return Bar(unit, total)


class Meter:
    """Shows nothing; a context manager, for the sake of those that have an end."""

    def __enter__(self) -> "Meter":
        return self

    def __exit__(self, *exc_info: object) -> None:
        pass

    def advance(self, last: str = "") -> None:
        """Another one is done, which is called `last`."""


class Lines(Meter):
    """A line at times."""

    def __init__(
        self, unit: str, total: int | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._unit, self._total, self._done, self._clock = unit, total, 0, clock
        self._begin = self._said = clock()

    def advance(self, last: str = "") -> None:
        self._done += 1
        now, unit, done, total = self._clock(), self._unit, self._done, self._total
        if now - self._said < PLAIN_INTERVAL_S:
            return
        self._said = now
        rate = done / (now - self._begin)
        line = f"{unit} {done}" + (f"/{total}" if total else "") + f", {pace(rate, unit)}"
        if total and total > done:
            line += f", about {duration((total - done) / rate)} left"
        stderr().print(line)


def pace(rate: float, unit: str) -> str:
    """A rate per second, or the seconds that each takes where that is more telling."""
    return f"{rate:.1f} {unit}/s" if rate >= 1 else f"{1 / max(rate, 1e-9):.1f} s each"


def duration(seconds: float) -> str:
    """Minutes and seconds, with hours where there are some: 2:05, 1:02:05."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
