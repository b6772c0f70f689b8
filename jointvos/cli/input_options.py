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
        help="A video file, a folder of images, - for a video on stdin (mkv, nut, ts, y4m, "
        "fragmented mp4), or with --allow-network a URL.",
    ),
]
Raw = Annotated[
    str | None,
    typer.Option(
        "--raw",
        metavar="WxH@FPS",
        help="INPUT is raw 8-bit RGB (rgb24), such as 1920x1080@30000/1001.",
    ),
]
AllowNetwork = Annotated[
    bool,
    typer.Option(
        "--allow-network",
        help="Allow a URL (http://, https://) as INPUT.",
    ),
]


@dataclass(frozen=True)
class FollowOptions:
    """What is followed, and in which part of the input."""

    mask: Annotated[
        list[str] | None,
        typer.Option(
            "--mask",
            metavar="[FRAME=][ID:]FILE",
            help="Mask of the objects to follow: a PNG with an object ID per pixel (255 = void), "
            "or a black and white image. It is for the first frame, or for FRAME (a number, 4.5s "
            "or h:mm:ss). Repeat it to add objects or correct known ones; a folder of <frame>.png "
            "works too. ID sets the ID of a file with one object (2:box.png).",
        ),
    ] = None
    box: Annotated[
        list[str] | None,
        typer.Option(
            "--box",
            metavar="X,Y,W,H[=ID]",
            help="Box in the first frame to cut an object from (GrabCut), instead of a mask. Can "
            "be repeated.",
        ),
    ] = None
    objects: Annotated[
        str | None,
        typer.Option(
            "--objects",
            metavar="IDS",
            help="Follow only these object IDs, such as 1,3.",
        ),
    ] = None
    remap: Annotated[
        str | None,
        typer.Option(
            "--remap",
            metavar="OLD:NEW",
            help="Renumber object IDs, such as 2:1,5:3; objects given the same ID are merged.",
        ),
    ] = None
    direction: Annotated[
        Literal["forward", "backward", "both"],
        typer.Option(
            "--direction",
            help="Follow forward from the first mask, backward from the last one, or both ways "
            "from the first one. Frames that are not reached have empty masks.",
        ),
    ] = "forward"
    start: Annotated[
        str | None,
        typer.Option(
            "--start",
            metavar="WHEN",
            help="First frame, which the mask is for: a frame number, seconds (4.5s) or h:mm:ss; "
            "the first frame at or after that time.",
        ),
    ] = None
    end: Annotated[
        str | None,
        typer.Option(
            "--end",
            metavar="WHEN",
            help="Stop before this frame, in the same forms.",
        ),
    ] = None
    raw: Raw = None


@dataclass(frozen=True)
class InputOptions(FollowOptions):
    """With inputs that are no files."""

    allow_network: AllowNetwork = False
