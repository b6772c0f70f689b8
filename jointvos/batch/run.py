"""A batch: which videos are to be done, doing them, and the record of it."""

import os
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from jointvos.batch.checking import Seen, check_tasks
from jointvos.batch.engine import Engine, Outcome, Underway
from jointvos.batch.estimate import measure_pace
from jointvos.batch.events import (
    BatchEvent,
    Begins,
    Ended,
    Failures,
    Looked,
    VideoEnded,
    VideoPaused,
    VideoProgress,
)
from jointvos.batch.identity import hash_inputs, hash_settings, model_identity, relative
from jointvos.batch.local import LocalEngine
from jointvos.batch.plan import Due, Plan
from jointvos.batch.record import FILE, Entry, Record
from jointvos.batch.report import save_thumbnail, write_report
from jointvos.batch.rows import Row
from jointvos.batch.tasks import Task
from jointvos.errors import ConfigError, JointVOSError, OutputError, os_errors_as
from jointvos.files.lock import alone
from jointvos.runs import SegmentJob

_LOCK = ".batch.lock"
_NAMED = 20
"""Failed videos of each kind that are named at the end; all of them are in the record."""


@dataclass(frozen=True, slots=True)
class _Considered:
    """What is known of a task from earlier runs, until it is checked.

    Attributes:
        inputs: Hash of the input and its masks, None if they cannot be read.
        settings: Hash of the model and all options.
        reason: Why it is done again; None if it was never done.
    """

    inputs: str | None
    settings: str
    reason: str | None


@dataclass
class _Counts:
    """What became of videos so far; failed ones by their exit code."""

    done: int = 0
    skipped: int = 0
    failed: dict[int, Failures] = field(default_factory=dict)

    def add(self, entry: Entry) -> None:
        if entry.status == "done":
            self.done += 1
            return
        before = self.failed.get(entry.exit_code, Failures(entry.exit_code, 0, ()))
        names = (*before.names, entry.name)[:_NAMED]
        self.failed[entry.exit_code] = Failures(entry.exit_code, before.count + 1, names)


