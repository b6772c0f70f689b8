"""A batch: which videos are to be done, doing them, and the record of it."""

import os
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from jointvos.batch.checking import Checked, check_tasks
from jointvos.batch.estimate import measure_pace
from jointvos.batch.events import (
    BatchEvent,
    Begins,
    Ended,
    Looked,
    VideoEnded,
    VideoPaused,
    VideoProgress,
)
from jointvos.batch.identity import hash_inputs, hash_settings, model_identity, relative
from jointvos.batch.places import choose_places
from jointvos.batch.record import FILE, Entry, Record
from jointvos.batch.rows import Row
from jointvos.batch.tasks import Task, make_tasks
from jointvos.batch.worker import Outcome
from jointvos.batch.workers import Workers
from jointvos.errors import ConfigError, JointVOSError, OutputError, os_errors_as
from jointvos.files.lock import alone
from jointvos.runs import SegmentJob

_LOCK = ".batch.lock"


class Batch(Iterator[BatchEvent]):
    """Many videos, carried out by iterating over it; a context manager that ends it at once.

    Every video is whole or absent, and recorded in `batch.jsonl` as it ends. The same batch again
    goes on: what is done with the same inputs and settings is skipped, what has failed is tried
    again, and what was interrupted goes on inside the video.

    Workers are processes that import the main module of the program, so a script has to start the
    batch below `if __name__ == "__main__":`.

    Example:
        >>> with Batch(read_rows(Path("clips.csv")), Path("out"), jobs=2) as batch:
        ...     for event in batch:
        ...         if isinstance(event, VideoEnded):
        ...             print(event.entry.name, event.entry.status)
    """

    def __init__(
        self,
        rows: Sequence[Row],
        folder: Path,
        template: SegmentJob | None = None,
        *,
        jobs: int | None = None,
        gpus: str | None = None,
        retry: int = 1,
        retry_failed: bool = True,
        dry: bool = False,
    ) -> None:
        """Understand the list; no video is opened and nothing is written yet.

        Args:
            rows: The videos, see `read_rows`.
            folder: Where outputs and the record go; it is made.
            template: What holds for every video that does not say otherwise; its source does not
                count, and paths of its outputs hold `{name}` and are relative to `folder`.
            jobs: How many workers; by default one per GPU, or one on the CPU.
            gpus: "all" or how many.
            retry: How often a video is tried again in this run if its worker dies or it fails
                for another reason than its options, input or masks.
            retry_failed: Whether what failed in an earlier run is tried again.
            dry: Whether the videos are only looked at; nothing is written then.

        Raises:
            JointVOSError: A row cannot be understood, outputs would collide, or the model or the
                devices are not there.
        """
        template = template or SegmentJob("")
        template.session.check()
        if retry < 0:
            raise ConfigError(f"`retry` is {retry}, expected 0 or more")
        self.folder = folder
        self._tasks = make_tasks(rows, template, folder)
        self._model = model_identity(template.session)
        self._session = template.session
        self._places = choose_places(template.session.device, gpus, jobs)
        self._retry, self._retry_failed, self._dry = retry, retry_failed, dry
        self._hashes: dict[str, tuple[str | None, str]] = {}
        self._new: list[Entry] = []
        self._failed: list[Entry] = []
        self._stopping = False
        self._workers: Workers | None = None
        self._events = self._run()

    def __next__(self) -> BatchEvent:
        return next(self._events)

    def __enter__(self) -> "Batch":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._events.close()

    @property
    def record(self) -> Path:
        """The file of the record, `batch.jsonl`."""
        return self.folder / FILE

    @property
    def videos(self) -> int:
        """How many are in the list."""
        return len(self._tasks)

    @property
    def places(self) -> tuple[str, ...]:
        """The device of every worker."""
        return tuple(self._places)

    def stop(self) -> None:
        """Let the iteration end soon; what is done is kept. A signal handler may call it."""
        self._stopping = True
        if self._workers is not None:
            self._workers.stop()

    def _run(self) -> Generator[BatchEvent, None, None]:
        if self._dry:
            with Record(self.folder, append=False) as record:
                found, _ = yield from self._look(record)
            pace = measure_pace(found[0], self._places) if found else None
            seconds = None if pace is None else pace.seconds(found, len(self._places))
            yield _begins(found, seconds)
            return
        with os_errors_as(OutputError):
            self.folder.mkdir(parents=True, exist_ok=True)
        with _alone_in(self.folder), Record(self.folder) as record:
            found, skipped = yield from self._look(record)
            found.sort(key=lambda each: each.work, reverse=True)
            yield _begins(found)
            done = yield from self._segment([each.task for each in found], record)
        left = self.videos - done - skipped - len(self._failed)
        yield Ended(done, skipped, tuple(self._failed), left)

    def _look(self, record: Record) -> Generator[BatchEvent, None, tuple[list[Checked], int]]:
        """Which videos there are to do, and how many are done."""
        todo: list[Task] = []
        why: dict[str, str] = {}
        skipped = 0
        for task in self._tasks:
            if self._stopping:
                return [], skipped
            entry = record.get(task.name)
            verdict, reason = self._earlier(task, entry)
            if verdict == "todo":
                todo.append(_owning(task, entry, self.folder))
                if reason is not None:
                    why[task.name] = reason
                continue
            if verdict == "done":
                skipped += 1
                if not self._dry:
                    task.forget()
            elif entry is not None:
                self._failed.append(entry)
            yield self._looked(task, verdict, reason)
        found: list[Checked] = []
        for each in check_tasks(todo):
            if self._stopping:
                break
            if isinstance(each, Checked):
                found.append(each)
                yield self._looked(
                    each.task, "todo", why.get(each.task.name), each.frames, each.objects
                )
                continue
            task, error = each
            outcome = Outcome(error.exit_code, " ".join(str(error).split()))
            yield self._looked(task, "refused", outcome.error)
            if not self._dry:
                yield VideoEnded(self._note(record, task, outcome))
        return found, skipped

    def _earlier(
        self, task: Task, entry: Entry | None
    ) -> tuple[Literal["todo", "done", "failed"], str | None]:
        """What is to be done with a video that may have been done before, and why."""
        try:
            inputs = hash_inputs(task.job)
        except (JointVOSError, OSError):  # what is wrong is told when it is opened
            inputs = None
        hashes = inputs, hash_settings(task.job, self._model, self.folder)
        if entry is None or entry.status == "begun":
            changed = None
        elif (entry.inputs, entry.settings) == hashes:
            if entry.status == "failed" and not self._retry_failed:
                return "failed", entry.error
            there = all(os.path.lexists(self.folder / path) for path in entry.outputs)
            if entry.status == "done" and there:
                return "done", None
            changed = None if there or entry.status == "failed" else "its outputs are gone"
        else:
            what = "settings" if entry.inputs == inputs else "inputs"
            changed = f"its {what} have changed"
        self._hashes[task.name] = hashes
        return "todo", changed

    def _segment(self, tasks: list[Task], record: Record) -> Generator[BatchEvent, None, int]:
        """Do the videos; returns how many are done."""
        done = 0

        def note(task: Task, outcome: Outcome, attempts: int) -> None:
            self._new.append(self._note(record, task, outcome, attempts))

        with Workers(self._session, self._places, self._retry, note) as workers:
            self._workers = workers
            if self._stopping:
                return done
            for task, underway in workers.carry_out(tasks):
                if underway is not None:
                    if underway.total is None and not underway.done:
                        self._begin(record, task)
                    yield VideoProgress(task.name, underway.done, underway.total)
                    continue
                if not self._new:
                    yield VideoPaused(task.name)
                while self._new:
                    entry = self._new.pop()
                    done += entry.status == "done"
                    yield VideoEnded(entry)
        return done

    def _begin(self, record: Record, task: Task) -> None:
        """Let what was done before no longer count."""
        entry = record.get(task.name)
        if entry is not None and entry.status == "done":
            record.append(replace(entry, status="begun", notes=()))

    def _note(self, record: Record, task: Task, outcome: Outcome, attempts: int = 1) -> Entry:
        inputs, settings = self._hashes.pop(task.name)
        before = record.get(task.name)
        outputs = before.outputs if before is not None else ()
        if not outcome.exit_code:
            outputs = tuple(relative(path, self.folder) for path in outcome.outputs)
        entry = Entry(
            name=task.name,
            status="failed" if outcome.exit_code else "done",
            video=str(task.job.source),
            exit_code=outcome.exit_code,
            error=outcome.error,
            frames=outcome.frames,
            seconds=outcome.seconds,
            attempts=attempts,
            ended=datetime.now(UTC).isoformat(timespec="seconds"),
            inputs=inputs,
            settings=settings,
            outputs=outputs,
            objects=outcome.objects,
            notes=outcome.notes,
            traceback=outcome.traceback,
        )
        record.append(entry)
        if entry.status == "failed":
            self._failed.append(entry)
        return entry

    def _looked(
        self,
        task: Task,
        verdict: Literal["todo", "done", "failed", "refused"],
        reason: str | None = None,
        frames: int | None = None,
        objects: int = 0,
    ) -> Looked:
        outputs = _outputs(task, self.folder)
        return Looked(task.name, verdict, reason, frames, objects, outputs)


def _begins(found: Sequence[Checked], seconds: float | None = None) -> Begins:
    return Begins(len(found), sum(each.frames or 0 for each in found), seconds)


def _owning(task: Task, entry: Entry | None, folder: Path) -> Task:
    """The task; what it has written itself it may replace."""
    if entry is None:
        return task
    paths = task.job.outputs.written([each.id for each in entry.objects])
    if not {relative(path, folder) for path in paths} <= set(entry.outputs):
        return task
    outputs = replace(task.job.outputs, overwrite=True)
    return replace(task, job=replace(task.job, outputs=outputs))


def _outputs(task: Task, folder: Path) -> tuple[str, ...]:
    return tuple(relative(path, folder) for path in task.job.outputs.files())


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Hold the folder's lock.

    Raises:
        ConfigError: Another batch has it.
        OutputError: It cannot be made.
    """

    def refuse() -> None:
        raise ConfigError(f"another batch is at work in {folder}; wait until it has ended")

    with os_errors_as(OutputError), alone(folder / _LOCK, refuse):
        yield
