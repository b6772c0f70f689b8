"""`jointvos check-mask`: what is in a mask, whether it fits, and what mends it."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jointvos.cli.console import Reporter, data
from jointvos.cli.flags import mending_command
from jointvos.cli.groups import OptionGroup, grouped
from jointvos.cli.input_options import AllowNetwork, Raw, Source
from jointvos.cli.mask_table import HEADER, as_json, object_line
from jointvos.cli.options import Debug, Overwrite, Quiet
from jointvos.errors import ConfigError, MaskError

if TYPE_CHECKING:
    from jointvos.masks import MaskCheck
    from jointvos.types import VideoInfo


@dataclass(frozen=True)
class CheckOptions(OptionGroup):
    """How the input is read, and what is written."""

    title = "Options"
    example = "--fix good.png"

    fix: Annotated[
        Path | None,
        typer.Option("--fix", metavar="FILE", help="Save a repaired mask as a palette PNG."),
    ] = None
    overwrite: Overwrite = False
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False
    raw: Raw = None
    allow_network: AllowNetwork = False
    quiet: Quiet = False
    debug: Debug = False


@grouped
def check_mask(
    source: Source,
    mask: Annotated[Path, typer.Argument(metavar="MASK", help="Mask for one of its frames.")],
    options: CheckOptions,
) -> None:
    """Check a mask and repair it.

    Prints a line per object: ID, color in the file, area, box. Warns of what is most likely wrong,
    and exits with 4 if `segment` would refuse the mask.
    """
    from jointvos.masks import examine_file
    from jointvos.media.reading import VideoReader, open_source

    reporter = Reporter(options.quiet)
    with open_source(source, raw=options.raw, allow_network=options.allow_network) as frames:
        stored = frames.orientation if isinstance(frames, VideoReader) else None
        check = examine_file(mask, frames.info, stored)
        mends = check.mended is not None
        if options.fix is not None and mends:
            check = _mend(check, options.fix, options.overwrite, frames.info, reporter)
    if options.as_json:
        data(as_json(check))
    elif check.labels is not None:
        data(HEADER)
        for each in check.objects:
            data(object_line(each, check.labels.size))
    how = [] if options.raw is None else ["--raw", options.raw]
    how += ["--allow-network"] if options.allow_network else []
    advice = ""
    if check.mended is not None:
        advice = mending_command(source, check.path, check.mending, *how)
    if check.refused is not None:
        check.refused.hint = advice or check.refused.hint
        raise check.refused
    for doubt in check.doubts:
        reporter.warn(f"{mask}: {doubt}{advice and f'; {advice}'}")
    if options.fix is not None and not mends:
        reporter.note(f"{mask}: nothing to repair; {options.fix} was not written")


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
        raise MaskError(f"{check.path} cannot be repaired: {again.refused}")
    return again
