"""Which sequences `jointvos eval` works on."""

from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer

from jointvos.cli.groups import OptionGroup
from jointvos.errors import ConfigError, DatasetError, os_errors_as

if TYPE_CHECKING:
    from jointvos.datasets import VOSDataset

SPLITS = {
    "davis2016": "val",
    "davis2017": "val",
    "davis2017-test-dev": "test-dev",
    "ytvos2018": "valid",
    "ytvos2019": "valid",
    "mose": "valid",
    "lvos": "val",
}
"""The split of the papers, by data set."""
FRAMES = ("auto", "listed", "all")


@dataclass(frozen=True)
class DataOptions(OptionGroup):
    """The options that say what is evaluated."""

    title = "Data"
    example = "--dataset davis2017 --root DAVIS/"

    dataset: Annotated[
        str | None, typer.Option("--dataset", metavar="NAME", help=f"{', '.join(SPLITS)}.")
    ] = None
    root: Annotated[
        Path | None,
        typer.Option("--root", metavar="DIR", help="Folder or zip of the data set."),
    ] = None
    split: Annotated[
        str | None,
        typer.Option("--split", metavar="NAME", help="Default: the split used in papers."),
    ] = None
    sequences: Annotated[
        str | None,
        typer.Option("--sequences", metavar="A,B", help="Evaluate only these sequences."),
    ] = None
    max_frames: Annotated[
        int | None,
        typer.Option(
            "--max-frames", metavar="N", min=2, help="Use only the first N frames of each sequence."
        ),
    ] = None
    frames: Annotated[
        str,
        typer.Option(
            "--frames",
            metavar="WHICH",
            help="YouTube-VOS: frames to give the model: listed, all, or auto (all if available).",
        ),
    ] = "auto"
    sparse: Annotated[
        bool,
        typer.Option("--sparse", help="Accept ground truth that lacks masks for single frames."),
    ] = False
    predictions: Annotated[
        Path | None,
        typer.Option(
            "--predictions",
            metavar="DIR",
            help="Score the masks in DIR/SEQUENCE/FRAME.png instead of running a model.",
        ),
    ] = None
    gt: Annotated[
        Path | None,
        typer.Option(
            "--gt",
            metavar="DIR",
            help="Score --predictions against the masks in this folder; needs no data set.",
        ),
    ] = None

    def check(self) -> None:
        """What can be found wrong before anything is opened.

        Raises:
            ConfigError: Options are unknown, missing or contradict each other.
        """
        if self.gt is not None:
            if self.dataset is not None or self.root is not None or self.split is not None:
                raise ConfigError("--gt replaces a data set; remove --dataset, --root, --split")
            if self.predictions is None:
                raise ConfigError("--gt needs --predictions, the masks to score")
            return
        if self.dataset is None or self.root is None:
            raise ConfigError(
                "give --dataset NAME and --root DIR; or --gt DIR and --predictions DIR, to score "
                "one folder with another"
            )
        if self.dataset not in SPLITS:
            raise ConfigError(f"unknown data set {self.dataset!r}; expected {', '.join(SPLITS)}")
        if self.frames not in FRAMES:
            raise ConfigError(f"--frames is {self.frames!r}, expected {', '.join(FRAMES)}")
        if self.frames != "auto" and not self.dataset.startswith("ytvos"):
            raise ConfigError("--frames is for YouTube-VOS; the others have one set of frames")

    @property
    def paper_preset(self) -> str:
        """The inference preset of the paper for this data set."""
        return "ytvos" if (self.dataset or "").startswith("ytvos") else "davis"


@dataclass(frozen=True, eq=False)
class ChosenData:
    """What is evaluated.

    Attributes:
        dataset: With the chosen sequences only.
        size: How many sequences the split has, sound or not.
        partial: Why this is not the whole split; "" if it is.
        key: Name of the benchmark.
        paper_preset: The inference preset of the paper for this data set.
    """

    dataset: "VOSDataset"
    size: int
    partial: str
    key: str
    paper_preset: str


def open_data(options: DataOptions, stack: ExitStack) -> ChosenData:
    """Open the data set and choose its sequences.

    Args:
        options: Checked options.
        stack: Keeps a temporary folder for as long as it is needed, if the data set is a zip.

    Raises:
        DatasetError: The data set cannot be used.
        ConfigError: There is no such sequence.
    """
    from jointvos.datasets import as_folder, open_folders

    with os_errors_as(DatasetError):
        if options.gt is not None:
            whole = open_folders(stack.enter_context(as_folder(options.gt)))
        else:
            whole = _open_dataset(options, stack.enter_context(as_folder(cast(Path, options.root))))
    chosen = whole if options.sequences is None else _choose(whole, options.sequences)
    reasons = []
    if len(chosen.names) < len(whole.names):
        reasons.append(f"{len(chosen.names)} of {len(whole.names)} sequences were chosen")
    longest = max((len(each) for each in chosen.sequences), default=0)
    if options.max_frames is not None and options.max_frames < longest:
        reasons.append(f"only the first {options.max_frames} frames of each sequence were used")
    return ChosenData(
        chosen,
        len(whole.names),
        partial=", and ".join(reasons),
        key=options.dataset or "",
        paper_preset=options.paper_preset,
    )


def _open_dataset(options: DataOptions, root: Path) -> "VOSDataset":
    from jointvos.datasets import davis_dataset, lvos_dataset, mose_dataset, youtubevos_dataset

    name = cast(str, options.dataset)
    split = options.split or SPLITS[name]
    if name.startswith("ytvos"):
        year: Literal[2018, 2019] = 2018 if name.endswith("2018") else 2019
        frames = cast(Literal["auto", "listed", "all"], options.frames)
        # Papers call it val, its folder is valid.
        return youtubevos_dataset(root, year, "valid" if split == "val" else split, frames)
    if name == "mose":
        return mose_dataset(root, "valid" if split == "val" else split)
    if name == "lvos":
        return lvos_dataset(root, split)
    gaps: Literal["any", "wide"] = "any" if options.sparse else "wide"
    return davis_dataset(root, 2016 if name == "davis2016" else 2017, split, gaps=gaps)


def _choose(whole: "VOSDataset", names: str) -> "VOSDataset":
    wanted = [name.strip() for name in names.split(",")]
    if missing := [name for name in wanted if name not in whole.names]:
        raise ConfigError(
            f"unknown sequence {', '.join(missing)}; expected one of "
            f"{', '.join(sorted(whole.names))}"
        )
    return replace(
        whole,
        sequences=tuple(each for each in whole.sequences if each.name in wanted),
        broken=tuple(each for each in whole.broken if each.name in wanted),
    )
