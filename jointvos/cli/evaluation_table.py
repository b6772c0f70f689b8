"""The result of an evaluation as tables on a terminal."""

import sys
from io import StringIO
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from jointvos.evaluation import EvaluationResult
    from jointvos.evaluation.report import Run

PLAIN_WIDTH = 110
"""Columns where stdout is no terminal."""


def tables(run: "Run", result: "EvaluationResult") -> str:
    """Sequences, worst first; the figures over all; what is published; as stdout can show them."""
    terminal = sys.stdout.isatty()
    console = Console(
        file=(text := StringIO()),  # rich ends the process with 1 when nobody reads stdout any more
        force_terminal=terminal,
        width=None if terminal else PLAIN_WIDTH,
        highlight=False,
        markup=False,
    )
    console.print(_sequences(result))
    console.print()
    console.print(_overall(run, result))
    if run.benchmark is not None:
        console.print()
        console.print(_published(run, result))
    return text.getvalue().removesuffix("\n")


def _sequences(result: "EvaluationResult") -> Table:
    from jointvos.evaluation.report import worst_first

    table = Table(title="sequences, worst first", title_justify="left", box=None)
    table.add_column("sequence")
    for name in ("objects", "J&F", "J", "F", "frames", "s/frame"):
        table.add_column(name, justify="right")
    for each in worst_first(result):
        score = each.score
        table.add_row(
            each.name,
            str(len(each.objects)),
            *(f"{figure:.3f}" for figure in (score.jf_mean, score.j_mean, score.f_mean)),
            str(each.frames),
            _seconds(each.seconds_per_frame),
        )
    return table


def _overall(run: "Run", result: "EvaluationResult") -> Table:
    from jointvos.evaluation.report import global_table

    columns, figures = global_table(result)
    title = f"{run.dataset} {run.split}" + (f", in part: {run.partial}" if run.partial else "")
    table = Table(title=title, title_justify="left", box=None)
    for name in (*columns, "objects", "frames", "s/frame", "frames/s"):
        table.add_column(name, justify="right")
    seconds = result.seconds_per_frame
    table.add_row(
        *("-" if figure is None else f"{figure:.3f}" for figure in figures),
        str(len(result.objects)),
        str(result.frames),
        _seconds(seconds),
        "-" if not seconds else f"{1 / seconds:.2f}",
        style="bold",
    )
    return table


def _published(run: "Run", result: "EvaluationResult") -> Table:
    from jointvos.evaluation.report import OWN, beside_published

    table = Table(title=run.caveat, title_justify="left", box=None)
    table.add_column("method")
    apart = run.protocol == "youtubevos"
    figure = "G" if apart else "J&F"
    parts = "J / F seen, J / F unseen" if apart else "J / F"
    for name in (figure, parts):
        table.add_column(name, justify="right")
    table.add_column("speed")
    table.add_column("source")
    for row in beside_published(run, result):
        table.add_row(
            row.method,
            f"{row.overall:.1f}",
            " / ".join(f"{part:.1f}" for part in row.parts),
            row.speed,
            row.source,
            style="bold" if row.method == OWN else None,
        )
    return table


def _seconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds:.3f}"
