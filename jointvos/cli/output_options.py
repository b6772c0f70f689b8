"""Options of `segment` that say what is written."""

from pathlib import Path
from typing import Annotated

import typer

Output = Annotated[
    Path | None,
    typer.Option(
        "-o",
        "--output",
        metavar="PATH",
        help="A folder means --png, a film --overlay, - the overlay on stdout.",
    ),
]
Png = Annotated[
    Path | None,
    typer.Option("--png", metavar="DIR", help="One palette PNG per frame, ids as pixels."),
]
Overlay = Annotated[
    Path | None,
    typer.Option(
        "--overlay", metavar="FILE", help="The film with the objects tinted, sound copied."
    ),
]
MaskVideo = Annotated[
    Path | None,
    typer.Option(
        "--mask-video",
        metavar="FILE",
        help="A film of the masks: .mkv holds the ids exactly (grey, lossless), "
        ".mp4 shows them in colour.",
    ),
]
Alpha = Annotated[
    Path | None,
    typer.Option(
        "--alpha",
        metavar="PATH",
        help="The objects alone, with soft transparent edges (straight alpha): .mov is ProRes "
        "4444, .webm VP9, a folder RGBA PNG files.",
    ),
]
Soft = Annotated[
    Path | None,
    typer.Option(
        "--soft",
        metavar="PATH",
        help="The probability of every object in grey: PNG files in a folder per object, or a "
        "lossless .mkv with a stream per object.",
    ),
]
SoftBits = Annotated[
    int, typer.Option("--soft-bits", metavar="N", help="Bits per pixel of --soft: 8 or 16.")
]
Crop = Annotated[
    Path | None,
    typer.Option(
        "--crop",
        metavar="DIR",
        help="Every object cut out along its box: RGBA PNG files in a folder per object.",
    ),
]
Stats = Annotated[
    Path | None,
    typer.Option(
        "--stats",
        metavar="FILE",
        help="A line per frame and object in .csv or .jsonl: area, box, centre, mean "
        "probability, and whether it is lost.",
    ),
]
Coco = Annotated[
    Path | None,
    typer.Option(
        "--coco",
        metavar="FILE",
        help="The masks as compressed run lengths in COCO's layout (.json), for pycocotools.",
    ),
]
CocoLayout = Annotated[
    str | None,
    typer.Option(
        "--coco-layout",
        metavar="NAME",
        help="Of --coco: coco has an annotation per frame and object (default), ytvis one per "
        "object with a list over all frames, as in YouTube-VIS.",
    ),
]
Stream = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="NAME",
        help="What goes to stdout where a film is named -: nut (default), y4m, mkv or raw. "
        "y4m and raw know no times.",
    ),
]
Behind = Annotated[
    str | None,
    typer.Option(
        "--background",
        metavar="WHAT",
        help="The overlay shows the objects before this instead of tinting them: blur, a colour "
        "(green, #00ff00) or a picture.",
    ),
]
Audio = Annotated[
    str, typer.Option("--audio", metavar="NAME", help="Sound in overlay and alpha: copy or none.")
]
Encoder = Annotated[
    str | None,
    typer.Option(
        "--encoder",
        metavar="NAME",
        help="Of the overlay: h264, h265, vp9, av1, prores, ffv1, h264_nvenc or hevc_nvenc.",
    ),
]
Crf = Annotated[
    int | None,
    typer.Option(
        "--crf", metavar="N", help="Quality of the overlay, lower is better; h264 has 18 usually."
    ),
]
Feather = Annotated[
    float,
    typer.Option(
        "--feather",
        metavar="PIXELS",
        help="Soften edges over so many pixels, where outputs have soft edges.",
    ),
]
MinArea = Annotated[
    int,
    typer.Option(
        "--min-area", metavar="PIXELS", help="Remove separate parts of an object below that size."
    ),
]
FillHoles = Annotated[
    int,
    typer.Option("--fill-holes", metavar="PIXELS", help="Fill holes in an object up to that size."),
]
LostThreshold = Annotated[
    float,
    typer.Option(
        "--lost-threshold",
        metavar="P",
        help="Empty the mask of an object whose mean probability is below: it is lost there.",
    ),
]
