"""`jointvos segment`: a video and a first mask in, masks and films out."""

from functools import partial

from jointvos.cli import input_options as ins
from jointvos.cli import options
from jointvos.cli import output_options as outs
from jointvos.cli import run_options as runs
from jointvos.cli.console import Reporter
from jointvos.cli.given_masks import GivenMasks
from jointvos.cli.outputs import Outputs
from jointvos.cli.request import Request
from jointvos.cli.segment_run import SegmentRun
from jointvos.cli.session import check_options, make_sessions


def segment(
    source: ins.Source,
    mask: ins.Masks = None,
    box: ins.Boxes = None,
    objects: ins.Objects = None,
    remap: ins.Remap = None,
    direction: runs.WhichWay = "forward",
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
    coco_layout: outs.CocoLayout = None,
    as_json: runs.AsJson = False,
    start: ins.Start = None,
    end: ins.End = None,
    raw: ins.Raw = None,
    allow_network: ins.AllowNetwork = False,
    overwrite: runs.Overwrite = False,
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
    cuts: runs.Cuts = "pause",
    memory_size: options.MemorySize = None,
    memory_precision: options.MemoryPrecision = None,
    template_interval: options.TemplateInterval = None,
    reach: options.Reach = None,
    device: options.Device = "auto",
    precision: options.Precision = "auto",
    on_oom: runs.OnOOM = "retry",
    keep_partial: runs.KeepPartial = False,
    resume: runs.Resume = False,
    checkpoint_every: runs.CheckpointEvery = 50,
    compiled: options.Compile = False,
    profile: runs.Profile = None,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,
) -> None:
    """Follow the objects of a first mask through a video.

    Without any output named it writes NAME_overlay.mp4 and the folder NAME_masks into the current
    folder. Memory does not grow with the length of the video.
    """
    from jointvos.media import Refinement

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
        coco_layout=coco_layout,
        soft_bits=soft_bits,
        stream=stream,
        background=background,
        audio=audio,
        encoder=encoder,
        crf=crf,
        overwrite=overwrite,
    ).with_output(output)
    masks = GivenMasks.parse(source, mask, box, objects, remap, overwrite)
    if not (outputs.named() or as_json):
        outputs = outputs.with_defaults(source)
    load = partial(
        make_sessions,
        reporter,
        model=model,
        weights=weights,
        preset_name=preset,
        memory_size=memory_size,
        memory_precision=memory_precision,
        template_interval=template_interval,
        reach=reach,
        device=device,
        precision=precision,
        cuts=cuts,
        on_oom=on_oom,
        compiled=compiled,
    )
    request = Request(
        source,
        masks,
        outputs,
        refine,
        as_json=as_json,
        start=start,
        end=end,
        raw=raw,
        allow_network=allow_network,
        direction=direction,
        find_cuts=cuts != "off",
        keep_partial=keep_partial,
        resume=resume,
        checkpoint_every=checkpoint_every,
        profile=profile,
    )
    SegmentRun(request, reporter, load)()
