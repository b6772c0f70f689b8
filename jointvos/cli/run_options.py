"""Options of `segment` that say how a run is carried out; they are fields of `SegmentJob`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer


@dataclass(frozen=True)
class RunOptions:
    """What happens to a run that ends early, and what is recorded of it."""

    keep_partial: Annotated[
        bool,
        typer.Option(
            "--keep-partial",
            help="If the input is damaged or the run interrupted, complete the outputs with the "
            "frames that are done; the exit code tells all the same.",
        ),
    ] = False
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Keep what is done in the hidden folder .NAME.jointvos-resume beside the first "
            "output, and go on from there if an earlier run with --resume was interrupted.",
        ),
    ] = False
    checkpoint_every: Annotated[
        int,
        typer.Option(
            "--checkpoint-every",
            metavar="N",
            min=1,
            help="With --resume: frames between two states to go on from.",
        ),
    ] = 50
    profile: Annotated[
        Path | None,
        typer.Option(
            "--profile",
            metavar="FILE",
            help="A Chrome trace (.json) of some of the first frames, all threads, for Perfetto.",
        ),
    ] = None
