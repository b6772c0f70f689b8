"""The steps of `jointvos eval`: segment, score, report."""

import json
import os
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from jointvos.cli.console import Reporter, data
from jointvos.cli.evaluation_data import ChosenData
from jointvos.cli.evaluation_model import load_model_for, shown, versions
from jointvos.errors import ConfigError, OutputError
from jointvos.wording import plural

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from jointvos.datasets import SequenceFailure, VOSSequence
    from jointvos.distributed import Processes
    from jointvos.evaluation import EvaluationResult
    from jointvos.evaluation.report import Run
    from jointvos.runs import LoadedModel, SessionSpec
    from jointvos.runs.fingerprint import Fingerprint

MOST_NOTES = 10
PATIENCE = timedelta(days=7)
"""One process may wait for another's long sequence."""


@dataclass(frozen=True, eq=False)
class Masks:
    """Predicted masks on disk.

    Attributes:
        folder: `<sequence>/<frame>.png`.
        seconds: Time of each step by sequence; empty if no model ran.
        failures: Sequences that could not be segmented.
        settings: How they were made, for people.
    """

    folder: Path
    seconds: "Mapping[str, NDArray[np.float64]]"
    failures: "tuple[SequenceFailure, ...]"
    settings: Mapping[str, str]


def segment_data(
    chosen: ChosenData,
    spec: "SessionSpec",
    reporter: Reporter,
    stack: ExitStack,
    *,
    results: Path | None,
    resume: bool,
    max_frames: int | None,
) -> Masks | None:
    """Run the model over the sequences, together with other processes if there are any.

    Returns:
        None in all processes but the first.

    Raises:
        JointVOSError: The model, the device or the folder cannot be used.
    """
    from jointvos.evaluation.results_folder import ResultsFolder
    from jointvos.evaluation.tracking import segment_sequences

    kept = results is not None
    if results is None:
        if "WORLD_SIZE" in os.environ:
            raise ConfigError("several processes need --results, a folder that all of them see")
        temporary = stack.enter_context(tempfile.TemporaryDirectory(prefix="jointvos-"))
        results = Path(temporary) / "run"
    if is_first():
        # Before torch and the model are loaded: it may refuse.
        stack.enter_context(ResultsFolder(results, resume=resume).hold())
    from jointvos.distributed import joined_processes

    with joined_processes(spec.device, "gloo", PATIENCE) as (processes, device):
        model = load_model_for(replace(spec, device=device), chosen.paper_preset, reporter)
        if processes.first:
            ResultsFolder(results, resume=True).begin(_settings(chosen, model, max_frames))
        processes.everything(None)  # now the folder is there
        folder = ResultsFolder(results, resume=True)
        todo = [
            each.name
            for each in chosen.dataset.sequences
            if processes.first and folder.finished(each.name) is None
        ]
        names = processes.everything(todo)[0]
        sequences = [each for each in chosen.dataset.sequences if each.name in names]
        if taken_over := len(chosen.dataset.sequences) - len(sequences):
            reporter.note(f"reusing {plural(taken_over, 'sequence')} of {results}")
        failures: list[SequenceFailure] = []
        work = segment_sequences(
            processes.share(_in_order(sequences, processes)),
            model.session,
            folder,
            failures,
            max_frames,
        )
        lengths = [min(len(each), max_frames or len(each)) for each in sequences]
        total = sum(lengths) if processes.count == 1 else None
        try:
            for _ in reporter.track(work, total, "frames", lambda each: each.name):
                pass
        except KeyboardInterrupt:
            if kept:
                reporter.note(f"interrupted; continue with --resume --results {results}")
            raise
        failures = [each for part in processes.everything(failures) for each in part]
    if not processes.first:
        return None
    failed = {each.name for each in failures}
    seconds = {}
    for each in chosen.dataset.sequences:
        if each.name in failed:
            continue
        if (found := folder.finished(each.name)) is None:
            raise OutputError(
                f"{results} lacks sequence {each.name}, which another process finished: all "
                "processes need one shared folder"
            )
        seconds[each.name] = found
    return Masks(folder.masks, seconds, tuple(failures), shown(model))


