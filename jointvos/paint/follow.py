"""Following in a thread: the session of `segment` over the masks of a project."""

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Any, TypeAlias

from jointvos.errors import JointVOSError, MaskError
from jointvos.media import read_ahead
from jointvos.media.reading import CutDetector, FrameFinder, NoSuchFrame
from jointvos.paint.feed import in_words
from jointvos.paint.followed import Way
from jointvos.paint.project import Project
from jointvos.paint.snapshots import Snapshot, Snapshots
from jointvos.runs import LoadedModel, SessionSpec
from jointvos.runs.fingerprint import digest, of_model
from jointvos.types import Frame, FrameResult

if TYPE_CHECKING:
    from jointvos.inference import VideoSegmenter

Say: TypeAlias = Callable[[dict[str, Any]], None]
"""Tells the page of something; for any thread."""

_SNAPSHOT_EVERY = 10
"""Least number of frames between two states of a session that are kept."""

_SAVING_SHARE = 0.1
"""How much of the time saving them may take; those of large models have many megabytes."""

_WARM_UP = 24
"""Frames before the first one that tell the cut detector what is usual."""

_CHUNK = 32
"""Frames of which cuts are looked for at once when going backward."""

_KEPT_BYTES = 128 * 2**20

_Item: TypeAlias = tuple[Frame, bool, bool]
"""A frame, whether a new shot begins with it as the pass goes, and whether one does in the video;
both are found out later where the pass goes forward."""


@dataclass(frozen=True)
class _Live:
    """A session, the last frame that it has seen, and the key of that."""

    way: Way
    frame: int
    key: str
    session: "VideoSegmenter"
    detector: CutDetector | None


