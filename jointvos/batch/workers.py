"""The worker processes: who does what, and what happens when one dies."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from multiprocessing.connection import Connection, wait

from jointvos.batch.places import threads_of
from jointvos.batch.processes import CONTEXT
from jointvos.batch.tasks import Task
from jointvos.batch.worker import (
    RECORDED,
    STOP,
    Free,
    Outcome,
    Said,
    Setup,
    Underway,
    Unfit,
    work,
)
from jointvos.errors import DeviceError
from jointvos.runs import SessionSpec

_LOOK_EVERY_S = 0.2
_FALSE_STARTS = 3
"""How many workers in a row may die before one has loaded the model."""


class _Worker:
    """A process, the connection with it, what it does, and what it has just ended."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self.link, theirs = CONTEXT.Pipe()
        self.process = CONTEXT.Process(target=work, args=(theirs, setup), daemon=True)
        self.process.start()
        theirs.close()
        self.loaded = self.free = False
        self.task: Task | None = None
        self.leaving: Task | None = None

    def tell(self, what: Task | str) -> None:
        """Send it something; if it has died, that is seen when it is listened to."""
        with suppress(OSError):
            self.link.send(what)

    def kill(self) -> None:
        self.process.kill()
        self.process.join()
        self.link.close()


class Workers:
    """Processes that take tasks from one queue; a context manager that ends them at once."""

    def __init__(
        self,
        session: SessionSpec,
        places: Sequence[str],
        retries: int,
        record: Callable[[Task, Outcome, int], None],
    ) -> None:
        """Nothing is started yet.

        Args:
            session: The model to load, and how.
            places: The device of every worker.
            retries: How often a task is tried again that failed for a reason which may pass, or
                whose worker died.
            record: Told what came of a task in the end, and after how many attempts; a worker is
                told only when it has returned.
        """
        threads = threads_of(len(places))
        self._setups = [Setup(replace(session, device=place), threads) for place in places]
        self._retries, self._record = retries, record
        self._workers: list[_Worker] = []
        self._attempts: dict[str, int] = {}
        self._false_starts = 0
        self._stopping = False

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *exc_info: object) -> None:
        for worker in self._workers:
            worker.kill()

    def stop(self) -> None:
        """Let `carry_out` end soon; tasks are left as they are. May be called by a signal."""
        self._stopping = True

    def carry_out(self, tasks: Iterable[Task]) -> Iterator[tuple[Task, Underway | None]]:
        """Do all tasks, in that order as far as they begin.

        Yields:
            A task, and how far it is; None when it is no longer being done.

        Raises:
            JointVOSError: The workers cannot load the model.
        """
        queue = deque(tasks)
        for setup in self._setups[: len(queue)]:
            self._workers.append(_Worker(setup))
        told_to_stop = False
        while queue or any(worker.loaded and not worker.free for worker in self._workers):
            if self._stopping and not told_to_stop:
                told_to_stop = True
                queue.clear()
                for worker in self._workers:
                    worker.tell(STOP)
            for worker in self._workers:
                if queue and worker.free:
                    worker.task, worker.free = queue.popleft(), False
                    self._attempts[worker.task.name] = self._attempts.get(worker.task.name, 0) + 1
                    yield worker.task, Underway(0, None)
                    worker.tell(worker.task)
            links = {worker.link: worker for worker in self._workers}
            for link in wait(list(links), _LOOK_EVERY_S):
                assert isinstance(link, Connection)
                yield from self._listen(links[link], queue)

    def _listen(
        self, worker: _Worker, queue: deque[Task]
    ) -> Iterator[tuple[Task, Underway | None]]:
        try:
            said: Said = worker.link.recv()
        except (EOFError, OSError):
            yield from self._replace(worker, queue)
            return
        match said:
            case Free():
                worker.loaded, worker.free, worker.leaving = True, True, None
                self._false_starts = 0
            case Unfit(error):
                raise error
            case Underway() if worker.task is not None:
                yield worker.task, said
            case Outcome() if worker.task is not None:
                task, worker.task = worker.task, None
                again = said.may_pass and self._may_try_again(task)
                if not again:
                    self._record(task, said, self._attempts.pop(task.name))
                    worker.leaving = task
                worker.tell(RECORDED)
                yield task, None
                if again:
                    queue.appendleft(task)

    def _replace(self, dead: _Worker, queue: deque[Task]) -> Iterator[tuple[Task, Underway | None]]:
        """Start another one; what it was doing goes on, or has failed for good."""
        self._workers.remove(dead)
        dead.kill()
        died = _how_it_died(dead.process.exitcode)
        if not dead.loaded:
            self._false_starts += 1
            if self._false_starts == _FALSE_STARTS:
                raise DeviceError(
                    f"workers end while they load the model ({died})",
                    hint="if there is too little memory, give fewer `jobs`",
                )
        if dead.leaving is not None:
            dead.leaving.forget()
        if (task := dead.task) is not None:
            if not self._stopping:
                if self._may_try_again(task):
                    queue.appendleft(task)
                else:
                    outcome = Outcome(1, f"its worker ended unexpectedly ({died})")
                    self._record(task, outcome, self._attempts.pop(task.name))
            yield task, None
        if queue and not self._stopping:
            self._workers.append(_Worker(dead.setup))

    def _may_try_again(self, task: Task) -> bool:
        return not self._stopping and self._attempts[task.name] <= self._retries


def _how_it_died(code: int | None) -> str:
    return f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"
