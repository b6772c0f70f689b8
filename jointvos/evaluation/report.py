"""An evaluation as text: the official tables of DAVIS, to read and as CSV."""

import csv
from io import StringIO

from jointvos.evaluation.result import EvaluationResult
from jointvos.metrics import DavisScore

GLOBAL_CSV = "global_results-{split}.csv"
PER_SEQUENCE_CSV = "per-sequence_results-{split}.csv"
"""Names under which the official evaluation writes its files."""

GLOBAL_COLUMNS = (
    "J&F-Mean",
    "J-Mean",
    "J-Recall",
    "J-Decay",
    "F-Mean",
    "F-Recall",
    "F-Decay",
)
PER_SEQUENCE_COLUMNS = ("Sequence", "J-Mean", "F-Mean")


def global_csv(result: EvaluationResult) -> str:
    """The figures over all objects, one line below the header."""
    return _csv([GLOBAL_COLUMNS, _global_row(result.score)])


def per_sequence_csv(result: EvaluationResult) -> str:
    """One line per object, named `<sequence>_<id>`."""
    return _csv([PER_SEQUENCE_COLUMNS, *_object_rows(result)])


def text_report(result: EvaluationResult) -> str:
    """Both tables in columns, the speed, and the sequences that failed."""
    count = len(result.sequences)
    lines = [
        *_columns([GLOBAL_COLUMNS, _global_row(result.score)]),
        "",
        *_columns([PER_SEQUENCE_COLUMNS, *_object_rows(result)]),
        "",
        f"{count} sequence{'' if count == 1 else 's'}, {len(result.objects)} objects, "
        f"{result.frames} frames, {result.seconds_per_frame:.3f} s per frame",
        *(f"not evaluated: {each.name}: {each.error}" for each in result.failures),
    ]
    return "\n".join(lines) + "\n"


def _global_row(score: DavisScore) -> tuple[str, ...]:
    values = (
        score.jf_mean,
        score.j_mean,
        score.j_recall,
        score.j_decay,
        score.f_mean,
        score.f_recall,
        score.f_decay,
    )
    return tuple(f"{value:.3f}" for value in values)


def _object_rows(result: EvaluationResult) -> list[tuple[str, ...]]:
    return [
        (f"{each.sequence}_{each.object_id}", f"{each.j.mean():.3f}", f"{each.f.mean():.3f}")
        for each in result.objects
    ]


def _csv(rows: list[tuple[str, ...]]) -> str:
    text = StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _columns(rows: list[tuple[str, ...]]) -> list[str]:
    """First column to the left if it holds names, figures to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    named = rows[0][0] == PER_SEQUENCE_COLUMNS[0]
    return [
        "  ".join(
            cell.ljust(width) if named and index == 0 else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
