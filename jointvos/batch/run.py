"""A batch: which videos are to be done, doing them, and the record of it."""

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache, cached_property, partial
from itertools import islice
from pathlib import Path
from typing import Literal, TypeAlias

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
from jointvos.batch.processes import warm_up
from jointvos.batch.record import FILE, Entry, Record
from jointvos.batch.report import remove_partial_reports, save_thumbnail, write_report
from jointvos.batch.rows import Row
from jointvos.batch.tasks import Task
from jointvos.batch.urls import exists, shown, url_of
from jointvos.errors import (
    ConfigError,
    JointVOSError,
    MaskReadError,
    OutputError,
    OutputExists,
    TransferError,
    os_errors_as,
    os_reason,
)
from jointvos.files.lock import alone
from jointvos.runs import SegmentJob
from jointvos.runs.fingerprint import digest

_LOCK = ".batch.lock"
_SCRATCH = ".scratch"
_ASKED = 16
"""Videos whose URLs are asked at a time."""
_TIMED = 3
"""Videos that are tried for an estimate."""
_NAMED = 20
"""Failed videos of each kind that are named at the end; all of them are in the record."""

_Verdict: TypeAlias = Literal["todo", "done", "failed"]


@dataclass(frozen=True, slots=True)
class _Considered:
    """What is known of a task from earlier runs, until it is checked.

    Attributes:
        inputs: Hash of the input and its masks, None if they cannot be read.
        settings: Hash of the model and all options.
        reason: Why it is done again; None if it was never done.
        refused: What would come of it, where its URLs tell.
    """

    inputs: str | None
    settings: str
    reason: str | None = None
    refused: Outcome | None = None


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
        record: Path | None = None,
        scratch: Path | None = None,
        engine: Engine | None = None,
        retry_failed: bool = True,
        dry: bool = False,
        wording: Callable[[str], str] = str,
    ) -> None:
        """Understand the list; no video is opened and nothing is written yet.

        Args:
            rows: The videos, see `read_rows`; they are read once and kept on disk.
            folder: Where outputs go, a path or a URL as a path; it is made.
            template: What holds for every video that does not say otherwise; its source does not
                count, and paths of its outputs hold `{name}` and are relative to `folder`. It also
                says whether URLs may lead into the network.
            record: Folder for record and report, `folder` by default; needed where that is a URL.
            scratch: Folder for files behind URLs while their video is done; `.scratch` beside the
                record by default. Workers on other machines make it there.
            engine: What does the videos, a `LocalEngine` by default.
            retry_failed: Whether what failed in an earlier run is tried again.
            dry: Whether the videos are only looked at; nothing is written then.
            wording: Puts messages about videos in the words of whoever reads record and events.

        Raises:
            JointVOSError: A row cannot be understood, outputs would collide, or the model or the
                devices are not there.
        """
        template = template or SegmentJob("")
        template.session.check()
        warm_up()
        self.folder, self._out = record or folder, folder
        if url := url_of(self.folder):
            raise ConfigError(
                f"record and report cannot go to {url}", hint="name a folder, `record=DIR`"
            )
        self._scratch = self.folder / _SCRATCH
        if scratch is not None:
            self._scratch = scratch / f"jointvos-{_mark(self.folder)}"
        self._scratch = self._scratch.absolute()
        self._engine: Engine = engine or LocalEngine()
        self._plan = Plan(self._without_outputs(rows), template, folder, self._scratch)
        self._model = model_identity(template.session)
        self._session = template.session
        self._places = self._engine.places(template.session)
        self._retry_failed, self._dry, self._wording = retry_failed, dry, wording
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

    def _without_outputs(self, rows: Iterable[Row]) -> Iterator[Row]:
        """The rows, but for videos that earlier runs have written into the folder of the list."""

        @cache
        def written() -> set[Path]:
            folder = self._out.resolve()
            return {folder / output for output in self._written}

        for row in rows:
            video = str(row.values["video"])
            if not (row.in_folder and row.folder.resolve() / video in written()):
                yield row

    @cached_property
    def _written(self) -> dict[str, str]:
        """What earlier runs have written, each with the name of its video."""
        with Record(self.folder, append=False) as record:
            return record.written()

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
            remove_partial_reports(self.folder)
            yield from self._look(record)
            yield self._begins()
            if not self._stopping:
                yield from self._segment(record)
            report = write_report(self.folder, self._plan.videos(), record)
            with suppress(OSError):  # there is none, or what goes on later is in it
                self._scratch.rmdir()
        failed = tuple(counts.failed.values())
        ended = counts.done + counts.skipped + sum(each.count for each in failed)
        yield Ended(counts.done, counts.skipped, failed, self.videos - ended, report)

    def _look(self, record: Record) -> Iterator[BatchEvent]:
        """Find out which videos there are to do."""
        checked: Generator[tuple[Task, Seen | Outcome] | Looked, None, None]
        checked = check_tasks(self._undone(record))
        with closing(checked) as found:
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

    def _undone(self, record: Record) -> Iterator[Task | Looked | tuple[Task, Seen | Outcome]]:
        """What was not done before; of the rest, what there is to tell."""
        with closing(self._all_considered(record)) as found:
            for task, entry, verdict, known in found:
                if verdict == "todo":
                    self._considered[task.name] = known
                    yield task if known.refused is None else (task, known.refused)
                    continue
                if verdict == "done":
                    self._counts.skipped += 1
                    if not self._dry:
                        task.forget()
                elif entry is not None:
                    self._counts.add(entry)
                yield self._looked(task, verdict, known.reason)

    def _all_considered(
        self, record: Record
    ) -> Generator[tuple[Task, Entry | None, _Verdict, _Considered], None, None]:
        """All tasks in order; the URLs of some are asked at a time, for it is mostly waiting."""
        waiting: deque[Callable[[], tuple[Task, Entry | None, _Verdict, _Considered]]] = deque()
        pool = ThreadPoolExecutor(_ASKED)
        try:
            for task in self._plan:
                consider = partial(self._consider, task, record.get(task.name))
                local = task.scratch is None
                waiting.append(consider if local else pool.submit(consider).result)
                if len(waiting) > 2 * _ASKED:
                    yield waiting.popleft()()
            while waiting:
                yield waiting.popleft()()
        finally:
            pool.shutdown(cancel_futures=True)

    def _consider(
        self, task: Task, entry: Entry | None
    ) -> tuple[Task, Entry | None, _Verdict, _Considered]:
        """What is to be done with a task, as far as record and URLs tell."""
        try:
            verdict, known = self._earlier(task, entry)
            if verdict == "todo":
                task = self._owning(task, entry)
                _refuse_replacing(task)
        except TransferError as error:
            settings = hash_settings(task.job, self._model, self._out)
            verdict, known = "todo", _Considered(None, settings, refused=Outcome.of(error))
        except OutputExists as error:
            known = replace(known, refused=Outcome.of(error))
        return task, entry, verdict, known

    def _earlier(self, task: Task, entry: Entry | None) -> tuple[_Verdict, _Considered]:
        """What is to be done with a video that may have been done before, and why.

        Raises:
            TransferError: A URL cannot be asked.
        """
        inputs, refused = None, None
        try:
            inputs = hash_inputs(task.job)
        except TransferError:
            raise
        except JointVOSError as error:
            refused = Outcome.of(error)
        except OSError as error:
            refused = Outcome.of(MaskReadError(os_reason(error)))
        settings = hash_settings(task.job, self._model, self._out)
        known = _Considered(inputs, settings)
        if task.fetches:  # else what is wrong is told when it is opened
            known = replace(known, refused=refused)
        if entry is None or entry.status == "begun":
            return "todo", known
        if (entry.inputs, entry.settings) != (known.inputs, known.settings):
            what = "settings" if entry.inputs == inputs else "inputs"
            return "todo", replace(known, reason=f"its {what} have changed")
        if entry.status == "failed":
            if self._retry_failed:
                return "todo", known
            return "failed", replace(known, reason=entry.error)
        if all(map(self._is_there, entry.outputs)):
            return "done", known
        return "todo", replace(known, reason="its outputs are gone")

    def _owning(self, task: Task, entry: Entry | None) -> Task:
        """The task; what it has written itself, in whichever run, it may replace."""
        if entry is None:
            return task
        paths = task.written([each.id for each in entry.objects])
        there = set(filter(self._is_there, (relative(path, self._out) for path in paths)))
        others = there - set(entry.outputs)
        if not there or any(self._written.get(path) != task.name for path in others):
            return task
        outputs = replace(task.job.outputs, overwrite=True)
        return replace(task, job=replace(task.job, outputs=outputs))

    def _is_there(self, output: str) -> bool:
        return os.path.lexists(self._out / output) if url_of(output) is None else exists(output)

    def _segment(self, record: Record) -> Iterator[BatchEvent]:
        """Do the videos."""

        def tasks() -> Iterator[Task]:
            for due in self._plan.due():
                self._begin(record, due.task)
                yield due.task

        with closing(self._engine.carry_out(self._session, tasks())) as told:
            for task, news in told:
                match news:
                    case Underway(done, total, device):
                        yield VideoProgress(task.name, done, total, device)
                    case Outcome():
                        (due,) = self._plan.due(task.name)
                        entry = self._note(record, task, news, due.inputs, due.settings)
                        if not news.may_pass:
                            task.forget()
                        yield VideoEnded(entry)
                    case None:
                        yield VideoPaused(task.name)

    def _begin(self, record: Record, task: Task) -> None:
        """Let what was done before no longer count, and outputs behind URLs be ours."""
        entry = record.get(task.name)
        if entry is not None and entry.status == "done":
            record.append(replace(entry, status="begun", notes=()))
        elif task.stores and not task.job.outputs.overwrite:
            outputs = tuple(relative(path, self._out) for path in task.files)
            begun = Entry(task.name, "begun", shown(Path(task.job.source)), outputs=outputs)
            record.append(begun)

    def _note(
        self, record: Record, task: Task, outcome: Outcome, inputs: str | None, settings: str
    ) -> Entry:
        before = record.get(task.name)
        outputs = before.outputs if before is not None else ()
        if not outcome.exit_code:
            outputs = tuple(relative(path, self._out) for path in outcome.outputs)
            save_thumbnail(self.folder, task.name, outcome.thumbnail)
        entry = Entry(
            name=task.name,
            status="failed" if outcome.exit_code else "done",
            video=shown(Path(task.job.source)),
            exit_code=outcome.exit_code,
            error=outcome.error and self._wording(outcome.error),
            frames=outcome.frames,
            seconds=outcome.seconds,
            attempts=outcome.attempts,
            ended=datetime.now(UTC).isoformat(timespec="seconds"),
            device=outcome.device,
            inputs=inputs,
            settings=settings,
            outputs=outputs,
            objects=outcome.objects,
            notes=tuple(map(self._wording, outcome.notes)),
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
        outputs = tuple(relative(path, self._out) for path in task.files)
        notes = tuple(map(self._wording, seen.notes))
        reason = reason and self._wording(reason)
        return Looked(task.name, verdict, reason, seen.frames, seen.objects, outputs, notes)

    def _begins(self, seconds: float | None = None) -> Begins:
        videos, frames = self._plan.total()
        return Begins(videos, frames, seconds)

    def _estimate(self) -> float | None:
        """Seconds that all videos take, from the first frames of one of the longest."""
        local = (due for due in self._plan.due() if not due.task.fetches)
        if self._places:
            for due in islice(local, _TIMED):
                if (pace := measure_pace(due, self._places)) is not None:
                    return pace.seconds(self._plan.lengths(), len(self._places))
        return None


def _refuse_replacing(task: Task) -> None:
    """Refuse to replace what others have put behind a URL.

    Raises:
        OutputExists: Something is there.
        TransferError: It cannot be asked for.
    """
    if not task.stores or task.job.outputs.overwrite:
        return
    for path in task.written(()):
        if (url := url_of(path)) and exists(url):
            raise OutputExists(f"{url} already exists")


def _mark(folder: Path) -> str:
    """What tells the folder of a batch from others."""
    return digest({"folder": str(folder.absolute())})[:16]


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
