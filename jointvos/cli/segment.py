"""`jointvos segment`: a video and a first mask in, masks and films out."""

import json
import time
from contextlib import closing, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jointvos.cli import options
from jointvos.cli import output_options as outs
from jointvos.cli.console import Reporter, data, plural
from jointvos.cli.outputs import Outputs, close_stdout
from jointvos.cli.session import check_options, make_sessions

if TYPE_CHECKING:
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
    output: outs.Output = None,
    png: outs.Png = None,
    overlay: outs.Overlay = None,
    mask_video: outs.MaskVideo = None,
    alpha: outs.Alpha = None,
    soft: outs.Soft = None,
    soft_bits: outs.SoftBits = 8,
    crop: outs.Crop = None,
    stats: outs.Stats = None,
    coco: outs.Coco = None,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json",
            help="JSON Lines on stdout, one per frame: index, time, and of every object area, "
            "box, centre, mean probability and whether it is lost. No files then, unless they "
            "are named.",
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
    stream: outs.Stream = None,
    background: outs.Behind = None,
    audio: outs.Audio = "copy",
    encoder: outs.Encoder = None,
    crf: outs.Crf = None,
    feather: outs.Feather = 0.0,
    min_area: outs.MinArea = 0,
    fill_holes: outs.FillHoles = 0,
    lost_threshold: outs.LostThreshold = 0.0,
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
    from jointvos.media import FanOut, Refinement, check_mask, open_source, read_ahead, read_mask

    reporter = Reporter(quiet, verbose)
    check_options(model, weights, preset, precision)
    refine = Refinement(min_area, fill_holes, feather, lost_threshold)
    outputs = Outputs(
        png=png,
        overlay=overlay,
        mask_video=mask_video,
        alpha=alpha,
        soft=soft,
        crop=crop,
        stats=stats,
        coco=coco,
        soft_bits=soft_bits,
        stream=stream,
        background=background,
        audio=audio,
        encoder=encoder,
        crf=crf,
        overwrite=overwrite,
    ).with_output(output)
    if not (outputs.named() or as_json):
        outputs = outputs.with_defaults(source)
    outputs.check(source, mask, as_json)
    with open_source(source, start=start, end=end) as frames:
        info = frames.info
        first_mask = read_mask(mask, info)
        check_mask(first_mask, mask, info)
        sinks = outputs.sinks(info)
        reporter.note(_describe(info, first_mask))
        if not info.is_video and outputs.overlay is not None:
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
        session.keep_probabilities = outputs.need_probabilities or refine.does_something
        # Probabilities are large; fewer frames wait where there are some.
        depth = 2 if session.keep_probabilities else 4
        begin, count = time.perf_counter(), 0
        try:
            with (
                FanOut(sinks, depth) if sinks else nullcontext() as out,
                closing(read_ahead(frames)) as ahead,
            ):
                results = session.segment(ahead, first_mask)
                for frame, result in reporter.track(results, info.frame_count, "frames"):
                    if count == 0 and start is not None:
                        reporter.note(f"first frame {frame.index}, at {frame.time_s:.3f} s")
                    refined = refine(result) if refine.does_something else result
                    if out is not None:
                        out.write(frame, refined)
                    if as_json:
                        data(_json_line(frame, refined))
                    count += 1
        except KeyboardInterrupt:
            reporter.note(f"interrupted after {plural(count, 'frame')}; no file was written")
            raise typer.Exit(INTERRUPTED) from None
        except BrokenPipeError:
            close_stdout()
        rate = count / (time.perf_counter() - begin)
        wrote = ", ".join(map(str, outputs.named().values())) or "JSON"
        reporter.note(
            f"wrote {wrote}: {plural(count, 'frame')}, "
            f"{plural(len(session.object_ids), 'object')}, {rate:.1f} frames/s"
        )


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
    from jointvos.media import object_record

    objects = [{"id": state.id, **object_record(state)} for state in result.objects]
    return json.dumps({"frame": frame.index, "time": round(frame.time_s, 6), "objects": objects})
