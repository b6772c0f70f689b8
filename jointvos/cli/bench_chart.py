"""The chart of `jointvos bench`: seconds per frame over whatever varies."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jointvos.evaluation.benchmark import Cell, Measured

WIDTH, HEIGHT = 900, 560
LEFT, RIGHT, TOP, BOTTOM = 90, 860, 90, 490
PAPER, GRID, INK, FAINT = (255, 255, 255), (233, 236, 240), (33, 37, 45), (112, 120, 132)
COLUMN_DISTANCE = 60  # pixels between numbers side by side, at least
COLOURS = ((35, 102, 190), (226, 110, 24), (30, 150, 128), (148, 80, 186), (204, 46, 62))

DIMENSIONS = {
    "memory": "templates per object",
    "objects": "objects",
    "frames": "frames of the video before",
    "pixels": "megapixels of the frame",
}


def draw_costs(rows: Sequence["Measured"], path: Path) -> None:
    """Draw the mean over an update cycle, and a frame with a new template as dots above it.

    What has most values is the horizontal axis; rows that differ otherwise are lines of their own.

    Raises:
        OutputError: The picture cannot be written.
    """
    from jointvos.training.pictures.axes import round_axis, tick_labels
    from jointvos.training.pictures.canvas import Canvas

    places = [_places(row.cell) for row in rows]
    across = max(DIMENSIONS, key=lambda name: len({place[name] for place in places}))
    lines: dict[str, list[Measured]] = {}
    for row, place in sorted(zip(rows, places, strict=True), key=lambda pair: pair[1][across]):
        lines.setdefault(_name(row.cell, place, across, places), []).append(row)
    canvas = Canvas(WIDTH, HEIGHT, PAPER)
    farthest = max(place[across] for place in places)
    x = round_axis(0, farthest, LEFT, RIGHT, 0, tick_distance=COLUMN_DISTANCE)
    y = round_axis(0, max(row.update.wall_s for row in rows), BOTTOM, TOP, 0)
    for tick, label in zip(y.ticks(), tick_labels(y.ticks()), strict=True):
        level = round(float(y.pixels([tick])[0]))
        canvas.fill((LEFT, level, RIGHT, level + 1), GRID)
        canvas.text((LEFT - 9, level), label, 14, FAINT, "rm")
    for tick, label in zip(x.ticks(), tick_labels(x.ticks()), strict=True):
        column = round(float(x.pixels([tick])[0]))
        canvas.fill((column, TOP, column + 1, BOTTOM), GRID)
        canvas.text((column, BOTTOM + 8), label, 14, FAINT, "mt")
    canvas.text((LEFT, 40), "Seconds per frame", 24, INK)
    canvas.text((RIGHT, 40), "line: mean, dot: with a new template", 15, FAINT, "rs")
    canvas.text(((LEFT + RIGHT) / 2, BOTTOM + 46), DIMENSIONS[across], 15, INK, "ms")
    legend = float(LEFT)
    for i, (name, line) in enumerate(lines.items()):
        colour = COLOURS[i % len(COLOURS)]
        columns = x.pixels([_places(row.cell)[across] for row in line])
        means = y.pixels([row.mean_s for row in line])
        canvas.line(np.stack([columns, means], axis=1), colour, width=2)
        for column, level in zip(
            columns, y.pixels([row.update.wall_s for row in line]), strict=True
        ):
            canvas.dot(float(column), float(level), 4.0, colour)
        canvas.fill((round(legend), 64, round(legend) + 18, 67), colour)
        legend += 24 + canvas.text((legend + 24, 70), name, 15, INK) + 22
    canvas.save(path)


def _places(cell: "Cell") -> dict[str, float]:
    return {
        "memory": cell.memory,
        "objects": cell.objects,
        "frames": cell.frames,
        "pixels": cell.width * cell.height / 1e6,
    }


def _name(
    cell: "Cell", place: dict[str, float], across: str, places: list[dict[str, float]]
) -> str:
    """What tells a line from the others."""
    parts = [cell.model]
    for name in DIMENSIONS:
        if name != across and len({other[name] for other in places}) > 1:
            value = f"{cell.width}x{cell.height}" if name == "pixels" else f"{place[name]:g} {name}"
            parts.append(value)
    return ", ".join(parts)
