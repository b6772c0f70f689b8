"""`jointvos batch`: many videos, and what becomes of each."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from jointvos.cli.batch_report import carry_out, look
from jointvos.cli.console import INTERRUPTED, TERMINATED
from jointvos.cli.input_options import FollowOptions
from jointvos.cli.options import MessageOptions, SegmentSession, grouped
from jointvos.cli.output_options import OutputOptions, RefineOptions

if TYPE_CHECKING:
    from jointvos.batch import Batch


@grouped
def batch(
    videos: Annotated[
        Path,
        typer.Argument(
            metavar="LIST",
            help="A .csv or .jsonl file with a row per video (columns: video, mask or box, and "
            "optionally out, start, end, objects, remap, direction, raw, preset, and outputs such "
            "as png), a folder where NAME.png or NAME_mask.png lies beside NAME.mp4, or - for "
            "JSON Lines on stdin.",
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            "-o",
            "--out",
            metavar="DIR",
            help="Folder for all outputs and for the record, batch.jsonl. Paths of outputs are "
            "relative to it and contain {name}, such as --png masks/{name}.",
        ),
    ],
    inputs: FollowOptions,
    outputs: OutputOptions,
    refine: RefineOptions,
    session: SegmentSession,
    messages: MessageOptions,
    jobs: Annotated[
        int | None,
        typer.Option(
            "-j",
            "--jobs",
            metavar="N",
            help="Number of worker processes; on the CPU they share the cores. Default: one per "
            "GPU, or 1 on the CPU.",
        ),
    ] = None,
    gpus: Annotated[
        str | None,
        typer.Option(
            "--gpus",
            metavar="all|N",
            help="Use all GPUs or the first N; with a larger --jobs, several videos share a GPU. "
            "Default: all, if there are any.",
        ),
    ] = None,
    retry: Annotated[
        int,
        typer.Option(
            "--retry",
            metavar="N",
            min=0,
            help="Try a video up to N more times if its worker dies, or if it fails for a reason "
            "other than its options, video or mask.",
        ),
    ] = 1,
    no_retry: Annotated[
        bool,
        typer.Option(
            "--no-retry", help="Try nothing again, including what failed in an earlier run."
        ),
    ] = False,
    checkpoint_every: Annotated[
        int,
        typer.Option(
            "--checkpoint-every",
            metavar="N",
            min=1,
            help="Save a checkpoint of each video every N frames.",
        ),
    ] = 50,
    dry_run: Annotated[
        bool,
        typer.Option(
            "-n",
            "--dry-run",
            help="Check every row, and print what would be done and about how long it takes.",
        ),
    ] = False,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json", help="Print a line of JSON per video: its line of the record as it ends."
        ),
    ] = False,
) -> None:
    """Segment many videos.

    Options hold for every row that does not say otherwise; without outputs, each video gets
    NAME_overlay.mp4 and the folder NAME_masks. The same command again skips what is done,
    continues what was interrupted, and tries again what failed. Exits with 9 if any video failed.
    """
    reporter = messages.reporter()
    from jointvos.batch import Batch, read_rows
    from jointvos.media import IdChange
    from jointvos.runs import SegmentJob

    change = IdChange.parse(inputs.objects, inputs.remap)
    template = SegmentJob(
        "",
        masks=inputs.mask or (),
        boxes=inputs.box or (),
        objects=change.keep,
        remap=change.rename,
        outputs=outputs.outputs(),
        session=session.spec(),
        refine=refine.refinement(),
        direction=inputs.direction,
        start=inputs.start,
        end=inputs.end,
        raw=inputs.raw,
        checkpoint_every=checkpoint_every,
    )
    with Batch(
        read_rows(videos),
        out,
        template,
        jobs=jobs,
        gpus=gpus,
        retries=0 if no_retry else retry,
        retry_failed=not no_retry,
        dry=dry_run,
    ) as work:
        if dry_run:
            look(work, reporter, as_json)
            return
        with _stopped_by_signals(work):
            carry_out(work, reporter, as_json)


@contextmanager
def _stopped_by_signals(work: "Batch") -> Iterator[None]:
    """Let the first signal stop the batch, and another one end it at once.

    Raises:
        Exit: The batch was stopped, with the code of the signal.
    """
    codes = {signal.SIGINT: INTERRUPTED, signal.SIGTERM: TERMINATED}
    received: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        received.append(codes[signal.Signals(number)])
        if len(received) > 1:
            raise KeyboardInterrupt
        work.stop()

    before = {number: signal.signal(number, stop) for number in codes}
    try:
        yield
    except KeyboardInterrupt:
        sys.exit(received[0] if received else INTERRUPTED)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if received:
        raise typer.Exit(received[0])
