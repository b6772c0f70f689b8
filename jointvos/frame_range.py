"""Which frames of a source are wanted: from a start, included, to an end, excluded."""

import re
from dataclasses import dataclass
from fractions import Fraction

from jointvos.errors import ConfigError

_FRAME = re.compile(r"[0-9]+")
_SECONDS = re.compile(r"([0-9]+(?:\.[0-9]+)?)s")
_TIMECODE = re.compile(r"(?:([0-9]+):)?([0-9]{1,2}):([0-9]{1,2}(?:\.[0-9]+)?)")


@dataclass(frozen=True)
class Bound:
    """A place in a video: a frame number, or seconds after the first frame."""

    text: str
    frame: int | None = None
    seconds: Fraction | None = None

    @classmethod
    def parse(cls, text: str, option: str) -> "Bound":
        """Read "120" (a frame), "4.5s" or "00:00:04.500" (times after the first frame).

        Raises:
            ConfigError: It is none of these.
        """
        if _FRAME.fullmatch(text):
            return cls(text, frame=int(text))
        if match := _SECONDS.fullmatch(text):
            return cls(text, seconds=Fraction(match[1]))
        if match := _TIMECODE.fullmatch(text):
            hours, minutes, seconds = int(match[1] or 0), int(match[2]), Fraction(match[3])
            if minutes < 60 and seconds < 60:
                return cls(text, seconds=3600 * hours + 60 * minutes + seconds)
        raise ConfigError(
            f"{option} is {text!r}, expected a frame number (120), seconds (4.5s) "
            "or a timecode (00:00:04.500)"
        )

    def reached(self, index: int, elapsed: Fraction) -> bool:
        """Whether a frame, `elapsed` seconds after the first one, is at this place or later."""
        if self.frame is not None:
            return index >= self.frame
        return self.seconds is not None and elapsed >= self.seconds

    def excludes(self, start: "Bound | None") -> bool:
        """Whether no frame from `start` on is before this place, as far as both can be compared."""
        return 0 in (self.frame, self.seconds) or (start is not None and start.follows(self))

    def follows(self, other: "Bound") -> bool:
        """Whether this is the same place or a later one, as far as both can be compared."""
        if self.frame is not None and other.frame is not None:
            return self.frame >= other.frame
        if self.seconds is not None and other.seconds is not None:
            return self.seconds >= other.seconds
        return False

    def same_as(self, other: "Bound") -> bool:
        """Whether both say the same, however they are written."""
        return (self.frame, self.seconds) == (other.frame, other.seconds)

    def as_frame(self, rate: Fraction) -> int:
        """Index of the first frame at or after this place, if the rate is constant."""
        return self.frame if self.frame is not None else -int(-(self.seconds or 0) * rate // 1)


@dataclass(frozen=True)
class FrameRange:
    """A part of a video; without bounds all of it."""

    start: Bound | None = None
    end: Bound | None = None

    @classmethod
    def parse(cls, start: str | None, end: str | None) -> "FrameRange":
        """Read both bounds.

        Raises:
            ConfigError: A bound has a wrong form, or the range certainly holds no frame.
        """
        first = None if start is None else Bound.parse(start, "start")
        last = None if end is None else Bound.parse(end, "end")
        if last and last.excludes(first):
            raise ConfigError(f"the range from {start or 'the start'} to {end} holds no frame")
        return cls(first, last)

    def started(self, index: int, elapsed: Fraction) -> bool:
        return self.start is None or self.start.reached(index, elapsed)

    def ended(self, index: int, elapsed: Fraction) -> bool:
        return self.end is not None and self.end.reached(index, elapsed)

    def leaves_out(self, place: Bound) -> bool:
        """Whether a place is certainly before the start, or the end or behind it."""
        start, end = self.start, self.end
        early = start is not None and start.follows(place) and not place.follows(start)
        return early or (end is not None and end.excludes(place))

    def count(self, total: int | None, rate: Fraction) -> int | None:
        """About how many of `total` frames are in the range."""
        if total is None:
            return None
        first = self.start.as_frame(rate) if self.start else 0
        last = min(total, self.end.as_frame(rate)) if self.end else total
        return max(0, last - first)

    def nothing_in(self, name: object, count: int | None) -> ConfigError:
        """The error to raise when the source has `count` frames but none of them is wanted."""
        start = self.start.text if self.start else "the start"
        end = self.end.text if self.end else "the end"
        why = f"{name}: no frame from {start} to {end}"
        if count is not None:
            why += f"; it has {count} frames, 0 to {count - 1}"
        if self.start is not None and self.start.frame is not None:
            why += f" ({start} is the number of a frame; seconds are {start}s)"
        return ConfigError(why)


def far_beyond(frame: int, count: int) -> bool:
    """Whether a video of about so many frames certainly has none of this number."""
    return frame > 1.1 * count + 10
