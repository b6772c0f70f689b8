"""Layers of reef, each painted once: rock, corals, sponges, anemones and sea grass."""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from scene.light import Array, blur, color, fbm, lit, mix, smooth

LAYER_W, LAYER_H = 1240, 640  # larger than the image, so that the camera can pan
Rng = np.random.Generator

CORALS = ("b7537d", "8e5aa8", "c7a25a", "5f9a76", "d28a7c", "7f8fc4", "b9b27a", "a8456a", "d9b7a4")


@dataclass(frozen=True, slots=True)
class Piece:
    """A painted thing, premultiplied RGBA, and the pixel that stands on the rock."""

    image: Array
    foot: tuple[int, int]


def labyrinth(rng: Rng, size: int, width: float) -> Array:
    """Winding ridges, as on a brain coral: band-pass noise sharpened until it is two-valued."""
    field = rng.standard_normal((size, size)).astype(np.float32)
    for _ in range(5):
        field = blur(field, width) - blur(field, 2 * width)
        field = np.tanh(2.5 * field / field.std())
    return field


def cells(rng: Rng, size: int, spacing: float) -> Array:
    """Rounded knobs around jittered points, 0 to 1."""
    mask = np.ones((size, size), np.uint8)
    for y in np.arange(0, size, spacing):
        for x in np.arange(0, size, spacing):
            jy, jx = rng.uniform(0, spacing, 2)
            mask[min(int(y + jy), size - 1), min(int(x + jx), size - 1)] = 0
    d = cv2.distanceTransform(mask, cv2.DIST_L2, 5) / spacing
    return np.exp(-(d**2) * 5).astype(np.float32)


def inflate(mask: Array, albedo: Array, roundness: float = 1.5, gloss: float = 0.06) -> Array:
    """Shade a flat silhouette (0 to 255) as if it were round."""
    d = cv2.distanceTransform((mask > 127).astype(np.uint8), cv2.DIST_L2, 5)
    return lit(albedo, blur(roundness * 2.6 * np.sqrt(d).astype(np.float32), 1.3), gloss)


def under(top: Array, bottom: Array) -> Array:
    """`top` over `bottom`, both premultiplied RGBA."""
    return top + bottom * (1 - top[..., 3:])


