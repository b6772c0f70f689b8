"""`jointvos check-mask`: what is in a mask, whether it fits, and what mends it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jointvos.cli import input_options as ins
from jointvos.cli import options
from jointvos.cli.console import Reporter, data
from jointvos.cli.flags import mending_command
from jointvos.cli.mask_table import HEADER, as_json, object_line
from jointvos.errors import ConfigError, MaskError

if TYPE_CHECKING:
    from jointvos.masks import MaskCheck
    from jointvos.types import VideoInfo


def check_mask(
    source: ins.Source,
    mask: Annotated[Path, typer.Argument(metavar="MASK", help="The mask of one of its frames.")],
    fix: Annotated[
        Path | None,
        typer.Option(
            "--fix",
            metavar="FILE",
            help="Save what the mask was most likely meant to be, as a palette PNG.",
        ),
    ] = None,
    raw: ins.Raw = None,
    allow_network: ins.AllowNetwork = False,
    as_record: Annotated[
        bool, typer.Option("--json", help="Everything as one JSON object on stdout.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("-f", "--overwrite", help="Replace the file of --fix.")
    ] = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Say what a mask holds and what is wrong with it, and mend it.

    A line per object: id, colour in the file, area, box. Ends with 4 if `segment` would refuse
    the mask.
    """
    from jointvos.masks import examine_mask
    from jointvos.media.reading import VideoReader, open_source

    reporter = Reporter(quiet)
    with open_source(source, raw=raw, allow_network=allow_network) as frames:
        stored = frames.orientation if isinstance(frames, VideoReader) else None
        check = examine_mask(mask, frames.info, stored)
        mends = check.mended is not None
        if fix is not None and mends:
            check = _mend(check, fix, overwrite, frames.info, reporter)
    if as_record:
        data(as_json(check))
    elif check.labels is not None:
        data(HEADER)
        for each in check.objects:
            data(object_line(each, check.labels.size))
    how = [] if raw is None else ["--raw", raw]
    how += ["--allow-network"] if allow_network else []
    advice = mending_command(source, mask, check.mending, *how) if mends else ""
    if check.refused is not None:
        check.refused.hint = advice or check.refused.hint
        raise check.refused
    for doubt in check.doubts:
        reporter.warn(f"{mask}: {doubt}; {advice}")
    if fix is not None and not mends:
        reporter.note(f"{mask}: nothing to mend; {fix} was not written")


def _mend(
    check: "MaskCheck", path: Path, overwrite: bool, info: "VideoInfo", reporter: Reporter
) -> "MaskCheck":
    """Save the mended mask and look at it again."""
    from jointvos.masks import MaskFile, examine_mask

    assert check.mended is not None
    if path.suffix.lower() != ".png":
        raise ConfigError(f"--fix {path}: masks are saved to files ending in .png")
    MaskFile(path, overwrite=overwrite, source=check.path).save(check.mended)
    for what in (*check.doubts, *([str(check.refused)] if check.refused else ())):
        reporter.note(what)
    reporter.note(f"{path}: {check.path} {check.mending}")
    again = examine_mask(path, info)
    if again.refused is not None:  # what was mended must be usable
        raise MaskError(f"{check.path} cannot be mended: {again.refused}")
    return again
