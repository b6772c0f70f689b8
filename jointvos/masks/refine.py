"""Cleaning masks before they are written: lost objects, islands, holes, soft edges."""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from jointvos.errors import ConfigError
from jointvos.masks.alpha import Soft, object_probabilities
from jointvos.types import FrameResult, LabelMap, ObjectState


@dataclass(frozen=True)
class Refinement:
    """What is done to results; by default nothing.

    Attributes:
        min_area: Separate parts of an object with fewer pixels are removed.
        fill_holes: Holes in an object of up to so many pixels are filled.
        feather: Pixels over which edges are softened, in probabilities only.
        lost_threshold: An object whose mean probability is below is emptied, so that it is lost.
    """

    min_area: int = 0
    fill_holes: int = 0
    feather: float = 0.0
    lost_threshold: float = 0.0

    def __post_init__(self) -> None:
        for name, most in (("min_area", np.inf), ("fill_holes", np.inf), ("feather", 100)):
            if not 0 <= (value := getattr(self, name)) <= most:
                raise ConfigError(f"{name} is {value}, expected 0 to {most}")
        if not 0 <= self.lost_threshold <= 1:
            raise ConfigError(f"lost_threshold is {self.lost_threshold}, expected 0 to 1")

    @property
    def does_something(self) -> bool:
        """Whether results are changed at all."""
        return self != Refinement()

    def __call__(self, result: FrameResult) -> FrameResult:
        """The result with the changes in labels, objects and probabilities.

        Raises:
            ConfigError: The result carries no probabilities.
        """
        unrefined = object_probabilities(result)
        labels, soft = result.labels.copy(), unrefined.copy()
        for i, state in enumerate(result.objects):
            if (state.mean_probability or 0) < self.lost_threshold:
                labels[labels == state.id] = 0
                soft[i] = 0
            elif self.min_area:
                self._remove_islands(labels, soft[i], state.id)
        if self.fill_holes:
            for i, state in enumerate(result.objects):
                self._fill(labels, soft, i, state.id)
        if self.feather:
            for values in soft:
                cv2.GaussianBlur(values, (0, 0), self.feather / 2, dst=values)
        total = soft.sum(axis=0, keepdims=True)
        soft /= np.maximum(total, 1)
        return replace(
            result,
            labels=labels,
            objects=tuple(
                ObjectState.of(state.id, labels == state.id, values, paused=state.paused)
                for state, values in zip(result.objects, unrefined, strict=True)
            ),
            probabilities=np.concatenate([np.clip(1 - total, 0, 1), soft]),
            overlay=None,
        )

    def _remove_islands(self, labels: LabelMap, soft: Soft, object_id: int) -> None:
        """Take parts away, and the faint edge around them, which no mask is left for."""
        mask = labels == object_id
        count, parts, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
        small = stats[:, cv2.CC_STAT_AREA] < self.min_area
        small[0] = False
        if count <= 1 or not small.any():
            return
        gone = small[parts]
        labels[gone] = 0
        soft[gone] = 0
        _, faint = cv2.connectedComponents((soft > _FAINT).astype(np.uint8))
        kept = np.unique(faint[mask & ~gone])
        soft[~np.isin(faint, kept)] = 0

    def _fill(self, labels: LabelMap, soft: Soft, index: int, object_id: int) -> None:
        """Give holes that only background is in to the object around them."""
        outside = labels != object_id
        if outside.all():
            return
        _, parts, stats, _ = cv2.connectedComponentsWithStats(
            outside.astype(np.uint8), connectivity=4
        )
        height, width = labels.shape
        left, top = stats[:, cv2.CC_STAT_LEFT], stats[:, cv2.CC_STAT_TOP]
        right, bottom = left + stats[:, cv2.CC_STAT_WIDTH], top + stats[:, cv2.CC_STAT_HEIGHT]
        hole = (left > 0) & (top > 0) & (right < width) & (bottom < height)
        hole &= stats[:, cv2.CC_STAT_AREA] <= self.fill_holes
        hole[0] = False  # the object itself
        hole[np.unique(parts[(labels != object_id) & (labels != 0)])] = False
        filled = hole[parts]
        labels[filled] = object_id
        soft[:, filled] = 0
        soft[index, filled] = 1


_FAINT = 1 / 255
