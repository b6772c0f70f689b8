"""`jointvos bench`: what this machine can do."""

import json
import re
from dataclasses import asdict
from typing import Annotated

import typer

from jointvos.cli import options
from jointvos.cli.console import Reporter, data
from jointvos.config import MODELS
from jointvos.errors import ConfigError


def bench(
    model: Annotated[
        str, typer.Option("--model", metavar="A,B", help="joint-small, joint-r50 or both.")
    ] = "joint-small",
    objects: Annotated[str, typer.Option(metavar="A,B", help="Numbers of objects.")] = "1,2,5",
    memory: Annotated[
        str, typer.Option(metavar="A,B", help="Numbers of templates per object.")
    ] = "1,5,20",
    size: Annotated[str, typer.Option(metavar="WxH", help="Size of the frames.")] = "854x480",
    repeats: Annotated[int, typer.Option(metavar="N", help="Frames timed of each kind.")] = 3,
    as_json: Annotated[bool, typer.Option("--json", help="A line of JSON per row.")] = False,
    device: options.Device = "auto",
    precision: options.Precision = "auto",
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,
) -> None:
    """Time a model on this machine, with peak memory.

    Frames are synthetic, with and without a new template. Weights are random: they do not
    matter for the time.
    """
    reporter = Reporter(quiet, verbose)
    models = model.split(",")
    if unknown := [name for name in models if name not in MODELS]:
        raise ConfigError(f"no model {', '.join(unknown)}; there are {', '.join(MODELS)}")
    if not re.fullmatch(r"[1-9]\d*x[1-9]\d*", size):
        raise ConfigError(f"--size is {size!r}, expected WxH, for example 854x480")
    width, height = map(int, size.split("x"))

    from jointvos.evaluation.benchmark import Cell, benchmark

    cells = [
        Cell(name, o, m, width, height, device, precision, repeats)
        for name in models
        for o in _numbers("--objects", objects)
        for m in _numbers("--memory", memory)
    ]
    if not as_json:
        data("model        objects  memory  plain s  update s  mean s  frames/s  cpu s  peak MiB")
    for row in reporter.track(benchmark(cells), len(cells), "rows"):
        if as_json:
            data(json.dumps(asdict(row)))
        else:
            data(
                f"{row.cell.model:12s} {row.cell.objects:7d} {row.cell.memory:7d} "
                f"{row.plain_s:8.3f} {row.update_s:9.3f} {row.mean_s:7.3f} {1 / row.mean_s:9.2f} "
                f"{row.plain_cpu_s:6.2f} {row.peak_mib:9.0f}"
            )


def _numbers(option: str, text: str) -> list[int]:
    parts = text.split(",")
    if not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise ConfigError(f"{option} is {text!r}, expected positive numbers with commas between")
    return [int(part) for part in parts]
