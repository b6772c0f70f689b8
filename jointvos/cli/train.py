"""`jointvos train`: a model from data."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

import typer

from jointvos.cli import console
from jointvos.cli.console import INTERRUPTED, TERMINATED, Reporter
from jointvos.cli.groups import grouped
from jointvos.cli.options import MessageOptions
from jointvos.cli.train_options import RecipeOptions, TrainingData, TrainingRun
from jointvos.errors import ConfigError, OutputExists
from jointvos.wording import plural

if TYPE_CHECKING:
    from jointvos.model import JointNet
    from jointvos.training.run import StepReport

SAID_EVERY = 20  # steps
DRAWING = 12  # processes; more draw faster than an H100 trains


@grouped
def train(
    sources: TrainingData, recipe: RecipeOptions, options: TrainingRun, messages: MessageOptions
) -> None:
    """Train a model.

    Ctrl-C saves a checkpoint; --resume continues from it. With several GPUs:

    torchrun --nproc-per-node=N -m jointvos train ...
    """
    from jointvos.training.train_config import recipe_text

    config = recipe.chosen()
    if recipe.print_config:
        for line in recipe_text(config).splitlines():
            console.data(line)
        return
    if not sources.data:
        raise ConfigError("no training data; pass --data PATH")
    out = options.out or Path("runs") / config.model
    if not options.resume and not options.show_batch and (out / "last.ckpt").exists():
        raise OutputExists(f"{out} already contains a run", hint="use --resume or another --out")

    import cv2

    from jointvos.checkpoints import save_model
    from jointvos.datasets import open_davis
    from jointvos.distributed import joined_processes
    from jointvos.inference.device import choose_device
    from jointvos.training.data.sources import open_data
    from jointvos.training.images.contact_sheet import draw_batch
    from jointvos.training.run import Run, draw
    from jointvos.training.trainer import Trainer, keep_freed_memory
    from jointvos.training.validation import Validator

    cv2.setNumThreads(0)  # its threads would compete with the network's
    keep_freed_memory()
    validator = Validator(open_davis(sources.validation, 2016)) if sources.validation else None
    with joined_processes(options.device) as (processes, own_device):
        reporter = Reporter(messages.quiet or not processes.first, messages.verbose)
        where = choose_device(own_device)
        source = open_data(
            config,
            sources.data,
            train_list=sources.train_list,
            val_list=sources.val_list,
        )
        length = f"{config.minutes:g} minutes" if config.minutes else plural(config.steps, "step")
        reporter.note(f"{source.description}; {length} on {where}")
        drawing = _drawing(options.workers, where.type, processes.count)
        run = Run(config, source.data, where, processes, drawing)
        if not options.resume:
            _begin(run.net, options.initial, config.initial_weights, reporter)
        trainer = Trainer(
            run,
            out,
            save=lambda net, path: save_model(net, path, half=True),
            validate=validator,
            stop=(stop := Event()),
            seconds=60 * options.stop_after,
            on_validation=lambda found: reporter.note(str(found)),
        )
        if not trainer.draws:
            reporter.note("curves.png is not drawn: matplotlib is not installed")
        if options.resume:
            trainer.resume()
        if options.show_batch is not None:
            if (wanted := run.batch_spec(run.step)) is None:
                raise ConfigError(f"{out} contains a finished run, which has no next batch")
            batch = draw(run.data, wanted)
            draw_batch(batch.images.numpy(), batch.masks.numpy(), options.show_batch)
            console.data(str(options.show_batch))
            return
        with _asked_to_stop(stop) as codes:
            remaining = None if config.minutes else config.steps - run.step
            for report in reporter.track(trainer.train(), remaining, "steps", _shown):
                if report.step % SAID_EVERY == 0:
                    reporter.note(_line(report))
        if not run.over:
            reporter.note(f"stopped after step {run.step}; continue with --resume --out {out}")
            if codes:
                raise typer.Exit(codes[0])
        elif processes.first:
            console.data(str(out / f"{config.model}.safetensors"))


def _drawing(workers: int | None, device: str, sharing: int) -> int:
    """Processes that draw images for each of the processes that share a run."""
    if workers is not None:
        return workers
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return 0 if device == "cpu" else min(DRAWING, max(0, (cores or 1) // sharing - 1))


def _begin(
    net: "JointNet", initial: str | None, backbones: tuple[str, ...], reporter: Reporter
) -> None:
    """The weights that a run begins with."""
    from jointvos.checkpoints import begin_with, load_backbone

    if initial is not None:
        path, anew = begin_with(net, initial)
        parts = sorted({name.split(".")[0] for name in anew})
        rest = (
            f"; {plural(len(anew), 'tensor')} of {', '.join(parts)} reinitialized" if anew else ""
        )
        reporter.note(f"starting from the weights of {path}{rest}")
    elif backbones:
        if (name := load_backbone(net, backbones)) is not None:
            reporter.note(f"starting the backbone from {name}")
        else:
            reporter.warn(
                f"THE BACKBONE STARTS FROM RANDOM WEIGHTS: {' or '.join(backbones)}, which the "
                "recipe expects, is not installed"
            )


@contextmanager
def _asked_to_stop(stop: Event) -> Iterator[list[int]]:
    """Ctrl-C and SIGTERM set the event; a second one ends the process as ever.

    Yields:
        Exit codes of those that have come.
    """
    codes = {int(signal.SIGINT): INTERRUPTED, int(signal.SIGTERM): TERMINATED}
    before = {number: signal.getsignal(number) for number in codes}
    received: list[int] = []

    def ask(number: int, _: object) -> None:
        received.append(codes[number])
        stop.set()
        signal.signal(number, before[number])

    for number in codes:
        signal.signal(number, ask)
    try:
        yield received
    finally:
        for number in codes:
            signal.signal(number, before[number])


def _shown(report: "StepReport") -> str:
    return f"loss {report.loss:.3f}, {report.sequences / report.seconds:.2f} mini-sequences/s"


def _line(report: "StepReport") -> str:
    return (
        f"step {report.step}: loss {report.loss:.3f}, soft IoU {report.iou:.3f}, learning rate "
        f"{report.rate:.1e}, {report.sequences / report.seconds:.2f} mini-sequences/s, "
        f"{100 * report.wait / report.seconds:.0f} % of the time waiting for data, "
        f"{100 * report.compute / report.seconds:.0f} % in the network"
    )
