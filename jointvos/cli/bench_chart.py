"""The chart of `jointvos bench`: seconds per frame over whatever varies."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from jointvos.errors import ConfigError
from jointvos.files.whole_file import whole_file

if TYPE_CHECKING:
    from jointvos.evaluation.benchmark import Cell, Measured

DIMENSIONS = {
    "memory": "templates per object",
    "objects": "objects",
    "frames": "frames of the video before",
    "pixels": "megapixels of the frame",
}


def check_plotting() -> None:
    """Fail before the work rather than after it.

    Raises:
        ConfigError: The library that draws is not installed.
    """
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise ConfigError("--plot needs matplotlib; run `pip install matplotlib`") from None


def draw_costs(rows: Sequence["Measured"], path: Path) -> None:
    """Draw the mean over an update cycle, and a frame with a new template as dots above it.

    What has most values is the horizontal axis; rows that differ otherwise are lines of their own.

    Raises:
        OutputError: The image cannot be written.
    """
    from matplotlib.figure import Figure

    places = [_places(row.cell) for row in rows]
    across = max(DIMENSIONS, key=lambda name: len({place[name] for place in places}))
    lines: dict[str, list[Measured]] = {}
    for row, place in sorted(zip(rows, places, strict=True), key=lambda pair: pair[1][across]):
        lines.setdefault(_name(row.cell, place, across, places), []).append(row)
    figure = Figure(figsize=(9, 5.6), dpi=100, layout="constrained")
    axes = figure.subplots()
    for name, line in lines.items():
        columns = [_places(row.cell)[across] for row in line]
        (drawn,) = axes.plot(columns, [row.mean_s for row in line], label=name)
        axes.scatter(columns, [row.update.wall_s for row in line], color=drawn.get_color())
    axes.set_title("Seconds per frame (line: mean, dot: with a new template)", loc="left")
    axes.set_xlabel(DIMENSIONS[across])
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    with whole_file(path) as partial:
        figure.savefig(partial, format="png")


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