def dome(rng: Rng, r: int, code: str) -> Piece:
    """Massive coral: a lumpy half sphere with ridges or knobs."""
    size = int(2.4 * r)
    y, x = (np.mgrid[:size, :size].astype(np.float32) - 1.2 * r) / r
    kind = rng.integers(3)
    bump = (
        labyrinth(rng, size, max(1.6, r * 0.028))
        if kind == 0
        else 2 * cells(rng, size, r * (0.13 if kind == 1 else 0.24)) - 1
    )
    angle = np.arctan2(y, x)
    wobble = sum(0.036 * np.cos(k * angle + p) for k, p in enumerate(rng.uniform(0, 6.3, 5), 2))
    q = np.sqrt(x**2 + (y * 1.25) ** 2) * (1 + wobble)
    height = r * 0.75 * np.sqrt(np.clip(1 - q**2, 0, 1)) + 0.022 * r * bump
    lump = fbm(rng, size, size, r * 0.5, 3)
    albedo = color(code) * (0.72 + 0.30 * bump + 0.16 * lump)[..., None]
    albedo = mix(albedo, color("efe3c8"), 0.25 * smooth(0.2, 1, bump))
    alpha = (smooth(1.0, 0.975, q) * smooth(0.62, 0.5, y + 0.05 * lump))[..., None]
    rgb = lit(np.clip(albedo, 0.01, 1), blur(height.astype(np.float32), 0.8))
    return Piece(np.dstack([rgb * alpha, alpha]).astype(np.float32), (size // 2, int(1.6 * r)))


def branches(rng: Rng, r: int, code: str, thick: float, spread: float, sprays: int) -> Piece:
    """Branching coral or sea fan: sprays of forking limbs, the far ones darker."""
    size = int(3.6 * r)
    foot = (size // 2, int(2.9 * r))
    out = np.zeros((size, size, 4), np.float32)

    def grow(
        mask: Array, tips: Array, x: float, y: float, a: float, length: float, w: float
    ) -> None:
        bend = a + rng.normal(0, 0.12)
        nx, ny = x + length * math.cos(bend), y - length * math.sin(bend)
        ends = [(round(p * 16), round(q * 16)) for p, q in ((x, y), (nx, ny))]
        cv2.line(mask, ends[0], ends[1], 255, max(1, round(w)), cv2.LINE_AA, 4)
        if length < 0.075 * r:
            cv2.circle(tips, (round(nx), round(ny)), max(1, round(w * 0.9)), 255, -1, cv2.LINE_AA)
            return
        forks = 2 if rng.random() < 0.75 else 3
        for k in range(forks):
            turn = spread * (k - (forks - 1) / 2) * rng.uniform(0.6, 1.3)
            grow(
                mask, tips, nx, ny, bend + turn, length * rng.uniform(0.60, 0.80), max(w * 0.8, 1.6)
            )

    for k in range(sprays):
        mask, tips = np.zeros((2, size, size), np.uint8)
        lean = 0.0 if sprays == 1 else rng.uniform(-0.65, 0.65)
        grow(mask, tips, foot[0] + 0.3 * lean * r, foot[1], math.pi / 2 - lean, 0.40 * r, thick * r)
        near = 0.42 + 0.58 * (k + 1) / sprays
        base = np.broadcast_to(color(code) * near, (size, size, 3))
        albedo = mix(base, color("f2e6d2") * near, 0.6 * blur(tips.astype(np.float32) / 255, 3))
        alpha = np.maximum(mask, tips).astype(np.float32)[..., None] / 255
        limb = np.dstack([inflate(np.maximum(mask, tips), albedo) * alpha, alpha])
        shadow = 1 - 0.5 * blur(np.roll(alpha[..., 0], (5, -4), (0, 1)), 4)
        out[..., :3] *= shadow[..., None]
        out = under(limb.astype(np.float32), out)
    return Piece(out, foot)


def sponge(rng: Rng, r: int, code: str) -> Piece:
    """Tube sponges with dark mouths."""
    size = int(2.4 * r)
    foot = (size // 2, int(2.2 * r))
    out = np.zeros((size, size, 4), np.float32)
    pores = fbm(rng, size, size, r * 0.14, 3)
    for k in range(n := int(rng.integers(3, 6))):
        tall, wide = r * rng.uniform(0.8, 1.9), r * rng.uniform(0.13, 0.2)
        lean = rng.uniform(-0.28, 0.28)
        x0, x1 = foot[0] + lean * r, foot[0] + lean * (r + 1.2 * tall)
        y1 = foot[1] - tall
        quad = [
            (x0 - 0.7 * wide, foot[1]),
            (x1 - wide, y1),
            (x1 + wide, y1),
            (x0 + 0.7 * wide, foot[1]),
        ]
        mask, mouth = np.zeros((2, size, size), np.uint8)
        cv2.fillPoly(mask, [np.round(quad).astype(np.int32)], 255, cv2.LINE_AA)
        lip = (round(x1), round(y1)), (round(wide), round(wide * 0.42))
        cv2.ellipse(mask, *lip, 0, 0, 360, 255, -1, cv2.LINE_AA)
        cv2.ellipse(mouth, lip[0], (round(wide * 0.72), round(wide * 0.27)), 0, 0, 360, 255, -1, 16)
        d = cv2.distanceTransform((mask > 127).astype(np.uint8), cv2.DIST_L2, 5)
        tube = np.sqrt(np.clip(1 - (1 - np.clip(d / wide, 0, 1)) ** 2, 0, 1)) * wide
        albedo = color(code) * (0.6 + 0.4 * (k + 1) / n) * (1 + 0.16 * pores)[..., None]
        rgb = lit(albedo, blur(tube.astype(np.float32), 2) + 0.5 * pores)
        rgb = mix(rgb, color(code) * 0.06, blur(mouth.astype(np.float32) / 255, 1.2))
        alpha = mask.astype(np.float32)[..., None] / 255
        out = under(np.dstack([rgb * alpha, alpha]).astype(np.float32), out)
    return Piece(out, foot)


def anemone(rng: Rng, r: int, code: str) -> Piece:
    """A cushion of tapering tentacles with pale tips."""
    size = int(2.4 * r)
    foot = (size // 2, int(2.0 * r))
    out = np.zeros((size, size, 4), np.float32)
    for k in range(7):
        near = 0.30 + 0.70 * k / 6
        mask, tips = np.zeros((2, size, size), np.uint8)
        for _ in range(34):
            a = rng.uniform(0.12, math.pi - 0.12)
            x, y = foot[0] + 0.55 * r * rng.uniform(-1, 1), foot[1] - 0.1 * r + 0.03 * r * k
            bend = rng.normal(0, 0.16)
            steps = 9
            for j in range(steps):
                nx, ny = x + 0.085 * r * math.cos(a), y - 0.085 * r * math.sin(a)
                w = max(2, round(r * 0.052 * (1 - 0.4 * j / steps)))
                ends = (round(x * 16), round(y * 16)), (round(nx * 16), round(ny * 16))
                cv2.line(mask, *ends, 255, w, cv2.LINE_AA, 4)
                x, y, a = nx, ny, a + bend
            cv2.circle(tips, (round(x), round(y)), max(2, round(r * 0.028)), 255, -1, cv2.LINE_AA)
        base = np.broadcast_to(color(code) * near, (size, size, 3))
        albedo = mix(base, color("f6ecd8") * near, 0.85 * blur(tips.astype(np.float32) / 255, 2))
        alpha = np.maximum(mask, tips).astype(np.float32)[..., None] / 255
        rgb = inflate(np.maximum(mask, tips), albedo, 1.2)
        out = under(np.dstack([rgb * alpha, alpha]).astype(np.float32), out)
    return Piece(out, foot)


def grow_piece(rng: Rng, r: int) -> Piece:
    """One thing of a kind and color drawn by lot."""
    code = CORALS[rng.integers(len(CORALS))]
    draw = rng.random()
    if draw < 0.34:
        return dome(rng, r, code)
    if draw < 0.62:
        return branches(rng, r, code, 0.085, 0.75, 6)
    if draw < 0.76:
        return branches(rng, r, ("8d3f8f", "b03a5b", "c99a3c")[rng.integers(3)], 0.035, 0.55, 2)
    if draw < 0.88:
        return sponge(rng, r, ("8a6bb8", "c7a63f", "b8617a")[rng.integers(3)])
    return anemone(rng, r, ("6f8f5a", "b58a9c", "9c8a5c")[rng.integers(3)])


def stamp(layer: Array, piece: Piece, x: float, y: float) -> None:
    """Put a piece on a layer with a soft contact shadow; parts outside are cut off."""
    h, w = piece.image.shape[:2]
    left, top = round(x) - piece.foot[0], round(y) - piece.foot[1]
    x0, y0, x1, y1 = (
        max(left, 0),
        max(top, 0),
        min(left + w, layer.shape[1]),
        min(top + h, layer.shape[0]),
    )
    if x0 >= x1 or y0 >= y1:
        return
    part = piece.image[y0 - top : y1 - top, x0 - left : x1 - left]
    shadow = blur(np.roll(piece.image[..., 3], (h // 24, -h // 30), (0, 1)), h / 22)
    view = layer[y0:y1, x0:x1]
    view[..., :3] *= 1 - 0.62 * shadow[y0 - top : y1 - top, x0 - left : x1 - left, None]
    view[...] = under(part, view)


def reef(seed: int, ridge: Array, radius: tuple[int, int], count: int, rows: int) -> Array:
    """A reef below a ridge (LAYER_W heights in pixels): premultiplied RGBA, LAYER_H x LAYER_W."""
    rng = np.random.default_rng(seed)
    h, w = 2 * LAYER_H, 2 * LAYER_W
    line = 2 * np.interp(np.arange(w) / 2, np.arange(LAYER_W), ridge)
    rough = fbm(rng, h, w, 260)
    drop = np.arange(h)[:, None] - line[None] + 14 * rough
    alpha = smooth(-2, 2, drop)[..., None]
    crust = fbm(rng, h, w, 120)
    albedo = np.broadcast_to(color("7a6a66"), (h, w, 3))
    albedo = mix(albedo, color("8c4f78"), 0.75 * smooth(0.3, 1.1, crust))
    albedo = mix(albedo, color("8f8450"), 0.7 * smooth(0.3, 1.2, fbm(rng, h, w, 160)))
    albedo = mix(albedo, color("c9b79c"), 0.5 * smooth(0.9, 1.8, fbm(rng, h, w, 40, 4)))
    relief = 16 * rough + 3.0 * fbm(rng, h, w, 34, 4) + 0.10 * np.clip(drop, 0, 60)
    layer = np.dstack([lit(albedo, relief.astype(np.float32)) * alpha, alpha]).astype(np.float32)
    for row in range(rows):
        depth = row / max(rows - 1, 1)
        spots = (np.arange(count) + rng.uniform(-0.42, 0.42, count) + 0.5 * (row % 2)) * w / count
        for x in rng.permutation(spots):
            r = int(
                2 * rng.uniform(*radius) * (1 - 0.25 * depth) * rng.choice((0.55, 0.8, 1.0, 1.2))
            )
            y = np.interp(x, np.arange(w), line) + 2 * (10 + 95 * depth) + rng.uniform(-8, 14)
            stamp(layer, grow_piece(rng, r), x, y)
    fade = 1 - 0.55 * smooth(40, 380, drop)[..., None]
    layer[..., :3] *= fade
    return cv2.resize(layer, (LAYER_W, LAYER_H), interpolation=cv2.INTER_AREA)


def grass(seed: int, clumps: tuple[tuple[float, float], ...]) -> Array:
    """Blades of sea grass near the lens; clumps are (x, reach above the lower edge) in pixels."""
    rng = np.random.default_rng(seed)
    canvas = np.zeros((LAYER_H, LAYER_W, 4), np.float32)
    for x0, reach in clumps:
        for _ in range(16):
            x, y, a = x0 + rng.normal(0, 34), float(LAYER_H), math.pi / 2 + rng.normal(0, 0.16)
            tall, bend = reach * rng.uniform(0.5, 1.0), rng.normal(0, 0.05)
            mask = np.zeros((LAYER_H, LAYER_W), np.uint8)
            for j in range(14):
                nx, ny = x + tall / 14 * math.cos(a), y - tall / 14 * math.sin(a)
                width = max(2, round(11 * (1 - j / 15)))
                cv2.line(
                    mask, (round(x), round(y)), (round(nx), round(ny)), 255, width, cv2.LINE_AA
                )
                x, y, a = nx, ny, a + bend
            tone = color(("274a2a", "3d5c2c", "1d3d33")[rng.integers(3)]) * rng.uniform(0.6, 1.3)
            alpha = mask.astype(np.float32)[..., None] / 255
            canvas = under(np.dstack([alpha * tone, alpha]).astype(np.float32), canvas)
    return blur(canvas, 4.5)
