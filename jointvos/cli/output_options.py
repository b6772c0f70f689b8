"""Options of `segment` that say what is written, and how it looks."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from jointvos.cli.groups import OptionGroup
from jointvos.cli.options import Overwrite
from jointvos.cli.outputs import with_defaults, with_output

if TYPE_CHECKING:
    from jointvos.masks import Refinement
    from jointvos.runs import Outputs


@dataclass(frozen=True)
class LookOptions(OptionGroup):
    """What is done to masks before they are written, and how videos look and sound."""

    title = "Look"
    example = "--background blur --feather 2"

    background: Annotated[
        str | None,
        typer.Option(
            "--background",
            metavar="WHAT",
            help="Overlay background: blur, a color or an image.",
        ),
    ] = None
    feather: Annotated[
        float,
        typer.Option(
            "--feather",
            metavar="PIXELS",
            show_default=False,
            help="Soften edges by this many pixels (not in masks).",
        ),
    ] = 0.0
    min_area: Annotated[
        int,
        typer.Option(
            "--min-area",
            metavar="PIXELS",
            show_default=False,
            help="Remove parts of an object smaller than this.",
        ),
    ] = 0
    fill_holes: Annotated[
        int,
        typer.Option(
            "--fill-holes",
            metavar="PIXELS",
            show_default=False,
            help="Fill holes in an object up to this size.",
        ),
    ] = 0
    lost_threshold: Annotated[
        float,
        typer.Option(
            "--lost-threshold",
            metavar="P",
            show_default=False,
            help="Count an object as lost, and empty its mask, where its mean probability is "
            "below P.",
        ),
    ] = 0.0
    encoder: Annotated[
        str | None,
        typer.Option(
            "--encoder",
            metavar="NAME",
            help="Overlay codec: h264, h265, vp9, av1, prores, ffv1, h264_nvenc or hevc_nvenc.",
        ),
    ] = None
    crf: Annotated[
        int | None,
        typer.Option(
            "--crf",
            metavar="N",
            help="Overlay quality (CRF), lower is better (h264: 18).",
        ),
    ] = None
    max_width: Annotated[
        int | None,
        typer.Option(
            "--max-width",
            metavar="N",
            help="Scale overlays down to N columns (previews: 480).",
        ),
    ] = None
    legend: Annotated[
        bool | None,
        typer.Option(
            "--legend/--no-legend",
            help="Name objects in the overlay (default: if known).",
        ),
    ] = None
    audio: Annotated[
        str,
        typer.Option(
            "--audio",
            metavar="NAME",
            show_default=False,
            help="Audio in videos: copy (default) or none.",
        ),
    ] = "copy"

    def refinement(self) -> "Refinement":
        """The part about masks, for the library.

        Raises:
            ConfigError: A value is out of range.
        """
        from jointvos.masks import Refinement

        return Refinement(
            min_area=self.min_area,
            fill_holes=self.fill_holes,
            feather=self.feather,
            lost_threshold=self.lost_threshold,
        )


@dataclass(frozen=True)
class StdoutOptions(OptionGroup):
    """The output that needs no option of its own, and what goes to stdout."""

    title = "Outputs, all written in a single pass"
    example = "--png masks/ --alpha cut.mov"

    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="PATH",
            help="Overlay video, --png folder, or - for stdout.",
        ),
    ] = None
    as_json: Annotated[
        bool,
        typer.Option(
            "--json",
            help="Print JSON per frame; write only files you name.",
        ),
    ] = False
    stream: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="NAME",
            help="Format of video on stdout: nut (default), mkv, or y4m and raw, which carry no "
            "timestamps.",
        ),
    ] = None


@dataclass(frozen=True)
class OutputOptions(OptionGroup):
    """Which files are written, and in which form; they are fields of `Outputs`."""

    title, example = StdoutOptions.title, StdoutOptions.example

    overlay: Annotated[
        Path | None,
        typer.Option(
            "--overlay",
            metavar="FILE",
            help="Video with objects tinted; .gif, .webp: previews.",
        ),
    ] = None
    png: Annotated[
        Path | None,
        typer.Option("--png", metavar="DIR", help="Indexed PNG per frame, pixel = object ID."),
    ] = None
    alpha: Annotated[
        Path | None,
        typer.Option(
            "--alpha",
            metavar="PATH",
            help="Alpha matte: ProRes 4444 (.mov), VP9 (.webm) or RGBA images "
            "(--alpha-format png, png16 or exr).",
        ),
    ] = None
    alpha_format: Annotated[
        str | None,
        typer.Option("--alpha-format", metavar="NAME"),
    ] = None
    matte: Annotated[
        Path | None,
        typer.Option(
            "--matte",
            metavar="PATH",
            help="Black-and-white matte: ProRes .mov, .mp4, lossless .mkv or PNGs; {id} in the "
            "name: one per object. --matte-edges hard, --matte-range full.",
        ),
    ] = None
    matte_edges: Annotated[Literal["soft", "hard"], typer.Option("--matte-edges")] = "soft"
    matte_range: Annotated[Literal["limited", "full"], typer.Option("--matte-range")] = "limited"
    mask_video: Annotated[
        Path | None,
        typer.Option(
            "--mask-video",
            metavar="FILE",
            help="IDs in lossless grayscale .mkv, or colors in .mp4.",
        ),
    ] = None
    stats: Annotated[
        Path | None,
        typer.Option(
            "--stats",
            metavar="FILE",
            help="Table of area, box, center, mean probability and more, per frame and object "
            "(.csv or .jsonl).",
        ),
    ] = None
    coco: Annotated[
        Path | None,
        typer.Option(
            "--coco",
            metavar="FILE",
            help="COCO annotations (.json), compressed RLE; per object as in YouTube-VIS with "
            "--coco-layout ytvis.",
        ),
    ] = None
    coco_layout: Annotated[
        str | None,
        typer.Option(
            "--coco-layout",
            metavar="NAME",
        ),
    ] = None
    crop: Annotated[
        Path | None,
        typer.Option(
            "--crop",
            metavar="DIR",
            help="Objects cropped to their boxes, as RGBA PNGs.",
        ),
    ] = None
    soft: Annotated[
        Path | None,
        typer.Option(
            "--soft",
            metavar="PATH",
            help="Probability of each object: grayscale PNGs or a lossless .mkv. 16 bits with "
            "--soft-bits 16.",
        ),
    ] = None
    soft_bits: Annotated[
        int,
        typer.Option("--soft-bits", metavar="N"),
    ] = 8
    overwrite: Overwrite = False

    def outputs(self, look: LookOptions) -> "Outputs":
        """The same for the library."""
        from jointvos.runs import Outputs

        return Outputs(
            **asdict(self),
            background=look.background,
            audio=look.audio,
            encoder=look.encoder,
            crf=look.crf,
            max_width=look.max_width,
            legend=look.legend,
        )

    def outputs_of(self, source: Path, look: LookOptions, stdout: StdoutOptions) -> "Outputs":
        """All outputs of one video; the default ones where nothing is asked for.

        Raises:
            ConfigError: -o is neither a folder nor a video, or names what is named already.
        """
        outputs = replace(with_output(self.outputs(look), stdout.output), stream=stdout.stream)
        return outputs if outputs.paths() or stdout.as_json else with_defaults(outputs, source)
