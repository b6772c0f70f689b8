"""A process that carries out tasks one after the other, with a model that it loads once."""

import logging
import os
import signal
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing import parent_process
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import TypeAlias

from jointvos.batch.places import share_cores
from jointvos.batch.record import ObjectSummary
from jointvos.batch.summary import Summary
from jointvos.batch.tasks import Task
from jointvos.errors import (
    ConfigError,
    JointVOSError,
    MaskError,
    MediaError,
    OtherRun,
    OutputError,
    os_reason,
)
from jointvos.runs import (
    Finished,
    LoadedModel,
    Notice,
    Progress,
    SegmentedFrame,
    SegmentRun,
    SessionSpec,
    segment_video,
)

_SAY_EVERY_S = 0.25
_MOST_NOTES = 20


@dataclass(frozen=True)
class Setup:
    """How a worker begins.

    Attributes:
        session: The model to load, with the device of this worker.
        threads: Of its computations; None leaves it to torch.
    """

    session: SessionSpec
    threads: int | None


@dataclass(frozen=True)
class Free:
    """The model is loaded, and nothing is left of the task before: the worker takes another."""


@dataclass(frozen=True)
class Unfit:
    """The model cannot be loaded; the process ends."""

    error: JointVOSError


@dataclass(frozen=True)
class Underway:
    """A video is being done; `total` is as far as it tells."""

    done: int
    total: int | None


@dataclass(frozen=True)
class Outcome:
    """What came of a video; the worker waits until it is told that this is recorded.

    Attributes:
        exit_code: 0 if all outputs are in place.
        error: One line.
        frames: How many were done.
        seconds: How long that took.
        outputs: What was written.
        objects: What was followed.
        notes: Warnings, one line each.
        traceback: Of an unexpected error.
    """

    exit_code: int = 0
    error: str | None = None
    frames: int = 0
    seconds: float = 0.0
    outputs: tuple[Path, ...] = ()
    objects: tuple[ObjectSummary, ...] = ()
    notes: tuple[str, ...] = ()
    traceback: str | None = None

    @property
    def may_pass(self) -> bool:
        """Whether another attempt may end otherwise: it is not the input or the options."""
        hopeless = (ConfigError.exit_code, MediaError.exit_code, MaskError.exit_code)
        return self.exit_code not in (0, *hopeless)


Said: TypeAlias = Free | Unfit | Underway | Outcome

STOP, RECORDED = "stop", "recorded"
"""What a worker is told besides its tasks."""


class _Stopped(Exception):
    """The worker was told to stop."""


def work(link: Connection, setup: Setup) -> None:
    """What the process does until it is told to stop, or its parent is gone."""
    # Ctrl-C reaches all processes of a terminal; what happens then is for the parent to say.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        share_cores(setup.threads)
        notes: list[str] = []
        model = setup.session.load(say=notes.append)
    except JointVOSError as error:
        link.send(Unfit(error))
        return
    link.send(Free())
    while isinstance(task := link.recv(), Task):
        try:
            _Attempt(task, model, link).carry_out()
        except _Stopped:
            return
        link.send(Free())


def _end_with_parent() -> None:
    """End at once when the parent is gone, so that nobody else's work is disturbed."""
    parent = parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)


class _Attempt:
    """A task that is being done."""

    def __init__(self, task: Task, model: LoadedModel, link: Connection) -> None:
        session = replace(task.job.session, device=model.spec.device)
        self._task = task
        self._job = replace(task.job, session=session)
        self._model, self._link = model, link
        self._frames, self._begin = 0, time.monotonic()
        self._said = 0.0
        self._summary = Summary()
        self._notes: list[str] = []
        self._reported = False

    def carry_out(self) -> None:
        """Do the task and report what came of it, whatever that is.

        Raises:
            _Stopped: The worker was told to stop, and what is done is kept; or there was an
                unexpected error, and another process had better go on.
        """
        with _logged(self._notes):
            try:
                self._segment()
                return
            except JointVOSError as error:
                outcome = self._outcome(error.exit_code, str(error))
            except OSError as error:
                outcome = self._outcome(OutputError.exit_code, os_reason(error))
            except _Stopped:
                raise
            except Exception as error:  # a bug met in one video shall not stop the others
                said = f"{type(error).__name__}: {error}"
                outcome = self._outcome(1, said, traceback.format_exc())
        if self._reported:  # it is done; only what it would have gone on from is still there
            return
        if not outcome.may_pass:
            self._task.forget()
        self._report(outcome)
        if outcome.traceback is not None:  # who knows what state the device is in
            raise _Stopped

    def _segment(self) -> None:
        for path in self._job.outputs.files():
            path.parent.mkdir(parents=True, exist_ok=True)
        run = segment_video(self._job, self._model)
        try:
            self._follow(run)
        except OtherRun:
            self._task.forget()
            self._follow(segment_video(run.job, self._model))

    def _follow(self, run: SegmentRun) -> None:
        with run:
            for event in run:
                match event:
                    case SegmentedFrame():
                        self._frames += 1
                        self._summary.add(event.result)
                    case Progress(_, done, total):
                        self._tell(done, total)
                    case Notice(text, "warning"):
                        self._notes.append(text)
                    case Finished(outputs=outputs):
                        self._report(replace(self._outcome(), outputs=outputs))

    def _tell(self, done: int, total: int | None) -> None:
        """Say how far it is, and listen."""
        if self._link.poll() and self._link.recv() == STOP:
            raise _Stopped
        if (now := time.monotonic()) - self._said >= _SAY_EVERY_S:
            self._said = now
            self._link.send(Underway(done, total))

    def _report(self, outcome: Outcome) -> None:
        self._link.send(outcome)
        self._reported = True
        stopped = False
        while (told := self._link.recv()) != RECORDED:
            stopped = told == STOP
        if stopped:
            raise _Stopped

    def _outcome(
        self, exit_code: int = 0, error: str | None = None, trace: str | None = None
    ) -> Outcome:
        return Outcome(
            exit_code=exit_code,
            error=None if error is None else " ".join(error.split()),
            frames=self._frames,
            seconds=round(time.monotonic() - self._begin, 3),
            objects=self._summary.objects(),
            notes=tuple(self._notes[:_MOST_NOTES]),
            traceback=trace,
        )


@contextmanager
def _logged(notes: list[str]) -> Iterator[None]:
    """Let warnings of the library become notes."""
    handler = _Notes(notes)
    logger = logging.getLogger("jointvos")
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


class _Notes(logging.Handler):
    def __init__(self, notes: list[str]) -> None:
        super().__init__(logging.WARNING)
        self._notes = notes

    def emit(self, record: logging.LogRecord) -> None:
        self._notes.append(record.getMessage())
