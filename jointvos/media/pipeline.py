"""Decoding and encoding beside the network, in threads of their own, with bounded queues.

What goes wrong in a thread comes out of `Answer.result`.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from jointvos.errors import EncodeError
from jointvos.files.staged import TwoPhaseSink
from jointvos.media.worker import Answer, Worker
from jointvos.types import Frame, FrameResult

Item = TypeVar("Item")


def read_ahead(
    source: Iterable[Item], depth: int = 4, stop: Callable[[], None] | None = None
) -> Generator[Item, None, None]:
    """The frames of a source, decoded in a thread, at most `depth` of them ahead.

    The thread has ended when the generator ends, for whatever reason; use
    `contextlib.closing` to end it early at a certain place. What `stop` does at the end ends the
    wait for a frame that may be long in coming.

    Raises:
        JointVOSError: Whatever reading the source raises, behind the frames before it.
    """
    frames = iter(source)
    reader = Worker("jointvos-read")
    try:
        pending = deque(reader.submit(next, frames, None) for _ in range(max(1, depth)))
        while (frame := pending.popleft().result()) is not None:
            pending.append(reader.submit(next, frames, None))
            yield frame
    finally:
        if stop is not None:
            stop()
        reader.end()


class FanOut:
    """Writes to several sinks in the background, a frame to all at once; all appear, or none.

    As a context manager it finishes at the end of the block and aborts on an exception.

    Attributes:
        path: That of the first sink.
        written: How many frames all sinks have taken.
        committed: Whether outputs have got their names, or are about to.
    """

    def __init__(
        self,
        sinks: Sequence[TwoPhaseSink],
        depth: int = 4,
        before_commit: Callable[[], None] = lambda: None,
    ) -> None:
        """Take over the sinks; at most `depth` frames wait for them.

        Args:
            sinks: Where every frame goes.
            depth: How many frames may wait.
            before_commit: Called when all outputs are complete and none has its name yet.

        Raises:
            ValueError: There is no sink.
        """
        if not sinks:
            raise ValueError("FanOut needs at least one sink")
        self.path: Path = sinks[0].path
        self._sinks = tuple(sinks)
        self._depth = max(1, depth)
        self._before_commit = before_commit
        self.written = self._begun = 0
        self.committed = False
        self._pending: deque[Answer[None]] = deque()
        self._writer = Worker("jointvos-write")
        # The writer itself sees to the first; it alone uses these, so nothing interrupts that.
        self._helpers = [Worker("jointvos-write") for _ in self._sinks[1:]]
        self._done = False

    def __enter__(self) -> "FanOut":
        return self

    def __exit__(self, kind: type[BaseException] | None, *exc_info: object) -> None:
        if kind is None:
            self.finish()
        else:
            self.abort()

    def write(self, frame: Frame, result: FrameResult) -> None:
        """Hand over one frame; waits while `depth` frames are waiting.

        Raises:
            EncodeError: A sink could not write this or an earlier frame; all is aborted.
        """
        self._settle(self._depth - 1)
        self._pending.append(self._writer.submit(self._write, frame, result))

    def finish(self) -> None:
        """Write what is waiting, complete all sinks, then give all of them their names.

        Raises:
            OutputError: A sink failed; all is aborted.
        """
        if self._done:
            return
        self._settle(0)
        try:
            # In the thread of the writes, where an interrupted `write` may have left one, and
            # where no interruption comes between two outputs.
            self._writer.submit(self._complete).result()
        except BaseException:
            self.abort()
            raise
        self._end()

    def abort(self) -> None:
        """Stop the thread and leave nothing behind; does nothing after `finish`."""
        if self._done:
            return
        self._end()
        for sink in self._sinks:
            sink.abort()

    def _write(self, frame: Frame, result: FrameResult) -> None:
        self._begun += 1
        self._each(lambda sink: sink.write(frame, result))
        self.written += 1

    def _complete(self) -> None:
        if self.written != self._begun:
            raise EncodeError(f"{self.path}: {self.written} of {self._begun} frames are written")
        self._each(lambda sink: sink.close())
        if self._done:
            return
        self._before_commit()
        self.committed = True
        for sink in self._sinks:
            sink.commit()

    def _each(self, job: Callable[[TwoPhaseSink], None]) -> None:
        """Do it with all sinks at once, and wait for all, whatever goes wrong with one."""
        first, *others = self._sinks
        answers = [
            helper.submit(job, sink) for helper, sink in zip(self._helpers, others, strict=True)
        ]
        here: Answer[None] = Answer()
        here.give(lambda: job(first))
        errors = list[BaseException]()
        for answer in (here, *answers):
            try:
                answer.result()
            except BaseException as error:
                errors.append(error)
        if errors:
            raise errors[0]

    def _settle(self, waiting: int) -> None:
        """Collect results until no more than `waiting` writes are left."""
        try:
            while self._pending and (len(self._pending) > waiting or self._pending[0].done()):
                self._pending.popleft().result()
        except Exception:  # an interruption leaves the sinks as they are: see `finish`
            self.abort()
            raise

    def _end(self) -> None:
        self._done = True
        for worker in (self._writer, *self._helpers):
            worker.end()
