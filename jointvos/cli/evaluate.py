"""`jointvos eval`: a model, or masks that are there, on a data set: the numbers of its paper."""

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from jointvos.cli.console import Reporter
from jointvos.cli.evaluation_data import DataOptions, open_data
from jointvos.cli.evaluation_run import Masks, is_first, score_masks, segment_data, show
from jointvos.cli.options import MessageOptions, OnOOM, SessionOptions, grouped
from jointvos.errors import ConfigError, IncompleteRun


@dataclass(frozen=True)
class EvaluatedSession(SessionOptions):
    """With a branch to silence; a smaller memory would give other figures, so it is not tried."""

    on_oom: OnOOM = "fail"
    without: Annotated[
        str | None,
        typer.Option(
            metavar="BRANCH",
            help="Silence a branch of the model, transduction or induction, to see what the other "
            "does alone.",
        ),
    ] = None


@dataclass(frozen=True)
class ResultOptions:
    """Where results go, and what is done with those that are there."""

    results: Annotated[
        Path | None,
        typer.Option(
            "--results",
            metavar="DIR",
            help="Keep the masks, the official CSV files, report.html and, if the data set has "
            "a server, the zip for it.",
        ),
    ] = None
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --results.")] = (
        False
    )
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object on stdout instead of tables.")
    ] = False
    processes: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Processes that score; one per core by default."),
    ] = None


@grouped
def evaluate(
    data: DataOptions,
    options: ResultOptions,
    session: EvaluatedSession,
    messages: MessageOptions,
) -> None:
    """Segment a data set and print the figures of its official evaluation.

    DAVIS: objects of the first mask; first and last frame not scored; void is background.
    YouTube-VOS: objects may come later; seen and unseen categories apart. LVOS: also the frame that
    gives an object. MOSE and other secret masks: a zip for the server. Several GPUs share the
    sequences with torchrun --nproc-per-node=N -m jointvos eval ... --results DIR
    """
    data.check()
    spec = session.spec()
    if options.resume and options.results is None:
        raise ConfigError("--resume needs --results, the folder of the run to go on with")
    predictions = data.predictions
    if predictions is not None and (spec.model or spec.weights or spec.preset or options.resume):
        raise ConfigError(
            "--predictions runs no model; drop --model, --weights, --preset, --resume"
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
