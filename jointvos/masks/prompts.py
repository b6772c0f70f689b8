"""The masks that a user gives, and the frames they are for."""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from jointvos.errors import MaskError
from jointvos.frame_range import Bound, FrameRange
from jointvos.masks.boxes import Box
from jointvos.masks.id_change import IdChange
from jointvos.masks.points import Clicks
from jointvos.types import VOID, Frame, LabelMap, VideoInfo, label_type, object_ids

Cut: TypeAlias = Box | Clicks
"""An object to be cut out of the first frame."""


@dataclass(frozen=True)
class Prompt:
    """A mask and the frame it is for.

    Attributes:
        path: The file.
        place: When; None for the first frame of the range.
        ids: The objects in it.
        given_ids: The IDs that they have in the file.
        is_image: Whether the file is an image of them, and not of another kind.
    """

    path: Path
    place: Bound | None
    ids: tuple[int, ...]
    given_ids: tuple[int, ...]
    is_image: bool
    _shape: tuple[int, ...]
    _wide: bool
    _packed: bytes

    @classmethod
    def of(
        cls,
        labels: LabelMap,
        path: Path,
        place: Bound | None = None,
        *,
        is_image: bool = False,
    ) -> "Prompt":
        """Keep a label map, [Hv,Wv], small."""
        packed = zlib.compress(labels.tobytes(), 1)
        ids, wide = tuple(object_ids(labels)), labels.dtype != np.uint8
        return cls(path, place, ids, ids, is_image, labels.shape, wide, packed)

    def changed(self, change: IdChange) -> "Prompt":
        """The same with other IDs."""
        new = Prompt.of(change(self.labels), self.path, self.place, is_image=self.is_image)
        return replace(new, given_ids=tuple(change.kept(self.given_ids)))

    def __str__(self) -> str:
        return f"{self.path}" if self.place is None else f"{self.place.text}={self.path}"

    @property
    def labels(self) -> LabelMap:
        """The IDs per pixel, [Hv,Wv]."""
        dtype = np.dtype(np.uint16 if self._wide else np.uint8)
        labels: LabelMap = np.frombuffer(zlib.decompress(self._packed), dtype).reshape(self._shape)
        return labels


