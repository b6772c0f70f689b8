"""One attempt at a task, with a model that is loaded already."""

import logging
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from jointvos.batch.engine import Outcome, Underway
from jointvos.batch.summary import Summary
from jointvos.batch.tasks import Task
from jointvos.batch.urls import fetch, shown, store, url_of
from jointvos.errors import (
    JointVOSError,
    MaskReadError,
    MediaOpenError,
    OtherRun,
    OutputError,
    os_reason,
)
from jointvos.masks import MaskFile, MaskPrompts
from jointvos.runs import (
    Finished,
    LoadedModel,
    Notice,
    Opened,
    Progress,
    SegmentedFrame,
    SegmentRun,
    segment_video,
)
from jointvos.types import LabelMap

_SAY_EVERY_S = 0.25
_MOST_NOTES = 20


def attempt(task: Task, model: LoadedModel, tell: Callable[[Underway], None]) -> Outcome:
    """Do a task, whatever comes of it.

    Args:
        task: What to do; it goes on where an earlier attempt ended.
        model: Does it.
        tell: Told how far it is, several times a second. It may raise an exception that is no
            `Exception` to end the attempt; what is done is kept.
    """
    return _Attempt(task, model, tell).outcome()


class _Attempt:
    def __init__(self, task: Task, model: LoadedModel, tell: Callable[[Underway], None]) -> None:
        session = replace(task.job.session, device=model.spec.device)
        self._task, self._here = task, task.here
        # The first mask appears together with the other outputs.
        self._job = replace(self._here.job, session=session, first_mask=None)
        self._model, self._tell = model, tell
        self._device = str(model.device) if session.device == "auto" else session.device
        self._frames, self._begin = 0, time.monotonic()
        self._told = 0.0
        self._summary = Summary()
        self._notes: list[str] = []
        self._prompts: MaskPrompts | None = None
        self._first: LabelMap | None = None

    def outcome(self) -> Outcome:
        with logged(self._notes):
            try:
                outcome = self._segment()
            except JointVOSError as error:
                outcome = Outcome.of(error)
            except OSError as error:
                outcome = Outcome(OutputError.exit_code, os_reason(error))
            except Exception as error:  # a bug met in one video shall not stop the others
                said = " ".join(f"{type(error).__name__}: {error}".split())
                outcome = Outcome(1, said, traceback=traceback.format_exc())
        return replace(
            outcome,
            error=outcome.error and self._as_given(outcome.error),
            frames=self._frames,
            seconds=round(time.monotonic() - self._begin, 3),
            objects=self._summary.objects(),
            notes=tuple(map(self._as_given, self._notes[:_MOST_NOTES])),
            thumbnail=self._summary.thumbnail(),
            device=self._device,
        )

    def _segment(self) -> Outcome:
        self._fetch()
        for path in self._here.files:
            path.parent.mkdir(parents=True, exist_ok=True)
        run = segment_video(self._job, self._model)
        try:
            return self._follow(run)
        except OtherRun:
            self._here.forget()
            return self._follow(segment_video(run.job, self._model))

    def _follow(self, run: SegmentRun) -> Outcome:
        outcome = Outcome()
        with run:
            for event in run:
                match event:
                    case Opened(masks=prompts):
                        self._prompts = prompts
                    case SegmentedFrame(frame, result):
                        if not self._frames and self._prompts is not None:
                            self._first = self._prompts.at(frame)
                        self._frames += 1
                        self._summary.add(frame, result)
                    case Progress(_, done, total):
                        self._say(Underway(done, total, self._device))
                    case Notice(text, "warning"):
                        self._notes.append(text)
                    case Finished(outputs=outputs):
                        made = (*outputs, *self._save_first_mask(run))
                        outcome = Outcome(outputs=self._stored(made))
                        # The run is not told that this has arrived: it keeps what it would be
                        # continued from until the outcome is recorded.
                        break
        return outcome

    def _save_first_mask(self, run: SegmentRun) -> Iterator[Path]:
        for path in self._here.first_mask:
            if self._first is not None:
                MaskFile(path, overwrite=run.job.outputs.overwrite).save(self._first)
                yield path

    def _fetch(self) -> None:
        """Bring what is behind URLs here.

        Raises:
            MediaOpenError: The video is not there.
            MaskReadError: A mask is not there.
            TransferError: It cannot be fetched.
        """
        for number, (path, copy) in enumerate(
            zip(self._task.inputs, self._here.inputs, strict=True)
        ):
            if url := url_of(path):
                try:
                    fetch(url, copy)
                except FileNotFoundError:
                    missing = MaskReadError if number else MediaOpenError
                    raise missing(f"{url} does not exist") from None

    def _stored(self, made: tuple[Path, ...]) -> tuple[Path, ...]:
        """Put outputs where they go if that is behind URLs.

        Raises:
            TransferError: That cannot be done.
        """
        if not self._task.stores:
            return made
        ids = [] if self._prompts is None else self._prompts.ids
        places = dict(zip(self._here.written(ids), self._task.written(ids), strict=True))
        store((path, places[path]) for path in made)
        return tuple(places[path] for path in made)

    def _as_given(self, text: str) -> str:
        """A message about the files here in the words of the list."""
        given = [*zip(self._here.inputs, self._task.inputs, strict=True)]
        given += zip(self._here.files, self._task.files, strict=True)
        for here, path in given:
            if here != path:
                text = text.replace(str(here), shown(path))
        return text

    def _say(self, underway: Underway) -> None:
        if (now := time.monotonic()) - self._told >= _SAY_EVERY_S:
            self._told = now
            self._tell(underway)


@contextmanager
def logged(notes: list[str]) -> Iterator[None]:
    """Let warnings of the library become notes."""
    handler = _Notes(notes)
    logger = logging.getLogger("jointvos")
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


class _Notes(logging.Handler):
    def __init__(self, notes: list[str]) -> None:
        super().__init__(logging.WARNING)
        self._notes = notes

    def emit(self, record: logging.LogRecord) -> None:
        self._notes.append(record.getMessage())
