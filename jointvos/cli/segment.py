"""`jointvos segment`: a video and a first mask in, masks and films out."""

from dataclasses import asdict

from jointvos.cli.input_options import InputOptions, Source
from jointvos.cli.options import MessageOptions, SegmentSession, grouped
from jointvos.cli.output_options import OutputOptions, RefineOptions, StdoutOptions
from jointvos.cli.outputs import check_stdout, default_name
from jointvos.cli.run_options import RunOptions
from jointvos.cli.segment_report import carry_out


@grouped
def segment(
    source: Source,
    inputs: InputOptions,
    stdout: StdoutOptions,
    outputs: OutputOptions,
    refine: RefineOptions,
    session: SegmentSession,
    run: RunOptions,
    messages: MessageOptions,
) -> None:
    """Follow objects through a video, given a mask of the first frame.

    Writes NAME_overlay.mp4 and the folder NAME_masks to the current folder unless you name
    outputs; with --box also the first mask, NAME_first_mask.png. Memory use does not grow with the
    length of the video. For many videos: jointvos batch.
    """
    reporter = messages.reporter()
    from jointvos.media import IdChange
    from jointvos.runs import SegmentJob

    change = IdChange.parse(inputs.objects, inputs.remap)
    job = SegmentJob(
        source,
        masks=inputs.mask or (),
        boxes=inputs.box or (),
        objects=change.keep,
        remap=change.rename,
        outputs=outputs.outputs_of(source, stdout),
        session=session.spec(),
        refine=refine.refinement(),
        direction=inputs.direction,
        start=inputs.start,
        end=inputs.end,
        raw=inputs.raw,
        allow_network=inputs.allow_network,
        first_mask=default_name(source, "_first_mask.png"),
        **asdict(run),
    )
    check_stdout(job.outputs, stdout.as_json)
    carry_out(job, reporter, stdout.as_json)
