"""What a batch yields while it is carried out."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from jointvos.batch.record import Entry


@dataclass(frozen=True)
class Looked:
    """A video of the list was looked at; of all of them before any is segmented.

    Attributes:
        name: What it is called.
        verdict: "todo"; "done" or "failed" in an earlier run, and left so; "refused" if it cannot
            be done, which is recorded as failed.
        reason: Why it is refused, why it failed, or why it is done again; one line.
        frames: How many there are to do, as far as the video tells.
        objects: How many are given; 0 if it was not opened.
        outputs: Where they go.
        notes: Warnings about the video, one line each.
    """

    name: str
    verdict: Literal["todo", "done", "failed", "refused"]
    reason: str | None
    frames: int | None
    objects: int
    outputs: tuple[str, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Begins:
    """All videos are looked at, and workers start; the last event of a dry run.

    Attributes:
        videos: How many there are to do.
        frames: Of those that tell, altogether.
        seconds: How long they will take, about; None if that was not measured.
    """

    videos: int
    frames: int
    seconds: float | None = None


@dataclass(frozen=True)
class VideoProgress:
    """A video is being segmented.

    Attributes:
        name: What it is called.
        done: Frames so far.
        total: All of them, as far as it tells.
        device: Where, as "cuda:1".
    """

    name: str
    done: int
    total: int | None
    device: str


@dataclass(frozen=True)
class VideoPaused:
    """A video is no longer being segmented; it will be gone on with, in this run or another."""

    name: str


@dataclass(frozen=True)
class VideoEnded:
    """A video is done or has failed, and that is recorded."""

    entry: Entry


@dataclass(frozen=True)
class Failures:
    """Videos that failed in one way.

    Attributes:
        exit_code: What `jointvos segment` ends with for these.
        count: How many there are.
        names: What the first of them are called.
    """

    exit_code: int
    count: int
    names: tuple[str, ...]


@dataclass(frozen=True)
class Ended:
    """The last event.

    Attributes:
        done: Videos done in this run.
        skipped: Videos that were done before.
        failed: Those that failed now, or before and were left so, by their exit code.
        left: How many were not begun or not ended, as the batch was stopped.
        report: The report, a page for a browser; beside it is one for programs, in JSON.
    """

    done: int
    skipped: int
    failed: tuple[Failures, ...]
    left: int
    report: Path


BatchEvent: TypeAlias = Looked | Begins | VideoProgress | VideoPaused | VideoEnded | Ended
