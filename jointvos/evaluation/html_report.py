"""An evaluation as one HTML file."""

from pathlib import Path

from jointvos.datasets import VOSDataset
from jointvos.evaluation.charts import j_over_time, side_by_side, worst_frames
from jointvos.evaluation.report import OWN, Run, beside_published, global_table, worst_first
from jointvos.evaluation.result import EvaluationResult
from jointvos.html_page import templates

TEMPLATE = "report.html"


def html_report(run: Run, result: EvaluationResult, dataset: VOSDataset, predictions: Path) -> str:
    """The report as HTML.

    Args:
        run: What was evaluated and how.
        result: What was found.
        dataset: The data set, for the images of the worst frames.
        predictions: The folder of masks.

    Raises:
        DatasetError: A file is missing or damaged.
    """
    by_name = {each.name: each for each in dataset.sequences}
    worst = []
    for frame in worst_frames(result):
        sequence = by_name[frame.sequence]
        pair = side_by_side(dataset, sequence, predictions, frame.index)
        worst.append((frame, sequence.frames[frame.index].stem, *pair))
    sequences = worst_first(result)
    environment = templates("evaluation")
    environment.filters |= {"number": _number, "sentence": _sentence}
    return environment.get_template(TEMPLATE).render(
        title=f"{run.dataset} {run.split}",
        run=run,
        result=result,
        cards=_cards(result),
        sequences=sequences,
        published=beside_published(run, result) if run.benchmark else (),
        own=OWN,
        charts=[(each, j_over_time(each)) for each in sequences],
        worst=worst,
    )


def _cards(result: EvaluationResult) -> list[tuple[str, str]]:
    """The figures at the top, each with its name."""
    columns, figures = global_table(result)
    cards = [(_number(each), name) for name, each in zip(columns, figures, strict=True)]
    if (seconds := result.seconds_per_frame) is not None:
        cards += [(f"{seconds:.3f}", "s per frame"), (f"{1 / max(seconds, 1e-9):.1f}", "frames/s")]
    return cards


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
