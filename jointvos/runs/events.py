"""What a run yields: results of frames, and what happens on the way to them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from jointvos.masks import MaskPrompts
from jointvos.types import Frame, FrameResult, VideoInfo


@dataclass(frozen=True, eq=False)
class Opened:
    """The input and all masks are read and fit each other; the first event of a run.

    Attributes:
        info: The input.
        masks: What is followed.
    """

    info: VideoInfo
    masks: MaskPrompts


@dataclass(frozen=True)
class Notice:
    """Something people may want to know.

    Attributes:
        text: One line.
        level: "warning" for what must not be overlooked, "detail" for what few want to know.
    """

    text: str
    level: Literal["detail", "note", "warning"] = "note"


@dataclass(frozen=True)
class Progress:
    """A pass over the frames begins, or has done another frame.

    Attributes:
        direction: Which way it goes. Results come from the pass forward only, backward from disk.
        done: Frames of that pass so far; 0 when it begins.
        total: All of its frames, as far as the input tells; an estimate.
    """

    direction: Literal["forward", "backward"]
    done: int
    total: int | None


@dataclass(frozen=True, eq=False)
class SegmentedFrame:
    """A frame with its result, which the outputs have taken; frames come in order of time.

    Attributes:
        frame: The image, uint8 [Hv,Wv,3].
        result: Its objects and label map.
    """

    frame: Frame
    result: FrameResult


@dataclass(frozen=True)
class ObjectLost:
    """An object that was in the frame before has no pixel in this one.

    Attributes:
        id: The object.
        frame: Index of the frame.
        time_s: Its time in seconds.
    """

    id: int
    frame: int
    time_s: float


@dataclass(frozen=True)
class Finished:
    """All outputs are complete and have their names; the last event of a run.

    Attributes:
        frames: How many went into them.
        objects: How many were followed.
        seconds: How long it took, without loading the model.
        outputs: What was written.
        reading_s: Seconds of these in which the next frame was waited for.
        writing_s: Seconds in which outputs were waited for.
    """

    frames: int
    objects: int
    seconds: float
    outputs: tuple[Path, ...]
    reading_s: float
    writing_s: float

    @property
    def bound_by(self) -> str:
        """What took longest: "reading", "tracking" or "writing"."""
        took = {
            "reading": self.reading_s,
            "tracking": self.seconds - self.reading_s - self.writing_s,
            "writing": self.writing_s,
        }
        return max(took, key=took.__getitem__)


Event: TypeAlias = Opened | Notice | Progress | SegmentedFrame | ObjectLost | Finished
