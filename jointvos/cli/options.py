"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

Model = Annotated[
    str | None,
    typer.Option(
        "--model", metavar="NAME", help="An installed model; the best one there is by default."
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
        help="How a video is run: paper (template every 5 frames), davis (3), ytvos (5), "
        "small; the model's own by default.",
    ),
]
Device = Annotated[
    str, typer.Option("--device", metavar="NAME", help="auto, cpu, cuda, cuda:N or mps.")
]
Precision = Annotated[
    str,
    typer.Option(
        "--precision",
        metavar="NAME",
        help="auto, fp32, bf16 or fp16; auto is fp32. The few-shot learner is always fp32.",
    ),
]
MemorySize = Annotated[
    int | None,
    typer.Option(
        "--memory-size", metavar="N", help="Past frames kept per object; cost grows with it."
    ),
]
MemoryPrecision = Annotated[
    str | None,
    typer.Option(
        "--memory-precision",
        metavar="NAME",
        help="fp32 or fp16: what past frames are kept in; fp16 takes half the memory and "
        "changes results a little. fp32 by default.",
    ),
]
TemplateInterval = Annotated[
    int | None,
    typer.Option("--template-interval", metavar="N", help="Remember every N-th frame."),
]
Reach = Annotated[
    float | None,
    typer.Option(
        "--reach",
        metavar="N",
        help="How far a target may go from one frame to the next, in sides of its own: further "
        "look-alikes are left alone. 0 sets no limit, as in the paper; 1 in the preset small.",
    ),
]
Compile = Annotated[
    bool,
    typer.Option(
        "--compile",
        help="Compile the network first: a minute or more to begin with, faster frames after.",
    ),
]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Say nothing but errors.")]
Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="Say more.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
