"""Groups of options: dataclasses that become parameters of a command and sections of its help."""

import inspect
from collections.abc import Callable, Iterable
from copy import copy
from dataclasses import fields
from difflib import get_close_matches
from functools import wraps
from itertools import takewhile
from textwrap import fill
from typing import Annotated, Any, ClassVar, cast, get_args, get_type_hints

import typer
from typer.core import TyperArgument, TyperCommand

COLUMN = 24
"""Width of options and their values in the help."""

_PATHS = ("FILE", "DIR", "PATH")
"""What options that take a path call it."""

# Of these errors, Typer exports a single kind.
_UsageError = cast("type[Exception]", typer.BadParameter.__base__)


class OptionGroup:
    """Base of frozen dataclasses whose fields are options.

    Attributes:
        title: Heading of the options in the help.
        example: How they are used; stands beside the heading.
    """

    title: ClassVar[str]
    example: ClassVar[str]


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """A command as Typer takes it: a parameter that is a group becomes an option per field.

    Called as a function, it takes options by keyword; those left out have their defaults.
    """
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, Any] = {
        name: kind
        for name, kind in hints.items()
        if isinstance(kind, type) and issubclass(kind, OptionGroup)
    }
    parameters: list[inspect.Parameter] = []
    for name, parameter in inspect.signature(command).parameters.items():
        if name in groups:
            parameters += _options(groups[name])
        else:
            parameters.append(
                parameter.replace(annotation=hints[name], kind=inspect.Parameter.KEYWORD_ONLY)
            )

    @wraps(command)
    def with_groups(**values: Any) -> None:
        built = {
            name: kind(**{each.name: values.pop(each.name, each.default) for each in fields(kind)})
            for name, kind in groups.items()
        }
        command(**values, **built)

    del with_groups.__wrapped__
    with_groups.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    with_groups.__annotations__ = {each.name: each.annotation for each in parameters}
    return with_groups


def _options(group: Any) -> list[inspect.Parameter]:
    """A parameter for each field, which knows its section of the help."""
    annotated: Any = Annotated
    hints = get_type_hints(group, include_extras=True)
    parameters = []
    for field in fields(group):
        kind, shared = get_args(hints[field.name])
        option = copy(shared)
        option.rich_help_panel = f"{group.title} (example: {group.example})"
        parameters.append(
            inspect.Parameter(
                field.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=field.default,
                annotation=annotated[kind, option],
            )
        )
    return parameters


class GroupedCommand(TyperCommand):
    """Its help has a section per group, as plain text: rich would take long to import.

    Of options that it lacks, it tells which ones are alike.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse arguments."""
        names = [name for each in self.get_params(ctx) for name in _names(each)]
        for arg in takewhile(lambda arg: arg != "--", args):
            name = arg.partition("=")[0]
            if len(name) > 2 and f"-{name}" in names:  # else read as -o verlay
                ctx.fail(f"No such option: {name}; did you mean -{name}?")
        try:
            self._refuse_second_files(ctx, args)
            return super().parse_args(ctx, args)
        except _UsageError as error:
            if hasattr(error, "possibilities"):
                ctx.fail(_unknown(str(getattr(error, "option_name", "")), names))
            raise

    def _refuse_second_files(self, ctx: Any, args: list[str]) -> None:
        """Refuse two files for an option that takes one, of which one would not be written."""
        _, _, given = self.make_parser(ctx).parse_args(args=list(args))
        for each in given:
            a_path = not isinstance(each, TyperArgument) and each.metavar in _PATHS
            if a_path and not each.multiple and given.count(each) > 1:
                ctx.fail(f"{each.opts[-1]} is given {given.count(each)} times, but takes one path")

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """The parts of the usage line; a required argument is just its name."""
        return [piece.strip("{}") for piece in super().collect_usage_pieces(ctx)]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the sections.

        Options without a group, such as --help, join the last one; those without help are
        explained by another's.
        """
        sections: dict[str, list[tuple[str, str]]] = {}
        title = "Options"
        for each in self.get_params(ctx):
            if isinstance(each, TyperArgument):
                row = (each.metavar or "", each.help or "")
                sections.setdefault("Arguments", []).append(row)
            elif getattr(each, "help", None) and (record := each.get_help_record(ctx)) is not None:
                title = getattr(each, "rich_help_panel", None) or title
                sections.setdefault(title, []).append(record)
        for title, rows in sections.items():
            with formatter.section(title):
                for name, text in rows:
                    formatter.write(_row(name, text, formatter.width))


def _names(option: Any) -> list[str]:
    """The long names of an option."""
    return [name for name in (*option.opts, *option.secondary_opts) if name.startswith("--")]


def _unknown(name: str, names: Iterable[str]) -> str:
    """What is told of an option that is none of these, closest first."""
    like = get_close_matches(name.strip("-"), [each.strip("-") for each in names], cutoff=0.65)
    meant = f"; did you mean {' or '.join(f'--{each}' for each in like)}?" if like else ""
    return f"No such option: {name}{meant}"


def _row(name: str, text: str, width: int) -> str:
    """An option and its help, without breaking other options' names at their hyphens."""
    return (
        fill(
            text,
            width,
            initial_indent=f"  {name:<{COLUMN}}  ",
            subsequent_indent=" " * (COLUMN + 4),
            break_on_hyphens=False,
        )
        + "\n"
    )
