"""`jointvos bench`: what this machine can do."""

import json
import re
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jointvos.cli import options
from jointvos.cli.console import Reporter, data
from jointvos.config import INFERENCE, MODELS, preset
from jointvos.errors import ConfigError, OutputExists

if TYPE_CHECKING:
    from jointvos.evaluation.benchmark import FrameCost, Measured

HEADER = (
    "model        frame      objects  memory  frames  plain s  update s  mean s  frames/s"
    "   GMAC  of matmul  MiB/object  peak MiB"
)


def bench(
    model: Annotated[
        str, typer.Option("--model", metavar="A,B", help="joint-lite, joint-r50 or both.")
    ] = "joint-lite",
    objects: Annotated[str, typer.Option(metavar="A,B", help="Numbers of objects.")] = "1,2,5",
    memory: Annotated[
        str, typer.Option(metavar="A,B", help="Numbers of templates per object.")
    ] = "1,5,20",
    size: Annotated[str, typer.Option(metavar="WxH,WxH", help="Sizes of the frames.")] = "854x480",
    frames: Annotated[
        str,
        typer.Option(
            metavar="A,B",
            help="Frames of the video before those that are timed, with templates of their own; "
            "0 fills the memory with copies.",
        ),
    ] = "0",
    crop: Annotated[
        str | None,
        typer.Option(metavar="WxH", help="Size of the search region; the model's own by default."),
    ] = None,
    repeats: Annotated[
        int, typer.Option(metavar="N", min=1, help="Frames timed of each kind.")
    ] = 3,
    compiled: options.Compile = False,
    memory_precision: options.MemoryPrecision = None,
    plot: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Draw seconds per frame over what varies, as a PNG."),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("-f", "--overwrite", help="Replace the plot if it exists.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="A line of JSON per row.")] = False,
    device: options.Device = "auto",
    precision: options.Precision = "auto",
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,
) -> None:
    """Time a model on this machine: by stage, with memory and arithmetic.

    Frames are synthetic, with and without a new template; the mean is over the cycle of the
    model's preset. GMAC are the multiply-adds of a mean frame, 10^9; "of matmul" is the share that
    a mean frame reaches of the rate of a large matrix product. Below each row: seconds by stage
    (each waits for the device). Weights are random: they do not matter for the time.
    """
    reporter = Reporter(quiet, verbose)
    models = model.split(",")
    preset(INFERENCE, "small", memory_precision=memory_precision)  # refuses it before any work
    if unknown := [name for name in models if name not in MODELS]:
        raise ConfigError(f"no model {', '.join(unknown)}; there are {', '.join(MODELS)}")
    sizes = [_size("--size", one) for one in size.split(",")]
    region = None if crop is None else _size("--crop", crop)
    if plot is not None and plot.exists() and not overwrite:
        raise OutputExists(f"{plot} already exists")
    if plot is not None:
        from jointvos.cli.bench_chart import check_plotting

        check_plotting()
    counts = [
        (o, m, f)
        for o in _numbers("--objects", objects)
        for m in _numbers("--memory", memory)
        for f in _numbers("--frames", frames, least=0)
    ]

    from jointvos.evaluation.benchmark import Cell, benchmark

    cells = [
        Cell(
            name,
            o,
            m,
            width=width,
            height=height,
            crop=None if region is None else (region[1], region[0]),
            frames=f,
            device=device,
            precision=precision,
            compiled=compiled,
            memory_precision=memory_precision,
            repeats=repeats,
        )
        for name in models
        for width, height in sizes
        for o, m, f in counts
    ]
    if not as_json:
        data(HEADER)
    rows = []
    for row in reporter.track(benchmark(cells), len(cells), "rows"):
        rows.append(row)
        if as_json:
            data(json.dumps(asdict(row)))
        else:
            data(_line(row))
            data(_stages("plain", row.plain))
            data(_stages("update", row.update))
        if row.warm_up_s:
            reporter.note(f"compiling took {row.warm_up_s:.1f} s")
    if plot is not None:
        from jointvos.cli.bench_chart import draw_costs

        draw_costs(rows, plot)
        reporter.note(f"wrote {plot}")


def _line(row: "Measured") -> str:
    cell = row.cell
    share = row.mean_gmac / row.mean_s / row.matmul_gmac_s
    return (
        f"{cell.model:12s} {f'{cell.width}x{cell.height}':10s} {cell.objects:7d} "
        f"{cell.memory:7d} {cell.frames:7d} {row.plain.wall_s:8.3f} {row.update.wall_s:9.3f} "
        f"{row.mean_s:7.3f} {1 / row.mean_s:9.2f} {row.mean_gmac:6.1f} "
        f"{share:9.0%} {row.object_mib:11.1f} {row.peak_mib:9.0f}"
    )


def _stages(kind: str, cost: "FrameCost") -> str:
    parts = ", ".join(f"{name} {stage.seconds:.4f}" for name, stage in cost.stages.items())
    return f"  {kind}: {parts}"


def _size(option: str, text: str) -> tuple[int, int]:
    """Width and height."""
    if not re.fullmatch(r"[1-9]\d*x[1-9]\d*", text):
        raise ConfigError(f"{option} is {text!r}, expected WxH, for example 854x480")
    width, height = map(int, text.split("x"))
    return width, height


def _numbers(option: str, text: str, least: int = 1) -> list[int]:
    parts = text.split(",")
    if not all(part.isdecimal() and int(part) >= least for part in parts):
        raise ConfigError(
            f"{option} is {text!r}, expected whole numbers from {least} up with commas between"
        )
    return [int(part) for part in parts]
