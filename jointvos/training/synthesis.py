"""Mini-sequences for training from scratch: batches of T search regions around one target."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch

from jointvos.errors import ConfigError, DatasetError
from jointvos.training.augment import film
from jointvos.training.layers import Mask, SceneFrame, Size
from jointvos.training.packs import Still, VideoClip
from jointvos.training.scenes import PEOPLE, moving_still, static_scene, video_scene
from jointvos.types import Image

KINDS = ("video", "stills", "people", "static")
ATTEMPTS = 30


@dataclass(frozen=True)
class MiniSequences:
    """A batch: images uint8 [B,T,3,H,W] (RGB) and masks float32 [B,T,1,H,W] in {0,1}."""

    images: torch.Tensor
    masks: torch.Tensor

    def to(self, device: str | torch.device) -> "MiniSequences":
        """The same batch on a device."""
        return MiniSequences(self.images.to(device), self.masks.to(device))


class MiniSequenceSynthesizer:
    """Draws mini-sequences from pictures in memory; safe to call from several threads.

    Args:
        videos: Annotated sequences.
        stills: Photographs with label maps.
        seed: Together with the arguments of `batch` it decides everything.
        workers: Threads that share the mini-sequences of one batch.
    """

    def __init__(
        self,
        videos: Sequence[VideoClip],
        stills: Sequence[Still],
        *,
        seed: int = 0,
        workers: int = 1,
    ) -> None:
        self.videos = tuple(videos)
        self.stills = tuple(stills)
        self.people = tuple(still for still in stills if still.source in PEOPLE)
        self.seed = seed
        self.workers = workers

    def batch(
        self, step: int, size: int, mix: Mapping[str, float], crop_size: Size, frames: int
    ) -> MiniSequences:
        """A batch in main memory, a pure function of the seed and the arguments.

        Args:
            step: Of the training run.
            size: B, mini-sequences.
            mix: How often each of `KINDS` is drawn, relative to the others.
            crop_size: H, W of the search regions in pixels.
            frames: T, the template frame included.

        Raises:
            ConfigError: `mix` names an unknown kind or its weights are no weights.
            DatasetError: A kind was asked for of which there are no usable pictures.
        """
        weights = np.array([mix.get(kind, 0.0) for kind in KINDS])
        if unknown := sorted(set(mix) - set(KINDS)):
            raise ConfigError(f"mix: unknown {', '.join(unknown)}; expected {', '.join(KINDS)}")
        if not np.isfinite(weights).all() or weights.min() < 0 or weights.sum() <= 0:
            raise ConfigError(f"mix: weights {dict(mix)}; expected some above 0, none below")
        images = np.empty((size, frames, 3, *crop_size), np.uint8)
        masks = np.empty((size, frames, 1, *crop_size), np.float32)

        def fill(index: int) -> None:
            rng = np.random.default_rng([self.seed, step, index])
            kind = KINDS[rng.choice(len(KINDS), p=weights / weights.sum())]
            for t, (image, mask) in enumerate(self._draw(kind, step, crop_size, frames, rng)):
                images[index, t] = image.transpose(2, 0, 1)
                masks[index, t, 0] = mask > 127

        if self.workers > 1:
            with ThreadPoolExecutor(self.workers) as pool:
                list(pool.map(fill, range(size)))
        else:
            for index in range(size):
                fill(index)
        return MiniSequences(torch.from_numpy(images), torch.from_numpy(masks))

    def _draw(
        self, kind: str, step: int, crop_size: Size, frames: int, rng: np.random.Generator
    ) -> list[tuple[Image, Mask]]:
        """T times the picture [H,W,3] and the target's mask [H,W], after up to `ATTEMPTS` draws."""
        scenes: dict[str, Callable[[], list[SceneFrame] | None]] = {
            "video": lambda: video_scene(self.videos, frames, rng),
            "stills": lambda: moving_still(self.stills, self.stills, frames, step, rng),
            "people": lambda: moving_still(self.people, self.stills, frames, step, rng),
            "static": lambda: static_scene(self.videos, self.stills, frames, rng),
        }
        for _ in range(ATTEMPTS):
            if (scene := scenes[kind]()) is None:
                continue
            if shots := film(scene, crop_size, rng):
                return shots
        raise DatasetError(
            f"mix: no usable target for '{kind}' in {len(self.videos)} videos and"
            f" {len(self.stills)} stills; add pictures or set its weight to 0"
        )
