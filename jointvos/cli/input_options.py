"""Options of `segment` that say what is read: the film, the range, the masks."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer


def _source(text: str) -> Path:
    """A path, or an address as a path, which it can be made of again."""
    scheme, separator, rest = text.partition("://")
    if separator and scheme.lower() in ("http", "https") and str(Path(rest)) != rest:
        raise typer.BadParameter("an address with // or /./ in it; write %2F for the second /")
    return Path(text)


Source = Annotated[
    Path,
    typer.Argument(
        metavar="INPUT",
        parser=_source,
        help="A video file, or a folder of pictures, or - for a film on stdin (mkv, nut, ts, "
        "y4m, fragmented mp4), or with --allow-network the address of a video.",
    ),
]
Raw = Annotated[
    str | None,
    typer.Option(
        "--raw",
        metavar="WxH@FPS",
        help="INPUT is nothing but RGB pixels of 8 bit (rgb24), such as 1920x1080@30000/1001.",
    ),
]
AllowNetwork = Annotated[
    bool,
    typer.Option(
        "--allow-network",
        help="INPUT may be an address (http://, https://).",
    ),
]


@dataclass(frozen=True)
class InputOptions:
    """What is followed, and in which part of the input."""

    mask: Annotated[
        list[str] | None,
        typer.Option(
            "--mask",
            metavar="[FRAME=][ID:]FILE",
            help="What to follow: a PNG with an object ID per pixel (255 = void), or a black and "
            "white image. Without FRAME (a number, 4.5s or h:mm:ss) it is for the first frame. "
            "Give several: new IDs join, known ones are corrected. A folder holds <frame>.png "
            "files. With ID (2:box.png) the one object of a file gets that ID.",
        ),
    ] = None
    box: Annotated[
        list[str] | None,
        typer.Option(
            "--box",
            metavar="X,Y,W,H[=ID]",
            help="Cut what is in this box of the first frame out of it (GrabCut), instead of a "
            "mask; the mask is saved as NAME_first_mask.png to look at. May be repeated.",
        ),
    ] = None
    objects: Annotated[
        str | None,
        typer.Option(
            "--objects",
            metavar="IDS",
            help="Follow only these ids of the masks, such as 1,3.",
        ),
    ] = None
    remap: Annotated[
        str | None,
        typer.Option(
            "--remap",
            metavar="OLD:NEW",
            help="Give ids of the masks other numbers, such as 2:1,5:3; equal ones become one "
            "object.",
        ),
    ] = None
    direction: Annotated[
        Literal["forward", "backward", "both"],
        typer.Option(
            "--direction",
            help="From the first mask on; from the last one back to the start; or both ways from "
            "the first one. Frames that are not reached have empty masks.",
        ),
    ] = "forward"
    start: Annotated[
        str | None,
        typer.Option(
            "--start",
            metavar="WHEN",
            help="First frame, the one the mask is for: a number, seconds (4.5s) or h:mm:ss; the "
            "first frame at or after that time.",
        ),
    ] = None
    end: Annotated[
        str | None,
        typer.Option(
            "--end",
            metavar="WHEN",
            help="The frame after the last, in the same forms.",
        ),
    ] = None
    raw: Raw = None
    allow_network: AllowNetwork = False
