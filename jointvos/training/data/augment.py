"""How a training scene is filmed: jittered search regions, turns, flips, colors, faults.

`video` decides everything about the shots, `develop` draws one of them on the CPU.
"""

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from jointvos.training.data.layers import (
    Floats,
    Layer,
    Mask,
    SceneFrame,
    Size,
    center_of,
    inverse,
    render,
    takes_place,
    to_mask,
    transform,
    visible_target,
)
from jointvos.types import Image

SCALE = 4.5
"""Side of a search region relative to the target's, between what presets search with."""

SMALLEST = 12.0  # pixels; the side of a target of which hardly anything is visible


@dataclass(frozen=True)
class Fault:
    """What is wrong with an image.

    Attributes:
        kind: What it is; "drag" smears the target alone, as where it moves faster than the shutter.
        strength: Length of a smear or drag and sigma of a blur in pixels, quality of a JPEG file,
            sigma of noise in levels.
        heading: Of a smear or drag, radians.
        grain: Noise to be added, int16 [H,W].
    """

    kind: Literal["smear", "blur", "jpeg", "noise", "drag"]
    strength: float
    heading: float = 0.0
    grain: NDArray[np.int16] | None = None


@dataclass(frozen=True)
class Shot:
    """All that decides one image of a mini-sequence.

    Attributes:
        layers: Of one frame of a scene, bottom up.
        to_scene: Crop to scene pixels, [3,3].
        colors: The change of colors, [3,4].
        fault: What is wrong with the image.
        gamma: Exponent of all values between 0 and 1, before the change of colors.
    """

    layers: tuple[Layer, ...]
    to_scene: Floats
    colors: Floats
    fault: Fault | None = None
    gamma: float = 1.0


# Decided


def shoot(
    scene: list[SceneFrame], crop_size: Size, rng: np.random.Generator, lit: float = 0.0
) -> list[Shot] | None:
    """How the T frames of a scene are shown.

    Args:
        scene: T frames.
        crop_size: H, W of the search regions.
        rng: Decides everything else.
        lit: Share of scenes whose light changes gradually.

    Returns:
        T shots; None if the first frame does not show the target well.
    """
    height, width = crop_size
    flip = np.diag([-1.0, 1.0, 1.0])
    flip[0, 2] = width - 1
    mirror = flip if rng.random() < 0.5 else np.eye(3)
    colors = color_change(rng)
    gains, gamma = last_light(rng) if takes_place(lit, rng) else (np.ones(3), 1.0)
    shots: list[Shot] = []
    for t, frame in enumerate(scene):
        to_scene = training_region(frame.box, frame.size, crop_size, rng, first=t == 0)
        turn = np.eye(3)
        turn[:2] = cv2.getRotationMatrix2D(
            ((width - 1) / 2, (height - 1) / 2),
            rng.uniform(-15, 15),
            float(np.exp(rng.uniform(-0.2, 0.2))),
        )
        to_scene = to_scene @ turn @ mirror
        if t == 0:
            mask = visible_target(frame.layers, to_scene, crop_size)
            if not 0.003 < np.count_nonzero(mask) / mask.size < 0.75:
                return None
        faded = t / max(1, len(scene) - 1)
        light = rng.uniform(0.8, 1.2) * gains[:, None] ** faded * colors
        fault = None if t == 0 else draw_fault(crop_size, rng)
        if t > 0 and frame.shutter:
            way = [transform(inverse(to_scene), center_of(scene[k].box)) for k in (t - 1, t)]
            fault = motion_blur(frame.shutter * (way[1] - way[0]), crop_size) or fault
        shots.append(Shot(frame.layers, to_scene, light, fault, gamma**faded))
    return shots


def training_region(
    box: Floats, size: Size, crop_size: Size, rng: np.random.Generator, *, first: bool
) -> Floats:
    """A search region of `SCALE` times the side of the jittered target box, as wide as the crop is.

    As in inference at least one side fits into the image, and the region is moved inside as far
    as it fits. The first region keeps the target inside; later ones may lose some of it.

    Args:
        box: The target's, [4] in scene pixels.
        size: Of the scene.
        crop_size: H, W of the crop.
        rng: Decides the jitter.
        first: Whether it is the first frame's.

    Returns:
        Crop to scene pixels, [3,3].
    """
    height, width = crop_size
    spread, reach = (0.25, np.array([3.0, 3.0])) if first else (0.5, np.array([5.5, 4.5]))
    target = box[2:] - box[:2]
    jitter = np.exp(np.clip(rng.normal(0, spread, 2), -2 * spread, 2 * spread))
    side = max(SMALLEST, float(np.sqrt(np.prod(target * jitter))))
    picture = np.array([size[1], size[0]], np.float64)
    extent = SCALE * side * np.sqrt([width / height, height / width])
    extent /= max(1.0, (extent / picture).min())
    shift = reach * side * (rng.random(2) - 0.5)
    room = np.maximum(extent - target, 0) / 2 if first else 0.5 * extent
    if first or rng.random() < 0.9:
        shift = np.clip(shift, -room, room)
    middle = (box[:2] + box[2:]) / 2 + shift
    inside = np.clip(middle, extent / 2, np.maximum(picture - extent / 2, extent / 2))
    corner = np.where(extent <= picture, inside, picture / 2) - extent / 2
    pitch = extent / (width, height)
    to_scene = np.diag([*pitch, 1.0])
    to_scene[:2, 2] = corner + 0.5 * pitch - 0.5
    return to_scene


