"""The curves of a training run: panels one above another over one axis of steps."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jointvos.training.pictures.axes import Axis, round_axis, short, tick_labels, tick_step
from jointvos.training.pictures.canvas import Box, Canvas, Colour, text_width
from jointvos.training.pictures.series import Series, pieces, running_mean

WIDTH, HEIGHT = 1200, 900
LEFT, RIGHT, TOP, BOTTOM = 76, 1124, 62, 50
TITLE, GAP = 30, 14  # pixels: the line above a panel, and the space below it

PAPER: Colour = (255, 255, 255)
GRID: Colour = (233, 236, 240)
FRAME: Colour = (203, 209, 217)
INK: Colour = (33, 37, 45)
FAINT: Colour = (112, 120, 132)
COLOURS: dict[str, Colour] = {
    "loss": (35, 102, 190),
    "segmentation": (226, 110, 24),
    "auxiliary": (30, 150, 128),
    "cosine": (148, 80, 186),
    "iou": (38, 142, 72),
    "rate": (176, 122, 10),
    "speed": (106, 96, 200),
    "validation": (204, 46, 62),
}
PARTS = ("loss", "segmentation", "auxiliary", "cosine")


@dataclass(frozen=True)
class Curve:
    """One line.

    Attributes:
        name: For the legend.
        colour: RGB.
        steps: Ascending [N].
        values: Finite [N].
        right: Whether its scale is at the right.
        exact: Whether it is drawn as it is, not smoothed.
        marked: Whether every value gets a dot and the best one a ring.
    """

    name: str
    colour: Colour
    steps: Series
    values: Series
    right: bool = False
    exact: bool = False
    marked: bool = False


@dataclass(frozen=True)
class Panel:
    """Curves that share a plot.

    Attributes:
        title: What is shown.
        curves: At least one.
        share: Height relative to the other panels.
        floor: The scales do not go below it; `ceiling` likewise.
        grounded: Whether the scales begin at the floor in any case.
    """

    title: str
    curves: tuple[Curve, ...]
    share: float
    floor: float = 0.0
    ceiling: float = math.inf
    grounded: bool = False


def draw_curves(
    rows: Sequence[Mapping[str, float]], validations: Sequence[tuple[int, float]], path: Path
) -> None:
    """Draw a run so far as a PNG of 1200x900 pixels.

    Args:
        rows: One per step, with `step`, `loss` and whatever is there of `segmentation`,
            `auxiliary`, `cosine`, `iou`, `rate`, and `sequences` with `seconds`. Values that are
            missing or not finite leave gaps; of rows of the same step the last one counts.
        validations: Step and J&F from 0 to 100.
        path: The PNG; replaced when there.

    Raises:
        OutputError: It cannot be written.
    """
    rows = list({row["step"]: row for row in rows}.values())
    rows.sort(key=lambda row: row["step"])
    columns = {
        key: np.array([row.get(key, math.nan) for row in rows], np.float64)
        for key in ("step", *PARTS, "iou", "rate", "sequences", "seconds")
    }
    canvas = Canvas(WIDTH, HEIGHT, PAPER)
    panels = _panels(columns, sorted(validations))
    steps = [curve.steps for panel in panels for curve in panel.curves]
    x = _step_axis(np.concatenate(steps) if steps else np.zeros(1))
    _header(canvas, columns)
    free = HEIGHT - TOP - BOTTOM - len(panels) * (TITLE + GAP)
    top = float(TOP)
    for panel in panels:
        height = free * panel.share / sum(each.share for each in panels)
        box = (LEFT, round(top + TITLE), RIGHT, round(top + TITLE + height))
        _draw_panel(canvas, panel, box, x)
        top += TITLE + height + GAP
    for tick in x.ticks():
        place = (float(x.pixels([tick])[0]), HEIGHT - BOTTOM + 2)
        canvas.text(place, f"{tick:,.0f}", 14, FAINT, "ms")
    canvas.text(((LEFT + RIGHT) / 2, HEIGHT - BOTTOM + 26), "step", 15, INK, "ms")
    canvas.save(path)


def _panels(columns: Mapping[str, Series], validations: list[tuple[int, float]]) -> list[Panel]:
    steps = columns["step"]

    def curves(named: dict[str, Series], right: tuple[str, ...] = ()) -> tuple[Curve, ...]:
        found = []
        for name, values in named.items():
            there = np.isfinite(values)
            if there.any():
                label = {"iou": "soft IoU", "rate": "learning rate"}.get(name, name)
                colour = COLOURS["speed" if name in right else name]
                found.append(
                    Curve(
                        label,
                        colour,
                        steps[there],
                        values[there],
                        right=name in right,
                        exact=name == "rate",
                    )
                )
        return tuple(found)

    seconds = columns["seconds"]
    speed = np.full(len(steps), np.nan)
    np.divide(columns["sequences"], seconds, out=speed, where=seconds > 0)
    per_second = "mini-sequences per second"
    panels = [
        Panel("Loss", curves({key: columns[key] for key in PARTS}), 3.2),
        Panel("Soft IoU with the truth", curves({"iou": columns["iou"]}), 2.2, ceiling=1.0),
        Panel(
            "Learning rate and speed",
            curves({"rate": columns["rate"], per_second: speed}, right=(per_second,)),
            1.6,
            grounded=True,
        ),
    ]
    if validations:
        step, score = np.array(validations, np.float64).T
        points = Curve("J&F", COLOURS["validation"], step, score, exact=True, marked=True)
        panels.append(Panel("Validation J&F", (points,), 2.4, ceiling=100.0))
    return [panel for panel in panels if panel.curves]


def _header(canvas: Canvas, columns: Mapping[str, Series]) -> None:
    steps, seconds = columns["step"], columns["seconds"]
    last = f"step {steps[-1]:,.0f}" if len(steps) else "no step yet"
    end = LEFT + canvas.text((LEFT, 40), "Training", 26, INK)
    canvas.text((end + 14, 40), last, 18, FAINT)
    if np.isfinite(seconds).any():
        hours, minutes = divmod(round(np.nansum(seconds) / 60), 60)
        spent = f"{hours} h {minutes:02d} min" if hours else f"{minutes} min"
        canvas.text((RIGHT, 40), f"{spent} in steps", 16, FAINT, "rs")


def _draw_panel(canvas: Canvas, panel: Panel, box: Box, x: Axis) -> None:
    left, top, right, bottom = box
    canvas.text((left, top - 9), panel.title, 17, INK)
    window = max(1, min(1000, max(len(curve.values) for curve in panel.curves) // 25))
    smooth = {
        curve.name: curve.values if curve.exact else running_mean(curve.values, window)
        for curve in panel.curves
    }
    _legend(canvas, [(curve, smooth[curve.name]) for curve in panel.curves], right, top - 9)
    scales: dict[bool, Axis] = {}
    for side in (False, True):
        group = [curve for curve in panel.curves if curve.right == side]
        if group:
            scales[side] = _value_axis(panel, group, smooth, box)
    for tick in x.ticks():
        column = round(float(x.pixels([tick])[0]))
        canvas.fill((column, top, column + 1, bottom), GRID)
    for side, axis in sorted(scales.items()):
        # A scale that is alone on its side speaks for all; two are told apart by colour.
        own = next(curve.colour for curve in panel.curves if curve.right == side)
        for tick, label in zip(axis.ticks(), tick_labels(axis.ticks()), strict=True):
            row = round(float(axis.pixels([tick])[0]))
            if side == min(scales):
                canvas.fill((left, row, right, row + 1), GRID)
            margin = (right + 9, row) if side else (left - 9, row)
            colour = own if len(scales) > 1 else FAINT
            canvas.text(margin, label, 14, colour, "lm" if side else "rm")
    canvas.fill((left, bottom, right, bottom + 1), FRAME)
    # Strong lines may touch the edges, so they get a few pixels more than the plot.
    around = (left - 4, top - 4, right + 4, bottom + 4)
    for curve in panel.curves:
        y = scales[curve.right]
        if not curve.exact:
            for place, _, low, high in pieces(x.pixels(curve.steps), curve.values):
                spikes = np.stack([y.pixels(low), y.pixels(high)], axis=1).ravel()
                points = np.stack([np.repeat(place, 2), spikes], axis=1)
                canvas.line(points, curve.colour, opacity=0.28, within=box)
    for curve in reversed(panel.curves):
        y = scales[curve.right]
        for place, mean, *_ in pieces(x.pixels(curve.steps), smooth[curve.name]):
            points = np.stack([place, y.pixels(mean)], axis=1)
            canvas.line(points, curve.colour, width=2, within=around)
        if curve.marked:
            _mark(canvas, curve, x, y)


def _mark(canvas: Canvas, curve: Curve, x: Axis, y: Axis) -> None:
    """A dot for every value and a ring, with a label, around the best."""
    best = int(curve.values.argmax())
    columns, rows = x.pixels(curve.steps), y.pixels(curve.values)
    radius = 3.5 if len(columns) < 80 else 2.0
    for column, row in zip(columns, rows, strict=True):
        canvas.dot(column, row, radius, curve.colour)
    column, row = float(columns[best]), float(rows[best])
    canvas.dot(column, row, 8.0, curve.colour)
    canvas.dot(column, row, 5.5, PAPER)
    canvas.dot(column, row, 3.5, curve.colour)


def _legend(
    canvas: Canvas, entries: list[tuple[Curve, Series]], right: float, baseline: float
) -> None:
    """From the right: a swatch, the name and the latest value, of validations also the best."""
    for curve, smooth in reversed(entries):
        text = f"{curve.name} {short(float(smooth[-1]))}"
        if curve.marked:
            best = int(curve.values.argmax())
            text += f", best {short(float(curve.values[best]))} at step {curve.steps[best]:,.0f}"
        right -= text_width(text, 15)
        canvas.text((right, baseline), text, 15, INK)
        row = round(baseline) - 5
        canvas.fill((round(right) - 30, row - 1, round(right) - 8, row + 2), curve.colour)
        right -= 30 + 22


def _step_axis(steps: Series) -> Axis:
    low, high = float(steps.min()), float(steps.max())
    if low == high:
        low, high = max(0.0, low - 1), high + 1
    return Axis(low, high, LEFT, RIGHT, max(1.0, tick_step(low, high, 10)))


def _value_axis(panel: Panel, curves: list[Curve], smooth: Mapping[str, Series], box: Box) -> Axis:
    """All of the smoothed values and nearly all of the raw ones; single spikes may leave it."""
    ranges = [np.percentile(curve.values, [0.5, 99.5]) for curve in curves]
    seen = np.concatenate([*ranges, *(smooth[curve.name] for curve in curves)])
    low, high = float(seen.min()), float(seen.max())
    if panel.grounded:
        low = min(low, panel.floor)
    _, top, _, bottom = box
    return round_axis(low, high, bottom, top, panel.floor, panel.ceiling)
