"""Messages of the library in the words of the command line: parameters become options.

The library names parameters as its callers write them, in backticks: `overwrite=True` is -f here,
and `jointvos.checkpoints.install("joint-davis", force=True)` is
`jointvos download-weights joint-davis --force`.
"""

import ast
import re
import shlex
from functools import cache
from pathlib import Path

from typer.core import TyperGroup, TyperOption
from typer.main import get_command

COMMANDS = {"install": "download-weights"}
"""Functions that have a command."""

ALIASES = {
    "masks": "mask",
    "boxes": "box",
    "points": "point",
    "no_points": "no_point",
    "gaps": "sparse",
}
"""Parameters that the commands call otherwise."""

_CODE = re.compile(r"`([^`]+)`")


def in_flags(message: str) -> str:
    """A message of the library, with options in place of its parameters."""
    return _CODE.sub(_translated, message)


def mending_command(source: str | Path, mask: Path, mending: str, *options: str) -> str:
    """What mends a mask, and how, as advice.

    Args:
        source: The video.
        mask: The mask that can be mended.
        mending: How, see `MaskCheck`.
        options: What else it takes to read the video.
    """
    command = shlex.join(["jointvos", "check-mask", str(source), str(mask), *options])
    return f"`{command} --fix FILE` saves it {mending}"


@cache
def _options() -> dict[str, TyperOption]:
    """The options of all commands, by the names of their parameters."""
    from jointvos.cli.app import app

    root = get_command(app)
    assert isinstance(root, TyperGroup)
    return {
        option.name: option
        for command in root.commands.values()
        for option in command.params
        if isinstance(option, TyperOption) and option.name is not None
    }


def _option(name: str) -> TyperOption | None:
    return _options().get(ALIASES.get(name, name))


def _translated(span: re.Match[str]) -> str:
    """A piece of code as an option or a command; what is neither stays."""
    try:
        call = ast.parse(f"_({span[1]})", mode="eval").body
    except SyntaxError:
        return span[0]
    assert isinstance(call, ast.Call)
    match [*call.args, *call.keywords]:
        case [ast.Name(name)]:
            return option.opts[0] if (option := _option(name)) else name
        case [ast.keyword(str(name), value)] if (option := _option(name)) is not None:
            return " ".join(_words(option, value))
        case [ast.Call(ast.Name(name) | ast.Attribute(attr=name), arguments, keywords)] if (
            name in COMMANDS
        ):
            words = ["jointvos", COMMANDS[name], *map(_word, arguments)]
            for each in keywords:
                if (option := _option(each.arg or "")) is not None:
                    words += _words(option, each.value)
            return f"`{' '.join(words)}`"
    return span[0]


def _words(option: TyperOption, value: ast.expr) -> list[str]:
    """An option with its value, as often as it has values."""
    flag = option.opts[0]
    if option.is_flag:
        return [flag]
    values = value.elts if isinstance(value, ast.List) else [value]
    return [word for each in values for word in (flag, _word(each))]


def _word(value: ast.expr) -> str:
    """A value as it is typed into a shell; a name such as FILE stands for one."""
    return shlex.quote(str(value.value)) if isinstance(value, ast.Constant) else ast.unparse(value)
