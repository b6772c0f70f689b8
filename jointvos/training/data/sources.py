"""From paths to the data that a recipe asks for."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jointvos.errors import ConfigError, DatasetError
from jointvos.training.data.mini_sequences import Data
from jointvos.training.data.packs import load_packs
from jointvos.training.data.segments import SegmentSampler
from jointvos.training.data.synthesis import MiniSequenceSynthesizer
from jointvos.training.data.vos_data import SegmentVideo, open_training_videos
from jointvos.training.train_config import TrainConfig


@dataclass(frozen=True)
class Source:
    """Data and what there is of it, in words."""

    data: Data
    description: str


def open_data(
    config: TrainConfig,
    paths: Sequence[Path],
    *,
    train_list: Path | None = None,
    val_list: Path | None = None,
) -> Source:
    """Open what a run learns from.

    Args:
        config: The recipe; `data` says which kind.
        paths: Tars and folders of images, or the folders of video data sets.
        train_list: Names of YouTube-VOS videos to train on.
        val_list: Names of YouTube-VOS videos never to train on.

    Raises:
        ConfigError: Lists were given to a recipe that knows none.
        DatasetError: Something is missing or damaged, or a data set of the mix is not there.
    """
    if config.data == "synthesis":
        if train_list is not None or val_list is not None:
            raise ConfigError(
                f"`train_list` and `val_list` are for video data sets; {config.model} is trained "
                "with motion made from images",
                hint="leave them out",
            )
        pack = load_packs(paths)
        made = MiniSequenceSynthesizer(
            pack.videos, pack.stills, seed=config.seed, chances=config.chances
        )
        there = f"{len(pack.videos)} videos, {len(pack.stills)} stills"
        asked = {kind for stage in config.stages for phase in stage.phases for kind in phase.mix}
        if missing := sorted(asked - set(made.kinds)):
            there += f" (none for {', '.join(missing)}, which the recipe mixes in)"
        return Source(made, there)

    sets: defaultdict[str, list[SegmentVideo]] = defaultdict(list)
    words = []
    for root in paths:
        lists = not (root / "ImageSets").is_dir()  # else DAVIS, which has its own
        found = open_training_videos(
            root,
            train_list=train_list if lists else None,
            val_list=val_list if lists else None,
        )
        sets[found.kind] += found.train
        words.append(
            f"{len(found.train)} videos of {root} ({found.kind}), {len(found.validation)} held out"
        )
    asked = {name for stage in config.stages for phase in stage.phases for name in phase.mix}
    if missing := sorted(asked - set(sets)):
        raise DatasetError(
            f"the recipe draws from {', '.join(sorted(asked))}, but there is no {missing[0]} in "
            f"{', '.join(map(str, paths))}",
            hint="add its folder to `data`",
        )
    drawn = SegmentSampler(sets, seed=config.seed, window=config.window, causal=config.causal)
    return Source(drawn, "; ".join(words))
