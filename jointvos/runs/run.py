"""One run: a job goes in, results go to its outputs, and events come out."""

import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from jointvos.config import to_dict
from jointvos.errors import OutputError
from jointvos.files.staged import StagedSink, TwoPhaseSink
from jointvos.masks import MaskPrompts
from jointvos.media import FanOut, read_ahead
from jointvos.media.reading import CutDetector, with_cuts
from jointvos.runs.events import (
    Event,
    Finished,
    Notice,
    ObjectLost,
    Opened,
    Progress,
    SegmentedFrame,
)
from jointvos.runs.fingerprint import of_job
from jointvos.runs.job import SegmentJob
from jointvos.runs.passes import CutFrame, Passes
from jointvos.runs.resume_folder import ResumeFolder
from jointvos.runs.session import LoadedModel
from jointvos.runs.tracing import MarkedSink, marked, traced
from jointvos.types import Frame, FrameResult, FrameSource
from jointvos.wording import plural

if TYPE_CHECKING:
    from jointvos.inference import VideoSegmenter

Item = TypeVar("Item")
Result: TypeAlias = tuple[Frame, FrameResult]


def segment_video(job: SegmentJob, model: LoadedModel | None = None) -> "SegmentRun":
    """Follow the objects of a job through its video.

    Args:
        job: What to do.
        model: Its network is used instead of loading `job.session`'s, for whoever does many jobs.

    Example:
        >>> job = SegmentJob("video.mp4", ["first.png"], outputs=Outputs(overlay="marked.mp4"))
        >>> for event in segment_video(job):
        ...     if isinstance(event, SegmentedFrame):
        ...         print(event.frame.index, event.result.objects)

    Returns:
        The run, an iterator of events. Work is done while it is iterated over. The outputs get
        their names all at once, before the last event; a run that ends early leaves none, unless
        the job says otherwise.

    Raises:
        JointVOSError: The job cannot be carried out; while iterating, whatever goes wrong with the
            input, the masks, the model or the outputs.
    """
    return SegmentRun(job, model)


