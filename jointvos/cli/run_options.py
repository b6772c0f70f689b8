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
            help="If the input is damaged or the run is interrupted, finish the outputs with the "
            "frames done so far; the exit code still reports it.",
        ),
    ] = False
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Keep progress in .NAME.jointvos-resume beside the first output; if the run is "
            "interrupted, the same command continues from there.",
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
    profile: Annotated[
        Path | None,
        typer.Option(
            "--profile",
            metavar="FILE",
            help="Write a Chrome trace (.json) of some early frames, all threads, for Perfetto.",
        ),
    ] = None
