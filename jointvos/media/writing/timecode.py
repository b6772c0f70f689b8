"""Timecode: the number that a camera gave a video's first frame, by which editors find it again."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

import av.container
from av.video.stream import VideoStream

_FORM = re.compile(r"([0-9]{1,2}):([0-5]?[0-9]):([0-5]?[0-9])([:;.,])([0-9]{2,3})")


@dataclass(frozen=True)
class Timecode:
    """Frames since midnight, written hh:mm:ss:ff.

    At 29.97 frames a second there are fewer frames in an hour than 30 times 3600. Drop-frame
    timecode (hh:mm:ss;ff) keeps up with the clock by leaving out numbers, never frames: the first
    two of every minute but each tenth; four at 59.94.

    Attributes:
        number: Frames since 00:00:00:00, those left out not counted.
        per_second: Numbers in a second, 30 for 29.97.
        drop: Whether numbers are left out.
    """

    number: int
    per_second: int
    drop: bool = False

    @classmethod
    def parse(cls, text: str, rate: Fraction) -> "Timecode | None":
        """Read hh:mm:ss:ff or hh:mm:ss;ff of a video of that rate; None if there is no such one."""
        match = _FORM.fullmatch(text.strip())
        if match is None:
            return None
        hours, minutes, seconds, frames = (int(match[group]) for group in (1, 2, 3, 5))
        per_second, drop = round(rate), match[4] != ":"
        if hours >= 24 or frames >= per_second or (drop and per_second % 30):
            return None
        minutes += 60 * hours
        left_out = per_second // 15 if drop else 0
        if minutes % 10 and not seconds and frames < left_out:
            return None
        number = (60 * minutes + seconds) * per_second + frames
        return cls(number - left_out * (minutes - minutes // 10), per_second, drop)

    def __add__(self, frames: int) -> "Timecode":
        """That of a frame so many frames later; midnight follows 24 hours."""
        left_out = self.per_second // 15 if self.drop else 0
        day = 24 * 3600 * self.per_second - left_out * 24 * 54
        return Timecode((self.number + frames) % day, self.per_second, self.drop)

    def __str__(self) -> str:
        number = self.number
        if self.drop:
            left_out = self.per_second // 15
            minute = 60 * self.per_second - left_out
            tens, rest = divmod(number, 10 * minute + left_out)
            # The first minute of ten is a whole one.
            number += left_out * (9 * tens + max(0, (rest - left_out) // minute))
        seconds, frames = divmod(number, self.per_second)
        minutes, seconds = divmod(seconds, 60)
        hours, minutes = divmod(minutes, 60)
        return f"{hours:02}:{minutes:02}:{seconds:02}{';' if self.drop else ':'}{frames:02}"


def tag_of(container: av.container.InputContainer, video: VideoStream, name: str) -> str | None:
    """A tag of a video, of a data track (such as that of QuickTime's timecode), or of the file."""
    every: Iterable[dict[str, str]] = (
        video.metadata,
        *(stream.metadata for stream in container.streams.data),
        container.metadata,
    )
    found = (value for tags in every for key, value in tags.items() if key.lower() == name)
    return next(found, None)
