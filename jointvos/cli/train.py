"""`jointvos train`: a network from data."""

import signal
from pathlib import Path
from threading import Event
from typing import Annotated

import typer

from jointvos.cli import console, options
from jointvos.cli.console import Reporter
from jointvos.config import TRAINING
from jointvos.config import preset as look_up
from jointvos.errors import ConfigError, OutputExists

INTERRUPTED = 130


def train(
    data: Annotated[
        list[Path],
        typer.Option(
            "--data",
            metavar="PATH",
            help="Pictures with label maps: a tar, a folder, or a data set in DAVIS layout; "
            "repeat it for several.",
        ),
    ],
    preset: Annotated[
        str, typer.Option("--preset", metavar="NAME", help="The recipe: joint-small.")
    ] = "joint-small",
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Checkpoint, log and weights.")
    ] = Path("runs/joint-small"),
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the checkpoint in --out.")
    ] = False,
    steps: Annotated[
        int | None, typer.Option("--steps", metavar="N", help="Steps of the whole run.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", metavar="N", help="Of weights and data.")
    ] = None,
    device: options.Device = "auto",
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,
) -> None:
    """Train a network from scratch.

    Ctrl-C saves a checkpoint that --resume goes on from.
    """
    reporter = Reporter(quiet, verbose)
    config = look_up(TRAINING, preset, steps=steps, seed=seed)
    if not resume and (out / "last.ckpt").exists():
        raise OutputExists(f"{out} holds a run already; use --resume or another --out")

    import cv2

    from jointvos.checkpoints import save_model
    from jointvos.inference.device import choose_device
    from jointvos.training.packs import load_packs
    from jointvos.training.recipe import Run
    from jointvos.training.recipe import train as run_training
    from jointvos.training.synthesis import MiniSequenceSynthesizer

    cv2.setNumThreads(0)  # its threads would compete with the network's
    pack = load_packs(data)
    reporter.note(f"{len(pack.videos)} videos, {len(pack.stills)} stills")
    if not pack.videos:
        raise ConfigError("--data holds no video sequence; at least one is needed")
    synthesizer = MiniSequenceSynthesizer(pack.videos, pack.stills, seed=config.seed)
    run = Run(config, synthesizer, choose_device(device))
    if resume:
        run.resume(out / "last.ckpt")

    stop = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    reports = run_training(
        run, out, stop=stop, save=lambda net, path: save_model(net, path, half=True)
    )
    remaining = config.steps - run.step
    for report in reporter.track(reports, remaining, "steps"):
        if report.step % 50 == 0:
            reporter.note(
                f"step {report.step}: loss {report.loss:.3f}, soft IoU {report.iou:.3f}, "
                f"{report.sequences / report.seconds:.2f} mini-sequences/s, "
                f"{100 * report.wait / report.seconds:.0f} % of the time waiting for data"
            )
    if run.step < config.steps:
        reporter.note(f"stopped after step {run.step}; go on with --resume --out {out}")
        raise typer.Exit(INTERRUPTED)
    console.data(str(out / f"{config.model}.safetensors"))
