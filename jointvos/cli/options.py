"""Options that several commands share."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jointvos import config
from jointvos.cli.console import Reporter
from jointvos.cli.groups import OptionGroup

if TYPE_CHECKING:
    from jointvos.runs import SessionSpec

Device = Annotated[
    str,
    typer.Option("--device", metavar="NAME", help="auto, cpu, cuda, cuda:N or mps."),
]
OnOOM = Annotated[
    config.OnOOM,
    typer.Option(
        "--on-oom",
        metavar="WHAT",
        help="When out of memory: retry with less (with a warning) or fail.",
    ),
]
Overwrite = Annotated[bool, typer.Option("-f", "--overwrite", help="Overwrite existing files.")]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Only show errors.")]
Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="Show more detail.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of errors.")]


@dataclass(frozen=True)
class TrackingOptions(OptionGroup):
    """Which model segments, and how it goes through a video; they are fields of `SessionSpec`."""

    title = "Tracking"
    example = "--model joint-davis --reach 2"

    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            metavar="NAME",
            help="Name of an installed model. Default: the best one installed.",
        ),
    ] = None
    weights: Annotated[
        Path | None,
        typer.Option("--weights", metavar="FILE", help="Model file to use instead (.safetensors)."),
    ] = None
    preset: Annotated[
        str | None,
        typer.Option(
            "--preset",
            metavar="NAME",
            help="Inference settings: paper, davis, ytvos or small. Default: the model's own.",
        ),
    ] = None
    reach: Annotated[
        float | None,
        typer.Option(
            "--reach",
            metavar="N",
            help="Ignore look-alikes more than N object sizes away. 0: no limit. Default: 1 "
            "with preset small, else 0.",
        ),
    ] = None
    memory_size: Annotated[
        int | None,
        typer.Option(
            "--memory-size",
            metavar="N",
            help="Past frames (templates) to keep per object.",
        ),
    ] = None
    template_interval: Annotated[
        int | None,
        typer.Option(
            "--template-interval", metavar="N", help="Keep every Nth frame as a template."
        ),
    ] = None


@dataclass(frozen=True)
class DeviceOptions(OptionGroup):
    """Where a model runs and in which precision; they are fields of `SessionSpec`."""

    title = "Device and speed"
    example = "--device cuda:1 --compile"

    device: Device = "auto"
    precision: Annotated[
        str,
        typer.Option(
            "--precision",
            metavar="NAME",
            help="fp32, bf16, fp16 or auto (bf16 on a GPU that has it, else fp32).",
        ),
    ] = "auto"
    memory_precision: Annotated[
        str | None,
        typer.Option(
            "--memory-precision",
            metavar="NAME",
            help="fp32 (default), or fp16 to keep templates in about half the memory; results "
            "change slightly.",
        ),
    ] = None
    compiled: Annotated[
        bool,
        typer.Option(
            "--compile",
            help="Compile the network first (a minute or more).",
        ),
    ] = False


@dataclass(frozen=True)
class SessionDevice(DeviceOptions):
    """With what to do when its memory is full."""

    on_oom: OnOOM = "retry"


def session_spec(tracking: TrackingOptions, device: SessionDevice) -> "SessionSpec":
    """The same for the library, checked.

    Raises:
        ConfigError: Options contradict each other or are unknown.
    """
    from jointvos.runs import SessionSpec

    spec = SessionSpec(**asdict(tracking), **asdict(device))
    spec.check()
    return spec


@dataclass(frozen=True)
class MessageOptions(OptionGroup):
    """How much is said; `--debug` is seen by `app`."""

    title = "Messages"
    example = "--quiet"

    quiet: Quiet = False
    verbose: Verbose = False
    debug: Debug = False

    def reporter(self) -> Reporter:
        """What says so much."""
        return Reporter(self.quiet, self.verbose)
