"""Long series of numbers, made smooth and short enough to draw."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Series: TypeAlias = NDArray[np.float64]

SHORT_GAP = 24.0  # pixels; narrower gaps are bridged


def running_mean(values: Series, window: int) -> Series:
    """Mean of the values around each, fewer at the ends; [N] to [N]."""
    total = np.concatenate([[0.0], np.cumsum(values)])
    place = np.arange(len(values))
    begin = np.maximum(place - window // 2, 0)
    end = np.minimum(place + window // 2 + 1, len(values))
    return np.asarray((total[end] - total[begin]) / (end - begin), np.float64)


def thin(x: Series, values: Series) -> tuple[Series, Series, Series, Series]:
    """Join what falls on one column of pixels.

    Args:
        x: Ascending pixels [N].
        values: [N].

    Returns:
        Mean place, and mean, least and greatest value of each column, all [columns in use].
    """
    starts = np.flatnonzero(np.diff(np.floor(x), prepend=-np.inf))
    count = np.diff(starts, append=len(x))
    return (
        np.add.reduceat(x, starts) / count,
        np.add.reduceat(values, starts) / count,
        np.minimum.reduceat(values, starts),
        np.maximum.reduceat(values, starts),
    )


def pieces(x: Series, values: Series) -> list[tuple[Series, Series, Series, Series]]:
    """What `thin` returns, broken where values are missing for long."""
    columns = thin(x, values)
    distances = np.diff(columns[0])
    if not len(distances):
        return [columns]
    breaks = np.flatnonzero(distances > max(SHORT_GAP, 6 * float(np.median(distances)))) + 1
    split = [np.split(column, breaks) for column in columns]
    return list(zip(*split, strict=True))
