"""An evaluation in figures: the official tables as CSV, and everything as JSON."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, field
from io import StringIO
from typing import Any

from jointvos.datasets import SequenceFailure
from jointvos.evaluation.published import Benchmark, Published
from jointvos.evaluation.result import EvaluationResult, SequenceResult
from jointvos.metrics import DavisScore

GLOBAL_CSV = "global_results-{split}.csv"
PER_SEQUENCE_CSV = "per-sequence_results-{split}.csv"
"""Names under which the official evaluation writes its files."""

DAVIS_COLUMNS = (
    "J&F-Mean",
    "J-Mean",
    "J-Recall",
    "J-Decay",
    "F-Mean",
    "F-Recall",
    "F-Decay",
)
YOUTUBE_COLUMNS = ("G", "J-Seen", "F-Seen", "J-Unseen", "F-Unseen")
OWN = "this run"
PER_SEQUENCE_COLUMNS = ("Sequence", "J-Mean", "F-Mean")


@dataclass(frozen=True)
class Run:
    """What was evaluated and how, for the reports.

    Attributes:
        dataset: Name of the data set.
        split: Its split.
        protocol: Whose rules, "davis", "youtubevos" or "lvos".
        settings: What it was done with, by name, in words: weights, preset, device, versions.
        partial: Why it is not the whole split; "" if it is.
        benchmark: What is published on a split of that name; None if nothing is.
        benchmark_size: How many sequences the split has here, sound or not.
        notes: What should be known besides, a sentence each.
        failures: Sequences that have no figures.
        submission: Name of the zip for the server; None if there is none.
    """

    dataset: str
    split: str
    protocol: str
    settings: Mapping[str, str]
    partial: str = ""
    benchmark: Benchmark | None = None
    benchmark_size: int = 0
    notes: tuple[str, ...] = ()
    failures: tuple[SequenceFailure, ...] = field(default=())
    submission: str | None = None

    @property
    def rules(self) -> str:
        """The protocol, for people."""
        names = {"davis": "DAVIS, semi-supervised", "youtubevos": "YouTube-VOS", "lvos": "LVOS"}
        return names[self.protocol]

    @property
    def file_split(self) -> str:
        """The split as in names of files, which say so if it is only a part."""
        return f"{self.split}-partial" if self.partial else self.split

    @property
    def caveat(self) -> str:
        """What to bear in mind when comparing with what is published; "" if nothing is."""
        if self.benchmark is None:
            return ""
        size = self.benchmark.sequences
        published = f"published for all {size} sequences of {self.dataset} {self.split}"
        if self.benchmark_size != size:
            return f"{published}; this folder has {self.benchmark_size}, so do not compare"
        return (
            f"{published}; this run is only a part, so do not compare"
            if self.partial
            else published
        )


def global_table(result: EvaluationResult) -> tuple[tuple[str, ...], tuple[float | None, ...]]:
    """Columns and figures over all objects: of YouTube-VOS if it is known what was seen."""
    if (seen := result.seen_score) is not None:
        parts = (seen.j_seen, seen.f_seen, seen.j_unseen, seen.f_unseen)
        return YOUTUBE_COLUMNS, (seen.overall, *parts)
    return DAVIS_COLUMNS, _davis_row(result.score)


def worst_first(result: EvaluationResult) -> list[SequenceResult]:
    """The sequences by rising J&F."""
    return sorted(result.sequences, key=lambda each: (each.score.jf_mean, each.name))


def beside_published(run: Run, result: EvaluationResult) -> list[Published]:
    """What is published on the split, with this run as one row, best first."""
    columns, figures = global_table(result)
    if run.benchmark is None or figures[0] is None:
        return []
    # Recall and decay are not what papers print.
    parts = figures[1:] if columns == YOUTUBE_COLUMNS else (figures[1], figures[4])
    own = Published(
        OWN,
        100 * figures[0],
        tuple(100 * each for each in parts if each is not None),
        "" if result.seconds_per_frame is None else f"{result.seconds_per_frame:.2f} s/frame",
        "",
    )
    return sorted([*run.benchmark.rows, own], key=lambda row: -row.overall)


def global_csv(result: EvaluationResult) -> str:
    """The figures over all objects, one line below the header."""
    columns, figures = global_table(result)
    return _csv([columns, ["" if each is None else f"{each:.3f}" for each in figures]])


def per_sequence_csv(result: EvaluationResult) -> str:
    """One line per object, named `<sequence>_<id>`."""
    rows = [
        (f"{each.sequence}_{each.object_id}", f"{each.j.mean():.3f}", f"{each.f.mean():.3f}")
        for each in result.objects
    ]
    return _csv([PER_SEQUENCE_COLUMNS, *rows])


def as_json(run: Run, result: EvaluationResult | None) -> dict[str, Any]:
    """Everything as plain values; figures are fractions, None where there is none."""
    document: dict[str, Any] = {
        "dataset": run.dataset,
        "split": run.split,
        "protocol": run.protocol,
        "settings": dict(run.settings),
        "complete": not run.partial,
        "partial": run.partial or None,
        "notes": list(run.notes),
        "failures": [{"sequence": e.name, "error": str(e.error)} for e in run.failures],
        "submission": run.submission,
        "global": None,
        "frames": None,
        "seconds_per_frame": None,
        "sequences": [],
        "published": [],
    }
    if result is not None:
        document |= {
            "global": dict(zip(*global_table(result), strict=True)),
            "frames": result.frames,
            "seconds_per_frame": result.seconds_per_frame,
            "sequences": [
                {
                    "name": sequence.name,
                    **dict(zip(DAVIS_COLUMNS, _davis_row(sequence.score), strict=True)),
                    "frames": sequence.frames,
                    "seconds_per_frame": sequence.seconds_per_frame,
                    "objects": [
                        {
                            "id": each.object_id,
                            "seen": each.seen,
                            "J-Mean": float(each.j.mean()),
                            "F-Mean": float(each.f.mean()),
                        }
                        for each in sequence.objects
                    ],
                }
                for sequence in result.sequences
            ],
        }
    if run.benchmark is not None:
        document["published"] = [
            {**vars(row), "parts": list(row.parts)} for row in run.benchmark.rows
        ]
    return document


def _davis_row(score: DavisScore) -> tuple[float, ...]:
    """The figures under `DAVIS_COLUMNS`; all but the first are the score's fields."""
    return (score.jf_mean, *astuple(score))


def _csv(rows: Sequence[Sequence[str]]) -> str:
    text = StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
