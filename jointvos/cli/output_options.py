"""Options of `segment` that say what is written."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from jointvos.cli.outputs import with_defaults, with_output

if TYPE_CHECKING:
    from jointvos.masks import Refinement
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
            help="A folder means --png, a video file --overlay, and - the overlay on stdout.",
        ),
    ] = None
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
            help="The video with the objects tinted, audio copied; .gif and .webp are short "
            "silent previews for a web page.",
        ),
    ] = None
    mask_video: Annotated[
        Path | None,
        typer.Option(
            "--mask-video",
            metavar="FILE",
            help="Masks as a video: .mkv holds the object IDs (grayscale, lossless), .mp4 shows "
            "them in color. For black and white see --matte.",
        ),
    ] = None
    matte: Annotated[
        Path | None,
        typer.Option(
            "--matte",
            metavar="PATH",
            help="Black-and-white matte for an editor, objects in white: .mov (ProRes 422 HQ), "
            ".mp4 (H.264), .mkv (lossless) or a folder of PNGs. One for all objects, or one each "
            "with {id} in the name (matte_{id}.mov). Timecode is copied, audio is not.",
        ),
    ] = None
    matte_edges: Annotated[
        Literal["soft", "hard"],
        typer.Option(
            "--matte-edges",
            help="Edges of --matte: soft, gray by probability, also with --feather; or hard, only "
            "black and white.",
        ),
    ] = "soft"
    matte_range: Annotated[
        Literal["limited", "full"],
        typer.Option(
            "--matte-range",
            help="Luma range of --matte: limited (black 16, white 235), as editors expect, or "
            "full (0 and 255; not for .mov).",
        ),
    ] = "limited"
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
    stream: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="NAME",
            help="Format of a video on stdout: nut (default), y4m, mkv or raw. y4m and raw carry "
            "no timestamps.",
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
    max_width: Annotated[
        int | None,
        typer.Option(
            "--max-width",
            metavar="N",
            min=16,
            help="Scale overlay and color masks down to at most N columns. Default for .gif and "
            ".webp: 480.",
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
    overwrite: Annotated[
        bool,
        typer.Option("-f", "--overwrite", help="Overwrite existing outputs."),
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
        from jointvos.masks import Refinement

        return Refinement(**asdict(self))
