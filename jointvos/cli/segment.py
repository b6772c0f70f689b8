"""`jointvos segment`: a video and a first mask in, masks and films out."""

import json
import time
from contextlib import closing, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jointvos.cli import options
from jointvos.cli.console import Reporter, data, plural
from jointvos.cli.session import check_options, make_sessions
from jointvos.errors import ConfigError, OutputError, OutputExists

if TYPE_CHECKING:
    from jointvos.media import TwoPhaseSink
    from jointvos.types import Frame, FrameResult, LabelMap, VideoInfo

INTERRUPTED = 130


def segment(
    source: Annotated[
        Path, typer.Argument(metavar="INPUT", help="A video file, or a folder of pictures.")
    ],
    mask: Annotated[
        Path,
        typer.Option(
            "--mask",
            metavar="FILE",
            help="What to follow, in the first frame: a PNG with an id per pixel (255 = void), "
            "or a black and white picture.",
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="PATH", help="A folder means --png, a film --overlay."
        ),
    ] = None,
    png: Annotated[
        Path | None,
        typer.Option("--png", metavar="DIR", help="One palette PNG per frame, ids as pixels."),
    ] = None,
    overlay: Annotated[
        Path | None,
        typer.Option(
            "--overlay", metavar="FILE", help="The film with the objects tinted, sound copied."
        ),
    ] = None,
    mask_video: Annotated[
        Path | None,
        typer.Option(
            "--mask-video",
            metavar="FILE",
            help="A film of the masks: .mkv holds the ids exactly (grey, lossless), "
            ".mp4 shows them in colour.",
        ),
    ] = None,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json",
            help="JSON Lines on stdout, one per frame: index, time, and of every object area, "
            "box, centre and mean probability. No files then, unless they are named.",
        ),
    ] = False,
    start: Annotated[
        str | None,
        typer.Option(
            metavar="WHEN",
            help="First frame, the one the mask is for: a number, seconds (4.5s) or h:mm:ss; "
            "the first frame at or after that time.",
        ),
    ] = None,
    end: Annotated[
        str | None,
        typer.Option(metavar="WHEN", help="The frame after the last, in the same forms."),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("-f", "--overwrite", help="Replace outputs that exist.")
    ] = False,
    model: options.Model = None,
    weights: options.Weights = None,
    preset: options.Preset = None,
    memory_size: options.MemorySize = None,
    template_interval: options.TemplateInterval = None,
    device: options.Device = "auto",
    precision: options.Precision = "auto",
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,
) -> None:
    """Follow the objects of a first mask through a video.

    Without any output named it writes NAME_overlay.mp4 and the folder NAME_masks into the current
    folder. Memory does not grow with the length of the video.
    """
    from jointvos.media import FanOut, check_mask, open_source, read_ahead, read_mask

    reporter = Reporter(quiet, verbose)
    check_options(model, weights, preset, precision)
    png, overlay = _sort_output(output, png, overlay)
    with open_source(source, start=start, end=end) as frames:
        info = frames.info
        if not (png or overlay or mask_video or as_json):
            png, overlay = _default_outputs(info.path)
        first_mask = read_mask(mask, info)
        check_mask(first_mask, mask, info)
        if png is not None and png.resolve() == mask.resolve().parent:
            raise OutputError(f"{mask} lies in {png}, which would be replaced; name another folder")
        sinks = _open_sinks(info, png, overlay, mask_video, overwrite)
        reporter.note(_describe(info, first_mask))
        if not info.is_video and overlay is not None:
            reporter.note(f"pictures become a film of {info.frame_rate} frames per second")
        make_session = make_sessions(
            reporter,
            model=model,
            weights=weights,
            preset_name=preset,
            memory_size=memory_size,
            template_interval=template_interval,
            device=device,
            precision=precision,
        )
        session = make_session()
        begin, count = time.perf_counter(), 0
        try:
            with (
                FanOut(sinks) if sinks else nullcontext() as out,
                closing(read_ahead(frames)) as ahead,
            ):
                results = session.segment(ahead, first_mask)
                for frame, result in reporter.track(results, info.frame_count, "frames"):
                    if count == 0 and start is not None:
                        reporter.note(f"first frame {frame.index}, at {frame.time_s:.3f} s")
                    if out is not None:
                        out.write(frame, result)
                    if as_json:
                        data(_json_line(frame, result))
                    count += 1
        except KeyboardInterrupt:
            reporter.note(f"interrupted after {plural(count, 'frame')}; no file was written")
            raise typer.Exit(INTERRUPTED) from None
        rate = count / (time.perf_counter() - begin)
        wrote = ", ".join(str(path) for path in (png, overlay, mask_video) if path) or "JSON"
        reporter.note(
            f"wrote {wrote}: {plural(count, 'frame')}, "
            f"{plural(len(session.object_ids), 'object')}, {rate:.1f} frames/s"
        )


