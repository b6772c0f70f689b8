"""What can be found wrong with a video before any is segmented."""

import gc
import logging
import os
import re
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias, TypeVar

from jointvos.batch.attempt import logged
from jointvos.batch.engine import Outcome
from jointvos.batch.places import cores
from jointvos.batch.processes import CONTEXT, apart, end_with_parent
from jointvos.batch.tasks import Task
from jointvos.batch.urls import shown, url_of
from jointvos.errors import ConfigError, DeviceError, JointVOSError, OutputError, OutputExists
from jointvos.masks import MaskPrompts
from jointvos.runs import Outputs
from jointvos.runs.outputs import ID
from jointvos.types import VideoInfo

_log = logging.getLogger("jointvos.batch")

_TOGETHER = 16
"""Tasks that a process is given at once."""

_NO_VIDEO = Path("no such video")

Other = TypeVar("Other")
_Found: TypeAlias = "Callable[[], list[Seen | Outcome]]"


@dataclass(frozen=True, slots=True)
class Seen:
    """What a video and its masks tell, as far as can be seen without decoding all of it.

    Attributes:
        frames: How many there are; None if it does not tell.
        objects: How many are given.
        notes: Warnings, one line each.
    """

    frames: int | None
    objects: int
    notes: tuple[str, ...] = ()


def check_tasks(
    items: Iterable[Task | Other],
) -> Generator[tuple[Task, Seen | Outcome] | Other, None, None]:
    """Check that inputs are there, masks fit and outputs have a place; nothing is written.

    It is done by several processes, for reading headers is more work for Python than for the disk.

    Args:
        items: The tasks, asked for shortly before they are checked. Anything else among them is
            passed on in its place.

    Yields:
        In order, each task with what was seen, or with what would come of it where something is
        wrong.
    """
    items = iter(items)
    with TemporaryDirectory(prefix="jointvos-") as empty, _Checkers(Path(empty)) as checkers:
        waiting: deque[tuple[list[Task | Other], _Found]] = deque()

        def first() -> Iterator[tuple[Task, Seen | Outcome] | Other]:
            some, found = waiting.popleft()
            seen = iter(found())
            for each in some:
                yield (each, next(seen)) if isinstance(each, Task) else each

        while some := list(islice(items, _TOGETHER)):
            waiting.append((some, checkers.ask([each for each in some if isinstance(each, Task)])))
            if len(waiting) > 2 * checkers.number:
                yield from first()
        while waiting:
            yield from first()


class _Checkers:
    """Processes that check tasks; a context manager that ends them."""

    def __init__(self, empty: Path) -> None:
        self.number = min(max(4, cores()), 16)
        self._empty = empty
        self._pool = ProcessPoolExecutor(self.number, CONTEXT, initializer=_begin)

    def __enter__(self) -> "_Checkers":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def ask(self, tasks: Sequence[Task]) -> _Found:
        """Have tasks checked; call what is returned to wait for the findings."""
        if not tasks:
            return list
        try:
            future = self._pool.submit(_check_all, tasks, self._empty)
        except BrokenProcessPool:
            self._pool = ProcessPoolExecutor(self.number, CONTEXT, initializer=_begin)
            return self.ask(tasks)
        return partial(self._found, tasks, future)

    def _found(
        self, tasks: Sequence[Task], future: "Future[list[Seen | Outcome]]"
    ) -> list[Seen | Outcome]:
        """Wait for it. What ends the process that opens it, a worker is left to meet again."""
        with suppress(BrokenProcessPool):
            return future.result()
        found: list[Seen | Outcome] = []
        for task in tasks:
            try:
                found += apart(_check_all, [task], self._empty)
            except DeviceError:
                found.append(Seen(None, 1))
        return found


def _begin() -> None:
    gc.freeze()  # the modules that are loaded are many, and stay
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=end_with_parent, daemon=True).start()


def _check_all(tasks: Sequence[Task], empty: Path) -> list[Seen | Outcome]:
    return [_check(task, empty) for task in tasks]


