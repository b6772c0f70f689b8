"""The commands, and the one place where errors become exit codes."""

import os
import shlex
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

import jointvos
from jointvos.cli import console
from jointvos.cli.batch import batch
from jointvos.cli.bench import bench
from jointvos.cli.check_mask import check_mask
from jointvos.cli.evaluate import evaluate
from jointvos.cli.expanded import InputCommand
from jointvos.cli.groups import GroupedCommand
from jointvos.cli.info import info
from jointvos.cli.paint import paint
from jointvos.cli.segment import segment
from jointvos.cli.train import train
from jointvos.cli.weights import download_weights
from jointvos.errors import ConfigError, JointVOSError, OutputError, os_reason


class _Commands(TyperGroup):
    """Knows what is most likely meant where a video stands instead of a command."""

    def get_params(self, ctx: Any) -> list[Any]:
        """The options; Typer's own flags get a default that needs no conversion.

        Converting None would import pydantic, which takes as long as all the rest of --help.
        """
        params = super().get_params(ctx)
        for each in params:
            if getattr(each, "is_flag", False) and each.default is None:
                each.default = False
        return params

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of that name.

        Raises:
            ConfigError: It is the name of a file.
        """
        command = super().get_command(ctx, cmd_name)
        if command is None and (Path(cmd_name).suffix or os.path.lexists(cmd_name)):
            raise ConfigError(
                f"{cmd_name} is not a command; to segment a video: "
                f"{shlex.join(['jointvos', 'segment', cmd_name, '--mask'])} MASK"
            )
        return command


class _Segment(InputCommand):
    """Knows what is most likely meant where there are more files than INPUT."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse arguments; without any, INPUT is missing."""
        if not args:
            ctx.fail("INPUT is missing; try: jointvos segment video.mp4 --mask first.png")
        return super().parse_args(ctx, args)

    def too_many(self, args: Sequence[str], files: Sequence[str], place: str) -> str:
        """The command that was meant."""
        video, extra, *others = files
        if any(each.split("=")[0] == "--mask" for each in args):
            return f"unexpected {extra}; if it is a mask, write --mask {shlex.quote(extra)}"
        if others:
            return f"expected one {place}, got {len(files) - 1} more ({extra} ...)"
        mask = extra
        if _is_image(video) and not _is_image(mask):
            video, mask = mask, video
        meant = shlex.join(["jointvos", "segment", video, "--mask", mask])
        return f"unexpected {extra}; a mask needs --mask: {meant}"


def _is_image(path: str) -> bool:
    return Path(path).suffix.lower() in (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp")


app = typer.Typer(
    name="jointvos",
    cls=_Commands,
    help="Segment objects through a video: give one mask for the first frame, get one for every "
    "frame.",
    epilog="Example: jointvos segment video.mp4 --mask first.png",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command(cls=_Segment)(segment)
app.command(cls=InputCommand, no_args_is_help=True)(batch)
app.command(cls=InputCommand, no_args_is_help=True)(paint)
app.command("check-mask", cls=InputCommand)(check_mask)
app.command("eval", cls=GroupedCommand, no_args_is_help=True)(evaluate)
app.command(cls=GroupedCommand, no_args_is_help=True)(train)
app.command(cls=GroupedCommand)(bench)
app.command("download-weights", cls=GroupedCommand, no_args_is_help=True)(download_weights)
app.command(cls=GroupedCommand)(info)


def _version(wanted: bool) -> None:
    if wanted:
        console.data(f"jointvos {jointvos.__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Options that come before the command."""


def run() -> None:
    """Run the command line and end the process with the right code.

    An error that a user can cause, or that the system raises for a path, becomes one line on
    stderr; anything else is a bug and keeps its traceback, as does everything with --debug or
    JOINTVOS_DEBUG=1.
    """
    signal.signal(signal.SIGTERM, _terminate)
    debug = "--debug" in sys.argv[1:] or os.environ.get("JOINTVOS_DEBUG", "") not in ("", "0")
    try:
        app()
    except JointVOSError as error:
        if debug:
            raise
        console.error(str(error))
        sys.exit(error.exit_code)
    except OSError as error:
        # Inputs are told where they are opened; what is left are names that nobody can write to.
        if debug or error.filename is None:
            raise
        console.error(os_reason(error))
        sys.exit(OutputError.exit_code)


def _terminate(signum: int, frame: FrameType | None) -> NoReturn:
    """End as an exception does, so that outputs in the making are taken away."""
    sys.exit(console.TERMINATED)
