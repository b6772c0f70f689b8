"""Options of `segment` that say how a run is carried out; they are fields of `SegmentJob`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from jointvos.cli.groups import OptionGroup
from jointvos.cli.options import MessageOptions


@dataclass(frozen=True)
class RobustnessOptions(OptionGroup):
    """What happens to a run that ends early."""

    title = "Robustness"
    example = "--resume"

    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Save progress; run the command again to continue.",
        ),
    ] = False
    checkpoint_every: Annotated[
        int,
        typer.Option(
            "--checkpoint-every",
            metavar="N",
            min=1,
            help="With --resume: save a checkpoint every N frames.",
        ),
    ] = 50
    keep_partial: Annotated[
        bool,
        typer.Option(
            "--keep-partial",
            help="If the input is damaged or the run interrupted, write the frames done so far.",
        ),
    ] = False


@dataclass(frozen=True)
class SegmentMessages(MessageOptions):
    """With a record of what the machine did."""

    profile: Annotated[
        Path | None,
        typer.Option(
            "--profile",
            metavar="FILE",
            help="Write a Chrome trace of early frames (.json).",
        ),
    ] = None
