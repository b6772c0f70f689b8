"""Frames through sessions, forwards and backwards; results come in order of time."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from jointvos.errors import OutputError
from jointvos.masks import MaskPrompts
from jointvos.runs.events import Progress
from jointvos.runs.frame_cache import FrameCache
from jointvos.runs.job import Direction
from jointvos.runs.pass_record import PassRecord
from jointvos.types import Frame, FrameResult, LabelMap

if TYPE_CHECKING:
    from jointvos.inference import VideoSegmenter

CutFrame: TypeAlias = tuple[Frame, bool]
"""A frame, and whether it begins a new shot."""


@dataclass(frozen=True)
class Passes:
    """How frames become results.

    Attributes:
        prompts: The masks that are given.
        direction: "forward" from the first mask, "backward" from the last one to the start, or
            "both" ways from the first; frames that are not reached have no objects.
        make_session: Makes a session without objects.
        refine: What is done to every result.
        probabilities: Whether the outputs need probabilities.
        folder: Where frames and results are kept that have to wait; None if none have to.
        every: After how many frames a session is saved there, to go on from; None for never.
    """

    prompts: MaskPrompts
    direction: Direction
    make_session: "Callable[[], VideoSegmenter]"
    refine: Callable[[FrameResult], FrameResult]
    probabilities: bool
    folder: Path | None
    every: int | None

    def results(self, frames: Iterator[CutFrame]) -> Iterator[tuple[Frame, FrameResult] | Progress]:
        """Every frame with its result, in order of time; before them, how far the way back is.

        Raises:
            JointVOSError: Whatever goes wrong with the frames, the masks or the sessions.
        """
        if self.direction != "forward":
            with self._record("backward") as record:
                cache, cuts = self._cached(frames)
                yield from self._go_back(cache, cuts, record)
                together = zip(cache, cuts, reversed(record.journal), strict=True)
                for number, (frame, cut, result) in enumerate(together, start=1):
                    if number < len(cache) or self.direction == "backward":
                        yield frame, replace(_fitting(frame, result), cut=cut)
            if self.direction == "both":
                frames = chain([(frame, cut)], frames)
        yield from self._forward(frames)
        self.prompts.require_all_met()

    def _forward(self, frames: Iterator[CutFrame]) -> Iterator[tuple[Frame, FrameResult]]:
        """The frames in order of time; what an interrupted run has done is not done again."""
        session = self.make_session()
        given = ((frame, cut, self._given(frame)) for frame, cut in frames)
        if self.every is None:
            asked = (
                (frame, session.ask(frame.image, masks, index=frame.index, cut=cut))
                for frame, cut, masks in given
            )
            for frame, result_of in session.one_behind(asked):
                yield frame, _fitting(frame, self.refine(result_of()))
            return
        with self._record("forward") as record:
            record.restore(session)
            done = iter(record)
            for frame, cut, masks in given:
                if (result := next(done, None)) is None:
                    # What is saved of the session must not be ahead of its results.
                    result = session.step(frame.image, masks, index=frame.index, cut=cut)
                    result = self.refine(result)
                    record.append(result, session)
                yield frame, _fitting(frame, result)

    def _given(self, frame: Frame) -> LabelMap | None:
        """The masks for a frame on the way forwards."""
        masks = self.prompts.at(frame)
        return None if self.direction == "backward" else masks

    def _cached(self, frames: Iterator[CutFrame]) -> tuple[FrameCache, list[bool]]:
        """Take the frames up to the mask to begin with, and whether they begin new shots."""
        assert self.folder is not None
        cache, cuts = FrameCache(self.folder), list[bool]()
        for frame, cut in frames:
            masks = self.prompts.at(frame)
            cache.append(frame)
            cuts.append(cut)
            if masks is not None if self.direction == "both" else not self.prompts.missed():
                break
        else:
            self.prompts.require_all_met()
        return cache, cuts

    def _go_back(
        self, cache: FrameCache, cuts: list[bool], record: PassRecord
    ) -> Iterator[Progress]:
        """Segment the frames from the last to the first."""
        session = self.make_session()
        record.restore(session)
        yield Progress("backward", 0, len(cache))
        for number, frame in enumerate(reversed(cache)):
            if number >= len(record):
                # Seen backwards, a shot begins with its last frame.
                cut = number > 0 and cuts[-number]
                masks = self.prompts.at(frame)
                result = session.step(frame.image, masks, index=frame.index, cut=cut)
                record.append(self.refine(result), session)
            yield Progress("backward", number + 1, len(cache))
        if self.every is not None:
            record.save(session)

    def _record(self, name: str) -> PassRecord:
        assert self.folder is not None
        return PassRecord(self.folder, name, probabilities=self.probabilities, every=self.every)


def _fitting(frame: Frame, result: FrameResult) -> FrameResult:
    if result.index != frame.index:
        raise OutputError(
            f"the saved result of frame {result.index} came for frame {frame.index}",
            hint="leave out `resume` to start over",
        )
    return result