def _check(task: Task, empty: Path) -> Seen | Outcome:
    notes: list[str] = []
    try:
        with logged(notes):
            return replace(_look(task, empty), notes=tuple(notes))
    except JointVOSError as error:
        outcome = Outcome.of(error)
        return replace(outcome, error=_as_given(outcome.error or "", task, empty))


def _as_given(text: str, task: Task, empty: Path) -> str:
    """A message about moved outputs with the paths that they have in the list."""
    elsewhere = moved(task.job.outputs, empty).paths()
    for name, path in task.job.outputs.paths().items():
        pattern = re.escape(str(elsewhere[name])).replace(re.escape(ID), "[0-9]+")
        text = shown(path).join(re.split(pattern, text))
    return text


def _look(task: Task, empty: Path) -> Seen:
    """See what a video and its masks tell.

    Raises:
        JointVOSError: Something is wrong with them, or with the places of outputs.
    """
    job = task.job
    if not (job.masks or job.cuts()) and Path(task.place) == Path(job.source):  # of a folder
        name = Path(job.source).stem
        raise ConfigError(
            "no mask", hint=f"put {name}.png, {name}_mask.png or {name}/00000.png beside the video"
        )
    # All but the places, for folders of outputs need not be there before they are written to.
    elsewhere = moved(job.outputs, empty)
    replace(job, outputs=Outputs()).check()
    _check_kinds(elsewhere)
    if task.fetches:  # what is in them shows when they are fetched
        _check_places(task, ())
        return Seen(None, 0)
    with job.open(threads=False) as frames:
        prompts = job.prompts(frames.info)
        if frames.info.frame_count == 0:
            _log.warning("%s seems to end before %s", shown(Path(job.source)), job.start)
        _check_sinks(elsewhere, frames.info, prompts)
    _check_places(task, prompts.ids)
    return Seen(frames.info.frame_count, len(prompts.ids))


@lru_cache(maxsize=64)
def _check_kinds(outputs: Outputs) -> None:
    """Refuse kinds of outputs; they are the same for nearly all tasks, with all paths moved.

    Raises:
        JointVOSError: They contradict each other or do not fit their files.
    """
    outputs.check(_NO_VIDEO, [])


def _check_sinks(outputs: Outputs, info: VideoInfo, prompts: MaskPrompts) -> None:
    """Refuse outputs that cannot hold the video; for most videos of a set that is known already.

    Raises:
        JointVOSError: There is one.
    """
    like = replace(info, path=_NO_VIDEO, frame_count=None)
    try:
        _check_alike(outputs, like, prompts.ids, tuple(prompts.names.items()))
    except JointVOSError:
        outputs.sinks(info, prompts.ids, prompts.names)
        raise


@lru_cache(maxsize=64)
def _check_alike(
    outputs: Outputs, info: VideoInfo, ids: tuple[int, ...], names: tuple[tuple[int, str], ...]
) -> None:
    outputs.sinks(info, ids, dict(names))


def _check_places(task: Task, ids: Sequence[int]) -> None:
    for path in task.written(ids):
        if url_of(path) is not None:
            continue
        if os.path.lexists(path) and not _may_replace(task):
            raise OutputExists(f"{path} already exists")
        above = _nearest(path.absolute().parent)
        if not above.is_dir():
            raise OutputError(f"{path}: {above} is no folder")
        if not os.access(above, os.W_OK | os.X_OK):
            raise OutputError(f"{path}: the folder {above} is not writable")


def _may_replace(task: Task) -> bool:
    named = [path.absolute() for path in task.here.job.outputs.files()]
    return task.job.outputs.overwrite or task.interrupted.named() == named


@lru_cache(maxsize=64)
def _nearest(folder: Path) -> Path:
    """The folder, or what is there of those that it is to be made in."""
    return next(each for each in (folder, *folder.parents) if os.path.lexists(each))


def moved(outputs: Outputs, folder: Path) -> Outputs:
    """The same kinds of outputs in a folder that is there."""
    paths: dict[str, Any] = {
        name: folder / f"{name}{ID if ID in path.name else ''}{path.suffix}"
        for name, path in outputs.paths().items()
    }
    return replace(outputs, **paths)
