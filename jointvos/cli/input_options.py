"""Options of `segment` that say what is read: the objects, and the frames to follow them in."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer

from jointvos.cli.groups import OptionGroup


def _source(text: str) -> Path:
    """A path, or a URL as a path, which it can be made of again."""
    scheme, separator, rest = text.partition("://")
    if separator and scheme.lower() in ("http", "https") and str(Path(rest)) != rest:
        raise typer.BadParameter("URL contains // or /./; write %2F for the second /")
    return Path(text)


Source = Annotated[
    Path,
    typer.Argument(
        metavar="INPUT",
        parser=_source,
        help="Video, folder of images, pattern ('f_####.exr'), - for stdin, or URL.",
    ),
]
Raw = Annotated[
    str | None,
    typer.Option(
        "--raw",
        metavar="WxH@FPS",
        help="INPUT is raw rgb24 video, such as 1920x1080@25.",
    ),
]
AllowNetwork = Annotated[
    bool,
    typer.Option("--allow-network", help="Allow an http:// or https:// URL as INPUT."),
]


@dataclass(frozen=True)
class ObjectOptions(OptionGroup):
    """What is followed."""

    title = "Objects"
    example = "--mask first.png --mask 120=second.png"

    mask: Annotated[
        list[str] | None,
        typer.Option(
            "--mask",
            metavar="[FRAME=][ID:]FILE",
            help="Mask (PNG): an ID per object (255 = void), or black and white; folder of "
            "<frame>.png; .npy, COCO, labelme, Label Studio, CVAT, YOLO. For the first frame "
            "or FRAME (120, 4.5s, 0:00:04); ID sets that of a single object. Repeat to add or "
            "correct objects.",
        ),
    ] = None
    box: Annotated[
        list[str] | None,
        typer.Option(
            "--box",
            metavar="X,Y,W,H[=ID]",
            help="Box around an object in the first frame, which GrabCut cuts out. Repeatable.",
        ),
    ] = None
    point: Annotated[
        list[str] | None,
        typer.Option(
            "--point",
            metavar="X,Y[=ID]",
            help="Pixel of an object; GrabCut guesses the rest, often wrongly: check the first "
            "mask. =ID: more objects.",
        ),
    ] = None
    no_point: Annotated[
        list[str] | None,
        typer.Option(
            "--no-point",
            metavar="X,Y[=ID]",
            help="Pixel outside the object of --point.",
        ),
    ] = None
    objects: Annotated[
        str | None,
        typer.Option(
            "--objects", metavar="IDS", help="Follow only these IDs or names, such as 1,3."
        ),
    ] = None
    remap: Annotated[
        str | None,
        typer.Option(
            "--remap",
            metavar="OLD:NEW",
            help="Renumber IDs, such as 2:1,5:3; equal IDs merge.",
        ),
    ] = None


@dataclass(frozen=True)
class FrameOptions(OptionGroup):
    """Which part of the input is read, and in which direction."""

    title = "Frames"
    example = "--start 4.5s --end 0:00:09"

    start: Annotated[
        str | None,
        typer.Option(
            "--start",
            metavar="WHEN",
            help="First frame, for the first mask: a frame number, seconds (4.5s) or h:mm:ss.",
        ),
    ] = None
    end: Annotated[
        str | None,
        typer.Option("--end", metavar="WHEN", help="Stop before this frame (same formats)."),
    ] = None
    start_number: Annotated[
        int | None,
        typer.Option(
            "--start-number",
            metavar="N",
            help="Skip images of a sequence with lower numbers.",
        ),
    ] = None
    direction: Annotated[
        Literal["forward", "backward", "both"],
        typer.Option(
            "--direction",
            metavar="WAY",
            show_default=False,
            help="forward from the first mask (default), backward from the last one, or both "
            "ways from the first.",
        ),
    ] = "forward"
    raw: Raw = None
    hwaccel: Annotated[
        str | None,
        typer.Option(
            "--hwaccel",
            metavar="NAME",
            help="Decode on the GPU: cuda (NVDEC), videotoolbox, ...",
        ),
    ] = None


@dataclass(frozen=True)
class InputOptions(FrameOptions):
    """With inputs that are no files."""

    allow_network: AllowNetwork = False
