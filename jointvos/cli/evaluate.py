"""`jointvos eval`: a model, or masks that are there, on a data set: the numbers of its paper."""

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from jointvos.cli import options
from jointvos.cli.console import Reporter
from jointvos.cli.evaluation_data import SPLITS, DataRequest, open_data
from jointvos.cli.evaluation_model import ModelRequest, branch_named
from jointvos.cli.evaluation_run import Masks, is_first, score_masks, segment_data, show
from jointvos.errors import ConfigError, IncompleteRun


def evaluate(
    dataset: Annotated[
        str | None, typer.Option("--dataset", metavar="NAME", help=f"{', '.join(SPLITS)}.")
    ] = None,
    root: Annotated[
        Path | None,
        typer.Option("--root", metavar="DIR", help="The folder of the data set, or its zip."),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Part of the data set; that of the papers by default."),
    ] = None,
    predictions: Annotated[
        Path | None,
        typer.Option(
            "--predictions",
            metavar="DIR",
            help="Score these masks, SEQUENCE/FRAME.png, instead of running a model.",
        ),
    ] = None,
    gt: Annotated[
        Path | None,
        typer.Option(
            "--gt", metavar="DIR", help="Score --predictions with these masks; no data set needed."
        ),
    ] = None,
    sequences: Annotated[
        str | None, typer.Option(metavar="A,B", help="Only these sequences.")
    ] = None,
    max_frames: Annotated[
        int | None,
        typer.Option(metavar="N", min=2, help="Only the first N frames of each sequence."),
    ] = None,
    frames: Annotated[
        str,
        typer.Option(
            metavar="WHICH",
            help="YouTube-VOS: give the model the listed frames, all frames, or all if they are "
            "there (auto).",
        ),
    ] = "auto",
    sparse: Annotated[
        bool, typer.Option("--sparse", help="Accept that single frames have no true mask.")
    ] = False,
    results: Annotated[
        Path | None,
        typer.Option(
            "--results",
            metavar="DIR",
            help="Keep the masks, the official CSV files, report.html and, if the data set has "
            "a server, the zip for it.",
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run in --results.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object on stdout instead of tables.")
    ] = False,
    processes: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Processes that score; one per core by default."),
    ] = None,
    model: options.Model = None,
    weights: options.Weights = None,
    preset: options.Preset = None,
    memory_size: options.MemorySize = None,
    memory_precision: options.MemoryPrecision = None,
    template_interval: options.TemplateInterval = None,
    reach: options.Reach = None,
    without: Annotated[
        str | None,
        typer.Option(
            metavar="BRANCH",
            help="Silence a branch of the model, transduction or induction, to see what the other "
            "does alone.",
        ),
    ] = None,
    device: options.Device = "auto",
    precision: options.Precision = "auto",
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,
) -> None:
    """Segment a data set and print the figures of its official evaluation.

    DAVIS: objects of the first mask; first and last frame not scored; void is background.
    YouTube-VOS: objects may come later; seen and unseen categories apart. Several GPUs share the
    sequences with torchrun --nproc-per-node=N -m jointvos eval ... --results DIR
    """
    request = DataRequest(
        dataset, root, split, predictions, gt, sequences, max_frames, frames, sparse
    )
    model_request = ModelRequest(
        model,
        weights,
        preset,
        memory_size,
        memory_precision,
        template_interval,
        reach,
        branch_named(without),
        device,
        precision,
        request.preset,
    )
    request.check()
    model_request.check()
    if resume and results is None:
        raise ConfigError("--resume needs --results, the folder of the run to go on with")
    if predictions is not None and (model or weights or preset or resume):
        raise ConfigError(
            "--predictions runs no model; drop --model, --weights, --preset, --resume"
        )
    if predictions is not None and not is_first():
        return  # scoring has processes of its own
    reporter = Reporter(quiet or not is_first(), verbose)
    with ExitStack() as stack:
        chosen = open_data(request, stack)
        if not chosen.dataset.scored and results is None:
            raise ConfigError(
                f"{chosen.dataset.name} {chosen.dataset.split} has no true masks to score with; "
                "keep the masks for its server with --results DIR"
            )
        for broken in chosen.dataset.broken:
            reporter.warn(str(broken.error))
        if predictions is None:
            masks = segment_data(
                chosen,
                model_request,
                reporter,
                stack,
                results=results,
                resume=resume,
                max_frames=max_frames,
            )
            if masks is None:
                return  # the first process reports
        else:
            from jointvos.datasets import as_folder

            folder = stack.enter_context(as_folder(predictions))
            masks = Masks(folder, {}, (), {"predictions": predictions.resolve().name})
        for failure in masks.failures:
            reporter.warn(str(failure.error))
        run, result = score_masks(
            chosen,
            masks,
            reporter,
            results=results,
            max_frames=max_frames,
            processes=processes,
        )
        show(run, result, reporter, as_json)
    if run.failures:
        names = ", ".join(failure.name for failure in run.failures)
        raise IncompleteRun(
            f"not evaluated: {names} ({run.failures[0].error}); the figures cover the other "
            "sequences only"
        )
