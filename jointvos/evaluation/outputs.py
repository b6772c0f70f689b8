"""The files that an evaluation leaves in its folder."""

import json
from pathlib import Path

from jointvos.datasets import VOSDataset
from jointvos.errors import OutputError, os_errors_as
from jointvos.evaluation.html_report import html_report
from jointvos.evaluation.report import (
    GLOBAL_CSV,
    PER_SEQUENCE_CSV,
    Run,
    as_json,
    global_csv,
    per_sequence_csv,
)
from jointvos.evaluation.result import EvaluationResult
from jointvos.evaluation.results_folder import write_whole

REPORT = "report.html"
FIGURES = "results.json"
SUBMISSION = "submission.zip"


def clear_outputs(folder: Path, split: str) -> None:
    """Take away what an earlier run said, so that it is never taken for what this one says.

    Raises:
        OutputError: That cannot be done.
    """
    names = [REPORT, FIGURES, SUBMISSION]
    for label in (split, f"{split}-partial"):
        names += [GLOBAL_CSV.format(split=label), PER_SEQUENCE_CSV.format(split=label)]
    with os_errors_as(OutputError, f"{folder} cannot be written"):
        folder.mkdir(parents=True, exist_ok=True)
        for name in names:
            (folder / name).unlink(missing_ok=True)


def write_outputs(
    folder: Path,
    run: Run,
    result: EvaluationResult | None,
    dataset: VOSDataset,
    predictions: Path,
) -> None:
    """Write the CSV files, the figures as JSON and the report; without figures just the JSON.

    Args:
        folder: Where to.
        run: What was evaluated and how.
        result: What was found; None if there is nothing to score with.
        dataset: The data set.
        predictions: The folder of masks.

    Raises:
        OutputError: A file cannot be written.
        DatasetError: An image for the report is missing or damaged.
    """
    document = as_json(run, result)
    write_whole(folder / FIGURES, json.dumps(document, indent=1, allow_nan=False) + "\n")
    if result is None:
        return
    split = run.file_split
    write_whole(folder / GLOBAL_CSV.format(split=split), global_csv(result))
    write_whole(folder / PER_SEQUENCE_CSV.format(split=split), per_sequence_csv(result))
    write_whole(folder / REPORT, html_report(run, result, dataset, predictions))
