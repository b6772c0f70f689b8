"""`jointvos paint`: the page on which masks are made, followed and corrected."""

import shlex
import webbrowser
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jointvos.cli.console import INTERRUPTED, data
from jointvos.cli.groups import OptionGroup, grouped
from jointvos.cli.options import MessageOptions, Overwrite, SessionDevice, session_spec
from jointvos.cli.segment import SegmentTracking
from jointvos.errors import ConfigError

if TYPE_CHECKING:
    from jointvos.runs import SegmentJob


@dataclass(frozen=True)
class PageOptions(OptionGroup):
    """What the page begins with, and what comes of it."""

    title = "Masks and page"
    example = "--mask 120=second.png -o first.png"

    mask: Annotated[
        list[str] | None,
        typer.Option(
            "--mask",
            metavar="[FRAME=]FILE",
            help="Start from a mask for the first frame, or for FRAME. Repeatable.",
        ),
    ] = None
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="Save the first mask here (.png)."),
    ] = None
    overwrite: Overwrite = False
    no_browser: Annotated[
        bool,
        typer.Option("--no-browser", help="Print the address instead of opening a browser."),
    ] = False
    port: Annotated[
        int,
        typer.Option(
            "--port",
            metavar="N",
            min=0,
            max=65535,
            show_default=False,
            help="Port on 127.0.0.1. Default: a free one.",
        ),
    ] = 0


@grouped
def paint(
    source: Annotated[
        Path, typer.Argument(metavar="VIDEO", help="A video, or a folder or pattern of images.")
    ],
    page: PageOptions,
    tracking: SegmentTracking,
    device: SessionDevice,
    messages: MessageOptions,
) -> None:
    """Paint masks in the browser, follow and correct them.

    Click Export to write outputs, or Done to print the `jointvos segment` command for these masks;
    Ctrl-C quits without it. Your work is saved in NAME.jointvos/ beside the video; the same command
    reopens it. The page is only reachable from this machine.
    """
    reporter = messages.reporter()
    from jointvos.masks import MaskFile

    try:
        from jointvos.paint import PaintServer
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in ("starlette", "uvicorn", "anyio", "h11"):
            raise
        raise ConfigError(
            f"paint needs {missing}; install it with: pip install 'jointvos[page]'"
        ) from error
    output = page.output
    if output is not None and output.suffix.lower() != ".png":
        raise ConfigError(f"-o {output}: masks are saved to files ending in .png")
    first_mask = None
    if output is not None:
        first_mask = MaskFile(output, overwrite=page.overwrite, source=source)
    server = PaintServer(
        source,
        session_spec(tracking, device),
        masks=page.mask or (),
        first_mask=first_mask,
        port=page.port,
        command=segment_command,
    )
    with server:
        if page.no_browser:
            data(server.address)
        elif webbrowser.open(server.address):
            reporter.note(f"{server.address} (Ctrl-C ends it)")
        else:
            reporter.note(f"open {server.address} in a browser (Ctrl-C ends it)")
        try:
            server.serve()
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None
        finally:
            reporter.note(f"everything is saved in {server.project.folder}")
        if server.command is not None:
            data(server.command)


def segment_command(job: "SegmentJob") -> str:
    """The command that carries out a job, without its outputs, as one types it in a shell."""
    from jointvos.runs import SessionSpec

    words = ["jointvos", "segment", str(job.source)]
    for mask in job.masks:
        words += ["--mask", _short(str(mask))]
    if job.direction != "forward":
        words += ["--direction", job.direction]
    default = SessionSpec()
    for field in fields(SessionSpec):
        value = getattr(job.session, field.name)
        if value != getattr(default, field.name):
            name = "compile" if field.name == "compiled" else field.name.replace("_", "-")
            words += [f"--{name}"] if value is True else [f"--{name}", str(value)]
    return shlex.join(words)


def _short(mask: str) -> str:
    """A mask with its path from the current folder on, if it lies in there."""
    place, equals, path = mask.rpartition("=")
    there = Path(path)
    if there.is_relative_to(Path.cwd()):
        path = str(there.relative_to(Path.cwd()))
    return f"{place}{equals}{path}"