def score_masks(
    chosen: ChosenData,
    masks: Masks,
    reporter: Reporter,
    *,
    results: Path | None,
    max_frames: int | None,
    processes: int | None,
) -> "tuple[Run, EvaluationResult | None]":
    """Score masks, write what belongs into the folder of results, and make the server's zip.

    Raises:
        DatasetError: Not one sequence can be scored.
        OutputError: A file cannot be written.
    """
    from jointvos.datasets import SequenceFailure
    from jointvos.evaluation.outputs import SUBMISSION, clear_outputs, write_outputs
    from jointvos.evaluation.published import BENCHMARKS
    from jointvos.evaluation.report import Run
    from jointvos.evaluation.result import EvaluationResult, SequenceResult
    from jointvos.evaluation.runner import nothing_evaluated
    from jointvos.evaluation.scoring import score_dataset
    from jointvos.evaluation.submission import write_submission

    dataset = chosen.dataset
    if results is not None:
        clear_outputs(results, dataset.split)
    failures = [*dataset.broken, *masks.failures]
    failed = {each.name for each in failures}
    sound = replace(
        dataset, sequences=tuple(each for each in dataset.sequences if each.name not in failed)
    )
    scored: list[SequenceResult] = []
    if dataset.scored:
        work = score_dataset(sound, masks.folder, max_frames=max_frames, processes=processes)
        for each in reporter.track(work, len(sound.sequences), "sequences"):
            if isinstance(each, SequenceFailure):
                reporter.warn(str(each.error))
                failures.append(each)
            else:
                seconds = masks.seconds.get(each.name, each.step_seconds)
                scored.append(replace(each, step_seconds=seconds))
    if not scored and (dataset.scored or not sound.sequences):
        error = nothing_evaluated(failures)
        if failures and not reporter.quiet:  # why was said when it happened
            names = ", ".join(failure.name for failure in failures)
            error = type(error)(f"no sequence could be evaluated: {names}")
        raise error
    reasons = [chosen.partial] if chosen.partial else []
    if failures:
        reasons.append(f"{plural(len(failures), 'sequence')} could not be evaluated")
    benchmark = BENCHMARKS.get(chosen.key)
    run = Run(
        dataset.name,
        dataset.split,
        dataset.protocol,
        {**masks.settings, **versions()},
        partial=", and ".join(reasons),
        benchmark=benchmark if benchmark and benchmark.split == dataset.split else None,
        benchmark_size=chosen.size,
        notes=(*dataset.notes, *(note for each in scored for note in each.notes)),
        failures=tuple(failures),
    )
    result = EvaluationResult(tuple(scored), tuple(failures)) if scored else None
    if results is not None:
        if dataset.submitted and not run.partial:
            count = write_submission(results / SUBMISSION, sound, masks.folder)
            run = replace(run, submission=SUBMISSION)
            reporter.note(f"{results / SUBMISSION} holds all {count} masks")
        write_outputs(results, run, result, sound, masks.folder)
    return run, result


def show(run: "Run", result: "EvaluationResult | None", reporter: Reporter, as_json: bool) -> None:
    """The tables, or the JSON object, on stdout; the notes on stderr."""
    from jointvos.evaluation.report import as_json as document_of

    for note in run.notes[:MOST_NOTES]:
        reporter.note(note)
    if (more := len(run.notes) - MOST_NOTES) > 0:
        reporter.note(f"and {plural(more, 'note')} more, in the report")
    if as_json:
        data(json.dumps(document_of(run, result), allow_nan=False))
    elif result is None:
        reporter.note(f"{run.dataset} {run.split} has no true masks here; nothing was scored")
    else:
        from jointvos.cli.evaluation_table import tables

        data(tables(run, result))


def is_first() -> bool:
    """Whether this process reports: the first of those that torchrun started, or the only one."""
    return os.environ.get("RANK", "0") == "0"


def _settings(chosen: ChosenData, model: "LoadedModel", max_frames: int | None) -> "Fingerprint":
    """All that the masks depend on; not which sequences, for these may become more."""
    from jointvos.runs.fingerprint import in_words, of_model

    data = {
        "dataset": chosen.dataset.name,
        "split": chosen.dataset.split,
        "frames": chosen.dataset.frames,
        "max_frames": max_frames,
    }
    return {**in_words(data), **of_model(model)}


def _in_order(sequences: "list[VOSSequence]", processes: "Processes") -> "list[VOSSequence]":
    """Longest first if they are shared out, so that nobody waits long in the end."""
    if processes.count == 1:
        return sequences
    return sorted(sequences, key=len, reverse=True)
