"""`jointvos segment`: a video and a first mask in, masks and videos out."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer

from jointvos.cli.groups import OptionGroup, grouped
from jointvos.cli.input_options import InputOptions, ObjectOptions, Source
from jointvos.cli.options import MessageOptions, SessionDevice, TrackingOptions, session_spec
from jointvos.cli.output_options import LookOptions, OutputOptions, StdoutOptions
from jointvos.cli.outputs import check_stdout, default_name
from jointvos.cli.segment_report import carry_out


@dataclass(frozen=True)
class SegmentTracking(TrackingOptions):
    """With what is done where a shot ends."""

    cuts: Annotated[
        Literal["off", "pause", "reset"],
        typer.Option(
            "--cuts",
            metavar="WHAT",
            show_default=False,
            help="At cuts: pause learning until objects are seen (default), reset to the given "
            "masks, or off.",
        ),
    ] = "pause"


@dataclass(frozen=True)
class RobustnessOptions(OptionGroup):
    """What happens to a run that ends early."""

    title = "Robustness"
    example = "--resume"

    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Save progress; run the command again to continue.",
        ),
    ] = False
    checkpoint_every: Annotated[
        int,
        typer.Option(
            "--checkpoint-every",
            metavar="N",
            min=1,
            help="With --resume: save a checkpoint every N frames.",
        ),
    ] = 50
    keep_partial: Annotated[
        bool,
        typer.Option(
            "--keep-partial",
            help="If the input is damaged or the run interrupted, write the frames done so far.",
        ),
    ] = False


@dataclass(frozen=True)
class SegmentMessages(MessageOptions):
    """With a record of what the machine did."""

    profile: Annotated[
        Path | None,
        typer.Option(
            "--profile",
            metavar="FILE",
            help="Write a Chrome trace of early frames (.json).",
        ),
    ] = None


@grouped
def segment(
    source: Source,
    objects: ObjectOptions,
    stdout: StdoutOptions,
    outputs: OutputOptions,
    frames: InputOptions,
    look: LookOptions,
    tracking: SegmentTracking,
    device: SessionDevice,
    robustness: RobustnessOptions,
    messages: SegmentMessages,
) -> None:
    """Segment objects through a video, given a first mask.

    Writes NAME_overlay.mp4 and NAME_masks/ to the current folder unless you name outputs, and with
    --box or --point also the first mask, NAME_first_mask.png. Memory use does not grow with the
    length of the video. For many videos, use jointvos batch.
    """
    reporter = messages.reporter()
    from jointvos.masks import IdChange
    from jointvos.runs import SegmentJob

    change = IdChange.parse(objects.objects, objects.remap)
    job = SegmentJob(
        source,
        masks=objects.mask or (),
        boxes=objects.box or (),
        points=objects.point or (),
        no_points=objects.no_point or (),
        objects=change.keep,
        remap=change.rename,
        outputs=outputs.outputs_of(source, look, stdout),
        session=session_spec(tracking, device),
        refine=look.refinement(),
        first_mask=default_name(source, "_first_mask.png"),
        profile=messages.profile,
        **asdict(frames),
        **asdict(robustness),
    )
    check_stdout(job.outputs, stdout.as_json)
    carry_out(job, reporter, stdout.as_json)
