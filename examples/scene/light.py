"""Colors, noise, curves and light shared by the fish and the reef. Images are linear float32."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

Array = Any  # numpy arrays; images are H x W x C float32, linear light, premultiplied

SUN = np.array([0.30, -0.74, 0.60])


def color(code: str) -> Array:
    """Linear RGB of a hexadecimal sRGB code."""
    rgb = np.array([int(code[i : i + 2], 16) for i in (0, 2, 4)], np.float32) / 255
    return rgb**2.2


def smooth(low: float, high: float, x: Array) -> Array:
    """Hermite step from 0 at `low` to 1 at `high`."""
    s = np.clip((x - low) / (high - low), 0, 1)
    return s * s * (3 - 2 * s)


def blur(image: Array, sigma: float) -> Array:
    return cv2.GaussianBlur(image, (0, 0), sigma)


def fbm(rng: np.random.Generator, h: int, w: int, cell: float, octaves: int = 5) -> Array:
    """Fractal noise, mean 0, deviation 1; `cell` is its largest feature in pixels."""
    total = np.zeros((h, w), np.float32)
    for k in range(octaves):
        size = max(cell / 2**k, 1.0)
        grid = rng.standard_normal((int(h / size) + 3, int(w / size) + 3)).astype(np.float32)
        big = cv2.resize(grid, None, fx=size, fy=size, interpolation=cv2.INTER_CUBIC)
        total += big[:h, :w] * 0.55**k
    return (total - total.mean()) / total.std()


def lit(albedo: Array, height: Array, gloss: float = 0.12) -> Array:
    """Shade a relief: sun from above, blue light from the water, warm light from the sand."""
    gy, gx = np.gradient(height)
    nz = 1 / np.sqrt(1 + gx * gx + gy * gy)
    nx, ny = -gx * nz, -gy * nz
    key = np.clip(nx * SUN[0] + ny * SUN[1] + nz * SUN[2], 0, 1)[..., None]
    up = (0.5 - 0.5 * ny)[..., None]
    half = SUN + np.array([0, 0, 1])
    half /= np.linalg.norm(half)
    shine = np.clip(nx * half[0] + ny * half[1] + nz * half[2], 0, 1) ** 36
    light = key * (1.45, 1.36, 1.15) + up * (0.16, 0.27, 0.33) + (1 - up) * (0.13, 0.14, 0.12)
    return (albedo * light + gloss * shine[..., None]).astype(np.float32)


def spline(points: Sequence[tuple[float, float]], steps: int = 16) -> Array:
    """Closed Catmull-Rom curve through the points."""
    p = np.array(points, np.float64)
    a, b, c, d = (np.roll(p, k, 0)[:, None] for k in (1, 0, -1, -2))
    s = (np.arange(steps) / steps)[None, :, None]
    q = b + 0.5 * s * (c - a + s * (2 * a - 5 * b + 4 * c - d + s * (3 * (b - c) + d - a)))
    return q.reshape(-1, 2)


def mix(base: Array, top: Array, amount: Array) -> Array:
    return base + (top - base) * amount[..., None]
