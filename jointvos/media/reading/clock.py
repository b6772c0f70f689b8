"""Times of frames, as a video should have had them."""

from fractions import Fraction


class Clock:
    """Makes the times of frames strictly increasing and fills in those that are missing."""

    def __init__(self, time_base: Fraction, rate: Fraction) -> None:
        self._time_base = time_base
        self._step = max(1, round(1 / (rate * time_base)))
        self._shift = 0
        self._last: int | None = None
        self.first = 0

    @property
    def elapsed(self) -> Fraction:
        """Seconds from the first frame to the latest."""
        last = self.first if self._last is None else self._last
        return (last - self.first) * self._time_base

    def tick(self, pts: int | None) -> int:
        """The time to use for the next frame."""
        if self._last is None:
            self.first = self._last = pts or 0
            return self._last
        if pts is None:
            time = self._last + self._step
        else:
            time = pts + self._shift
            if self._last - time > 1 / self._time_base:  # the clock was set back: go on from here
                self._shift += self._last + self._step - time
                time = self._last + self._step
        self._last = max(time, self._last + 1)
        return self._last
