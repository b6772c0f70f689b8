"""The scales of a chart: where a value lies in pixels, and round numbers beside it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from jointvos.training.pictures.series import Series

TICK_DISTANCE = 34  # pixels between numbers one above another, at least


@dataclass(frozen=True)
class Axis:
    """Values from `low` to `high` on the pixels from `first` to `last`, linearly.

    Attributes:
        step: Distance of the ticks in values.
    """

    low: float
    high: float
    first: float
    last: float
    step: float

    def pixels(self, values: Series | Sequence[float]) -> Series:
        """Where values lie."""
        share = (np.asarray(values, np.float64) - self.low) / (self.high - self.low)
        return self.first + share * (self.last - self.first)

    def ticks(self) -> list[float]:
        """The multiples of `step` in the range."""
        first = math.ceil(self.low / self.step - 1e-6)
        last = math.floor(self.high / self.step + 1e-6)
        return [index * self.step for index in range(first, last + 1)]


def tick_step(low: float, high: float, count: int) -> float:
    """The least of 1, 2, 2.5 and 5 times powers of ten that makes at most `count` intervals."""
    least = (high - low) / count
    power = 10.0 ** math.floor(math.log10(least))
    return next(m * power for m in (1, 2, 2.5, 5, 10, 20) if m * power >= least * (1 - 1e-9))


def round_axis(
    low: float,
    high: float,
    first: float,
    last: float,
    floor: float = -math.inf,
    ceiling: float = math.inf,
    tick_distance: int = TICK_DISTANCE,
) -> Axis:
    """An axis that ends on ticks and holds `low` to `high`, widened if they are the same.

    It goes beyond `floor` and `ceiling` only if the values do. Ticks are `tick_distance` pixels
    apart, at least.
    """
    if high - low <= 1e-3 * max(abs(low), abs(high)):
        low, high = low - 0.1 * abs(low), high + 0.1 * abs(high)
    if low == high:
        high = low + 1
    step = tick_step(low, high, max(2, int(abs(last - first)) // tick_distance))
    bottom = math.floor(low / step + 1e-6) * step
    top = math.ceil(high / step - 1e-6) * step
    if low >= floor:
        bottom = max(bottom, floor)
    if high <= ceiling:
        top = min(top, ceiling)
    return Axis(bottom, top, first, last, step)


def tick_labels(ticks: Sequence[float]) -> list[str]:
    """As many digits as tell the ticks apart."""
    if 0 < max(abs(tick) for tick in ticks) < 0.01:
        return [short(tick) if tick else "0" for tick in ticks]
    digits = next(d for d in range(16) if all(abs(t - round(t, d)) < 1e-9 for t in ticks))
    return [f"{tick:,.{digits}f}" for tick in ticks]


def short(value: float) -> str:
    """Three digits or so."""
    if value == 0 or 0.01 <= abs(value) < 1e4:
        digits = int(math.log10(abs(value))) if abs(value) > 1 else 0
        return f"{value:.{max(0, 2 - digits)}f}"
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{float(mantissa):g}e{int(exponent)}"