def color_change(rng: np.random.Generator) -> Floats:
    """One for a whole mini-sequence, [3,4]: gains, contrast, saturation; seldom gray."""
    gray = np.full((3, 3), 1.0) * [0.299, 0.587, 0.114]
    saturation = 0.0 if rng.random() < 0.05 else rng.uniform(0.6, 1.4)
    mixing = saturation * np.eye(3) + (1 - saturation) * gray
    contrast = rng.uniform(0.8, 1.2)
    gains = rng.uniform(0.75, 1.25) * rng.uniform(0.92, 1.08, 3)
    colors = np.full((3, 4), 128 * (1 - contrast))
    colors[:, :3] = contrast * gains[:, None] * mixing
    return colors


def last_light(rng: np.random.Generator) -> tuple[Floats, float]:
    """Gains [3] and gamma to which the light of a mini-sequence changes by its last frame."""
    gains = np.exp(rng.uniform(-0.8, 0.4) + rng.normal(0, 0.1, 3))
    return gains, float(np.exp(rng.uniform(-0.5, 0.5)))


def motion_blur(way: Floats, crop_size: Size) -> Fault | None:
    """A target smeared along its way [2] in pixels, at most 12 % of the height; None if short."""
    length = round(min(float(np.hypot(*way)), 0.12 * crop_size[0]))
    heading = float(np.arctan2(way[1], way[0]))
    return Fault("drag", length, heading=heading) if length >= 3 else None


def draw_fault(crop_size: Size, rng: np.random.Generator) -> Fault | None:
    """Two of five images of H, W pixels: moved, out of focus, compressed, noisy, target moved."""
    fault = rng.random()
    if fault < 0.1:  # along a line of 1 to 6 % of the height
        length = max(3, round(crop_size[0] * rng.uniform(0.01, 0.06)))
        return Fault("smear", length, heading=rng.uniform(0, np.pi))
    if fault < 0.14:
        return Fault("blur", rng.uniform(0.6, 1.8))
    if fault < 0.2:
        return Fault("jpeg", int(rng.integers(15, 60)))
    if fault < 0.25:
        sigma = rng.uniform(3, 14)
        return Fault("noise", sigma, grain=rng.normal(0, sigma, crop_size).astype(np.int16))
    if fault < 0.4:  # 2 to 12 % of the height
        length = max(3, round(crop_size[0] * rng.uniform(0.02, 0.12)))
        return Fault("drag", length, heading=rng.uniform(0, np.pi))
    return None


# Drawn


def develop(shot: Shot, crop_size: Size) -> tuple[Image, Mask]:
    """The image [H,W,3] of a shot and the visible part of the target [H,W], 0 or 255."""
    image, mask = render(shot.layers, shot.to_scene, crop_size)
    if shot.gamma != 1:
        curve = 255 * (np.arange(256) / 255) ** shot.gamma
        image = np.asarray(cv2.LUT(image, np.rint(curve).astype(np.uint8)), np.uint8)
    image = np.asarray(cv2.transform(image, shot.colors), np.uint8)
    if shot.fault is None:
        return image, mask
    if shot.fault.kind == "drag":
        return drag(image, mask, shot.fault)
    return spoil(image, shot.fault), mask


def drag(image: Image, mask: Mask, fault: Fault) -> tuple[Image, Mask]:
    """The image [H,W,3] and its target [H,W], smeared over what is around it."""
    kernel = smear_kernel(fault)
    alpha = np.asarray(cv2.filter2D((mask > 127).astype(np.float32), -1, kernel))
    target = np.asarray(
        cv2.filter2D(image * (mask > 127)[..., None].astype(np.float32), -1, kernel)
    )
    mixed = target + (1 - alpha[..., None]) * image
    return np.rint(mixed.clip(0, 255)).astype(np.uint8), to_mask(alpha > 0.5)


def spoil(image: Image, fault: Fault) -> Image:
    """The image [H,W,3] with a fault that does not ask where the target is."""
    if fault.kind == "smear":
        return np.asarray(cv2.filter2D(image, -1, smear_kernel(fault)), np.uint8)
    if fault.kind == "blur":
        return np.asarray(cv2.GaussianBlur(image, (0, 0), fault.strength), np.uint8)
    if fault.kind == "jpeg":
        squeezed = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(fault.strength)])[1]
        return np.asarray(cv2.imdecode(squeezed, cv2.IMREAD_COLOR), np.uint8)
    assert fault.grain is not None
    return np.asarray(np.clip(image + fault.grain[..., None], 0, 255), np.uint8)


def smear_kernel(fault: Fault) -> NDArray[np.float32]:
    """Weights [L,L] of motion blur along a line of L pixels; their anchor is [L // 2, L // 2]."""
    length = int(fault.strength)
    kernel = np.zeros((length, length), np.float32)
    middle = (length - 1) / 2
    along = np.linspace(-middle, middle, 2 * length)
    rows = np.rint(middle + along * np.sin(fault.heading)).astype(int)
    columns = np.rint(middle + along * np.cos(fault.heading)).astype(int)
    kernel[rows, columns] = 1
    return np.asarray(kernel / kernel.sum(), np.float32)
