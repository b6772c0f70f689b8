"""A run of `segment` as it is seen: notes and progress on stderr, JSON Lines on stdout."""

import json
from collections.abc import Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING

import typer

from jointvos.cli.console import INTERRUPTED, TERMINATED, Reporter, close_stdout, data
from jointvos.cli.flags import mending_command
from jointvos.cli.mask_table import object_line
from jointvos.errors import MaskError
from jointvos.wording import plural

if TYPE_CHECKING:
    from jointvos.masks import MaskPrompts
    from jointvos.runs import SegmentedFrame, SegmentJob, SegmentRun
    from jointvos.types import VideoInfo

_DESCRIBED = 4
"""Masks of a run that are described one by one."""


def carry_out(job: "SegmentJob", reporter: Reporter, as_json: bool) -> None:
    """Carry out a job and show what happens.

    Raises:
        JointVOSError: Whatever goes wrong with the input, the masks, the model or the outputs.
    """
    from jointvos.runs import segment_video

    run = segment_video(job)
    try:
        try:
            with run:
                _show(run, reporter, as_json)
        finally:
            if run.kept:
                reporter.warn(f"kept {plural(run.kept, 'frame')}; the rest is missing")
    except MaskError as error:
        if error.path is not None:
            error.hint = mending_command(job.source, error.path, error.mending)
        raise
    except (KeyboardInterrupt, SystemExit) as end:  # Ctrl-C; SIGTERM, see `app`
        if isinstance(end, SystemExit) and end.code != TERMINATED:
            raise
        what = "" if run.committed else "; no file was written"
        if job.resume:
            what += "; run the same command again to continue"
        how = "interrupted" if isinstance(end, KeyboardInterrupt) else "terminated"
        reporter.note(f"{how} after {plural(run.frames, 'frame')}{what}")
        if isinstance(end, SystemExit):
            raise
        raise typer.Exit(INTERRUPTED) from None
    except BrokenPipeError:
        close_stdout()


def _show(run: "SegmentRun", reporter: Reporter, as_json: bool) -> None:
    from jointvos.runs import Finished, Notice, ObjectLost, Opened, Progress, SegmentedFrame

    say = {"detail": reporter.detail, "note": reporter.note, "warning": reporter.warn}
    units = {"forward": "frames", "backward": "frames backwards"}
    names: Mapping[int, str] = {}
    lost: dict[int, int] = {}  # objects that have not been seen since, and from which frame on
    seen: dict[int, int] = {}  # in how many frames each object has been
    with ExitStack() as stack:
        for event in run:
            match event:
                case SegmentedFrame():
                    for state in event.result.objects:
                        if state.area:
                            lost.pop(state.id, None)
                            seen[state.id] = seen.get(state.id, 0) + 1
                    if as_json:
                        data(_json_line(event, names))
                case Progress(direction, 0, total):
                    stack.close()
                    meter = stack.enter_context(reporter.meter(units[direction], total))
                case Progress():
                    meter.advance()
                case Notice(text, level):
                    say[level](text)
                case ObjectLost(object_id, frame, time_s):
                    lost[object_id] = frame
                    text = f"object {object_id} is lost in frame {frame}, {time_s:.3f} s"
                    if seen[object_id] == 1:
                        reporter.warn(f"{text}, right after its first mask; is the mask too small?")
                    else:
                        reporter.detail(text)
                case Opened(info, masks):
                    names = masks.names
                    _describe(info, masks, run.job, reporter)
                case Finished():
                    stack.close()
                    wrote = ", ".join(map(str, event.outputs)) or "JSON"
                    reporter.note(
                        f"wrote {wrote}: {plural(event.frames, 'frame')}, "
                        f"{plural(event.objects, 'object')}, "
                        f"{event.frames / event.seconds:.1f} frames/s, "
                        f"limited by {event.bound_by}"
                    )
                    if lost:
                        reporter.warn(_lost(lost))


def _lost(since: dict[int, int]) -> str:
    """Which objects are not seen at the end."""
    each = (f"object {object_id} from frame {frame} on" for object_id, frame in since.items())
    return f"lost: {', '.join(each)}"


def _describe(
    info: "VideoInfo", masks: "MaskPrompts", job: "SegmentJob", reporter: Reporter
) -> None:
    """What is read, what is in the masks, and what is most likely not meant so."""
    from jointvos.masks import examine_labels

    count = "" if info.frame_count is None else f", about {info.frame_count} frames"
    size = f"{info.width}x{info.height}"
    reporter.note(f"{info.path}: {size}{count}; {plural(len(masks.ids), 'object')}")
    for prompt in masks.all[:_DESCRIBED]:
        check = examine_labels(prompt.labels, prompt.path, masks.names, is_image=prompt.is_image)
        reporter.note(f"{prompt}:")
        for each in check.objects:
            reporter.note(object_line(each, info.width * info.height))
        for doubt in check.doubts:
            advice = ""
            if check.mended is not None:
                advice = f"; {mending_command(info.path, prompt.path, check.mending)}"
            reporter.warn(f"{prompt.path}: {doubt}{advice}")
    if len(masks.all) > _DESCRIBED:
        reporter.note(f"and {plural(len(masks.all) - _DESCRIBED, 'more mask')}")
    for cut in masks.cuts:
        reporter.note(f"{cut.option} {cut}: object {cut.id}")
    if not info.is_video and "overlay" in job.outputs.paths():
        reporter.note(f"images become a video of {info.frame_rate} frames per second")


def _json_line(event: "SegmentedFrame", names: Mapping[int, str]) -> str:
    from jointvos.media.writing import object_record

    frame, result = event.frame, event.result
    objects = [{"id": state.id, **object_record(state, names)} for state in result.objects]
    line = {"frame": frame.index, "time": round(frame.time_s, 6), "cut": result.cut}
    return json.dumps({**line, "objects": objects})