def _sort_output(
    output: Path | None, png: Path | None, overlay: Path | None
) -> tuple[Path | None, Path | None]:
    """Let -o stand for --overlay or --png."""
    if output is None:
        return png, overlay
    name, taken = ("overlay", overlay) if _is_film(output) else ("png", png)
    if taken is not None:
        raise ConfigError(f"-o {output} means --{name}, which is given too; drop one of them")
    return (png, output) if name == "overlay" else (output, overlay)


def _is_film(path: Path) -> bool:
    from jointvos.media import FILM_FORMATS

    if path.suffix.lower() in FILM_FORMATS:
        return True
    if path.suffix and not path.is_dir():
        raise ConfigError(
            f"-o {path}: expected a folder or a film ({', '.join(sorted(FILM_FORMATS))}); "
            "use --png for a folder whose name has a dot"
        )
    return False


def _default_outputs(source: Path) -> tuple[Path, Path]:
    stem = source.resolve().name if source.is_dir() else source.stem
    return Path(f"{stem}_masks"), Path(f"{stem}_overlay.mp4")


def _open_sinks(
    info: "VideoInfo",
    png: Path | None,
    overlay: Path | None,
    mask_video: Path | None,
    overwrite: bool,
) -> "list[TwoPhaseSink]":
    from jointvos.media import MaskVideoSink, OverlaySink, PngSequenceSink

    films = [path.resolve() for path in (overlay, mask_video) if path is not None]
    if len(set(films)) < len(films):
        raise ConfigError(f"--overlay and --mask-video both name {overlay}; give each its own file")
    sinks: list[TwoPhaseSink] = []
    try:
        if png is not None:
            sinks.append(PngSequenceSink(png, overwrite=overwrite, source=info.path))
        if overlay is not None:
            sinks.append(OverlaySink(overlay, info, overwrite=overwrite))
        if mask_video is not None:
            sinks.append(MaskVideoSink(mask_video, info, overwrite=overwrite))
    except OutputExists as error:
        raise OutputExists(f"{str(error).split(';')[0]}; use -f to replace it") from error
    return sinks


def _describe(info: "VideoInfo", mask: "LabelMap") -> str:
    import numpy as np

    ids, areas = np.unique(mask, return_counts=True)
    objects = ", ".join(
        f"{i} ({100 * area / mask.size:.1f} %)"
        for i, area in zip(ids.tolist(), areas.tolist(), strict=True)
        if 0 < i < 255
    )
    count = "" if info.frame_count is None else f", about {info.frame_count} frames"
    return f"{info.path}: {info.width}x{info.height}{count}; objects {objects}"


def _json_line(frame: "Frame", result: "FrameResult") -> str:
    return json.dumps(
        {
            "frame": frame.index,
            "time": round(frame.time_s, 6),
            "objects": [
                {
                    "id": state.id,
                    "area": state.area,
                    "box": state.box,
                    "centre": state.centre and [round(c, 2) for c in state.centre],
                    "mean_probability": state.mean_probability and round(state.mean_probability, 4),
                }
                for state in result.objects
            ],
        }
    )
