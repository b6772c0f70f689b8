"""Patterns that the shell has expanded, where a single input should stand."""

import shlex
from collections import Counter
from collections.abc import Sequence
from os.path import commonpath
from pathlib import Path
from typing import Any

from typer.core import TyperArgument

from jointvos.cli.groups import GroupedCommand


class InputCommand(GroupedCommand):
    """Tells in one line what to do about more arguments than there are places."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse arguments."""
        ctx.allow_extra_args = True
        extra: list[str] = super().parse_args(ctx, list(args))
        if extra:
            places = [each for each in self.params if isinstance(each, TyperArgument)]
            files = [*(str(ctx.params[each.name]) for each in places), *extra]
            place = str(places[0].metavar)
            ctx.fail(of_pattern(files, place) or self.too_many(args, files, place))
        return extra

    def too_many(self, args: Sequence[str], files: Sequence[str], place: str) -> str:
        """What is told of files that are not the names that a pattern stands for."""
        places = sum(isinstance(each, TyperArgument) for each in self.params)
        return f"unexpected {files[places]}"


def of_pattern(files: Sequence[str], place: str) -> str | None:
    """What to give instead of the images or videos that a pattern stands for; None for others.

    Args:
        files: All arguments.
        place: What the argument is called.
    """
    from jointvos.files.sequences import SUFFIXES

    suffix, count = Counter(Path(each).suffix for each in files).most_common(1)[0]
    are_images = suffix.lower() in SUFFIXES
    # A second image is most likely a mask.
    if not suffix or count < max(3 if are_images else 2, 0.9 * len(files)):
        return None
    folder = _common_folder(files)
    if not are_images:
        command = f"jointvos batch {shlex.quote(str(folder or 'FOLDER'))} --out results"
        return f"expected one {place}, got {len(files)} files; for all of them: {command}"
    told = (
        f"expected one {place}, got {len(files)} images; the shell expanded the pattern: quote it"
    )
    if folder is None:
        return told
    return f"{told}, '{folder / f'*{suffix}'}', or give the folder, {shlex.quote(str(folder))}"


def _common_folder(files: Sequence[str]) -> Path | None:
    folders = {str(Path(each).parent) for each in files}
    return Path(commonpath(folders)) if len(folders) == 1 else None
