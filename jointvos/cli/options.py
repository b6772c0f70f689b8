"""Options that several commands share, and how dataclasses of them become parameters."""

import inspect
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, is_dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_type_hints

import typer

from jointvos import config
from jointvos.cli.console import Reporter

if TYPE_CHECKING:
    from jointvos.runs import SessionSpec

Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="NAME",
        help="Name of an installed model. Default: the best one installed.",
    ),
]
Weights = Annotated[
    Path | None,
    typer.Option("--weights", metavar="FILE", help="A model file (.safetensors)."),
]
Preset = Annotated[
    str | None,
    typer.Option(
        "--preset",
        metavar="NAME",
        help="Inference settings: paper (a template every 5 frames), davis (every 3), ytvos "
        "(every 5) or small. Default: the model's own.",
    ),
]
Device = Annotated[
    str, typer.Option("--device", metavar="NAME", help="Device: auto, cpu, cuda, cuda:N or mps.")
]
Precision = Annotated[
    str,
    typer.Option(
        "--precision",
        metavar="NAME",
        help="Precision of the network: auto, fp32, bf16 or fp16; auto is fp32. The few-shot "
        "learner always runs in fp32.",
    ),
]
MemorySize = Annotated[
    int | None,
    typer.Option(
        "--memory-size",
        metavar="N",
        help="Templates (past frames) kept per object; more cost more time and memory.",
    ),
]
MemoryPrecision = Annotated[
    str | None,
    typer.Option(
        "--memory-precision",
        metavar="NAME",
        help="Precision of the templates: fp32 or fp16. fp16 takes little more than half the "
        "memory and changes results slightly. Default: fp32.",
    ),
]
TemplateInterval = Annotated[
    int | None,
    typer.Option("--template-interval", metavar="N", help="Keep every N-th frame as a template."),
]
Reach = Annotated[
    float | None,
    typer.Option(
        "--reach",
        metavar="N",
        help="How far an object can move from one frame to the next, relative to its own size; "
        "look-alikes farther away are ignored. 0 sets no limit, as in the paper; the preset small "
        "uses 1.",
    ),
]
Compile = Annotated[
    bool,
    typer.Option(
        "--compile",
        help="Compile the network first: takes a minute or more, then frames are faster.",
    ),
]
OnOOM = Annotated[
    config.OnOOM,
    typer.Option(
        "--on-oom",
        help="If the device runs out of memory: retry with less memory (with a warning) or fail.",
    ),
]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Only show errors.")]
Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="Show more detail.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of errors.")]


@dataclass(frozen=True)
class SessionOptions:
    """Which model segments, where, and how; they are fields of `SessionSpec`."""

    model: Model = None
    weights: Weights = None
    preset: Preset = None
    memory_size: MemorySize = None
    memory_precision: MemoryPrecision = None
    template_interval: TemplateInterval = None
    reach: Reach = None
    device: Device = "auto"
    precision: Precision = "auto"
    on_oom: OnOOM = "retry"
    compiled: Compile = False

    def spec(self) -> "SessionSpec":
        """The same for the library, checked.

        Raises:
            ConfigError: Options contradict each other or are unknown.
        """
        from jointvos.runs import SessionSpec

        spec = SessionSpec(**asdict(self))
        spec.check()
        return spec


@dataclass(frozen=True)
class SegmentSession(SessionOptions):
    """With what is done where a shot ends."""

    cuts: Annotated[
        Literal["off", "pause", "reset"],
        typer.Option(
            "--cuts",
            help="At the first frame of a new shot: look for the objects everywhere and learn "
            "nothing before they are seen again (pause), forget also what was learned but not"
            " given (reset), or nothing special (off).",
        ),
    ] = "pause"


@dataclass(frozen=True)
class MessageOptions:
    """How much is said; `--debug` is seen by `app`."""

    quiet: Quiet = False
    verbose: Verbose = False
    debug: Debug = False

    def reporter(self) -> Reporter:
        """What says so much."""
        return Reporter(self.quiet, self.verbose)


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """A command as Typer takes it: a parameter that is a dataclass becomes an option per field."""
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, Any] = {name: kind for name, kind in hints.items() if is_dataclass(kind)}
    parameters: list[inspect.Parameter] = []
    for name, parameter in inspect.signature(command).parameters.items():
        if name not in groups:
            parameters.append(
                parameter.replace(annotation=hints[name], kind=inspect.Parameter.KEYWORD_ONLY)
            )
            continue
        inner = get_type_hints(groups[name], include_extras=True)
        parameters += [
            inspect.Parameter(
                field.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=field.default,
                annotation=inner[field.name],
            )
            for field in fields(groups[name])
        ]

    @wraps(command)
    def with_groups(**values: Any) -> None:
        built = {
            name: kind(**{field.name: values.pop(field.name) for field in fields(kind)})
            for name, kind in groups.items()
        }
        command(**values, **built)

    del with_groups.__wrapped__
    with_groups.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    with_groups.__annotations__ = {each.name: each.annotation for each in parameters}
    return with_groups
