"""Mini-sequences of real videos, drawn as the paper's code draws them (Sec. 3.6 and 4.1)."""

from collections.abc import Callable, Mapping, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from jointvos.errors import ConfigError, DatasetError
from jointvos.training.data.mini_sequences import MiniSequences, stacked
from jointvos.training.data.training_crop import Mask, Size, grayed, training_crop
from jointvos.training.data.vos_data import SegmentVideo
from jointvos.types import Image

GRAY, FLIP = 0.05, 0.5
GROWTH = 5
"""Frames that the window gains with every vain try."""
ATTEMPTS = 30


class SegmentSampler:
    """Draws mini-sequences from videos on disk; safe to call from several threads.

    Args:
        sets: Videos by the name of their data set.
        seed: Together with the arguments of `batch` it decides everything.
        window: Frames that a mini-sequence spans.
        causal: As the paper's code: the first frame is the earliest, and others may repeat. If
            not, all are different frames of one segment, and any of them may be the first.
    """

    def __init__(
        self,
        sets: Mapping[str, Sequence[SegmentVideo]],
        *,
        seed: int = 0,
        window: int = 100,
        causal: bool = True,
    ) -> None:
        self.objects = {
            name: tuple((video, object_id) for video in videos for object_id in video.areas)
            for name, videos in sets.items()
        }
        self.seed = seed
        self.window = window
        self.causal = causal

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
        """A batch in main memory, a function of the seed and the arguments and of nothing else.

        Args:
            step: Of the training run.
            size: B, mini-sequences.
            mix: How often each data set is drawn from, relative to the others.
            crop_size: H, W of the search regions in pixels.
            frames: T, the template frame included.
            first: Number of its first mini-sequence within the step, if several share the step.

        Raises:
            ConfigError: The weights of `mix` are no weights.
            DatasetError: A data set of `mix` is not there or shows no object long enough, or a
                file is missing or damaged.
        """
        names = sorted(mix)
        weights = np.array([mix[name] for name in names])
        if not np.isfinite(weights).all() or weights.min(initial=0) < 0 or weights.sum() <= 0:
            raise ConfigError(f"mix: weights {dict(mix)}; expected some above 0, none below")
        objects = {
            name: self._long_enough(name, frames)
            for name, weight in zip(names, weights, strict=True)
            if weight > 0
        }

        def crops(index: int) -> list[tuple[Image, Mask]]:
            rng = np.random.default_rng([self.seed, step, first + index])
            choices = objects[names[rng.choice(len(names), p=weights / weights.sum())]]
            return self._draw(choices, crop_size, frames, rng)

        return stacked(crops, size)

    def _long_enough(self, name: str, frames: int) -> list[tuple[SegmentVideo, int]]:
        """The objects of a data set that are visible in more than 2 T frames."""
        if name not in self.objects:
            there = ", ".join(sorted(self.objects)) or "nothing"
            raise DatasetError(
                f"mix: no data set '{name}', only {there}; add it or set its weight to 0"
            )
        found = [
            (video, object_id)
            for video, object_id in self.objects[name]
            if np.count_nonzero(video.visible(object_id)) > 2 * frames
        ]
        if not found:
            raise DatasetError(
                f"mix: no object of '{name}' is visible in more than {2 * frames} annotated "
                "frames; add videos or set its weight to 0"
            )
        return found

    def _draw(
        self,
        objects: Sequence[tuple[SegmentVideo, int]],
        crop_size: Size,
        frames: int,
        rng: np.random.Generator,
    ) -> list[tuple[Image, Mask]]:
        """T crops with their masks, the first not empty."""
        pick = causal_frames if self.causal else any_frames
        for _ in range(ATTEMPTS):
            video, object_id = objects[int(rng.integers(len(objects)))]
            chosen = pick(video.visible(object_id), frames, self.window, rng)
            changes = [roll(rng), roll(rng)]  # of the first and of all later frames
            crops: list[tuple[Image, Mask]] = []
            for t, index in enumerate(chosen):
                image, mask = changes[t > 0](*video.read(index, object_id))
                crops.append(training_crop(image, mask, crop_size, rng, first=t == 0))
                if not crops[0][1].any():  # a few pixels that fell between those of the crop
                    break
            else:
                return crops
        raise DatasetError(
            f"{video.name}: object {object_id} vanishes from crops of {crop_size[1]}x"
            f"{crop_size[0]}, as did {ATTEMPTS - 1} before; expected larger objects or crops"
        )


def causal_frames(
    visible: NDArray[np.bool_], frames: int, window: int, rng: np.random.Generator
) -> list[int]:
    """A frame, and T - 1 later ones in order, with repetitions, out of the window it opens.

    The object, with `visible` [n], must be seen in at least T + 1 frames.
    """
    ids = np.flatnonzero(visible)
    bases = ids[ids < len(visible) - (frames - 1)]
    while True:
        base = int(rng.choice(bases))
        later = ids[(ids > base) & (ids < base + window)]
        if len(later):
            return [base, *sorted(int(i) for i in rng.choice(later, frames - 1))]
        window += GROWTH


def any_frames(
    visible: NDArray[np.bool_], frames: int, window: int, rng: np.random.Generator
) -> list[int]:
    """T different frames of one segment: any of them first, then the others in order.

    The object, with `visible` [n], must be seen in at least T frames.
    """
    ids = np.flatnonzero(visible)
    while True:
        start = int(rng.integers(max(1, len(visible) - window + 1)))
        inside = ids[(ids >= start) & (ids < start + window)]
        if len(inside) >= frames:
            base, *others = (int(i) for i in rng.choice(inside, frames, replace=False))
            return [base, *sorted(others)]
        window += GROWTH


def roll(rng: np.random.Generator) -> Callable[[Image, Mask], tuple[Image, Mask]]:
    """Draws whether images turn gray and whether they are mirrored.

    Returns:
        What is to be done to every image [H,W,3] and mask [H,W] alike.
    """
    gray, flip = rng.random() < GRAY, rng.random() < FLIP

    def change(image: Image, mask: Mask) -> tuple[Image, Mask]:
        image = grayed(image) if gray else image
        if flip:
            image = np.asarray(cv2.flip(image, 1), np.uint8)
            mask = np.asarray(cv2.flip(mask, 1), np.uint8)
        return image, mask

    return change
