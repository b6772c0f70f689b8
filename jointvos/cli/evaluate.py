"""`jointvos eval`: a model over a data set, scored as the official DAVIS toolkit does."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from jointvos.cli import options
from jointvos.cli.console import Reporter, data
from jointvos.cli.session import make_sessions
from jointvos.errors import ConfigError, IncompleteRun, OutputError

if TYPE_CHECKING:
    from jointvos.datasets import VOSSequence
    from jointvos.evaluation import EvaluationResult

YEARS: dict[str, Literal[2016, 2017]] = {"davis2016": 2016, "davis2017": 2017}


def evaluate(
    dataset: Annotated[
        str, typer.Option("--dataset", metavar="NAME", help="davis2016 or davis2017.")
    ],
    root: Annotated[
        Path,
        typer.Option(
            "--root",
            metavar="DIR",
            help="The folder that holds ImageSets, JPEGImages and Annotations.",
        ),
    ],
    split: Annotated[str, typer.Option(metavar="NAME", help="A list under ImageSets.")] = "val",
    sequences: Annotated[
        str | None, typer.Option(metavar="A,B", help="Only these sequences.")
    ] = None,
    max_frames: Annotated[
        int | None, typer.Option(metavar="N", help="Only the first N frames of each, from 3 up.")
    ] = None,
    results: Annotated[
        Path | None,
        typer.Option(
            "--results", metavar="DIR", help="Write the official CSV files into this folder."
        ),
    ] = None,
    model: options.Model = None,
    weights: options.Weights = None,
    preset: options.Preset = None,
    memory_size: options.MemorySize = None,
    template_interval: options.TemplateInterval = None,
    device: options.Device = "auto",
    precision: options.Precision = "auto",
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,
) -> None:
    """Segment a data set and print J and F.

    Semi-supervised protocol: objects of the first frame, first and last frame not scored, void
    counts as background.
    """
    from jointvos.datasets import open_davis
    from jointvos.evaluation import evaluate as run_evaluation
    from jointvos.evaluation import text_report

    if dataset not in YEARS:
        raise ConfigError(f"no data set {dataset!r}; expected {' or '.join(YEARS)}")
    reporter = Reporter(quiet, verbose)
    chosen = _choose(open_davis(root, YEARS[dataset], split), sequences)
    make_session = make_sessions(
        reporter,
        model=model,
        weights=weights,
        preset_name=preset,
        memory_size=memory_size,
        template_interval=template_interval,
        device=device,
        precision=precision,
        paper_preset="davis",
    )
    result = run_evaluation(
        reporter.track(chosen, len(chosen), "sequences"), make_session, max_frames=max_frames
    )
    data(text_report(result).rstrip("\n"))
    if results is not None:
        _write_csv(results, split, result)
    if result.failures:
        names = ", ".join(failure.name for failure in result.failures)
        raise IncompleteRun(f"not evaluated: {names}; the figures cover the other sequences only")


def _choose(found: "list[VOSSequence]", names: str | None) -> "list[VOSSequence]":
    if names is None:
        return found
    wanted = names.split(",")
    by_name = {sequence.name: sequence for sequence in found}
    if missing := [name for name in wanted if name not in by_name]:
        raise ConfigError(
            f"no sequence {', '.join(missing)}; there are {', '.join(sorted(by_name))}"
        )
    return [by_name[name] for name in wanted]


def _write_csv(folder: Path, split: str, result: "EvaluationResult") -> None:
    from jointvos.evaluation import GLOBAL_CSV, PER_SEQUENCE_CSV, global_csv, per_sequence_csv

    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / GLOBAL_CSV.format(split=split)).write_text(global_csv(result), encoding="utf-8")
        (folder / PER_SEQUENCE_CSV.format(split=split)).write_text(
            per_sequence_csv(result), encoding="utf-8"
        )
    except OSError as error:
        raise OutputError(f"{folder}: the figures cannot be written: {error.strerror}") from error
