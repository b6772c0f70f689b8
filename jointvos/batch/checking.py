"""What can be found wrong with a video before any is segmented."""

import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from jointvos.batch.tasks import Task
from jointvos.errors import JointVOSError, OutputError, OutputExists
from jointvos.masks import read_prompts
from jointvos.media.reading import open_source
from jointvos.runs import Outputs
from jointvos.runs.outputs import ID

_THREADS = 4
"""Opening a video is waiting for the disk as much as work."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A task that can be carried out, as far as can be seen.

    Attributes:
        task: The task; its outputs may replace what is there if it may.
        frames: How many there are, as far as the video tells.
        objects: How many are given.
        width: Of the video, pixels.
        height: Of the video, pixels.
    """

    task: Task
    frames: int | None
    objects: int
    width: int
    height: int

    @property
    def work(self) -> float:
        """What it costs beside others; those that do not tell come first."""
        return float("inf") if self.frames is None else self.frames * max(1, self.objects)


def check_tasks(tasks: Iterable[Task]) -> Iterator[Checked | tuple[Task, JointVOSError]]:
    """Check that inputs are there, masks fit and outputs have a place, several at a time, in order.

    Nothing is written.

    Yields:
        What was found out of each task, or the task and what is wrong with it.
    """
    with (
        TemporaryDirectory(prefix="jointvos-") as empty,
        ThreadPoolExecutor(_THREADS) as threads,
    ):
        waiting: deque[tuple[Task, Future[Checked]]] = deque()

        def next_one() -> Checked | tuple[Task, JointVOSError]:
            task, found = waiting.popleft()
            try:
                return found.result()
            except JointVOSError as error:
                return task, error

        for task in tasks:
            waiting.append((task, threads.submit(_check, task, Path(empty))))
            if len(waiting) > 4 * _THREADS:
                yield next_one()
        while waiting:
            yield next_one()


def _check(task: Task, empty: Path) -> Checked:
    job = task.job
    # All but the places, for folders of outputs need not be there before they are written to.
    elsewhere = moved(job.outputs, empty)
    replace(job, outputs=elsewhere).check()
    with open_source(
        job.source,
        start=job.start,
        end=job.end,
        raw=job.raw,
        start_number=job.start_number,
        deep=job.outputs.need_depth,
    ) as frames:
        info = frames.info
        prompts = read_prompts(
            [str(each) for each in job.masks],
            info,
            start=job.start,
            end=job.end,
            cuts=job.cuts(),
            change=job.change,
        )
        elsewhere.sinks(info, prompts.ids, prompts.names)
    _check_places(task, prompts.ids)
    return Checked(task, info.frame_count, len(prompts.ids), info.width, info.height)


def _check_places(task: Task, ids: Sequence[int]) -> None:
    job = task.job
    files = job.outputs.files()
    ours = job.outputs.overwrite or task.interrupted.named() == [f.absolute() for f in files]
    for path in job.outputs.written(ids):
        if not ours and os.path.lexists(path):
            raise OutputExists(f"{path} already exists")
        above = next(each for each in path.absolute().parents if os.path.lexists(each))
        if not above.is_dir():
            raise OutputError(f"{path}: {above} is no folder")
        if not os.access(above, os.W_OK | os.X_OK):
            raise OutputError(f"{path}: the folder {above} is not writable")


def moved(outputs: Outputs, folder: Path) -> Outputs:
    """The same kinds of outputs in a folder that is there."""
    paths: dict[str, Any] = {
        name: folder / f"{name}{ID if ID in path.name else ''}{path.suffix}"
        for name, path in outputs.paths().items()
    }
    return replace(outputs, **paths)
