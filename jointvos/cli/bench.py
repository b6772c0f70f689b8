"""`jointvos bench`: what this machine can do."""

import json
import re
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jointvos.cli.console import data
from jointvos.cli.groups import OptionGroup, grouped
from jointvos.cli.options import DeviceOptions, MessageOptions, Overwrite
from jointvos.config import INFERENCE, MODELS, preset
from jointvos.errors import ConfigError

if TYPE_CHECKING:
    from jointvos.evaluation.benchmark import Cell, FrameCost, Measured

HEADER = (
    "model        frame      objects  memory  frames  plain s  update s  mean s  frames/s"
    "   GMAC  of matmul  MiB/object  peak MiB"
)


@dataclass(frozen=True)
class CaseOptions(OptionGroup):
    """What is timed."""

    title = "Cases, every combination of the values"
    example = "--objects 1,2 --memory 5"

    model: Annotated[
        str, typer.Option("--model", metavar="A,B", help="joint-lite, joint-r50 or both.")
    ] = "joint-lite"
    objects: Annotated[
        str, typer.Option("--objects", metavar="A,B", help="Numbers of objects.")
    ] = "1,2,5"
    memory: Annotated[
        str, typer.Option("--memory", metavar="A,B", help="Numbers of templates per object.")
    ] = "1,5,20"
    size: Annotated[str, typer.Option("--size", metavar="WxH,WxH", help="Frame sizes.")] = "854x480"
    frames: Annotated[
        str,
        typer.Option(
            "--frames",
            metavar="A,B",
            help="Numbers of frames to run before timing, which fill the memory with templates; "
            "0 fills it with copies.",
        ),
    ] = "0"
    crop: Annotated[
        str | None,
        typer.Option(
            "--crop", metavar="WxH", help="Size of the search region. Default: the model's own."
        ),
    ] = None
    repeats: Annotated[
        int,
        typer.Option(
            "--repeats", metavar="N", min=1, help="Frames to time, with and without an update."
        ),
    ] = 3

    def cells(self, device: DeviceOptions) -> list["Cell"]:
        """What they stand for; torch is imported once they are checked.

        Raises:
            ConfigError: A model is unknown, or a value is not what it should be.
        """
        models = self.model.split(",")
        if unknown := [name for name in models if name not in MODELS]:
            raise ConfigError(
                f"unknown model {', '.join(unknown)}; expected one of {', '.join(MODELS)}"
            )
        sizes = [_size("--size", one) for one in self.size.split(",")]
        region = None if self.crop is None else _size("--crop", self.crop)
        if region is not None and any(side < 32 or side % 16 for side in region):
            raise ConfigError(f"--crop is {self.crop}, expected multiples of 16 from 32 up")
        counts = (
            _numbers("--objects", self.objects),
            _numbers("--memory", self.memory),
            _numbers("--frames", self.frames, least=0),
        )

        from jointvos.evaluation.benchmark import Cell

        return [
            Cell(
                model=model,
                objects=objects,
                memory=memory,
                width=width,
                height=height,
                crop=None if region is None else (region[1], region[0]),
                frames=frames,
                repeats=self.repeats,
                **asdict(device),
            )
            for model, (width, height), objects, memory, frames in product(models, sizes, *counts)
        ]


@dataclass(frozen=True)
class TableOptions(OptionGroup):
    """Where the results go."""

    title = "Output"
    example = "--plot costs.png"

    plot: Annotated[
        Path | None,
        typer.Option(
            "--plot", metavar="FILE", help="Plot seconds per frame over what varies (.png)."
        ),
    ] = None
    overwrite: Overwrite = False
    as_json: Annotated[bool, typer.Option("--json", help="Print a line of JSON per row.")] = False

    def check(self) -> None:
        """Refuse a plot before the work rather than after it.

        Raises:
            OutputError: It exists, or its folder cannot be written to.
            ConfigError: It is no PNG, or the library that draws is not installed.
        """
        if self.plot is None:
            return
        if self.plot.suffix.lower() != ".png":
            raise ConfigError(f"--plot is {self.plot}, expected a name that ends in .png")
        from jointvos.cli.bench_chart import check_plotting
        from jointvos.files.staged import StagedFile

        StagedFile.check(self.plot, overwrite=self.overwrite)
        check_plotting()


@grouped
def bench(
    cases: CaseOptions, table: TableOptions, device: DeviceOptions, messages: MessageOptions
) -> None:
    """Measure speed and memory on this machine.

    Times synthetic frames with and without a new template (update); the mean is over the cycle of
    the model's preset. GMAC is the multiply-adds of a mean frame, 10^9; "of matmul" is the share
    of the machine's matrix-product rate that a mean frame reaches. Below each row is the time of
    each stage in seconds. Weights are random, which does not affect the time.
    """
    reporter = messages.reporter()
    # Refuses the value before any work.
    preset(INFERENCE, "small", memory_precision=device.memory_precision)
    table.check()
    cells = cases.cells(device)

    from jointvos.evaluation.benchmark import benchmark

    if not table.as_json:
        data(HEADER)
    rows = []
    for row in reporter.track(benchmark(cells), len(cells), "rows"):
        rows.append(row)
        if table.as_json:
            data(json.dumps(asdict(row)))
        else:
            data(_line(row))
            data(_stages("plain", row.plain))
            data(_stages("update", row.update))
        if row.warm_up_s:
            reporter.note(f"compiling took {row.warm_up_s:.1f} s")
    if table.plot is not None:
        from jointvos.cli.bench_chart import draw_costs

        draw_costs(rows, table.plot)
        reporter.note(f"wrote {table.plot}")


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
    busy = "" if cost.busy_share is None else f" (GPU busy {cost.busy_share:.0%})"
    return f"  {kind}{busy}: {parts}"


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
