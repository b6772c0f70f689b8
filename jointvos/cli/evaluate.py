"""`jointvos eval`: a model, or masks that are there, on a data set: the numbers of its paper."""

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from jointvos.cli.console import Reporter
from jointvos.cli.evaluation_data import DataOptions, open_data
from jointvos.cli.evaluation_run import Masks, is_first, score_masks, segment_data, show
from jointvos.cli.groups import OptionGroup, grouped
from jointvos.cli.options import (
    MessageOptions,
    OnOOM,
    SessionDevice,
    TrackingOptions,
    session_spec,
)
from jointvos.errors import ConfigError, IncompleteRun


@dataclass(frozen=True)
class EvaluatedTracking(TrackingOptions):
    """With a branch to switch off."""

    example = "--model joint-davis --preset davis"

    without: Annotated[
        str | None,
        typer.Option(
            "--without",
            metavar="BRANCH",
            help="Switch off a branch of the model, transduction or induction, to see what the "
            "other does alone.",
        ),
    ] = None


@dataclass(frozen=True)
class EvaluatedDevice(SessionDevice):
    """A smaller memory would give other figures, so it is not tried."""

    on_oom: OnOOM = "fail"


@dataclass(frozen=True)
class ResultOptions(OptionGroup):
    """Where results go, and what is done with those that are there."""

    title = "Results"
    example = "--results out/"

    results: Annotated[
        Path | None,
        typer.Option(
            "--results",
            metavar="DIR",
            help="Save the masks, the official CSV files, report.html and, if the data set has "
            "a server, the zip to submit.",
        ),
    ] = None
    resume: Annotated[bool, typer.Option("--resume", help="Continue the run in --results.")] = False
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object instead of tables.")
    ] = False
    processes: Annotated[
        int | None,
        typer.Option(
            "--processes",
            metavar="N",
            min=1,
            help="Number of scoring processes. Default: one per core.",
        ),
    ] = None


@grouped
def evaluate(
    data: DataOptions,
    options: ResultOptions,
    tracking: EvaluatedTracking,
    device: EvaluatedDevice,
    messages: MessageOptions,
) -> None:
    """Evaluate a model on DAVIS, YouTube-VOS, MOSE or LVOS.

    Segments the data set, scores the masks as its official evaluation does, and prints the
    figures. Scores masks that you have with --predictions. With several GPUs:

    torchrun --nproc-per-node=N -m jointvos eval ... --results DIR

    DAVIS scores the objects of the first mask, without the first and last frame; void counts as
    background. YouTube-VOS scores objects that appear later, too, and reports seen and unseen
    categories separately. LVOS also scores the frame that gives an object. MOSE keeps its masks:
    --results DIR makes the zip for its server.
    """
    data.check()
    spec = session_spec(tracking, device)
    if options.resume and options.results is None:
        raise ConfigError("--resume needs --results, the folder of the run to continue")
    predictions = data.predictions
    if predictions is not None and (spec.model or spec.weights or spec.preset or options.resume):
        raise ConfigError(
            "--predictions runs no model; remove --model, --weights, --preset, --resume"
        )
    if predictions is not None and not is_first():
        return  # scoring has processes of its own
    reporter = Reporter(messages.quiet or not is_first(), messages.verbose)
    with ExitStack() as stack:
        chosen = open_data(data, stack)
        if not chosen.dataset.scored and options.results is None:
            raise ConfigError(
                f"{chosen.dataset.name} {chosen.dataset.split} has no true masks to score with; "
                "keep the masks for its server with --results DIR"
            )
        for broken in chosen.dataset.broken:
            reporter.warn(str(broken.error))
        if predictions is None:
            masks = segment_data(
                chosen,
                spec,
                reporter,
                stack,
                results=options.results,
                resume=options.resume,
                max_frames=data.max_frames,
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
            results=options.results,
            max_frames=data.max_frames,
            processes=options.processes,
        )
        show(run, result, reporter, options.as_json)
    if run.failures:
        names = ", ".join(failure.name for failure in run.failures)
        # Why was said when it happened, unless nothing is said.
        why = f" ({run.failures[0].error})" if reporter.quiet else ""
        raise IncompleteRun(
            f"not evaluated: {names}{why}; the figures cover the other sequences only"
        )
