"""A process that carries out tasks one after the other, with a model that it loads once."""

import signal
import threading
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import TypeAlias

from jointvos.batch.attempt import attempt
from jointvos.batch.engine import Outcome, Underway
from jointvos.batch.places import share_cores
from jointvos.batch.processes import end_with_parent
from jointvos.batch.tasks import Task
from jointvos.errors import JointVOSError
from jointvos.runs import SessionSpec


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
    """The model is loaded, and the task before has its outcome: the worker takes another."""


@dataclass(frozen=True)
class Unfit:
    """The model cannot be loaded; the process ends."""

    error: JointVOSError


Said: TypeAlias = Free | Unfit | Underway | Outcome

STOP = "stop"
"""What a worker is told besides its tasks."""


class _Stopped(BaseException):
    """The worker was told to stop."""


def work(link: Connection, setup: Setup) -> None:
    """What the process does until it is told to stop, or its parent is gone."""
    # Ctrl-C reaches all processes of a terminal; what happens then is for the parent to say.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=end_with_parent, daemon=True).start()
    try:
        share_cores(setup.threads)
        notes: list[str] = []
        model = setup.session.load(say=notes.append)
    except JointVOSError as error:
        link.send(Unfit(error))
        return

    def tell(underway: Underway) -> None:
        if link.poll() and link.recv() == STOP:
            raise _Stopped
        link.send(underway)

    with suppress(EOFError, BrokenPipeError):  # the parent is gone
        link.send(Free())
        while isinstance(task := link.recv(), Task):
            try:
                outcome = attempt(task, model, tell)
            except _Stopped:
                return
            link.send(outcome)
            if outcome.traceback is not None:  # who knows what state the device is in
                return
            link.send(Free())
