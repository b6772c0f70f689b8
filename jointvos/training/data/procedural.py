"""Stills drawn from numbers alone: textured shapes on textured ground, several per image."""

import cv2
import numpy as np
from numpy.typing import NDArray

from jointvos.training.data.layers import Mask, Size
from jointvos.training.data.packs import Still
from jointvos.types import Image

SIZE = (240, 360)  # height and width of an image
SOURCE = "procedural"


def draw_stills(count: int, rng: np.random.Generator) -> tuple[Still, ...]:
    """Images [240,360,3] with one to four labeled shapes each, IDs from 1."""
    return tuple(_draw_still(f"{SOURCE}/{index}", rng) for index in range(count))


def _draw_still(name: str, rng: np.random.Generator) -> Still:
    image, labels = texture(SIZE, rng), np.zeros(SIZE, np.uint8)
    for label in range(1, int(rng.integers(2, 6))):
        inside = shape(SIZE, rng) > 0
        for patch in range(int(rng.integers(1, 4))):  # of several colors, as things are
            part = inside if patch == 0 else inside & (shape(SIZE, rng) > 0)
            image[part] = texture(SIZE, rng)[part]
        labels[inside] = label
    return Still(name=name, source=SOURCE, image=image, labels=labels)


def texture(size: Size, rng: np.random.Generator) -> Image:
    """An image [H,W,3]: noise of one to three grain sizes between two colors, often striped."""
    height, width = size
    field = np.zeros(size, np.float32)
    for _ in range(int(rng.integers(1, 4))):
        grain = float(np.exp(rng.uniform(np.log(2), np.log(80))))
        stretch = float(np.exp(rng.normal(0, 0.6)))
        cells = (max(2, round(width / grain * stretch)), max(2, round(height / grain / stretch)))
        noise = rng.normal(size=(cells[1], cells[0])).astype(np.float32)
        field += rng.uniform(0.2, 1.0) * np.asarray(
            cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC), np.float32
        )
    if rng.random() < 0.4:
        y, x = np.mgrid[:height, :width].astype(np.float32)
        heading, length = rng.uniform(0, np.pi), rng.uniform(8, 60)
        phase = (x * np.cos(heading) + y * np.sin(heading)) * 2 * np.pi / length
        field = 0.4 * field + np.sin(phase + field)
    field = np.tanh(rng.uniform(0.5, 4) * (field - field.mean()) / (field.std() + 1e-6))
    dark, light = rng.uniform(0, 255, (2, 3))
    share = (field[..., None] + 1) / 2
    return np.asarray(np.clip(dark + share * (light - dark), 0, 255), np.uint8)


def shape(size: Size, rng: np.random.Generator) -> Mask:
    """A closed outline anywhere, round or cornered, filled: [H,W], 0 or 255."""
    height, width = size
    corners = int(rng.integers(3, 9))
    angles = np.sort(rng.uniform(0, 2 * np.pi, corners))
    radii = rng.uniform(0.35, 1.0, corners)
    outline = np.stack([np.cos(angles), np.sin(angles)], axis=1) * radii[:, None]
    if rng.random() < 0.6:
        outline = _rounded(outline)
    turn = rng.uniform(0, 2 * np.pi)
    stretch = np.exp(rng.normal(0, 0.35))
    linear = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    outline = outline * (stretch, 1 / stretch) @ linear.T
    outline = outline * np.exp(rng.uniform(np.log(15), np.log(90)))
    outline += rng.uniform(0.1, 0.9, 2) * (width, height)
    mask = np.zeros(size, np.uint8)
    cv2.fillPoly(mask, [np.rint(outline).astype(np.int32)], 255)
    return mask


def _rounded(outline: NDArray[np.float64]) -> NDArray[np.float64]:
    """Corner cutting (Chaikin), three times."""
    for _ in range(3):
        after = np.roll(outline, -1, axis=0)
        cut = np.stack([0.75 * outline + 0.25 * after, 0.25 * outline + 0.75 * after], axis=1)
        outline = cut.reshape(-1, 2)
    return outline
