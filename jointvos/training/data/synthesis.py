"""Mini-sequences for training from scratch: batches of T search regions around one target."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property

import numpy as np

from jointvos.errors import ConfigError, DatasetError
from jointvos.training.data.augment import Shot, develop, shoot
from jointvos.training.data.layers import Mask, SceneFrame, Size, to_mask
from jointvos.training.data.mini_sequences import MiniSequences, stacked
from jointvos.training.data.packs import Still, VideoClip
from jointvos.training.data.procedural import draw_stills
from jointvos.training.data.scenes import (
    CHANCES,
    PEOPLE,
    moving_still,
    static_scene,
    video_scene,
)
from jointvos.training.train_config import Chances
from jointvos.types import Image

KINDS = ("video", "stills", "people", "static", "procedural")
ATTEMPTS = 30


class MiniSequenceSynthesizer:
    """Draws mini-sequences from images in memory.

    Args:
        videos: Annotated sequences.
        stills: Photographs with label maps.
        seed: Together with the arguments of `batch` it decides everything.
        chances: How hard scenes are made.
        procedural: Stills that are drawn from numbers, once; motion and company differ every time.
    """

    def __init__(
        self,
        videos: Sequence[VideoClip],
        stills: Sequence[Still],
        *,
        seed: int = 0,
        chances: Chances = CHANCES,
        procedural: int = 100,
    ) -> None:
        self.videos = tuple(videos)
        self.stills = tuple(stills)
        self.people = tuple(still for still in stills if still.source in PEOPLE)
        self.seed = seed
        self.chances = chances
        self._procedural = procedural

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds for which there are images; others are left out of a mix."""
        there = {
            "video": self.videos,
            "stills": self.stills,
            "people": self.people,
            "static": (*self.videos, *self.stills),
            "procedural": ("drawn",),
        }
        return tuple(kind for kind in KINDS if there[kind])

    @cached_property
    def procedural(self) -> tuple[Still, ...]:
        """Stills drawn from numbers alone."""
        count = self._procedural
        return draw_stills(count, np.random.default_rng([self.seed, count]))

    def batch(
        self,
        step: int,
        size: int,
        mix: Mapping[str, float],
        crop_size: Size,
        frames: int,
        *,
        first: int = 0,
    ) -> MiniSequences:
        """A batch, a function of the seed and the arguments and of nothing else.

        Args:
            step: Of the training run.
            size: B, mini-sequences.
            mix: How often each of `KINDS` is drawn, relative to the others.
            crop_size: H, W of the search regions in pixels.
            frames: T, the template frame included.
            first: Number of its first mini-sequence within the step, if several share the step.

        Raises:
            ConfigError: `mix` names an unknown kind or its weights are no weights.
            DatasetError: There are no images for any of the kinds, or no usable target in them.
        """
        weights = np.array([mix.get(kind, 0.0) for kind in KINDS])
        if unknown := sorted(set(mix) - set(KINDS)):
            raise ConfigError(f"mix: unknown {', '.join(unknown)}; expected {', '.join(KINDS)}")
        if not np.isfinite(weights).all() or weights.min() < 0 or weights.sum() <= 0:
            raise ConfigError(f"mix: weights {dict(mix)}; expected some above 0, none below")
        weights = np.where([kind in self.kinds for kind in KINDS], weights, 0)
        if not weights.any():
            raise DatasetError(
                f"mix: there are no images for {', '.join(mix)}, only for {', '.join(self.kinds)}; "
                "add data, or kinds to the mix"
            )

        def crops(index: int) -> list[tuple[Image, Mask]]:
            rng = np.random.default_rng([self.seed, step, first + index])
            kind = KINDS[rng.choice(len(KINDS), p=weights / weights.sum())]
            shots = self._draw(kind, step, crop_size, frames, rng)
            drawn = (develop(shot, crop_size) for shot in shots)
            return [(image, to_mask(mask > 127)) for image, mask in drawn]

        return stacked(crops, size)

    def _draw(
        self, kind: str, step: int, crop_size: Size, frames: int, rng: np.random.Generator
    ) -> list[Shot]:
        """T shots, after up to `ATTEMPTS` draws of a scene."""
        chances = self.chances
        scenes: dict[str, Callable[[], list[SceneFrame] | None]] = {
            "video": lambda: video_scene(self.videos, self.stills, frames, rng, chances),
            "stills": lambda: moving_still(self.stills, self.stills, frames, step, rng, chances),
            "people": lambda: moving_still(self.people, self.stills, frames, step, rng, chances),
            "static": lambda: static_scene(self.videos, self.stills, frames, rng),
            "procedural": lambda: moving_still(
                self.procedural, (*self.stills, *self.procedural), frames, step, rng, chances
            ),
        }
        for _ in range(ATTEMPTS):
            if (scene := scenes[kind]()) is None:
                continue
            if shots := shoot(scene, crop_size, rng, chances.lit):
                return shots
        raise DatasetError(
            f"mix: no usable target for '{kind}' in {len(self.videos)} videos and"
            f" {len(self.stills)} stills; add images or set its weight to 0"
        )
