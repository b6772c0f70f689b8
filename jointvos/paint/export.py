"""Writing outputs of `segment` from a project, in a thread."""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any

import numpy as np

from jointvos.errors import ConfigError, JointVOSError, MaskError
from jointvos.files.sequences import title_of
from jointvos.files.whole_file import shortened
from jointvos.media import FanOut, read_ahead
from jointvos.media.reading import CutDetector, FrameFinder, open_source, with_cuts
from jointvos.paint.feed import in_words
from jointvos.paint.follow import Say
from jointvos.paint.project import Project
from jointvos.runs import Outputs, Progress, SegmentJob, SessionSpec, segment_video
from jointvos.runs.outputs import PATHS
from jointvos.types import Frame, FrameResult

_ENDINGS = {
    "overlay": "_overlay.mp4",
    "png": "_masks",
    "mask_video": "_ids.mkv",
    "matte": "_matte.mp4",
    "alpha": "_cutout.mov",
    "soft": "_soft",
    "crop": "_crops",
    "stats": "_objects.csv",
    "coco": "_coco.json",
}
"""What outputs are called if nobody names them; as in `segment`, behind the video's name."""


def job_of(project: Project, source: Path, spec: SessionSpec, outputs: Outputs) -> SegmentJob:
    """The job that `segment` would be given for a project.

    Raises:
        MaskError: Nothing was painted.
    """
    painted = project.painted()
    if not painted:
        raise MaskError("no mask yet; paint an object first")
    masks = project.masks
    if len(painted) == 1:
        file = masks / f"{project.name(painted[0])}.png"
        given = str(file) if painted[0] == 0 else f"{painted[0]}={file}"
    else:
        given = str(masks)
    return SegmentJob(
        source,
        masks=[given],
        names=project.names(),
        outputs=outputs,
        session=spec,
        direction=project.direction,
    )


class Exporter:
    """Writes outputs to the current folder, once at a time."""

    def __init__(
        self, source: Path, frames: FrameFinder, project: Project, spec: SessionSpec, say: Say
    ) -> None:
        """Prepare; nothing is opened yet."""
        self._source, self._frames, self._project = source, frames, project
        self._spec, self._say = spec, say
        self._thread: Thread | None = None
        self._stopping = Event()
        self._starting = Lock()
        self.folder = Path.cwd()
        self.busy = False

    def names(self) -> dict[str, str]:
        """What each output is called if nobody names it."""
        stem = title_of(self._source)
        return {name: shortened(stem, ending) for name, ending in _ENDINGS.items()}

    def start(self, files: Mapping[str, str], *, overwrite: bool) -> None:
        """Begin to write outputs.

        Args:
            files: Names in the current folder by the outputs' names in `Outputs`.
            overwrite: Whether they may replace files.

        Raises:
            ConfigError: Nothing is asked for, a name is no plain name, or an export is running.
            MaskError: Nothing was painted.
            OutputError: Something cannot be written where it should stand.
        """
        if not files:
            raise ConfigError("nothing to export; choose an output")
        for name, file in files.items():
            if name not in PATHS:
                raise ConfigError(f"no output {name!r}; expected {', '.join(PATHS)}")
            if not file or Path(file).name != file or file in (".", ".."):
                raise ConfigError(f"{file!r} is no plain file name; files go to {self.folder}")
        paths = {name: self.folder / file for name, file in files.items()}
        outputs = replace(Outputs(overwrite=overwrite), **paths)  # type: ignore[arg-type]
        job = job_of(self._project, self._source, self._spec, outputs)
        job.check()
        with self._starting:
            if self.busy:
                raise ConfigError("an export is running; wait for it or cancel it")
            self.busy = True
            self._stopping.clear()
            name = "jointvos-export"
            self._thread = Thread(target=self._run, args=(job,), name=name, daemon=True)
            self._thread.start()

    def cancel(self) -> None:
        """Stop writing, leave nothing behind, and wait for that."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self, job: SegmentJob) -> None:
        told: dict[str, Any] = {"kind": "exported", "files": None}
        try:
            # What was found already is written as it is; soft edges need the network again.
            known = not job.outputs.need_probabilities and self._complete()
            done = self._write_known(job) if known else self._segment(job)
            if done:
                told["files"] = [str(path) for path in job.outputs.paths().values()]
        except JointVOSError as error:
            told["error"] = in_words(error)
        except Exception as error:  # a bug: the page must not wait for ever, and it is shown there
            told["error"] = f"{type(error).__name__}: {error}"
            raise
        finally:
            self.busy = False
            self._say(told)

    def _complete(self) -> bool:
        count, first = self._frames.count, self._project.first
        if count is None or first is None:
            return False
        begin = 0 if self._project.direction == "both" else first
        return all(self._project.fits(index) for index in range(begin, count))

    def _segment(self, job: SegmentJob) -> bool:
        with segment_video(job) as run:
            for event in run:
                if self._stopping.is_set():
                    return False
                if isinstance(event, Progress):
                    self._tell(event.done, event.total, event.direction)
        return True

    def _write_known(self, job: SegmentJob) -> bool:
        with open_source(self._source) as source:
            ids = [each.id for each in self._project.objects]
            sinks = job.outputs.sinks(source.info, ids, job.names)
            detector = None if self._spec.cuts == "off" else CutDetector()
            with closing(read_ahead(source, stop=source.stop)) as ahead, FanOut(sinks) as out:
                for number, (frame, cut) in enumerate(with_cuts(ahead, detector), start=1):
                    if self._stopping.is_set():
                        out.abort()
                        return False
                    out.write(frame, self._result(frame, cut))
                    self._tell(number, self._frames.count, "writing")
        return True

    def _result(self, frame: Frame, cut: bool) -> FrameResult:
        result = None
        if self._project.fits(frame.index):
            result = self._project.followed.result(frame.index)
        if result is None:  # before the first mask
            nothing = np.zeros(frame.image.shape[:2], dtype=np.uint8)
            return FrameResult(frame.index, nothing, (), cut=cut)
        return replace(result, cut=cut)

    def _tell(self, done: int, total: int | None, what: str) -> None:
        self._say({"kind": "exporting", "done": done, "total": total, "what": what})