class MaskPrompts:
    """All masks of a run, given out when their frames come by.

    Frames are placed in rising order, the first one being the first of the range; after that
    they may be asked for again in any order.

    Attributes:
        names: What the objects are called, by ID, as far as the files say.
    """

    def __init__(
        self,
        prompts: Sequence[Prompt],
        info: VideoInfo,
        frames: FrameRange | None = None,
        cuts: Sequence[Cut] = (),
        names: Mapping[int, str] | None = None,
    ) -> None:
        """Take over masks that were read; see `prompt_reading.read_prompts`."""
        self.names = dict(names or {})
        self._waiting = list(prompts)
        self._all = tuple(prompts)
        self._info = info
        self._start = (frames or FrameRange()).start
        self._cuts = tuple(cuts)
        self._placed: dict[int, list[Prompt]] = {}
        self._last: int | None = None
        self._elapsed: Fraction | None = None

    @property
    def all(self) -> tuple[Prompt, ...]:
        """All masks, in the order in which they were passed."""
        return self._all

    @property
    def cuts(self) -> tuple[Cut, ...]:
        """Boxes and points in the first frame, which become masks when it comes by; with IDs."""
        return self._cuts

    @property
    def ids(self) -> tuple[int, ...]:
        """Every ID that is given in some frame, rising."""
        ids = {i for prompt in self._all for i in prompt.ids}
        return tuple(sorted(ids | {cut.id for cut in self._cuts if cut.id is not None}))

    @property
    def first(self) -> LabelMap | None:
        """What is given for the first frame of the range, as far as it is known by now."""
        return merge(self.in_first) if self.in_first else None

    @property
    def in_first(self) -> tuple[Prompt, ...]:
        """The masks that are certainly for the first frame of the range."""
        start = self._start or Bound("0", frame=0)
        return tuple(p for p in self._all if p.place is None or p.place.same_as(start))

    def at(self, frame: Frame) -> LabelMap | None:
        """What is given for a frame, [Hv,Wv], or None.

        Raises:
            MaskError: Two masks for the frame hold the same ID, or nothing stands out in a box or
                around a point.
        """
        self.place(frame)
        due = self._placed.get(frame.index)
        return merge(due) if due else None

    def place(self, frame: Frame) -> None:
        """Find out what is for this frame; does nothing for frames up to the last one placed.

        Raises:
            MaskError: Nothing stands out in a box or around a point, or a mask is for a frame
                before the first.
        """
        if self._last is not None and frame.index <= self._last:
            return
        if self._last is None:
            self._refuse_early(frame.index)
        elapsed = (frame.pts - self._info.first_pts) * self._info.time_base
        due = [prompt for prompt in self._waiting if self._is_for(prompt, frame, elapsed)]
        self._waiting = [prompt for prompt in self._waiting if prompt not in due]
        if self._last is None:
            due = self._cut_out(frame) + due
        if due:
            self._placed[frame.index] = due
        self._last, self._elapsed = frame.index, elapsed

    def _cut_out(self, frame: Frame) -> list[Prompt]:
        """Small objects are before large ones, and what was painted is before both."""
        masks = [(cut, cut.cut(frame.image)) for cut in self._cuts]
        masks.sort(key=lambda pair: -np.count_nonzero(pair[1]))
        return [_of_cut(mask, cut) for cut, mask in masks]

    def _refuse_early(self, first: int) -> None:
        for prompt in self._waiting:
            if prompt.place and prompt.place.frame is not None and prompt.place.frame < first:
                raise MaskError(f"`mask` {prompt}: the range begins later, with frame {first}")

    def missed(self) -> tuple[Prompt, ...]:
        """The masks whose frames have not come by."""
        return tuple(self._waiting)

    def require_all_met(self) -> None:
        """To be called behind the last frame.

        Raises:
            MaskError: A mask was for a frame that did not come.
        """
        if self._waiting:
            last = "no frame" if self._last is None else f"frame {self._last}"
            names = ", ".join(map(str, self._waiting[:3]))
            more = f" and {len(self._waiting) - 3} more" if len(self._waiting) > 3 else ""
            raise MaskError(
                f"no frame for the mask {names}{more}: {self._info.path} was read up to {last}"
            )

    def _is_for(self, prompt: Prompt, frame: Frame, elapsed: Fraction) -> bool:
        if prompt.place is None:
            return self._last is None
        if prompt.place.frame is not None:
            return frame.index == prompt.place.frame
        seconds = prompt.place.seconds
        assert seconds is not None
        if elapsed < seconds or self._elapsed is not None:
            return self._elapsed is not None and self._elapsed < seconds <= elapsed
        # The first frame of a range is the first at or after a time only if that is in the range.
        if self._start is not None and self._start.seconds is not None:
            return seconds >= self._start.seconds
        return elapsed - seconds < 1 / self._info.frame_rate


def merge(prompts: Sequence[Prompt]) -> LabelMap:
    """Several masks for one frame as one; where two have objects, the later one covers.

    Raises:
        MaskError: Two hold the same ID.
    """
    if len(prompts) == 1:
        return prompts[0].labels
    refuse_shared(prompts)
    dtype = label_type(i for prompt in prompts for i in prompt.ids)
    merged: LabelMap = np.zeros(prompts[0].labels.shape, dtype=dtype)
    for prompt in prompts:
        labels = prompt.labels
        shown = np.isin(labels, prompt.ids)
        if labels.dtype == dtype == np.uint8:
            merged[(labels == VOID) & (merged == 0)] = VOID
        merged[shown] = labels[shown]
    return merged


def _of_cut(mask: NDArray[np.bool_], cut: Cut) -> Prompt:
    assert cut.id is not None
    labels: LabelMap = np.zeros(mask.shape, dtype=label_type([cut.id]))
    labels[mask] = cut.id
    return Prompt.of(labels, Path(f"{cut.option} {cut}"))


def refuse_shared(prompts: Sequence[Prompt]) -> None:
    """Refuse an ID that two masks for one frame hold; those that are made equal become one object.

    Raises:
        MaskError: There is one.
    """
    seen: dict[int, Prompt] = {}
    for prompt in prompts:
        for i in prompt.given_ids:
            if i in seen:
                place = "" if prompt.place is None else f"{prompt.place.text}="
                free = max(other for each in prompts for other in each.given_ids) + 1
                raise MaskError(
                    f"{seen[i].path} and {prompt.path} are for one frame and both hold the ID {i}",
                    hint="if they are two objects, give one another ID: "
                    f"`masks=[{f'{place}{free}:{prompt.path}'!r}]`",
                )
            seen[i] = prompt
