"""Frames through sessions, forwards and backwards; results come in order of time."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from jointvos.cli.leg import Leg
from jointvos.errors import OutputError

if TYPE_CHECKING:
    from jointvos.inference import VideoSegmenter
    from jointvos.media import FrameSpool, MaskPrompts
    from jointvos.types import Frame, FrameResult

Direction: TypeAlias = Literal["forward", "backward", "both"]

Seen: TypeAlias = "tuple[Frame, bool]"
"""A frame, and whether it begins a new shot."""


@dataclass(frozen=True)
class Travel:
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
        track: Shows how many frames have gone backwards.
    """

    prompts: "MaskPrompts"
    direction: Direction
    make_session: "Callable[[], VideoSegmenter]"
    refine: "Callable[[FrameResult], FrameResult]"
    probabilities: bool
    folder: Path | None
    every: int | None
    track: "Callable[[Iterator[Frame], int], Iterator[Frame]]"

    def results(self, seen: Iterator[Seen]) -> "Iterator[tuple[Frame, FrameResult]]":
        """Every frame with its result.

        Raises:
            JointVOSError: Whatever goes wrong with the frames, the masks or the sessions.
        """
        if self.direction != "forward":
            with self._leg("backward") as leg:
                spool, cuts = self._spooled(seen)
                self._go_back(spool, cuts, leg)
                together = zip(spool, cuts, reversed(leg.journal), strict=True)
                for number, (frame, cut, result) in enumerate(together, start=1):
                    if number < len(spool) or self.direction == "backward":
                        yield frame, replace(_fitting(frame, result), cut=cut)
            if self.direction == "both":
                seen = chain([(frame, cut)], seen)
        yield from self._forward(seen)
        self.prompts.require_all_met()

    def _forward(self, seen: Iterator[Seen]) -> "Iterator[tuple[Frame, FrameResult]]":
        """The frames in order of time; what an interrupted run has done is not done again."""
        session = self.make_session()
        with ExitStack() as stack:
            leg = None
            done: Iterator[FrameResult] = iter(())
            if self.every is not None:
                leg = stack.enter_context(self._leg("forward"))
                leg.restore(session)
                done = iter(leg)
            for frame, cut in seen:
                masks = self.prompts.at(frame)
                if self.direction == "backward":
                    masks = None
                if (result := next(done, None)) is None:
                    result = session.step(frame.image, masks, index=frame.index, cut=cut)
                    result = self.refine(result)
                    if leg is not None:
                        leg.record(result, session)
                yield frame, _fitting(frame, result)

    def _spooled(self, seen: Iterator[Seen]) -> "tuple[FrameSpool, list[bool]]":
        """Take the frames up to the mask to begin with, and whether they begin new shots."""
        from jointvos.media import FrameSpool

        assert self.folder is not None
        spool, cuts = FrameSpool(self.folder), list[bool]()
        for frame, cut in seen:
            masks = self.prompts.at(frame)
            spool.append(frame)
            cuts.append(cut)
            if masks is not None if self.direction == "both" else not self.prompts.missed():
                break
        else:
            self.prompts.require_all_met()
        return spool, cuts

    def _go_back(self, spool: "FrameSpool", cuts: list[bool], leg: Leg) -> None:
        """Segment the frames from the last to the first."""
        session = self.make_session()
        leg.restore(session)
        frames = self.track(reversed(spool), len(spool))
        for number, frame in enumerate(frames):
            if number < len(leg):
                continue
            # Seen backwards, a shot begins with its last frame.
            cut = number > 0 and cuts[-number]
            masks = self.prompts.at(frame)
            result = session.step(frame.image, masks, index=frame.index, cut=cut)
            leg.record(self.refine(result), session)
        if self.every is not None:
            leg.save(session)

    def _leg(self, name: str) -> Leg:
        assert self.folder is not None
        return Leg(self.folder, name, probabilities=self.probabilities, every=self.every)


def _fitting(frame: "Frame", result: "FrameResult") -> "FrameResult":
    if result.index != frame.index:
        raise OutputError(
            f"the saved result of frame {result.index} came for frame {frame.index}; "
            "leave out --resume to begin anew"
        )
    return result
