"""What following has found, frame by frame, on disk.

`log.jsonl` grows by a line per frame and per change of a given mask, so that a process that dies
loses at most the frame it was at; the masks are PNGs beside it.
"""

import json
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeAlias

from jointvos.errors import MaskError, OutputError, os_errors_as
from jointvos.masks import read_mask, write_mask_png
from jointvos.types import FrameResult, LabelMap, ObjectState

Way: TypeAlias = Literal["forward", "backward"]
Certainty: TypeAlias = Literal["sure", "unsure", "lost"]

_UNSURE = 0.98
"""Mean probability of an object's pixels below which one should have a look. A mask that has begun
to leak had 0.94 to 0.98 in a video of a ball and shoes; others have more than 0.99."""

_JUMP = 1.5
"""How many times larger or smaller an object may get from one frame to the next to be trusted."""


@dataclass(frozen=True)
class Seen:
    """What is remembered of one object in one frame, besides its pixels.

    Attributes:
        id: The object.
        area: Its pixels.
        probability: Their mean probability; None if there are none.
        paused: Whether it has not been seen again since a cut.
        jumped: Whether it is much larger or smaller than in the frame before.
    """

    id: int
    area: int
    probability: float | None
    paused: bool
    jumped: bool = False

    @property
    def certainty(self) -> Certainty:
        """How far the result is to be trusted."""
        if not self.area or self.paused or self.probability is None:
            return "lost"
        return "unsure" if self.jumped or self.probability < _UNSURE else "sure"


@dataclass(frozen=True)
class FollowedFrame:
    """What is remembered of a frame, besides its label map."""

    cut: bool
    objects: tuple[Seen, ...]


class Followed:
    """Results of following, and up to where they still fit the masks that are given.

    Attributes:
        frames: All frames that were followed, also those that no longer fit, by index.
        done: The last frame forward and the lowest backward whose results, and all before them,
            fit the masks; None where there are none.
    """

    def __init__(self, folder: Path) -> None:
        """Read what is in the folder, which is made if it is missing.

        Raises:
            OutputError: It cannot be used.
        """
        self._folder = folder
        self._log = folder / "log.jsonl"
        self.frames: dict[int, FollowedFrame] = {}
        self._first = 0
        self._changes: list[tuple[int, bool]] = []
        self.done: dict[Way, int | None] = {"forward": None, "backward": None}
        with os_errors_as(OutputError):
            folder.mkdir(exist_ok=True)
            for line in self._lines():
                self._take(line)
            self._file = self._log.open("a", encoding="utf-8")

    def close(self) -> None:
        """Close the log."""
        self._file.close()

    def append(self, result: FrameResult, way: Way, given: Collection[int] = ()) -> None:
        """Keep the result of the next frame of a pass.

        Args:
            result: Without probabilities.
            way: Which pass.
            given: The objects whose masks in this frame were painted.

        Raises:
            OutputError: The disk refuses.
        """
        path = self._path(result.index)
        partial = path.with_suffix(".partial")
        write_mask_png(partial, result.labels)
        last = self.frames.get(result.index + (1 if way == "backward" else -1))
        areas = {} if last is None else {each.id: each.area for each in last.objects}
        objects = [
            (
                state.id,
                state.area,
                None if state.mean_probability is None else float(state.mean_probability),
                state.paused,
                state.id not in given and _jumps(areas.get(state.id), state.area),
            )
            for state in result.objects
        ]
        with os_errors_as(OutputError):
            partial.replace(path)
        self._write({"frame": result.index, "way": way, "cut": result.cut, "objects": objects})

    def forget_from(self, frame: int, first: int | None) -> None:
        """The mask given for a frame is about to change: results from there on no longer fit.

        Args:
            frame: The frame.
            first: The first frame with a given mask so far.

        Raises:
            OutputError: The disk refuses.
        """
        self._write({"changed": frame, "first": first is None or frame <= first})

    def forget_all(self) -> None:
        """No result fits any more, for all would come out otherwise.

        Raises:
            OutputError: The disk refuses.
        """
        if any(done is not None for done in self.done.values()):
            self._write({"changed": 0, "first": True})

    def mark(self) -> int:
        """A point in time to ask `changed_since` about."""
        return len(self._changes)

    def changed_since(self, mark: int, way: Way, frame: int) -> bool:
        """Whether a given mask has changed on which a frame of a pass depends."""
        return any(
            first or (way == "forward" and changed <= frame)
            for changed, first in self._changes[mark:]
        )

    def fits(self, index: int) -> bool:
        """Whether there is a result for a frame that fits the masks."""
        forward, backward = self.done["forward"], self.done["backward"]
        if index not in self.frames:
            return False
        return (forward is not None and self._first <= index <= forward) or (
            backward is not None and backward <= index <= self._first
        )

    def labels(self, index: int) -> LabelMap | None:
        """The label map of a frame, uint8 [Hv,Wv], None if it was not followed."""
        if index not in self.frames:
            return None
        try:
            return read_mask(self._path(index))
        except MaskError:  # deleted by hand
            return None

    def result(self, index: int) -> FrameResult | None:
        """The result of a frame, without probabilities; None if it does not fit or is gone."""
        labels = self.labels(index) if self.fits(index) else None
        if labels is None:
            return None
        frame = self.frames[index]
        states = [_state(each, labels) for each in frame.objects]
        return FrameResult(index, labels, tuple(states), cut=frame.cut)

    def _path(self, index: int) -> Path:
        return self._folder / f"{index:05d}.png"

    def _lines(self) -> Iterator[dict[str, object]]:
        if not self._log.exists():
            return
        # A process that died may have left half a line, which the next one must not continue.
        data = self._log.read_bytes()
        whole = data[: data.rfind(b"\n") + 1]
        if whole != data:
            self._log.write_bytes(whole)
        for line in whole.splitlines():
            with suppress(ValueError):
                yield json.loads(line)

    def _write(self, line: dict[str, object]) -> None:
        with os_errors_as(OutputError):
            self._file.write(json.dumps(line, separators=(",", ":")) + "\n")
            self._file.flush()
        self._take(line)

    def _take(self, line: dict[str, object]) -> None:
        """Let a line of the log come into force."""
        match line:
            case {"changed": int(frame), "first": bool(first)}:
                forward = self.done["forward"]
                self._changes.append((frame, first))
                if first:
                    self.done = {"forward": None, "backward": None}
                elif forward is not None:
                    self.done["forward"] = min(forward, frame - 1)
            case {"frame": int(frame), "way": "forward" | "backward" as way}:
                objects = line["objects"]
                assert isinstance(objects, list)
                seen = tuple(Seen(*each) for each in objects)
                self.frames[frame] = FollowedFrame(bool(line["cut"]), seen)
                if self.done == {"forward": None, "backward": None}:
                    self._first = frame
                self.done[way] = frame


def _jumps(before: int | None, now: int) -> bool:
    return bool(before and now and not before / _JUMP <= now <= before * _JUMP)


def _state(seen: Seen, labels: LabelMap) -> ObjectState:
    mask = labels == seen.id
    rows, columns = mask.sum(axis=1), mask.sum(axis=0)
    state = ObjectState.of_sums(seen.id, rows, columns, 0.0, paused=seen.paused)
    return replace(state, mean_probability=seen.probability)
