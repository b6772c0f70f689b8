"""How well a network in training tracks: whole sequences, not crops."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from jointvos.config import INFERENCE
from jointvos.datasets import VOSSequence
from jointvos.evaluation import evaluate
from jointvos.inference import VideoSegmenter
from jointvos.metrics import region_similarity
from jointvos.model import JointNet
from jointvos.training.images.contact_sheet import Strip, evenly_spread
from jointvos.types import VOID, FrameResult, Image

SHOWN = 6
"""Frames of a sequence in the image."""


@dataclass(frozen=True)
class Validation:
    """What tracking found.

    Attributes:
        j_and_f: Mean of J and F over all objects, in percent.
        sequences: J and F in percent by sequence.
        strips: Some frames of every sequence, to look at.
    """

    j_and_f: float
    sequences: dict[str, tuple[float, float]]
    strips: tuple[Strip, ...]

    def __str__(self) -> str:
        each = ", ".join(f"{name} {j:.1f}/{f:.1f}" for name, (j, f) in self.sequences.items())
        return f"validation: J&F {self.j_and_f:.1f} (J/F: {each})"


class Validator:
    """Tracks the same sequences with any network, at the crop size it is trained for at the end.

    Args:
        sequences: With true masks.
        crop_size: Height and width of the search regions; smaller ones are faster.
        max_frames: Of each sequence; None for all.
    """

    def __init__(
        self,
        sequences: Sequence[VOSSequence],
        crop_size: tuple[int, int] | None = None,
        max_frames: int | None = None,
    ) -> None:
        self.sequences = sequences
        self.crop_size = crop_size
        self.max_frames = max_frames

    def __call__(self, net: JointNet) -> Validation:
        """Track every sequence with the network, which is put into eval mode."""
        config = INFERENCE[net.config.inference]
        if self.crop_size is not None:
            config = replace(config, crop_size=self.crop_size)
        device = str(next(net.parameters()).device)
        shown: dict[str, _Frames] = {}

        def on_frame(sequence: VOSSequence, index: int, result: FrameResult) -> None:
            frames = shown.setdefault(sequence.name, _Frames())
            count = min(len(sequence), self.max_frames or len(sequence))
            if index in evenly_spread(count, SHOWN) and sequence.masks[index] is not None:
                frames.numbers.append(index)
                frames.images.append(sequence.image(index))
                frames.predictions.append(result.labels > 0)
                frames.truths.append(np.isin(sequence.labels(index), (0, VOID), invert=True))

        result = evaluate(
            self.sequences,
            lambda: VideoSegmenter(net, config, device=device),
            on_frame=on_frame,
            max_frames=self.max_frames,
        )
        scores = {each.name: each.score for each in result.sequences}
        return Validation(
            j_and_f=100 * result.score.jf_mean,
            sequences={name: (100 * s.j_mean, 100 * s.f_mean) for name, s in scores.items()},
            strips=tuple(frames.strip(name) for name, frames in shown.items()),
        )


@dataclass
class _Frames:
    """What is kept of a sequence to be drawn."""

    numbers: list[int] = field(default_factory=list)
    images: list[Image] = field(default_factory=list)
    predictions: list[NDArray[np.bool_]] = field(default_factory=list)
    truths: list[NDArray[np.bool_]] = field(default_factory=list)

    def strip(self, name: str) -> Strip:
        pairs = zip(self.truths, self.predictions, strict=True)
        ious = [region_similarity(truth, predicted) for truth, predicted in pairs]
        return Strip(name, self.images, self.predictions, self.truths, ious, self.numbers)
