"""The engine of one machine: worker processes, who does what, and what happens when one dies."""

import logging
from collections import deque
from collections.abc import Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import islice
from multiprocessing.connection import Connection, wait

from jointvos.batch.engine import News, Outcome, Underway
from jointvos.batch.places import choose_places, threads_of
from jointvos.batch.processes import CONTEXT
from jointvos.batch.tasks import Task
from jointvos.batch.worker import STOP, Free, Said, Setup, Unfit, work
from jointvos.errors import ConfigError, DeviceError, OutOfDeviceMemory
from jointvos.runs import SessionSpec

_log = logging.getLogger("jointvos.batch")

_LOOK_EVERY_S = 0.2
_FALSE_STARTS = 3
"""How many workers in a row may die before one has loaded the model."""


@dataclass
class LocalEngine:
    """Worker processes on this machine.

    Attributes:
        jobs: How many; by default one per GPU, or one on the CPU.
        gpus: "all" or how many.
        retry: How often a video is tried again if its worker dies or it fails for another reason
            than its options, input or masks.
    """

    jobs: int | None = None
    gpus: str | None = None
    retry: int = 1
    _stopping: bool = field(default=False, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.retry < 0:
            raise ConfigError(f"`retry` is {self.retry}, expected 0 or more")

    def places(self, session: SessionSpec) -> tuple[str, ...]:
        """See `Engine`."""
        return tuple(choose_places(session.device, self.gpus, self.jobs))

    def setups(self, session: SessionSpec) -> list[Setup]:
        """How every worker begins, see `Engine.places`."""
        places = self.places(session)
        threads = threads_of(len(places))
        return [Setup(replace(session, device=place), threads) for place in places]

    def carry_out(
        self, session: SessionSpec, tasks: Iterator[Task]
    ) -> Generator[tuple[Task, News], None, None]:
        """See `Engine`."""
        workers = _Workers(tasks, self.retry)
        try:
            workers.start(self.setups(session))
            told_to_stop = False
            while workers.busy:
                if self._stopping and not told_to_stop:
                    told_to_stop = True
                    workers.stop()
                workers.hand_out()
                yield from workers.listen()
        finally:
            workers.kill()

    def stop(self) -> None:
        """See `Engine`."""
        self._stopping = True


class _Worker:
    """A process, the connection with it, and what it does."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self.link, theirs = CONTEXT.Pipe()
        self.process = CONTEXT.Process(target=work, args=(theirs, setup), daemon=True)
        self.process.start()
        theirs.close()
        self.loaded = self.free = False
        self.task: Task | None = None

    def tell(self, what: Task | str) -> None:
        """Send it something; if it has died, that is seen when it is listened to."""
        with suppress(OSError):
            self.link.send(what)

    def kill(self) -> None:
        self.process.kill()
        self.process.join()
        self.link.close()


class _Workers:
    """All of them, and the queue that they take tasks from."""

    def __init__(self, tasks: Iterator[Task], retries: int) -> None:
        self._coming, self._retries = tasks, retries
        self._queue: deque[Task] = deque()
        """Those at the head of `_coming`, and those that are tried again before them."""
        self._workers: list[_Worker] = []
        self._attempts: dict[str, int] = {}
        self._false_starts = 0
        self._stopping = False

    @property
    def busy(self) -> bool:
        """Whether anything is left to do or being done."""
        return bool(self._queue) or any(w.loaded and not w.free for w in self._workers)

    def start(self, setups: list[Setup]) -> None:
        """Start workers, no more than there are tasks."""
        self._queue.extend(islice(self._coming, len(setups)))
        self._workers = [_Worker(setup) for setup in setups[: len(self._queue)]]

    def stop(self) -> None:
        """Tell the workers to stop, and give out nothing any more."""
        self._stopping = True
        self._queue.clear()
        self._coming = iter(())
        for worker in self._workers:
            worker.tell(STOP)

    def kill(self) -> None:
        for worker in self._workers:
            worker.kill()

    def hand_out(self) -> None:
        """Give a task to all that are free."""
        for worker in self._workers:
            if worker.free and self._queue:
                worker.task, worker.free = self._queue.popleft(), False
                self._attempts[worker.task.name] = self._attempts.get(worker.task.name, 0) + 1
                worker.tell(worker.task)
                if not self._queue:
                    self._queue.extend(islice(self._coming, 1))

    def listen(self) -> Iterator[tuple[Task, News]]:
        """What has been said by some, after a while of waiting for it."""
        links = {worker.link: worker for worker in self._workers}
        for link in wait(list(links), _LOOK_EVERY_S):
            assert isinstance(link, Connection)
            worker = links[link]
            try:
                said: Said = worker.link.recv()
            except (EOFError, OSError):
                yield from self._replace(worker)
                continue
            match said:
                case Free():
                    worker.loaded = worker.free = True
                    self._false_starts = 0
                case Unfit(OutOfDeviceMemory()) if self._has_company(worker):
                    self._do_without(worker)
                case Unfit(error):
                    raise error
                case Underway() if worker.task is not None:
                    yield worker.task, said
                case Outcome() if worker.task is not None:
                    task, worker.task = worker.task, None
                    full = said.exit_code == OutOfDeviceMemory.exit_code
                    if full and not self._stopping and self._has_company(worker):
                        self._attempts[task.name] -= 1
                        self._queue.appendleft(task)
                        self._do_without(worker)
                        yield task, None
                    else:
                        yield task, self._tried(task, said)

    def _has_company(self, worker: _Worker) -> bool:
        """Whether another one shares its device."""
        others = (each for each in self._workers if each is not worker)
        return any(each.setup.session.device == worker.setup.session.device for each in others)

    def _do_without(self, worker: _Worker) -> None:
        """Leave the memory of its device to the others."""
        self._workers.remove(worker)
        worker.kill()
        self._say_full(worker)

    def _say_full(self, worker: _Worker) -> None:
        device = worker.setup.session.device
        left = sum(each.setup.session.device == device for each in self._workers)
        _log.warning(
            "%s has no memory for %d videos at once; continuing with %d", device, left + 1, left
        )

    def _tried(self, task: Task, outcome: Outcome) -> Outcome | None:
        """What came of a task in the end; None if it is tried again."""
        if outcome.may_pass and not self._stopping and self._attempts[task.name] <= self._retries:
            self._queue.appendleft(task)
            return None
        return replace(outcome, attempts=self._attempts.pop(task.name))

    def _replace(self, dead: _Worker) -> Iterator[tuple[Task, News]]:
        """Start another one; what it was doing goes on, or has failed for good."""
        self._workers.remove(dead)
        dead.kill()
        died = _how_it_died(dead.process.exitcode)
        if not dead.loaded:
            self._false_starts += 1
            if self._false_starts == _FALSE_STARTS and self._has_company(dead):
                self._false_starts = 0
                self._say_full(dead)
                return
            if self._false_starts == _FALSE_STARTS:
                raise DeviceError(
                    f"workers end while they load the model ({died})",
                    hint="if there is too little memory, give fewer `jobs`",
                )
        if (task := dead.task) is not None:
            failed = Outcome(1, f"its worker ended unexpectedly ({died})")
            yield task, None if self._stopping else self._tried(task, failed)
        if self._queue and not self._stopping:
            self._workers.append(_Worker(dead.setup))


def _how_it_died(code: int | None) -> str:
    return f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"