class SegmentRun(Iterator[Event]):
    """A run, carried out by iterating over it; a context manager that ends it.

    Attributes:
        job: What it was asked to do.
        frames: Frames that were yielded so far.
        kept: Frames in the outputs of a run that ended early; 0 if there are no such outputs.
    """

    def __init__(self, job: SegmentJob, model: LoadedModel | None = None) -> None:
        """Check a job; see `segment_video`."""
        self._model = model
        self._interrupted = ResumeFolder(job.outputs.files(), Path(job.source))
        self.job = self._allowed_to_go_on(job)
        self.job.check()
        self._first_mask = self.job.first_mask_file(
            overwrite=job.resume and self._interrupted.exists
        )
        self.frames = self.kept = 0
        self._complete = False
        self._out: FanOut | None = None
        self._reading, self._writing = _Waiting(), _Waiting()
        self._notices: list[Notice] = []
        self._events = self._run()

    def __next__(self) -> Event:
        return next(self._events)

    def __enter__(self) -> "SegmentRun":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """End the run where it is; does nothing when it has ended."""
        self._events.close()

    @property
    def committed(self) -> bool:
        """Whether the outputs have their names, or are about to."""
        return self._out is not None and self._out.committed

    def _allowed_to_go_on(self, job: SegmentJob) -> SegmentJob:
        """The job; what the interrupted run has put in place may be replaced."""
        if not job.resume:
            return job
        named = [path.absolute() for path in job.outputs.files()]
        if named and self._interrupted.named() == named:
            job = replace(job, outputs=replace(job.outputs, overwrite=True))
        return job

    def _run(self) -> Generator[Event, None, None]:
        job = self.job
        with job.open() as frames:
            prompts = job.prompts(frames.info)
            sinks = job.outputs.sinks(frames.info, prompts.ids, {**prompts.names, **job.names})
            yield Opened(frames.info, prompts)
            model = yield from self._load()
            begin = time.perf_counter()
            with self._workplace(prompts, sinks, model) as folder:
                yield from self._told()
                yield from self._segment(frames, prompts, sinks, model, folder)
                seconds = time.perf_counter() - begin
                outputs = tuple(job.outputs.written(prompts.ids))
                # What a killed run would go on from is taken away behind it, so that whoever
                # records the event can do so before; one who ends the run here does it later.
                yield Finished(
                    *(self.frames, len(prompts.ids), seconds, outputs),
                    *(self._reading.seconds, self._writing.seconds),
                )
                self._complete = True

    def _load(self) -> Generator[Event, None, LoadedModel]:
        compiled = self.job.session.compiled and self._model is None
        if compiled:
            yield Notice("compiling the network; this takes a minute or more")
        try:
            if self._model is None:
                model = self.job.session.load(say=self._warn)
            else:
                model = self._model.for_spec(self.job.session, self._warn)
        finally:
            yield from self._told()
        yield Notice(f"model {model.name}, preset {model.preset}, on {model.device}")
        if compiled:
            yield Notice(f"compiled in {model.compile_s:.0f} s")
        yield Notice(f"weights: {model.path}", "detail")
        for name, value in to_dict(model.config).items():
            yield Notice(f"{name}: {value}", "detail")
        return model

    @contextmanager
    def _workplace(
        self, prompts: MaskPrompts, sinks: list[TwoPhaseSink], model: LoadedModel
    ) -> Iterator[Path | None]:
        """The folder for what has to wait on disk, if there is need of one."""
        job, interrupted = self.job, self._interrupted
        found = interrupted.exists
        if not job.resume:
            if found:
                interrupted.discard()
                self._note(f"{interrupted.folder}: found an interrupted run; starting over")
            if job.direction == "forward":
                yield None
                return
            with _hidden_folder(interrupted.folder.parent) as folder:
                yield Path(folder)
            return
        with interrupted.hold(of_job(job, prompts, model)):
            if found:
                self._note(f"{interrupted.folder}: continuing the interrupted run")
            interrupted.note_staged([sink for sink in sinks if isinstance(sink, StagedSink)])
            try:
                yield interrupted.folder
            finally:
                if self._complete:
                    interrupted.remove()

    def _segment(
        self,
        frames: FrameSource,
        prompts: MaskPrompts,
        sinks: list[TwoPhaseSink],
        model: LoadedModel,
        folder: Path | None,
    ) -> Generator[Event, None, None]:
        """All frames through sessions, into the outputs."""
        job = self.job

        def make_session() -> "VideoSegmenter":
            session = model.session()
            session.keep_probabilities = job.need_probabilities
            session.draw_overlays = job.need_overlays and session.device.type == "cuda"
            return session

        passes = Passes(
            prompts=prompts,
            direction=job.direction,
            make_session=make_session,
            refine=job.refine if job.refine.does_something else lambda result: result,
            probabilities=job.outputs.need_probabilities,
            folder=folder,
            every=job.checkpoint_every if job.resume else None,
        )
        detector = CutDetector() if job.session.cuts != "off" else None
        # Probabilities are large; fewer frames wait where there are some.
        depth = 2 if job.outputs.need_probabilities else 4
        source: Iterable[CutFrame] = with_cuts(frames, detector)
        if job.profile is not None:
            source, sinks = marked(source, "read"), [MarkedSink(sink) for sink in sinks]
        out = self._out = FanOut(sinks, depth, self._before_commit) if sinks else None
        with (
            out or nullcontext(),
            closing(read_ahead(source, stop=frames.stop)) as ahead,
            self._keeping(out),
        ):
            results: Iterable[Result | Progress] = passes.results(self._reading.waits(ahead))
            if job.profile is not None:
                results = traced(results, job.profile)
            total, visible = frames.info.frame_count, set[int]()
            if job.direction == "forward":
                yield Progress("forward", 0, total)
            for item in self._with_notices(results):
                if not isinstance(item, tuple):
                    yield item
                    continue
                frame, result = item
                if self.frames == 0:
                    if job.direction != "forward":
                        yield Progress("forward", 0, total)
                    yield from self._begin(frame, prompts)
                if out is not None:
                    with self._writing:
                        out.write(frame, result)
                self.frames += 1
                yield SegmentedFrame(frame, result)
                for state in result.objects:  # backwards, none are followed behind the last mask
                    if not state.area and state.id in visible:
                        yield ObjectLost(state.id, frame.index, frame.time_s)
                visible = {state.id for state in result.objects if state.area}
                yield Progress("forward", self.frames, total)

    def _begin(self, frame: Frame, prompts: MaskPrompts) -> Iterator[Event]:
        """What is said, and saved, of the first frame."""
        labels = prompts.at(frame)
        if self._first_mask is not None and labels is not None:
            self._first_mask.save(labels)
            objects = plural(len(prompts.cuts), "object")
            yield Notice(f"{objects} cut out of frame {frame.index}: {self._first_mask.path}")
        if self.job.start is not None:
            yield Notice(f"first frame {frame.index}, at {frame.time_s:.3f} s")

    def _before_commit(self) -> None:
        if self.job.resume:
            self._interrupted.note_naming(self.job.outputs.files())

    @contextmanager
    def _keeping(self, out: FanOut | None) -> Iterator[None]:
        """Complete the outputs with what is done if the run ends early, where that is wanted."""
        try:
            yield
        except (OutputError, BrokenPipeError):
            raise
        except BaseException:
            if self.job.keep_partial and out is not None and self.frames:
                out.finish()
                self.kept = out.written
            raise

    def _note(self, text: str) -> None:
        self._notices.append(Notice(text))

    def _warn(self, text: str) -> None:
        self._notices.append(Notice(text, "warning"))

    def _told(self) -> Iterator[Notice]:
        """What has been noted since."""
        notices, self._notices = self._notices, []
        yield from notices

    def _with_notices(self, items: Iterable[Result | Progress]) -> Iterator[Result | Event]:
        """The items, and between them what has been noted, also where they end with an error."""
        rest = iter(items)
        while True:
            try:
                item = next(rest, None)
            finally:
                yield from self._told()
            if item is None:
                return
            yield item


class _Waiting:
    """Adds up the time that blocks take, or a source takes for its items.

    Attributes:
        seconds: So far.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self._begin = 0.0

    def __enter__(self) -> None:
        self._begin = time.perf_counter()

    def __exit__(self, *exc_info: object) -> None:
        self.seconds += time.perf_counter() - self._begin

    def waits(self, items: Iterable[Item]) -> Iterator[Item]:
        """Pass items on."""
        source = iter(items)
        while True:
            with self:
                try:
                    item = next(source)
                except StopIteration:
                    return
            yield item


def _hidden_folder(beside: Path) -> TemporaryDirectory[str]:
    try:
        return TemporaryDirectory(prefix=".jointvos-", dir=beside)
    except OSError as error:
        raise OutputError(f"{beside}: frames are buffered there, but {error.strerror}") from error
