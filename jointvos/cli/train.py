"""`jointvos train`: a network from data."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Annotated

import typer

from jointvos.cli import console, options
from jointvos.cli.console import INTERRUPTED, Reporter
from jointvos.errors import ConfigError, OutputExists
from jointvos.wording import plural

if TYPE_CHECKING:
    from jointvos.model import JointNet
    from jointvos.training.run import StepReport
    from jointvos.training.train_config import TrainConfig

SAID_EVERY = 20  # steps
DRAWING = 12  # processes; more draw faster than an H100 trains


def train(
    data: Annotated[
        list[Path] | None,
        typer.Option(
            "--data",
            metavar="PATH",
            help="Pictures with masks: a tar, a folder, or a data set in DAVIS or YouTube-VOS "
            "layout; repeat it for several.",
        ),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(
            "--preset",
            metavar="NAME",
            help="The recipe: joint-lite (default; hours on a CPU), joint-lite-cuda (minutes on a "
            "large GPU), joint-lite-short (minutes on a CPU, for comparisons), joint-r50 (the "
            "paper's), joint-r50-as-printed or joint-r50-davis.",
        ),
    ] = None,
    recipe: Annotated[
        Path | None,
        typer.Option("--config", metavar="FILE", help="A recipe of your own, in TOML."),
    ] = None,
    print_config: Annotated[
        bool, typer.Option("--print-config", help="Print the recipe as TOML and end.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="DIR",
            help="Checkpoint, logs, pictures and weights; runs/MODEL by default.",
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the checkpoint in --out.")
    ] = False,
    steps: Annotated[
        int | None,
        typer.Option(
            "--steps", metavar="N", min=1, help="Steps of the whole run, stages in proportion."
        ),
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option(
            "--minutes",
            metavar="M",
            min=0.1,
            help="Train for this long: the schedule follows the clock and ends at its lowest rate.",
        ),
    ] = None,
    initial: Annotated[
        str | None,
        typer.Option(
            "--initial",
            metavar="MODEL",
            help="Start from the weights of a model (name or file); whatever does not fit starts "
            "anew.",
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", metavar="N", help="Random seed of weights and data.")
    ] = None,
    without: Annotated[
        list[str] | None,
        typer.Option(
            "--without",
            metavar="PART",
            help="Ablation: transduction, induction, two-head or cosine; repeat it for several.",
        ),
    ] = None,
    validation: Annotated[
        Path | None,
        typer.Option(
            "--validation",
            metavar="DIR",
            help="Track these sequences now and then (DAVIS 2016 layout, list val); the best "
            "weights are kept.",
        ),
    ] = None,
    train_list: Annotated[
        Path | None,
        typer.Option("--train-list", metavar="FILE", help="Video names to train on, one per line."),
    ] = None,
    val_list: Annotated[
        Path | None,
        typer.Option("--val-list", metavar="FILE", help="Video names never to train on."),
    ] = None,
    stop_after: Annotated[
        float,
        typer.Option("--stop-after", metavar="MINUTES", help="Stop then, to be resumed later."),
    ] = float("inf"),
    show_batch: Annotated[
        Path | None,
        typer.Option(
            "--show-batch", metavar="FILE", help="Draw the next batch into a PNG and end."
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers",
            metavar="N",
            min=0,
            help="Processes that draw training images; 0 uses a thread. Default: up to 12 for a "
            "GPU, a thread for a CPU.",
        ),
    ] = None,
    device: options.Device = "auto",
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,
) -> None:
    """Train a network.

    Ctrl-C saves a checkpoint that --resume goes on from. Several GPUs share a run with
    torchrun --nproc-per-node=N -m jointvos train ...
    """
    from jointvos.training.train_config import recipe_text

    config = _recipe(preset, recipe, steps, minutes, seed, without)
    if print_config:
        for line in recipe_text(config).splitlines():
            console.data(line)
        return
    if not data:
        raise ConfigError("there is nothing to train on; give --data PATH")
    out = out or Path("runs") / config.model
    if not resume and not show_batch and (out / "last.ckpt").exists():
        raise OutputExists(f"{out} holds a run already", hint="use --resume or another --out")

    import cv2

    from jointvos.checkpoints import save_model
    from jointvos.datasets import open_davis
    from jointvos.distributed import joined_processes
    from jointvos.inference.device import choose_device
    from jointvos.training.data.sources import open_data
    from jointvos.training.host_memory import keep_freed_memory
    from jointvos.training.pictures.contact_sheet import draw_batch
    from jointvos.training.run import Run, draw
    from jointvos.training.trainer import Trainer
    from jointvos.training.validation import Validator

    cv2.setNumThreads(0)  # its threads would compete with the network's
    keep_freed_memory()
    validator = Validator(open_davis(validation, 2016)) if validation else None
    with joined_processes(device) as (processes, own_device):
        reporter = Reporter(quiet or not processes.first, verbose)
        where = choose_device(own_device)
        source = open_data(
            config,
            data,
            train_list=train_list,
            val_list=val_list,
        )
        length = f"{config.minutes:g} minutes" if config.minutes else plural(config.steps, "step")
        reporter.note(f"{source.description}; {length} on {where}")
        drawing = _drawing(workers, where.type, processes.count)
        run = Run(config, source.data, where, processes, drawing)
        if not resume:
            _begin(run.net, initial, config.initial_weights, reporter)
        trainer = Trainer(
            run,
            out,
            save=lambda net, path: save_model(net, path, half=True),
            validate=validator,
            stop=(stop := Event()),
            seconds=60 * stop_after,
            on_validation=lambda found: reporter.note(str(found)),
        )
        if not trainer.draws:
            reporter.note("curves.png is not drawn: matplotlib is not installed")
        if resume:
            trainer.resume()
        if show_batch is not None:
            if (wanted := run.batch_spec(run.step)) is None:
                raise ConfigError(f"{out} holds a run that is over; there is no next batch")
            batch = draw(run.data, wanted)
            draw_batch(batch.images.numpy(), batch.masks.numpy(), show_batch)
            console.data(str(show_batch))
            return
        with _asked_to_stop(stop):
            remaining = None if config.minutes else config.steps - run.step
            for report in reporter.track(trainer.train(), remaining, "steps", _shown):
                if report.step % SAID_EVERY == 0:
                    reporter.note(_line(report))
        if not run.over:
            reporter.note(f"stopped after step {run.step}; go on with --resume --out {out}")
            if stop.is_set():
                raise typer.Exit(INTERRUPTED)
        elif processes.first:
            console.data(str(out / f"{config.model}.safetensors"))


def _recipe(
    preset: str | None,
    recipe: Path | None,
    steps: int | None,
    minutes: float | None,
    seed: int | None,
    without: list[str] | None,
) -> "TrainConfig":
    from jointvos.config import from_dict, to_dict
    from jointvos.config import preset as look_up
    from jointvos.training.recipes import RECIPES
    from jointvos.training.train_config import ABLATIONS, TrainConfig, read_recipe, shortened

    if steps is not None and minutes is not None:
        raise ConfigError("--steps and --minutes exclude each other; give one of them")
    if recipe is not None and preset is not None:
        raise ConfigError("--config and --preset exclude each other; give one of them")
    config = read_recipe(recipe) if recipe else look_up(RECIPES, preset or "joint-lite")
    if unknown := sorted(set(without or ()) - set(ABLATIONS)):
        raise ConfigError(f"--without {unknown[0]}: expected one of {', '.join(ABLATIONS)}")
    if without:
        config = from_dict(TrainConfig, {**to_dict(config), "without": tuple(without)})
    if seed is not None:
        config = replace(config, seed=seed)
    if minutes is not None:
        config = replace(config, minutes=minutes)
    return config if steps is None else shortened(config, steps)


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
        rest = f"; {plural(len(anew), 'tensor')} of {', '.join(parts)} anew" if anew else ""
        reporter.note(f"starting from the weights of {path}{rest}")
    elif backbones:
        if (name := load_backbone(net, backbones)) is not None:
            reporter.note(f"the backbone starts with {name}")
        else:
            reporter.warn(
                f"THE BACKBONE STARTS WITH RANDOM NUMBERS: none of {', '.join(backbones)} is "
                "installed; the recipe counts on one"
            )


@contextmanager
def _asked_to_stop(stop: Event) -> Iterator[None]:
    """Ctrl-C and SIGTERM set the event; a second one ends the process as ever."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {int(number): signal.getsignal(number) for number in numbers}

    def ask(number: int, _: object) -> None:
        stop.set()
        signal.signal(number, before[number])

    for number in numbers:
        signal.signal(number, ask)
    try:
        yield
    finally:
        for number in numbers:
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
