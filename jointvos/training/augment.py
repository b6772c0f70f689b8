"""How a training scene is filmed: jittered search regions, turns, flips, colours, faults."""

import cv2
import numpy as np

from jointvos.training.layers import Floats, Mask, SceneFrame, Size, render
from jointvos.types import Image

SMALLEST = 12.0  # pixels; the side of a target of which hardly anything is visible


def film(
    scene: list[SceneFrame], crop_size: Size, rng: np.random.Generator
) -> list[tuple[Image, Mask]] | None:
    """Crop and render all frames of a scene.

    Args:
        scene: T frames.
        crop_size: H, W of the search regions.
        rng: Decides everything else.

    Returns:
        T times the picture [H,W,3] and the visible part of the target [H,W]; None if the first
        frame does not show the target well.
    """
    height, width = crop_size
    flip = np.diag([-1.0, 1.0, 1.0])
    flip[0, 2] = width - 1
    mirror = flip if rng.random() < 0.5 else np.eye(3)
    colours = colour_change(rng)
    shots: list[tuple[Image, Mask]] = []
    for t, frame in enumerate(scene):
        to_scene = training_region(frame.box, frame.size, crop_size, rng, first=t == 0)
        turn = np.eye(3)
        turn[:2] = cv2.getRotationMatrix2D(
            ((width - 1) / 2, (height - 1) / 2),
            rng.uniform(-15, 15),
            float(np.exp(rng.uniform(-0.2, 0.2))),
        )
        image, mask = render(frame.layers, to_scene @ turn @ mirror, crop_size)
        if t == 0 and not 0.003 < np.count_nonzero(mask) / mask.size < 0.75:
            return None
        image = np.asarray(cv2.transform(image, rng.uniform(0.8, 1.2) * colours), np.uint8)
        shots.append((image if t == 0 else degrade(image, rng), mask))
    return shots


def training_region(
    box: Floats, size: Size, crop_size: Size, rng: np.random.Generator, *, first: bool
) -> Floats:
    """A search region of 25 times the area of the jittered target box, in the crop's proportions.

    As in inference at least one side fits into the picture, and the region is moved inside as far
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
    extent = 5 * side * np.sqrt([width / height, height / width])
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


def colour_change(rng: np.random.Generator) -> Floats:
    """One for a whole mini-sequence, [3,4]: gains, contrast, saturation; seldom gray."""
    gray = np.full((3, 3), 1.0) * [0.299, 0.587, 0.114]
    saturation = 0.0 if rng.random() < 0.05 else rng.uniform(0.6, 1.4)
    mixing = saturation * np.eye(3) + (1 - saturation) * gray
    contrast = rng.uniform(0.8, 1.2)
    gains = rng.uniform(0.75, 1.25) * rng.uniform(0.92, 1.08, 3)
    colours = np.full((3, 4), 128 * (1 - contrast))
    colours[:, :3] = contrast * gains[:, None] * mixing
    return colours


def degrade(image: Image, rng: np.random.Generator) -> Image:
    """Every fourth picture [H,W,3]: moved, out of focus, compressed or noisy."""
    fault = rng.random()
    if fault < 0.08:
        return _move(image, rng)
    if fault < 0.14:
        return np.asarray(cv2.GaussianBlur(image, (0, 0), rng.uniform(0.6, 1.8)), np.uint8)
    if fault < 0.2:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(15, 60))]
        squeezed = cv2.imencode(".jpg", image, quality)[1]
        return np.asarray(cv2.imdecode(squeezed, cv2.IMREAD_COLOR), np.uint8)
    if fault < 0.25:
        noise = rng.normal(0, rng.uniform(3, 14), image.shape[:2]).astype(np.int16)
        return np.asarray(np.clip(image + noise[..., None], 0, 255), np.uint8)
    return image


def _move(image: Image, rng: np.random.Generator) -> Image:
    """Smear a picture along a line of 3 to 9 pixels."""
    length = int(rng.integers(3, 10))
    kernel = np.zeros((length, length), np.float32)
    heading, middle = rng.uniform(0, np.pi), (length - 1) / 2
    along = np.linspace(-middle, middle, 2 * length)
    rows = np.rint(middle + along * np.sin(heading)).astype(int)
    columns = np.rint(middle + along * np.cos(heading)).astype(int)
    kernel[rows, columns] = 1
    return np.asarray(cv2.filter2D(image, -1, kernel / kernel.sum()), np.uint8)