class Follower:
    """Follows the objects of a project, in one thread at a time, until paused.

    A pass forward starts at the first painted frame and takes every painted frame on its way for a
    correction; a pass backward goes from the first painted frame to the start of the video. It goes
    on behind the last frame whose result fits the masks, so what is found is what
    `jointvos segment` finds with the same masks, however often it was paused and corrected.
    """

    def __init__(self, frames: FrameFinder, project: Project, spec: SessionSpec, say: Say) -> None:
        """Prepare; the model is loaded when it is needed."""
        self._project, self._spec, self._say = project, spec, say
        self._frames = frames.second(_KEPT_BYTES)
        self._snapshots = Snapshots(project.folder / "sessions")
        self._model: LoadedModel | None = None
        self._live: _Live | None = None
        self._thread: Thread | None = None
        self._pausing = Event()
        self._starting = Lock()
        self._way: Way | None = None

    @property
    def way(self) -> Way | None:
        """Which pass is being made; None while there is none."""
        return self._way

    def start(self, way: Way) -> None:
        """Begin a pass or go on with it; does nothing while one is being made.

        Raises:
            MaskError: There is no mask to follow.
        """
        with self._starting:
            if self._way is not None:
                return
            if self._project.first is None:
                raise MaskError("nothing to follow yet; paint an object first")
            self._wait()
            self._pausing.clear()
            self._way = way
            name = "jointvos-follow"
            self._thread = Thread(target=self._run, args=(way,), name=name, daemon=True)
            self._thread.start()

    def pause(self) -> None:
        """Let the frame that is being worked on be the last one, and wait for it."""
        self._pausing.set()
        self._wait()

    def close(self) -> None:
        """Pause, and close the video."""
        self.pause()
        self._frames.close()

    def _wait(self) -> None:
        if self._thread is not None:
            self._thread.join()

    def _run(self, way: Way) -> None:
        told: dict[str, Any] = {"kind": "paused", "why": None}
        try:
            self._say({"kind": "following", "way": way})
            told["why"] = self._follow(way)
        except JointVOSError as error:
            told["error"] = in_words(error)
        except Exception as error:  # a bug: the page must not wait for ever, and it is shown there
            told["error"] = f"{type(error).__name__}: {error}"
            raise
        finally:
            self._way = None
            self._say(told)

    def _follow(self, way: Way) -> str | None:
        """Make a pass; returns why it ended."""
        if self._model is None:
            self._say({"kind": "note", "text": "Loading the model…"})
            self._model = self._spec.load(
                say=lambda text: self._say({"kind": "note", "text": text, "warning": True})
            )
        project, step = self._project, _step(way)
        project.made_by(digest(of_model(self._model)))
        first, done = project.first, project.done[way]
        if first is None:
            return None
        start = first if done is None else done + step
        if start < 0 or start == self._frames.count:
            return "end"
        live = self._session_before(way, first, start)
        pace = _Pace()
        saver = _Saver(self._snapshots, live.frame)
        with closing(read_ahead(self._in_order(way, first, start), depth=2)) as ahead:
            for item in ahead:
                if self._pausing.is_set():
                    break
                live, result = self._advance(live, item, first)
                self._live = live
                if not project.keep(result, way, live.key):
                    return "changed"
                saver.save(live, now=False)
                self._tell(result, way, pace)
            else:
                saver.save(live, now=True)
                return "end"
        saver.save(live, now=True)
        return None

    def _advance(self, live: _Live, item: _Item, first: int) -> tuple[_Live, FrameResult]:
        """The session behind one more frame, and the result of that."""
        frame, turn, begins = item
        key, masks = self._project.key_and_given(frame.index)
        if live.way == "backward" and frame.index != first:
            masks = None
        if live.way == "forward":
            turn = begins = live.detector is not None and live.detector.is_cut(frame.image)
        result = live.session.step(frame.image, masks, index=frame.index, cut=turn)
        return replace(live, frame=frame.index, key=key), replace(result, cut=begins)

    def _session_before(self, way: Way, first: int, start: int) -> _Live:
        """A session that has seen all frames of the pass before one."""
        step, live = _step(way), self._live
        last = start - step
        key = self._project.key
        if live is not None and (live.way, live.frame, live.key) == (way, last, key(last)):
            return live
        self._live = None
        for snapshot in sorted(self._snapshots.all(way), reverse=way == "forward"):
            frame = snapshot.frame
            if min(first, last) <= frame <= max(first, last) and snapshot.key == key(frame):
                session, detector = self._new()
                if self._snapshots.restore(snapshot, session, detector):
                    live = _Live(way, frame, snapshot.key, session, detector)
                    return self._caught_up(live, first, start)
        session, detector = self._new()
        if detector is not None and way == "forward":
            for index in range(max(0, first - _WARM_UP), first):
                detector.is_cut(self._frames.at(index).image)
        return self._caught_up(_Live(way, first - step, "", session, detector), first, start)

    def _caught_up(self, live: _Live, first: int, start: int) -> _Live:
        """The session behind the frames that it has to see once more, whose results are known."""
        step = _step(live.way)
        left = abs(start - step - live.frame)
        for item in self._in_order(live.way, first, live.frame + step):
            if not left or self._pausing.is_set():
                break
            self._say({"kind": "note", "text": f"Going back to the correction… {left}"})
            live, _ = self._advance(live, item, first)
            left -= 1
        return live

    def _new(self) -> tuple["VideoSegmenter", CutDetector | None]:
        assert self._model is not None
        return self._model.session(), None if self._spec.cuts == "off" else CutDetector()

    def _in_order(self, way: Way, first: int, start: int) -> Iterator[_Item]:
        """The frames of a pass from one on."""
        if way == "forward":
            index = start
            while True:
                try:
                    yield self._frames.at(index), False, False
                except NoSuchFrame:
                    return
                index += 1
        for high in range(start, -1, -_CHUNK):
            low = max(0, high - _CHUNK + 1)
            cuts = {} if self._spec.cuts == "off" else self._cuts_in(low, min(high + 1, first))
            for index in range(high, low - 1, -1):
                turn = index < first and cuts.get(index + 1, False)
                yield self._frames.at(index), turn, cuts.get(index, False)

    def _cuts_in(self, low: int, high: int) -> dict[int, bool]:
        """Which of the frames begin new shots, in order of time."""
        detector = CutDetector()
        cuts = {
            index: detector.is_cut(self._frames.at(index).image)
            for index in range(max(0, low - _WARM_UP), high + 1)
        }
        return {index: cut for index, cut in cuts.items() if index >= low}

    def _tell(self, result: FrameResult, way: Way, pace: "_Pace") -> None:
        count = self._frames.count or self._frames.info.frame_count
        seen = self._project.followed.frames[result.index].objects
        fps = pace.tick()
        left = result.index if way == "backward" else (count or 0) - 1 - result.index
        self._say(
            {
                "kind": "frame",
                "frame": result.index,
                "way": way,
                "objects": {each.id: each.certainty for each in seen},
                "cut": result.cut,
                "fps": fps,
                "left_s": left / fps if fps and (count or way == "backward") else None,
            }
        )


class _Saver:
    """Saves states of a session now and then."""

    def __init__(self, snapshots: Snapshots, frame: int) -> None:
        self._snapshots, self._saved = snapshots, frame
        self._due = 0.0

    def save(self, live: _Live, *, now: bool) -> None:
        """Save it if it is time, or `now` unless that was done."""
        passed, begin = abs(live.frame - self._saved), time.monotonic()
        if not passed or (not now and (passed < _SNAPSHOT_EVERY or begin < self._due)):
            return
        snapshot = Snapshot(live.frame, live.key, live.way)
        self._snapshots.save(snapshot, live.session, live.detector)
        end = time.monotonic()
        self._saved, self._due = live.frame, end + (end - begin) / _SAVING_SHARE


class _Pace:
    """Frames per second over the last ones."""

    def __init__(self) -> None:
        self._ticks = deque([time.monotonic()], maxlen=20)

    def tick(self) -> float | None:
        self._ticks.append(time.monotonic())
        passed = self._ticks[-1] - self._ticks[0]
        return (len(self._ticks) - 1) / passed if passed > 0 else None


def _step(way: Way) -> int:
    return 1 if way == "forward" else -1
