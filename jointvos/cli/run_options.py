"""Options of `segment` that say how a run is carried out."""

from pathlib import Path
from typing import Annotated, Literal

import typer

AsJson = Annotated[
    bool,
    typer.Option(
        "--json",
        help="JSON Lines on stdout, one per frame: index, time, and of every object area, box, "
        "centre, mean probability and whether it is lost. No files then, unless they are named.",
    ),
]
Overwrite = Annotated[
    bool,
    typer.Option("-f", "--overwrite", help="Replace outputs that exist."),
]
KeepPartial = Annotated[
    bool,
    typer.Option(
        "--keep-partial",
        help="If the input is damaged or the run interrupted, complete the outputs with the frames "
        "that are done; the exit code tells all the same.",
    ),
]
WhichWay = Annotated[
    Literal["forward", "backward", "both"],
    typer.Option(
        "--direction",
        help="From the first mask on; from the last one back to the start; or both ways from the "
        "first one. Frames that are not reached have empty masks.",
    ),
]
Cuts = Annotated[
    Literal["off", "pause", "reset"],
    typer.Option(
        "--cuts",
        help="At the first frame of a new shot: look for the objects everywhere and learn nothing "
        "before they are seen again (pause), forget also what was learned but not given (reset), "
        "or nothing special (off).",
    ),
]
OnOOM = Annotated[
    Literal["retry", "fail"],
    typer.Option(
        "--on-oom",
        help="When the device's memory does not suffice: go on in smaller steps, and say so, or "
        "fail.",
    ),
]
Resume = Annotated[
    bool,
    typer.Option(
        "--resume",
        help="Keep what is done in the hidden folder .NAME.jointvos-resume beside the first "
        "output, and go on from there if an earlier run with --resume was interrupted.",
    ),
]
CheckpointEvery = Annotated[
    int,
    typer.Option(
        "--checkpoint-every",
        metavar="N",
        min=1,
        help="With --resume: frames between two states to go on from.",
    ),
]
Profile = Annotated[
    Path | None,
    typer.Option(
        "--profile",
        metavar="FILE",
        help="A Chrome trace (.json) of some of the first frames, all threads, for Perfetto.",
    ),
]
