"""`jointvos batch`: many videos, and what becomes of each."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from jointvos.cli.batch_report import carry_out, look_at
from jointvos.cli.console import INTERRUPTED, TERMINATED
from jointvos.cli.flags import in_flags
from jointvos.cli.groups import OptionGroup, grouped
from jointvos.cli.input_options import FrameOptions, ObjectOptions
from jointvos.cli.options import MessageOptions, SessionDevice, session_spec
from jointvos.cli.output_options import LookOptions, OutputOptions
from jointvos.cli.segment import SegmentTracking
from jointvos.errors import ConfigError

if TYPE_CHECKING:
    from jointvos.batch import Batch, Engine


@dataclass(frozen=True)
class BatchOptions(OptionGroup):
    """How the videos are carried out."""

    title = "Batch"
    example = "--jobs 2 --dry-run"

    dry_run: Annotated[
        bool,
        typer.Option(
            "-n",
            "--dry-run",
            help="Check every row; print what would be done and about how long it would take.",
        ),
    ] = False
    jobs: Annotated[
        int | None,
        typer.Option(
            "--jobs",
            "-j",
            metavar="N",
            help="Worker processes; on the CPU they share the cores. Default: one per GPU, or 1 "
            "on the CPU. With --engine ray: maximum videos at once. Default: as many as fit.",
        ),
    ] = None
    gpus: Annotated[
        str | None,
        typer.Option(
            "--gpus",
            metavar="all|N",
            help="Use all GPUs (default if there are any) or the first N. With more jobs than "
            "GPUs, videos share a GPU.",
        ),
    ] = None
    engine: Annotated[
        Literal["local", "ray"],
        typer.Option(
            "--engine",
            metavar="local|ray",
            show_default=False,
            help="Where to run: local processes (default) or a Ray cluster.",
        ),
    ] = "local"
    address: Annotated[
        str | None,
        typer.Option(
            "--address",
            metavar="ADDRESS",
            help="With --engine ray: the cluster, or auto for the one on this machine. Default: "
            "start a temporary one.",
        ),
    ] = None
    cpus_per_job: Annotated[
        int | None,
        typer.Option(
            "--cpus-per-job",
            metavar="N",
            min=1,
            help="With --engine ray: CPU cores for each video, beside a GPU if the cluster has "
            "some. Default: 1.",
        ),
    ] = None
    retry: Annotated[
        int,
        typer.Option(
            "--retry",
            metavar="N",
            min=0,
            help="Try a video again up to N times if its worker dies, or if it fails for a "
            "reason other than its options, video or mask.",
        ),
    ] = 1
    no_retry: Annotated[
        bool,
        typer.Option(
            "--no-retry", help="Try nothing again, not even what failed in an earlier run."
        ),
    ] = False
    checkpoint_every: Annotated[
        int,
        typer.Option(
            "--checkpoint-every",
            metavar="N",
            min=1,
            help="Save a checkpoint of each video every N frames.",
        ),
    ] = 50
    as_json: Annotated[
        bool,
        typer.Option("--json", help="Print a line of JSON per video as it ends."),
    ] = False

    def made_engine(self) -> "Engine":
        """The engine that is asked for.

        Raises:
            ConfigError: Options do not fit it.
        """
        retry = 0 if self.no_retry else self.retry
        if self.engine == "ray":
            if self.gpus is not None:
                raise ConfigError(
                    "--gpus is for --engine local; Ray gives each video a GPU if there are some"
                )
            from jointvos.batch.cluster import RayEngine

            return RayEngine(self.address, self.jobs, self.cpus_per_job or 1, retry)
        for option, value in (("--address", self.address), ("--cpus-per-job", self.cpus_per_job)):
            if value is not None:
                raise ConfigError(f"{option} requires --engine ray")
        from jointvos.batch import LocalEngine

        return LocalEngine(self.jobs, self.gpus, retry)


@dataclass(frozen=True)
class UrlOptions(OptionGroup):
    """What files behind URLs need."""

    title = "URLs"
    example = "--record results --allow-network"

    allow_network: Annotated[
        bool,
        typer.Option("--allow-network", help="Allow URLs that leave this machine (s3://, ...)."),
    ] = False
    record: Annotated[
        Path | None,
        typer.Option(
            "--record",
            metavar="DIR",
            help="Folder for the record and the report. Default: that of --out; required if that "
            "is a URL.",
        ),
    ] = None
    scratch: Annotated[
        Path | None,
        typer.Option(
            "--scratch",
            metavar="DIR",
            help="Folder for files behind URLs while their video is done. Default: .scratch "
            "beside the record.",
        ),
    ] = None


def _place(text: str) -> Path:
    from jointvos.batch.urls import path_of, url_of

    return Path(text) if url_of(text) is None else path_of(text)


@grouped
def batch(
    videos: Annotated[
        Path,
        typer.Argument(
            metavar="LIST",
            help="A .csv or .jsonl file, a folder, or - for JSON Lines on stdin.",
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            "-o",
            "--out",
            metavar="DIR",
            parser=_place,
            help="Folder or URL for the outputs; in a folder also the record (batch.jsonl) and "
            "the report.",
        ),
    ],
    batch: BatchOptions,
    urls: UrlOptions,
    objects: ObjectOptions,
    outputs: OutputOptions,
    frames: FrameOptions,
    look: LookOptions,
    tracking: SegmentTracking,
    device: SessionDevice,
    messages: MessageOptions,
) -> None:
    """Segment many videos, each with its own mask.

    LIST is a CSV or JSON Lines file with a row per video, or a folder with a mask beside each video
    (a.mp4 and a.png). Columns: video, mask (or box, or point), and optionally out (the name of its
    outputs), objects, remap, start, end, direction, raw, preset, and outputs such as png. Options
    apply to every row; a row's own columns win. Paths of outputs are relative to DIR and contain
    {name}, such as --png masks/{name}; without any, each video gets NAME_overlay.mp4 and
    NAME_masks/.

    Run the same command again to skip finished videos, resume interrupted ones and retry failed
    ones. Writes report.html. Exits with 9 if any video failed.
    """
    reporter = messages.reporter()
    from jointvos.batch import Batch, read_rows
    from jointvos.masks import IdChange
    from jointvos.runs import SegmentJob

    change = IdChange.parse(objects.objects, objects.remap)
    template = SegmentJob(
        "",
        masks=objects.mask or (),
        boxes=objects.box or (),
        points=objects.point or (),
        no_points=objects.no_point or (),
        objects=change.keep,
        remap=change.rename,
        outputs=outputs.outputs(look),
        session=session_spec(tracking, device),
        refine=look.refinement(),
        checkpoint_every=batch.checkpoint_every,
        allow_network=urls.allow_network,
        **asdict(frames),
    )
    with Batch(
        read_rows(videos),
        out,
        template,
        record=urls.record,
        scratch=urls.scratch,
        engine=batch.made_engine(),
        retry_failed=not batch.no_retry,
        dry=batch.dry_run,
        wording=in_flags,
    ) as work:
        if batch.dry_run:
            look_at(work, reporter, batch.as_json)
            return
        with _stopped_by_signals(work, reporter.quiet):
            carry_out(work, reporter, batch.as_json)


@contextmanager
def _stopped_by_signals(work: "Batch", quiet: bool) -> Iterator[None]:
    """Let the first signal stop the batch, and another one end it at once.

    Raises:
        SystemExit: The batch was stopped; the code is that of the first signal.
    """
    codes = {signal.SIGINT: INTERRUPTED, signal.SIGTERM: TERMINATED}
    received: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        received.append(codes[signal.Signals(number)])
        if len(received) > 1:
            raise KeyboardInterrupt
        work.stop()
        if not quiet:  # past Python's streams, which may be in the middle of a line
            os.write(2, b"\nstopping at the next frame; Ctrl-C again stops at once\n")

    before = {number: signal.signal(number, stop) for number in codes}
    try:
        yield
    except KeyboardInterrupt:
        sys.exit(received[0])
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if received:
        sys.exit(received[0])
