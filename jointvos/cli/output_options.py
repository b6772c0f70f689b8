"""Options of `segment` that say what is written."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jointvos.cli.outputs import with_defaults, with_output

if TYPE_CHECKING:
    from jointvos.media import Refinement
    from jointvos.runs import Outputs


@dataclass(frozen=True)
class OutputOptions:
    """What is written, and in which form."""

    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="PATH",
            help="A folder means --png, a film --overlay, - the overlay on stdout.",
        ),
    ] = None
    png: Annotated[
        Path | None,
        typer.Option(
            "--png",
            metavar="DIR",
            help="One palette PNG per frame, ids as pixels.",
        ),
    ] = None
    overlay: Annotated[
        Path | None,
        typer.Option(
            "--overlay",
            metavar="FILE",
            help="The film with the objects tinted, sound copied.",
        ),
    ] = None
    mask_video: Annotated[
        Path | None,
        typer.Option(
            "--mask-video",
            metavar="FILE",
            help="A film of the masks: .mkv holds the ids exactly (grey, lossless), .mp4 shows "
            "them in colour.",
        ),
    ] = None
    alpha: Annotated[
        Path | None,
        typer.Option(
            "--alpha",
            metavar="PATH",
            help="The objects alone, with soft transparent edges (straight alpha): .mov is ProRes "
            "4444, .webm VP9, a folder RGBA PNG files.",
        ),
    ] = None
    soft: Annotated[
        Path | None,
        typer.Option(
            "--soft",
            metavar="PATH",
            help="The probability of every object in grey: PNG files in a folder per object, or a "
            "lossless .mkv with a stream per object.",
        ),
    ] = None
    soft_bits: Annotated[
        int,
        typer.Option(
            "--soft-bits",
            metavar="N",
            help="Bits per pixel of --soft: 8 or 16.",
        ),
    ] = 8
    crop: Annotated[
        Path | None,
        typer.Option(
            "--crop",
            metavar="DIR",
            help="Every object cut out along its box: RGBA PNG files in a folder per object.",
        ),
    ] = None
    stats: Annotated[
        Path | None,
        typer.Option(
            "--stats",
            metavar="FILE",
            help="A line per frame and object in .csv or .jsonl: area, box, centre, mean "
            "probability, and whether it is lost.",
        ),
    ] = None
    coco: Annotated[
        Path | None,
        typer.Option(
            "--coco",
            metavar="FILE",
            help="The masks as compressed run lengths in COCO's layout (.json), for pycocotools.",
        ),
    ] = None
    coco_layout: Annotated[
        str | None,
        typer.Option(
            "--coco-layout",
            metavar="NAME",
            help="Of --coco: coco has an annotation per frame and object (default), ytvis one per "
            "object with a list over all frames, as in YouTube-VIS.",
        ),
    ] = None
    stream: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="NAME",
            help="What goes to stdout where a film is named -: nut (default), y4m, mkv or raw. y4m"
            " and raw know no times.",
        ),
    ] = None
    background: Annotated[
        str | None,
        typer.Option(
            "--background",
            metavar="WHAT",
            help="The overlay shows the objects before this instead of tinting them: blur, a "
            "colour (green, #00ff00) or a picture.",
        ),
    ] = None
    audio: Annotated[
        str,
        typer.Option(
            "--audio",
            metavar="NAME",
            help="Sound in overlay and alpha: copy or none.",
        ),
    ] = "copy"
    encoder: Annotated[
        str | None,
        typer.Option(
            "--encoder",
            metavar="NAME",
            help="Of the overlay: h264, h265, vp9, av1, prores, ffv1, h264_nvenc or hevc_nvenc.",
        ),
    ] = None
    crf: Annotated[
        int | None,
        typer.Option(
            "--crf",
            metavar="N",
            help="Quality of the overlay, lower is better; h264 has 18 usually.",
        ),
    ] = None
    as_json: Annotated[
        bool,
        typer.Option(
            "--json",
            help="JSON Lines on stdout, one per frame: index, time, and of every object area, box,"
            " centre, mean probability and whether it is lost. No files then, unless they are"
            " named.",
        ),
    ] = False
    overwrite: Annotated[
        bool,
        typer.Option("-f", "--overwrite", help="Replace outputs that exist."),
    ] = False

    def outputs(self, source: Path) -> "Outputs":
        """All outputs; the default ones where nothing is asked for.

        Raises:
            ConfigError: -o is neither a folder nor a film, or names what is named already.
        """
        from jointvos.runs import Outputs

        values = asdict(self)
        del values["output"], values["as_json"]
        outputs = with_output(Outputs(**values), self.output)
        return outputs if outputs.paths() or self.as_json else with_defaults(outputs, source)


@dataclass(frozen=True)
class RefineOptions:
    """What is done to masks before they are written."""

    feather: Annotated[
        float,
        typer.Option(
            "--feather",
            metavar="PIXELS",
            help="Soften edges over so many pixels, where outputs have soft edges.",
        ),
    ] = 0.0
    min_area: Annotated[
        int,
        typer.Option(
            "--min-area",
            metavar="PIXELS",
            help="Remove separate parts of an object below that size.",
        ),
    ] = 0
    fill_holes: Annotated[
        int,
        typer.Option(
            "--fill-holes",
            metavar="PIXELS",
            help="Fill holes in an object up to that size.",
        ),
    ] = 0
    lost_threshold: Annotated[
        float,
        typer.Option(
            "--lost-threshold",
            metavar="P",
            help="Empty the mask of an object whose mean probability is below: it is lost there.",
        ),
    ] = 0.0

    def refinement(self) -> "Refinement":
        """The same for the library.

        Raises:
            ConfigError: A value is out of range.
        """
        from jointvos.media import Refinement

        return Refinement(**asdict(self))
