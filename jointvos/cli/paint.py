"""`jointvos paint`: the page on which masks are made, followed and corrected."""

import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from jointvos.cli.console import INTERRUPTED, data
from jointvos.cli.options import MessageOptions, grouped
from jointvos.cli.outputs import hinting_at_overwrite
from jointvos.cli.segment import SegmentSession
from jointvos.errors import ConfigError


@grouped
def paint(
    source: Annotated[
        Path, typer.Argument(metavar="VIDEO", help="A video file or a folder of images.")
    ],
    *,
    mask: Annotated[
        list[str] | None,
        typer.Option(
            "--mask",
            metavar="[FRAME=]FILE",
            help="A mask to begin with, of the first frame or of frame number FRAME. Can be "
            "repeated.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="When done, also save the first mask here (.png).",
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("-f", "--overwrite", help="Overwrite the file of -o.")
    ] = False,
    no_browser: Annotated[
        bool,
        typer.Option("--no-browser", help="Open no browser; print the address of the page."),
    ] = False,
    port: Annotated[
        int,
        typer.Option(
            "--port", metavar="N", min=0, max=65535, help="Port on 127.0.0.1. Default: a free one."
        ),
    ] = 0,
    session: SegmentSession,
    messages: MessageOptions,
) -> None:
    """Make masks in the browser, see them followed, correct them, and export.

    Everything is saved as you work, in NAME.jointvos beside the video; the same command opens it
    again. Ends with the button Done, which prints the `jointvos segment` command that goes on with
    the masks, or with Ctrl-C. The page is served to this machine only.
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
    if output is not None and output.suffix.lower() != ".png":
        raise ConfigError(f"-o {output}: masks are saved to files ending in .png")
    with hinting_at_overwrite():
        first_mask = None
        if output is not None:
            first_mask = MaskFile(output, overwrite=overwrite, source=source)
        server = PaintServer(
            source, session.spec(), masks=mask or (), first_mask=first_mask, port=port
        )
        with server:
            if no_browser:
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
