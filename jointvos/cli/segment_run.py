"""One run of `segment`: a source and masks go in, results go to the outputs."""

import json
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import typer

from jointvos.cli.console import Reporter, data, plural
from jointvos.cli.fingerprint import fingerprint
from jointvos.cli.outputs import STDOUT, close_stdout
from jointvos.cli.request import Request
from jointvos.cli.sidecar import Sidecar
from jointvos.cli.tracing import MarkedSink, check_trace, marked, traced
from jointvos.cli.travel import Travel
from jointvos.errors import ConfigError, OutputError

if TYPE_CHECKING:
    from jointvos.inference import VideoSegmenter
    from jointvos.media import FanOut, MaskPrompts, TwoPhaseSink
    from jointvos.types import Frame, FrameResult, FrameSource, VideoInfo

INTERRUPTED = 130


class SegmentRun:
    """A run, carried out by calling it.

    Args:
        request: What to do.
        reporter: Notes for people.
        load: Loads the model and returns what makes a session; called after the input is checked.
    """

    def __init__(
        self,
        request: Request,
        reporter: Reporter,
        load: "Callable[[], Callable[[], VideoSegmenter]]",
    ) -> None:
        self.request = request
        self.reporter = reporter
        self._load = load
        self._sidecar = Sidecar([*request.outputs.named().values()], request.source)
        self._count = 0

    def __call__(self) -> None:
        """Carry it out.

        Raises:
            JointVOSError: Whatever goes wrong with the input, the masks, the model or the outputs.
        """
        from jointvos.media import open_source

        request = self.request = self._allowed_to_go_on()
        request.outputs.check(request.source, request.masks.paths(), request.as_json)
        request.masks.check()
        if request.profile is not None:
            check_trace(request.profile, request.outputs.overwrite)
        with open_source(
            request.source,
            start=request.start,
            end=request.end,
            raw=request.raw,
            allow_network=request.allow_network,
        ) as frames:
            prompts = request.masks.read(frames.info, request.start, request.end)
            sinks = request.outputs.sinks(frames.info, prompts.ids)
            self._describe(frames.info, prompts)
            make_session = self._load()
            begin = time.perf_counter()
            with self._workplace(prompts, sinks, make_session) as folder:
                self._segment(frames, prompts, sinks, make_session, folder)
            self._summarise(len(prompts.ids), time.perf_counter() - begin)

    def _allowed_to_go_on(self) -> Request:
        """The request; what the interrupted run has put in place may be replaced.

        Raises:
            ConfigError: The input cannot be read twice.
            OutputError: The sidecar is damaged.
        """
        request = self.request
        if not request.resume:
            return request
        if request.source == STDOUT:
            raise ConfigError("--resume reads the input again, which - does not allow; use a file")
        named = [path.absolute() for path in request.outputs.named().values() if path != STDOUT]
        overwrite = request.outputs.overwrite or (bool(named) and self._sidecar.named() == named)
        return replace(
            request,
            outputs=replace(request.outputs, overwrite=overwrite),
            masks=replace(request.masks, overwrite=request.masks.overwrite or self._sidecar.exists),
        )

    def _describe(self, info: "VideoInfo", prompts: "MaskPrompts") -> None:
        count = "" if info.frame_count is None else f", about {info.frame_count} frames"
        size = f"{info.width}x{info.height}"
        objects = plural(len(prompts.ids), "object")
        self.reporter.note(f"{info.path}: {size}{count}; {objects}")
        self.request.masks.describe(prompts, info, self.reporter)
        if not info.is_video and self.request.outputs.overlay is not None:
            rate = info.frame_rate
            self.reporter.note(f"pictures become a film of {rate} frames per second")

    @contextmanager
    def _workplace(
        self,
        prompts: "MaskPrompts",
        sinks: "list[TwoPhaseSink]",
        make_session: "Callable[[], VideoSegmenter]",
    ) -> Iterator[Path | None]:
        """The folder for what has to wait on disk, if there is need of one."""
        from jointvos.media import StagedSink

        request, sidecar = self.request, self._sidecar
        if not request.resume:
            if sidecar.exists:
                sidecar.discard()
                self.reporter.note(f"{sidecar.folder}: an interrupted run was there; begun anew")
            if request.direction == "forward":
                yield None
                return
            with _hidden_folder(sidecar.folder.parent) as folder:
                yield Path(folder)
            return
        own = fingerprint(
            request.source,
            prompts,
            make_session(),
            request.refine,
            probabilities=request.outputs.need_probabilities,
            start=request.start,
            end=request.end,
            raw=request.raw,
            direction=request.direction,
        )
        interrupted = sidecar.exists
        with sidecar.hold(own):
            if interrupted:
                self.reporter.note(f"{sidecar.folder}: goes on with the interrupted run")
            sidecar.note_staged([sink for sink in sinks if isinstance(sink, StagedSink)])
            yield sidecar.folder
            sidecar.remove()

    def _set_up(self, session: "VideoSegmenter") -> "VideoSegmenter":
        session.keep_probabilities = (
            self.request.outputs.need_probabilities or self.request.refine.does_something
        )
        return session

    def _segment(
        self,
        frames: "FrameSource",
        prompts: "MaskPrompts",
        sinks: "list[TwoPhaseSink]",
        make_session: "Callable[[], VideoSegmenter]",
        folder: Path | None,
    ) -> None:
        """All frames through sessions, into the outputs."""
        from jointvos.media import CutDetector, FanOut, read_ahead, with_cuts

        request = self.request
        travel = Travel(
            prompts=prompts,
            direction=request.direction,
            make_session=lambda: self._set_up(make_session()),
            refine=self._refined,
            probabilities=request.outputs.need_probabilities,
            folder=folder,
            every=request.checkpoint_every if request.resume else None,
            track=lambda items, count: self.reporter.track(items, count, "frames backwards"),
        )
        detector = CutDetector() if request.find_cuts else None
        # Probabilities are large; fewer frames wait where there are some.
        depth = 2 if request.outputs.need_probabilities else 4
        source: Iterable[tuple[Frame, bool]] = with_cuts(frames, detector)
        if request.profile is not None:
            source, sinks = marked(source, "read"), [MarkedSink(sink) for sink in sinks]
        out = FanOut(sinks, depth, self._before_commit) if sinks else None
        try:
            with (
                out or nullcontext(),
                closing(read_ahead(source, stop=frames.stop)) as seen,
                self._keeping(out),
            ):
                results = travel.results(seen)
                if request.profile is not None:
                    results = traced(results, request.profile)
                for frame, result in self.reporter.track(
                    results, frames.info.frame_count, "frames"
                ):
                    if self._count == 0:
                        request.masks.save_first(self.reporter, frame, prompts.at(frame))
                    self._deliver(frame, result, out)
        except KeyboardInterrupt:
            self._say_interrupted(out)
            raise typer.Exit(INTERRUPTED) from None
        except BrokenPipeError:
            close_stdout()

    def _before_commit(self) -> None:
        if self.request.resume:
            self._sidecar.note_naming(
                [path for path in self.request.outputs.named().values() if path != STDOUT]
            )

    def _refined(self, result: "FrameResult") -> "FrameResult":
        return self.request.refine(result) if self.request.refine.does_something else result

    def _deliver(self, frame: "Frame", result: "FrameResult", out: "FanOut | None") -> None:
        """One frame to all outputs."""
        if self._count == 0 and self.request.start is not None:
            self.reporter.note(f"first frame {frame.index}, at {frame.time_s:.3f} s")
        if out is not None:
            out.write(frame, result)
        if self.request.as_json:
            data(_json_line(frame, result))
        self._count += 1

    @contextmanager
    def _keeping(self, out: "FanOut | None") -> Iterator[None]:
        """Complete the outputs with what is done if the run ends early, where that is wanted."""
        try:
            yield
        except (OutputError, BrokenPipeError):
            raise
        except BaseException:
            if self.request.keep_partial and out is not None and self._count:
                out.finish()
                self.reporter.warn(f"kept {plural(out.written, 'frame')}; they are not all")
            raise

    def _say_interrupted(self, out: "FanOut | None") -> None:
        kept = out is not None and out.committed
        what = "" if kept else "; no file was written"
        if self.request.resume:
            what += "; the same command goes on from there"
        self.reporter.note(f"interrupted after {plural(self._count, 'frame')}{what}")

    def _summarise(self, objects: int, seconds: float) -> None:
        wrote = ", ".join(map(str, self.request.outputs.named().values())) or "JSON"
        self.reporter.note(
            f"wrote {wrote}: {plural(self._count, 'frame')}, "
            f"{plural(objects, 'object')}, {self._count / seconds:.1f} frames/s"
        )


def _hidden_folder(beside: Path) -> TemporaryDirectory[str]:
    try:
        return TemporaryDirectory(prefix=".jointvos-", dir=beside)
    except OSError as error:
        raise OutputError(f"{beside}: frames have to wait there, but {error.strerror}") from error


def _json_line(frame: "Frame", result: "FrameResult") -> str:
    from jointvos.media import object_record

    objects = [{"id": state.id, **object_record(state)} for state in result.objects]
    line = {"frame": frame.index, "time": round(frame.time_s, 6), "cut": result.cut}
    return json.dumps({**line, "objects": objects})
