"""What following has found, frame by frame, on disk.

`log.jsonl` grows by a line per frame, so that a process that dies loses at most the frame it was
at; the masks are PNGs beside it.
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
class FollowedObject:
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

    key: str
    cut: bool
    objects: tuple[FollowedObject, ...]


class Followed:
    """Results of following, each with a key that says which masks it was made from.

    Attributes:
        frames: All frames that were followed, also those whose masks have changed since, by index.
    """

    def __init__(self, folder: Path) -> None:
        """Read what is in the folder, which is made if it is missing.

        Raises:
            OutputError: It cannot be used.
        """
        self._folder = folder
        self._log = folder / "log.jsonl"
        self.frames: dict[int, FollowedFrame] = {}
        with os_errors_as(OutputError):
            folder.mkdir(exist_ok=True)
            for line in self._lines():
                self._take(line)
            self._file = self._log.open("a", encoding="utf-8")

    def close(self) -> None:
        """Close the log."""
        self._file.close()

    def append(self, result: FrameResult, way: Way, key: str, given: Collection[int] = ()) -> None:
        """Keep the result of the next frame of a pass.

        Args:
            result: Without probabilities.
            way: Which pass.
            key: What it was made from.
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
        self._write({"frame": result.index, "key": key, "cut": result.cut, "objects": objects})

    def labels(self, index: int) -> LabelMap | None:
        """The label map of a frame, uint8 [Hv,Wv], None if it was not followed."""
        if index not in self.frames:
            return None
        try:
            return read_mask(self._path(index))
        except MaskError:  # deleted by hand
            return None

    def result(self, index: int) -> FrameResult | None:
        """The result of a frame, without probabilities; None if it was not followed."""
        labels = self.labels(index)
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
            case {"frame": int(frame), "key": str(key), "cut": cut, "objects": list(objects)}:
                found = tuple(FollowedObject(*each) for each in objects)
                self.frames[frame] = FollowedFrame(key, bool(cut), found)


def _jumps(before: int | None, now: int) -> bool:
    return bool(before and now and not before / _JUMP <= now <= before * _JUMP)


def _state(found: FollowedObject, labels: LabelMap) -> ObjectState:
    mask = labels == found.id
    rows, columns = mask.sum(axis=1), mask.sum(axis=0)
    state = ObjectState.of_sums(found.id, rows, columns, 0.0, paused=found.paused)
    return replace(state, mean_probability=found.probability)
