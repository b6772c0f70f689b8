"""`jointvos segment`: a video and a first mask in, masks and films out."""

from dataclasses import asdict, dataclass
from typing import Annotated, Literal

import typer

from jointvos.cli.input_options import InputOptions, Source
from jointvos.cli.options import MessageOptions, SessionOptions, grouped
from jointvos.cli.output_options import OutputOptions, RefineOptions
from jointvos.cli.outputs import check_stdout, default_name
from jointvos.cli.run_options import RunOptions
from jointvos.cli.segment_report import carry_out


@dataclass(frozen=True)
class SegmentSession(SessionOptions):
    """With what is done where a shot ends."""

    cuts: Annotated[
        Literal["off", "pause", "reset"],
        typer.Option(
            "--cuts",
            help="At the first frame of a new shot: look for the objects everywhere and learn "
            "nothing before they are seen again (pause), forget also what was learned but not"
            " given (reset), or nothing special (off).",
        ),
    ] = "pause"


@grouped
def segment(
    source: Source,
    inputs: InputOptions,
    outputs: OutputOptions,
    refine: RefineOptions,
    session: SegmentSession,
    run: RunOptions,
    messages: MessageOptions,
) -> None:
    """Follow objects through a video, given a mask of the first frame.

    Writes NAME_overlay.mp4 and the folder NAME_masks to the current folder unless you name
    outputs. Memory use does not grow with the length of the video.
    """
    reporter = messages.reporter()
    from jointvos.masks import IdChange
    from jointvos.runs import SegmentJob

    change = IdChange.parse(inputs.objects, inputs.remap)
    job = SegmentJob(
        source,
        masks=inputs.mask or (),
        boxes=inputs.box or (),
        objects=change.keep,
        remap=change.rename,
        outputs=outputs.outputs(source),
        session=session.spec(),
        refine=refine.refinement(),
        direction=inputs.direction,
        start=inputs.start,
        end=inputs.end,
        start_number=inputs.start_number,
        raw=inputs.raw,
        allow_network=inputs.allow_network,
        first_mask=default_name(source, "_first_mask.png"),
        **asdict(run),
    )
    check_stdout(job.outputs, outputs.as_json)
    carry_out(job, reporter, outputs.as_json)