class Batch(Iterator[BatchEvent]):
    """Many videos, carried out by iterating over it; a context manager that ends it at once.

    Every video is whole or absent, and recorded in `batch.jsonl` as it ends. The same batch again
    goes on: what is done with the same inputs and settings is skipped, what has failed is tried
    again, and what was interrupted goes on inside the video.

    Workers are processes that import the main module of the program, so a script has to start the
    batch below `if __name__ == "__main__":`.

    Example:
        >>> rows = read_rows(Path("clips.csv"))
        >>> with Batch(rows, Path("out"), engine=LocalEngine(jobs=2)) as batch:
        ...     for event in batch:
        ...         if isinstance(event, VideoEnded):
        ...             print(event.entry.name, event.entry.status)
    """

    def __init__(
        self,
        rows: Iterable[Row],
        folder: Path,
        template: SegmentJob | None = None,
        *,
        engine: Engine | None = None,
        retry_failed: bool = True,
        dry: bool = False,
    ) -> None:
        """Understand the list; no video is opened and nothing is written yet.

        Args:
            rows: The videos, see `read_rows`; they are read once and kept on disk.
            folder: Where outputs, record and report go; it is made.
            template: What holds for every video that does not say otherwise; its source does not
                count, and paths of its outputs hold `{name}` and are relative to `folder`.
            engine: What does the videos, a `LocalEngine` by default.
            retry_failed: Whether what failed in an earlier run is tried again.
            dry: Whether the videos are only looked at; nothing is written then.

        Raises:
            JointVOSError: A row cannot be understood, outputs would collide, or the model or the
                devices are not there.
        """
        template = template or SegmentJob("")
        template.session.check()
        self.folder = folder
        self._engine: Engine = engine or LocalEngine()
        self._plan = Plan(rows, template, folder)
        self._model = model_identity(template.session)
        self._session = template.session
        self._places = self._engine.places(template.session)
        self._retry_failed, self._dry = retry_failed, dry
        self._considered: dict[str, _Considered] = {}
        self._counts = _Counts()
        self._stopping = False
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
        return len(self._plan)

    @property
    def places(self) -> tuple[str, ...]:
        """The device of every worker; none where that shows only when they work."""
        return self._places

    def stop(self) -> None:
        """Let the iteration end soon; what is done is kept. A signal handler may call it."""
        self._stopping = True
        self._engine.stop()

    def _run(self) -> Generator[BatchEvent, None, None]:
        if self._dry:
            with Record(self.folder, append=False) as record:
                yield from self._look(record)
            yield self._begins(self._estimate())
            return
        with os_errors_as(OutputError):
            self.folder.mkdir(parents=True, exist_ok=True)
        counts = self._counts
        with _alone_in(self.folder), Record(self.folder) as record:
            yield from self._look(record)
            yield self._begins()
            if not self._stopping:
                yield from self._segment(record)
            report = write_report(self.folder, self._plan.videos(), record)
        failed = tuple(counts.failed.values())
        ended = counts.done + counts.skipped + sum(each.count for each in failed)
        yield Ended(counts.done, counts.skipped, failed, self.videos - ended, report)

    def _look(self, record: Record) -> Iterator[BatchEvent]:
        """Find out which videos there are to do."""
        with closing(check_tasks(self._undone(record))) as found:
            for each in found:
                if self._stopping:
                    return
                if isinstance(each, Looked):
                    yield each
                    continue
                task, seen = each
                known = self._considered.pop(task.name)
                if isinstance(seen, Seen):
                    self._plan.note(
                        Due(task, known.inputs, known.settings, seen.frames, seen.objects)
                    )
                    yield self._looked(task, "todo", known.reason, seen)
                    continue
                yield self._looked(task, "refused", seen.error)
                if not self._dry:
                    entry = self._note(record, task, seen, known.inputs, known.settings)
                    yield VideoEnded(entry)

    def _undone(self, record: Record) -> Iterator[Task | Looked]:
        """What was not done before; of the rest, what there is to tell."""
        for task in self._plan:
            entry = record.get(task.name)
            verdict, known = self._earlier(task, entry)
            if verdict == "todo":
                self._considered[task.name] = known
                yield _owning(task, entry, self.folder)
                continue
            if verdict == "done":
                self._counts.skipped += 1
                if not self._dry:
                    task.forget()
            elif entry is not None:
                self._counts.add(entry)
            yield self._looked(task, verdict, known.reason)

    def _earlier(
        self, task: Task, entry: Entry | None
    ) -> tuple[Literal["todo", "done", "failed"], _Considered]:
        """What is to be done with a video that may have been done before, and why."""
        try:
            inputs = hash_inputs(task.job)
        except (JointVOSError, OSError):  # what is wrong is told when it is opened
            inputs = None
        known = _Considered(inputs, hash_settings(task.job, self._model, self.folder), None)
        if entry is None or entry.status == "begun":
            return "todo", known
        if (entry.inputs, entry.settings) != (known.inputs, known.settings):
            what = "settings" if entry.inputs == inputs else "inputs"
            return "todo", replace(known, reason=f"its {what} have changed")
        if entry.status == "failed":
            if self._retry_failed:
                return "todo", known
            return "failed", replace(known, reason=entry.error)
        if all(os.path.lexists(self.folder / path) for path in entry.outputs):
            return "done", known
        return "todo", replace(known, reason="its outputs are gone")

    def _segment(self, record: Record) -> Iterator[BatchEvent]:
        """Do the videos."""

        def tasks() -> Iterator[Task]:
            for due in self._plan.due():
                self._begin(record, due.task)
                yield due.task

        with closing(self._engine.carry_out(self._session, tasks())) as told:
            for task, news in told:
                match news:
                    case Underway(done, total):
                        yield VideoProgress(task.name, done, total)
                    case Outcome():
                        (due,) = self._plan.due(task.name)
                        entry = self._note(record, task, news, due.inputs, due.settings)
                        if not news.may_pass:
                            task.forget()
                        yield VideoEnded(entry)
                    case None:
                        yield VideoPaused(task.name)

    def _begin(self, record: Record, task: Task) -> None:
        """Let what was done before no longer count."""
        entry = record.get(task.name)
        if entry is not None and entry.status == "done":
            record.append(replace(entry, status="begun", notes=()))

    def _note(
        self, record: Record, task: Task, outcome: Outcome, inputs: str | None, settings: str
    ) -> Entry:
        before = record.get(task.name)
        outputs = before.outputs if before is not None else ()
        if not outcome.exit_code:
            outputs = tuple(relative(path, self.folder) for path in outcome.outputs)
            save_thumbnail(self.folder, task.name, outcome.thumbnail)
        entry = Entry(
            name=task.name,
            status="failed" if outcome.exit_code else "done",
            video=str(task.job.source),
            exit_code=outcome.exit_code,
            error=outcome.error,
            frames=outcome.frames,
            seconds=outcome.seconds,
            attempts=outcome.attempts,
            ended=datetime.now(UTC).isoformat(timespec="seconds"),
            inputs=inputs,
            settings=settings,
            outputs=outputs,
            objects=outcome.objects,
            notes=outcome.notes,
            traceback=outcome.traceback,
        )
        record.append(entry)
        self._counts.add(entry)
        return entry

    def _looked(
        self,
        task: Task,
        verdict: Literal["todo", "done", "failed", "refused"],
        reason: str | None = None,
        seen: Seen | None = None,
    ) -> Looked:
        seen = seen or Seen(None, 0)
        outputs = tuple(relative(path, self.folder) for path in task.files)
        return Looked(task.name, verdict, reason, seen.frames, seen.objects, outputs, seen.notes)

    def _begins(self, seconds: float | None = None) -> Begins:
        videos, frames = self._plan.total()
        return Begins(videos, frames, seconds)

    def _estimate(self) -> float | None:
        """Seconds that all videos take, from the first frames of the longest."""
        if not self._places or (first := next(self._plan.due(), None)) is None:
            return None
        pace = measure_pace(first, self._places)
        return None if pace is None else pace.seconds(self._plan.due(), len(self._places))


def _owning(task: Task, entry: Entry | None, folder: Path) -> Task:
    """The task; what it has written itself it may replace."""
    if entry is None:
        return task
    paths = task.written([each.id for each in entry.objects])
    if not {relative(path, folder) for path in paths} <= set(entry.outputs):
        return task
    outputs = replace(task.job.outputs, overwrite=True)
    return replace(task, job=replace(task.job, outputs=outputs))


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
