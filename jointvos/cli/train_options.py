"""Options of `train`: the data, the recipe and the run."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jointvos.cli.groups import OptionGroup
from jointvos.cli.options import Device
from jointvos.errors import ConfigError

if TYPE_CHECKING:
    from jointvos.training.train_config import TrainConfig


@dataclass(frozen=True)
class TrainingData(OptionGroup):
    """What is trained and validated on."""

    title = "Data"
    example = "--data videos.tar --data stills.tar --validation DAVIS/"

    data: Annotated[
        list[Path] | None,
        typer.Option(
            "--data",
            metavar="PATH",
            help="Images with masks: a tar, a folder, or a data set in DAVIS or YouTube-VOS "
            "layout. Can be repeated.",
        ),
    ] = None
    validation: Annotated[
        Path | None,
        typer.Option(
            "--validation",
            metavar="DIR",
            help="Track these sequences (DAVIS 2016 layout, list val) during training and keep the "
            "best weights.",
        ),
    ] = None
    train_list: Annotated[
        Path | None,
        typer.Option(
            "--train-list", metavar="FILE", help="Names of videos to train on, one per line."
        ),
    ] = None
    val_list: Annotated[
        Path | None,
        typer.Option(
            "--val-list", metavar="FILE", help="Names of videos never to train on, one per line."
        ),
    ] = None


@dataclass(frozen=True)
class RecipeOptions(OptionGroup):
    """What the recipe is."""

    title = "Recipe"
    example = "--preset joint-lite --minutes 96"

    preset: Annotated[
        str | None,
        typer.Option(
            "--preset",
            metavar="NAME",
            help="joint-lite (default; hours on a CPU), joint-lite-finish (its last part, with "
            "--initial), joint-lite-cuda (minutes on a large GPU), joint-lite-short (minutes on a "
            "CPU, for comparisons), joint-r50 (the paper's), joint-r50-as-printed, "
            "joint-r50-imagenet or joint-r50-davis.",
        ),
    ] = None
    config: Annotated[
        Path | None,
        typer.Option("--config", metavar="FILE", help="Your own recipe, in TOML."),
    ] = None
    minutes: Annotated[
        float | None,
        typer.Option(
            "--minutes",
            metavar="M",
            min=0.1,
            help="Train for M minutes; the learning rate falls with the clock.",
        ),
    ] = None
    steps: Annotated[
        int | None,
        typer.Option(
            "--steps",
            metavar="N",
            min=1,
            help="Train for N steps; stages shrink in proportion.",
        ),
    ] = None
    without: Annotated[
        list[str] | None,
        typer.Option(
            "--without",
            metavar="PART",
            help="Ablation: leave out transduction, induction, two-head or cosine. Can be "
            "repeated.",
        ),
    ] = None
    seed: Annotated[
        int | None,
        typer.Option("--seed", metavar="N", help="Random seed for weights and data."),
    ] = None
    print_config: Annotated[
        bool, typer.Option("--print-config", help="Print the recipe as TOML and exit.")
    ] = False

    def chosen(self) -> "TrainConfig":
        """The recipe.

        Raises:
            ConfigError: Options contradict each other, or there is no such recipe or part.
        """
        from jointvos.config import from_dict, preset, to_dict
        from jointvos.training.recipes import RECIPES
        from jointvos.training.train_config import ABLATIONS, TrainConfig, read_recipe, shortened

        if self.steps is not None and self.minutes is not None:
            raise ConfigError("--steps and --minutes cannot be combined; pass only one")
        if self.config is not None and self.preset is not None:
            raise ConfigError("--config and --preset cannot be combined; pass only one")
        if self.config is not None:
            recipe = read_recipe(self.config)
        else:
            recipe = preset(RECIPES, self.preset or "joint-lite")
        without = self.without or []
        if unknown := sorted(set(without) - set(ABLATIONS)):
            raise ConfigError(f"--without {unknown[0]}: expected one of {', '.join(ABLATIONS)}")
        if without:
            recipe = from_dict(TrainConfig, {**to_dict(recipe), "without": tuple(without)})
        if self.seed is not None:
            recipe = replace(recipe, seed=self.seed)
        if self.minutes is not None:
            recipe = replace(recipe, minutes=self.minutes)
        return recipe if self.steps is None else shortened(recipe, self.steps)


@dataclass(frozen=True)
class TrainingRun(OptionGroup):
    """Where a run is kept, what it begins with, and when it stops."""

    title = "Run"
    example = "--out runs/mine --resume"

    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="DIR",
            help="Folder for checkpoint, logs, images and weights. Default: runs/MODEL.",
        ),
    ] = None
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue from the checkpoint in --out.")
    ] = False
    initial: Annotated[
        str | None,
        typer.Option(
            "--initial",
            metavar="MODEL",
            help="Start from the weights of a model (name or file); tensors that do not fit "
            "are reinitialized.",
        ),
    ] = None
    stop_after: Annotated[
        float,
        typer.Option(
            "--stop-after",
            metavar="MINUTES",
            show_default=False,
            help="Stop after this time; continue later with --resume.",
        ),
    ] = float("inf")
    device: Device = "auto"
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers",
            metavar="N",
            min=0,
            help="Processes that generate training images; 0 uses a thread. Default: up to 12 for "
            "a GPU, a thread for a CPU.",
        ),
    ] = None
    show_batch: Annotated[
        Path | None,
        typer.Option(
            "--show-batch", metavar="FILE", help="Draw the next batch to this PNG and exit."
        ),
    ] = None
