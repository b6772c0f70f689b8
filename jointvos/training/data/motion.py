"""How things move in a training scene: poses that wander, waves that grow, a camera that drifts."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from jointvos.training.data.layers import (
    Floats,
    Layer,
    Mask,
    Size,
    Waves,
    box_of,
    center_of,
    extent_of,
    inverse,
    soften,
)
from jointvos.types import Image


@dataclass(frozen=True)
class Pose:
    """Where an object stands in the scene and how it is changed against its source.

    Attributes:
        center: [2], scene pixels.
        scale: Scene pixels per source pixel.
        angle: Turn, radians.
        stretch: Logarithm of the factor on x, and of its inverse on y.
        shear: Shift of x per y.
        tilt: [2], perspective: by how much of itself depth changes per source pixel.
    """

    center: Floats
    scale: float
    angle: float = 0.0
    stretch: float = 0.0
    shear: float = 0.0
    tilt: tuple[float, float] = (0.0, 0.0)

    def to_source(self, pivot: Floats) -> Floats:
        """Scene to source [3,3], where `pivot` [2] is the object's center in its source."""
        cos, sin = np.cos(self.angle), np.sin(self.angle)
        shape = np.array([[np.exp(self.stretch), self.shear], [0.0, np.exp(-self.stretch)]])
        forward = np.eye(3)
        forward[:2, :2] = self.scale * np.array([[cos, -sin], [sin, cos]]) @ shape
        forward[2, :2] = self.tilt
        return inverse(_shift(self.center) @ forward @ _shift(-pivot))


def _shift(offset: Floats) -> Floats:
    matrix = np.eye(3)
    matrix[:2, 2] = offset
    return matrix


def place(extent: float, size: Size, rng: np.random.Generator, scale: float | None = None) -> Pose:
    """A first pose anywhere in a scene, for an object `extent` pixels wide in its source."""
    height, width = size
    wanted = np.exp(rng.uniform(np.log(0.12), np.log(0.45))) * np.sqrt(height * width)
    center = rng.uniform(0.2, 0.8, 2) * (width, height)
    return Pose(center, min(wanted / extent, 1.6) if scale is None else scale)


def wandering_cut(
    image: Image,
    mask: Mask,
    start: Pose,
    size: Size,
    count: int,
    vigor: float,
    rng: np.random.Generator,
) -> list[Layer]:
    """An object cut out of its image that wanders and bends: its layer in each of T frames.

    Args:
        image: Its image, [H,W,3].
        mask: The object in it, [H,W].
        start: Its pose in the first frame.
        size: Of the scene.
        count: T.
        vigor: How far it goes, 1 being much.
        rng: Decides everything else.
    """
    box = box_of(mask)
    pivot, alpha = center_of(box), soften(mask, 3)
    poses = _wander(start, extent_of(box), size, count, vigor, rng)
    return [
        Layer(image, alpha, pose.to_source(pivot), waves, cut=True)
        for pose, waves in zip(poses, bending(extent_of(box), count, rng), strict=True)
    ]


def passing_cut(
    image: Image, mask: Mask, boxes: Sequence[Floats], rng: np.random.Generator
) -> list[Layer | None]:
    """An object that passes before the target's T boxes [4], never in the first frame."""
    own = box_of(mask)
    pivot, alpha = center_of(own), soften(mask, 3)
    heading = rng.uniform(0, 2 * np.pi)
    way = np.array([np.cos(heading), np.sin(heading)])
    speed, meeting = rng.uniform(0.6, 1.5), rng.uniform(0.5, len(boxes))
    relative = rng.uniform(0.4, 1.1)
    layers: list[Layer | None] = [None]
    for t, box in enumerate(boxes[1:], start=1):
        reach = extent_of(box)
        center = center_of(box) + way * (t - meeting) * speed * reach
        pose = Pose(center, relative * reach / extent_of(own))
        layers.append(Layer(image, alpha, pose.to_source(pivot), cut=True))
    return layers


def bending(extent: float, count: int, rng: np.random.Generator) -> list[Waves | None]:
    """Waves about as long as the target that grow from nothing; never so steep that they fold."""
    length = extent * rng.uniform(0.5, 1.6, 3)
    heading = rng.uniform(0, 2 * np.pi, 3)
    frequencies = np.stack([np.cos(heading), np.sin(heading)], axis=1) * 2 * np.pi / length[:, None]
    phases = rng.uniform(0, 2 * np.pi, 3)
    steepness = rng.uniform(0, 0.35) / np.sqrt(3)
    amplitudes = rng.normal(size=(3, 2)) * (steepness * length / (2 * np.pi))[:, None]
    grown = (amplitudes * t / (count - 1) for t in range(1, count))
    return [None, *(Waves(frequencies, phases, amplitude) for amplitude in grown)]


def camera_path(
    size: Size, count: int, vigor: float, rng: np.random.Generator, spare: float = 0.08
) -> list[Floats]:
    """Scene to backdrop, T times [3,3]: a drift mostly within the backdrop's borders.

    `spare` is the share of the backdrop that the camera may leave on each side.
    """
    height, width = size
    zoom = np.exp(rng.uniform(0, 2 * spare) + np.cumsum(rng.normal(0, 0.04 * vigor, count)))
    turn = np.cumsum(rng.normal(0, 0.05 * vigor, count))
    drift = np.cumsum(rng.normal(0, 0.4 * spare * vigor, (count, 2)), axis=0)
    drift = np.clip(drift, -spare, spare) * (width, height)
    middle = np.array([width, height]) / 2
    tilt = np.cumsum(rng.normal(0, 0.03 * vigor, (count, 2)), axis=0) / (width, height)
    shake = rng.normal(0, 0.015, (count, 2)) * (width, height) * (rng.random() < 0.3)
    return [
        Pose(
            middle + drift[t] + shake[t],
            max(float(zoom[t]), 1.0),
            turn[t],
            tilt=(tilt[t, 0], tilt[t, 1]),
        ).to_source(middle)
        for t in range(count)
    ]


def _wander(
    start: Pose, extent: float, size: Size, count: int, vigor: float, rng: np.random.Generator
) -> list[Pose]:
    """A random walk from `start`; one in eight may leave the scene and come back."""
    height, width = size
    steps = rng.normal(size=(count, 6)) * vigor * [0.35, 0.35, 0.12, 0.2, 0.08, 0.06]
    steps[0] = 0
    x, y, grow, turn, stretch, shear = np.cumsum(steps, axis=0).T
    reach = extent * start.scale
    margin = -0.2 if rng.random() < 0.125 else 0.1
    centers = np.clip(
        start.center + reach * np.stack([x, y], axis=1),
        np.minimum(start.center, (margin * width, margin * height)),
        np.maximum(start.center, ((1 - margin) * width, (1 - margin) * height)),
    )
    scales = start.scale * np.exp(np.clip(grow, -0.6, 0.6))
    tilt = np.cumsum(rng.normal(0, 0.12 * vigor, (count, 2)), axis=0).clip(-0.4, 0.4) / extent
    return [
        Pose(centers[t], scales[t], turn[t], stretch[t], shear[t], (tilt[t, 0], tilt[t, 1]))
        for t in range(count)
    ]
