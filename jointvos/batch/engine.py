"""What carries tasks out: what an engine can do, and what it tells of them."""

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeAlias

from jointvos.batch.record import ObjectSummary
from jointvos.batch.tasks import Task
from jointvos.errors import ConfigError, JointVOSError, MaskError, MediaError
from jointvos.runs import SessionSpec


@dataclass(frozen=True)
class Underway:
    """A video is being done.

    Attributes:
        done: Frames so far.
        total: All of them, as far as it tells.
        device: Where.
    """

    done: int
    total: int | None
    device: str


@dataclass(frozen=True)
class Outcome:
    """What came of a video.

    What it would be continued from is still there, so that whoever records the outcome can do so
    before it is taken away.

    Attributes:
        exit_code: 0 if all outputs are in place.
        error: One line.
        frames: How many were done.
        seconds: How long that took.
        outputs: What was written.
        objects: What was followed.
        notes: Warnings, one line each.
        traceback: Of an unexpected error.
        thumbnail: One of its frames with the objects marked, a small JPEG.
        attempts: How often it was tried.
        device: Where it was done.
    """

    exit_code: int = 0
    error: str | None = None
    frames: int = 0
    seconds: float = 0.0
    outputs: tuple[Path, ...] = ()
    objects: tuple[ObjectSummary, ...] = ()
    notes: tuple[str, ...] = ()
    traceback: str | None = None
    thumbnail: bytes | None = None
    attempts: int = 1
    device: str | None = None

    @classmethod
    def of(cls, error: JointVOSError) -> "Outcome":
        """That of a video that could not be done."""
        return cls(error.exit_code, " ".join(str(error).split()))

    @property
    def may_pass(self) -> bool:
        """Whether another attempt may end otherwise: it is not the input or the options."""
        hopeless = (ConfigError.exit_code, MediaError.exit_code, MaskError.exit_code)
        return self.exit_code not in (0, *hopeless)


News: TypeAlias = Underway | Outcome | None
"""How far a task is, what came of it, or that it is no longer being done and will be continued."""


class Engine(Protocol):
    """Carries tasks out, somewhere."""

    def places(self, session: SessionSpec) -> tuple[str, ...]:
        """The device of every worker; none where that shows only when they work.

        Raises:
            ConfigError: Settings contradict each other or are out of range.
            DeviceUnavailable: A device is not there.
        """

    def carry_out(
        self, session: SessionSpec, tasks: Iterator[Task]
    ) -> Generator[tuple[Task, News], None, None]:
        """Do all tasks, in that order as far as they begin.

        Closing the generator ends what is at work, at once.

        Args:
            session: The model to load, and how.
            tasks: Each is asked for shortly before it begins.

        Yields:
            What is new of a task. It must be recorded before the next is asked for.

        Raises:
            JointVOSError: The workers cannot begin.
        """

    def stop(self) -> None:
        """Let `carry_out` end soon; tasks are left as they are. A signal handler may call it."""
