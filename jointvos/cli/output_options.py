"""Options of `segment` that say what is written."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jointvos.cli.outputs import with_defaults, with_output

if TYPE_CHECKING:
    from jointvos.media import Refinement
    from jointvos.runs import Outputs


@dataclass(frozen=True)
class StdoutOptions:
    """The output that needs no option of its own, and what goes to stdout."""

    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="PATH",
            help="A folder means --png, a video file --overlay, and - the overlay on stdout.",
        ),
    ] = None
    stream: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="NAME",
            help="Format of a video on stdout: nut (default), y4m, mkv or raw. y4m and raw carry "
            "no timestamps.",
        ),
    ] = None
    as_json: Annotated[
        bool,
        typer.Option(
            "--json",
            help="Print a line of JSON per frame: index, time, and area, box, center, mean "
            "probability and lost of each object. Writes no files unless you name them.",
        ),
    ] = False


@dataclass(frozen=True)
class OutputOptions:
    """Which files are written, and in which form; they are fields of `Outputs`."""

    png: Annotated[
        Path | None,
        typer.Option(
            "--png",
            metavar="DIR",
            help="One indexed PNG per frame, pixel = object ID.",
        ),
    ] = None
    overlay: Annotated[
        Path | None,
        typer.Option(
            "--overlay",
            metavar="FILE",
            help="The video with the objects tinted, audio copied.",
        ),
    ] = None
    mask_video: Annotated[
        Path | None,
        typer.Option(
            "--mask-video",
            metavar="FILE",
            help="Masks as a video: .mkv holds the object IDs (grayscale, lossless), .mp4 shows "
            "them in color.",
        ),
    ] = None
    alpha: Annotated[
        Path | None,
        typer.Option(
            "--alpha",
            metavar="PATH",
            help="The objects cut out with soft edges (straight alpha): ProRes 4444 (.mov), VP9 "
            "(.webm) or a folder of RGBA PNGs.",
        ),
    ] = None
    soft: Annotated[
        Path | None,
        typer.Option(
            "--soft",
            metavar="PATH",
            help="Probability of each object in grayscale: a folder of PNGs per object, or a "
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
            help="Each object cropped to its box: a folder of RGBA PNGs per object.",
        ),
    ] = None
    stats: Annotated[
        Path | None,
        typer.Option(
            "--stats",
            metavar="FILE",
            help="One row per frame and object (.csv or .jsonl): area, box, center, mean "
            "probability, and whether the object is lost.",
        ),
    ] = None
    coco: Annotated[
        Path | None,
        typer.Option(
            "--coco",
            metavar="FILE",
            help="Masks as COCO annotations (.json) with compressed run lengths, for pycocotools.",
        ),
    ] = None
    coco_layout: Annotated[
        str | None,
        typer.Option(
            "--coco-layout",
            metavar="NAME",
            help="Layout of --coco: coco (default) has an annotation per frame and object, ytvis "
            "one per object with a list over all frames, as in YouTube-VIS.",
        ),
    ] = None
    background: Annotated[
        str | None,
        typer.Option(
            "--background",
            metavar="WHAT",
            help="Show the objects in front of this instead of tinting them: blur, a color (green, "
            "#00ff00) or an image.",
        ),
    ] = None
    audio: Annotated[
        str,
        typer.Option(
            "--audio",
            metavar="NAME",
            help="Audio of overlay and alpha: copy or none.",
        ),
    ] = "copy"
    encoder: Annotated[
        str | None,
        typer.Option(
            "--encoder",
            metavar="NAME",
            help="Overlay encoder: h264, h265, vp9, av1, prores, ffv1, h264_nvenc or hevc_nvenc.",
        ),
    ] = None
    crf: Annotated[
        int | None,
        typer.Option(
            "--crf",
            metavar="N",
            help="Overlay quality (CRF); lower is better. Default for h264: 18.",
        ),
    ] = None
    overwrite: Annotated[
        bool,
        typer.Option("-f", "--overwrite", help="Overwrite existing outputs."),
    ] = False

    def outputs(self) -> "Outputs":
        """The same for the library."""
        from jointvos.runs import Outputs

        return Outputs(**asdict(self))

    def outputs_of(self, source: Path, stdout: StdoutOptions) -> "Outputs":
        """All outputs for one video; the default ones where nothing is asked for.

        Raises:
            ConfigError: -o is neither a folder nor a film, or names what is named already.
        """
        outputs = replace(with_output(self.outputs(), stdout.output), stream=stdout.stream)
        return outputs if outputs.paths() or stdout.as_json else with_defaults(outputs, source)


@dataclass(frozen=True)
class RefineOptions:
    """What is done to masks before they are written."""

    feather: Annotated[
        float,
        typer.Option(
            "--feather",
            metavar="PIXELS",
            help="Soften edges over this many pixels, in outputs that have soft edges.",
        ),
    ] = 0.0
    min_area: Annotated[
        int,
        typer.Option(
            "--min-area",
            metavar="PIXELS",
            help="Remove separate parts of an object smaller than this.",
        ),
    ] = 0
    fill_holes: Annotated[
        int,
        typer.Option(
            "--fill-holes",
            metavar="PIXELS",
            help="Fill holes in an object up to this size.",
        ),
    ] = 0
    lost_threshold: Annotated[
        float,
        typer.Option(
            "--lost-threshold",
            metavar="P",
            help="Treat an object as lost where its mean probability is below this.",
        ),
    ] = 0.0

    def refinement(self) -> "Refinement":
        """The same for the library.

        Raises:
            ConfigError: A value is out of range.
        """
        from jointvos.media import Refinement

        return Refinement(**asdict(self))
