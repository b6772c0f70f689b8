"""The curves of a training run: panels one above another over one axis of steps."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from jointvos.files.whole_file import whole_file

Column = NDArray[np.float64]

PANELS = {
    "Loss": ("loss", "segmentation", "auxiliary", "cosine"),
    "Soft IoU with the truth": ("iou",),
    "Learning rate": ("rate",),
    "Mini-sequences per second": ("speed",),
}
EXACT = ("rate",)
"""Columns that are drawn as they are; others are also smoothed."""

SMOOTHED = 25
"""Parts of a run over each of which a smoothed line takes its mean."""


def draw_curves(
    rows: Sequence[Mapping[str, float]], validations: Sequence[tuple[int, float]], path: Path
) -> None:
    """Draw a run so far as a PNG.

    Args:
        rows: One per step, with `step`, `loss` and whatever is there of `segmentation`,
            `auxiliary`, `cosine`, `iou`, `rate`, and `sequences` with `seconds`. Values that are
            missing or not finite leave gaps; of rows of the same step the last one counts.
        validations: Step and J&F from 0 to 100.
        path: The PNG; replaced when there.

    Raises:
        OutputError: It cannot be written.
    """
    columns = _columns(rows)
    panels = {
        title: there
        for title, names in PANELS.items()
        if (there := [name for name in names if np.isfinite(columns[name]).any()])
    }
    count = max(1, len(panels) + bool(validations))
    figure = Figure(figsize=(10, 2.4 * count), dpi=120, layout="constrained")
    axes: list[Axes] = list(figure.subplots(count, sharex=True, squeeze=False)[:, 0])
    for axis, (title, names) in zip(axes, panels.items(), strict=False):
        for name in names:
            _draw(axis, columns["step"], columns[name], name)
        axis.set_title(title, loc="left")
        axis.legend(loc="upper right", frameon=False, ncols=len(names))
    if validations:
        steps, scores = zip(*sorted(validations), strict=True)
        axes[-1].plot(steps, scores, marker="o", color="tab:red")
        axes[-1].set_title(f"Validation J&F (best {max(scores):.1f})", loc="left")
    for axis in axes:
        axis.grid(alpha=0.3)
    axes[-1].set_xlabel("step")
    with whole_file(path) as partial:
        figure.savefig(partial, format="png")


def _columns(rows: Sequence[Mapping[str, float]]) -> dict[str, Column]:
    """The log by column, a value per step, NaN where there is none."""
    last = {row["step"]: row for row in rows}
    ordered = [last[step] for step in sorted(last)]
    names = {"step", "sequences", "seconds"}.union(*PANELS.values())
    columns = {
        name: np.array([row.get(name, math.nan) for row in ordered], np.float64) for name in names
    }
    with np.errstate(divide="ignore", invalid="ignore"):
        columns["speed"] = columns["sequences"] / columns["seconds"]
    return columns


def _draw(axis: Axes, steps: Column, values: Column, name: str) -> None:
    """A column, faint where its smoothed line is drawn above it."""
    if name in EXACT:
        axis.plot(steps, values, label=name)
        return
    (line,) = axis.plot(steps, values, alpha=0.3, linewidth=0.8)
    smooth = _running_mean(values, max(1, len(values) // SMOOTHED))
    axis.plot(steps, smooth, color=line.get_color(), label=name)


def _running_mean(values: Column, window: int) -> Column:
    """Mean of the finite values around each, fewer at the ends; NaN where a value is missing."""
    there = np.isfinite(values)
    place = np.arange(len(values))
    begin = np.maximum(place - window // 2, 0)
    end = np.minimum(place + window // 2 + 1, len(values))
    total = np.concatenate([[0.0], np.cumsum(np.where(there, values, 0))])
    count = np.concatenate([[0], np.cumsum(there)])
    mean = (total[end] - total[begin]) / np.maximum(count[end] - count[begin], 1)
    return np.asarray(np.where(there, mean, math.nan), np.float64)
