"""A thread beside the main one, which may be interrupted at any moment.

Ctrl-C is raised in the main thread between any two steps of Python code, also behind the one that
takes the lock of an executor, a future or a condition, which are written in Python: the lock stays
taken and the other thread waits for it for ever. `SimpleQueue` is not written in Python.
"""

from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from typing import Generic, ParamSpec, TypeVar, cast

Args = ParamSpec("Args")
Result = TypeVar("Result")


class Answer(Generic[Result]):
    """What a job returns or raises."""

    def __init__(self) -> None:
        self._given: SimpleQueue[tuple[Result | None, BaseException | None]] = SimpleQueue()

    def done(self) -> bool:
        """Whether `result` would not have to wait."""
        return not self._given.empty()

    def result(self) -> Result:
        """Wait for it; to be called once. Raises what the job raised."""
        result, error = self._given.get()
        if error is not None:
            raise error
        return cast(Result, result)

    def give(self, job: Callable[[], Result]) -> None:
        """Do the job."""
        try:
            self._given.put((job(), None))
        except BaseException as error:  # for the one who asked
            self._given.put((None, error))


class Worker:
    """A thread that does jobs one after the other."""

    def __init__(self, name: str) -> None:
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        # Whoever drops a worker without ending it shall not keep the program from ending.
        self._thread = Thread(target=self._work, name=name, daemon=True)
        self._ended = False
        self._thread.start()

    def submit(
        self, job: Callable[Args, Result], *args: Args.args, **kwargs: Args.kwargs
    ) -> Answer[Result]:
        """Have a job done behind those that wait."""
        answer: Answer[Result] = Answer()
        self._jobs.put(lambda: answer.give(lambda: job(*args, **kwargs)))
        return answer

    def end(self) -> None:
        """Wait for the job that is being done; those that wait are never done."""
        self._ended = True
        self._jobs.put(None)
        self._thread.join()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None and not self._ended:
            job()
