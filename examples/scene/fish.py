"""Fish painted once and bent by a swimming wave in three dimensions."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from scene.light import Array, blur, color, fbm, lit, mix, smooth, spline

TEX_W, TEX_H, TEX_UNIT = 1040, 800, 800  # a painted fish: pixels per fish length


@dataclass(frozen=True, slots=True)
class Fish:
    """A painted fish: premultiplied RGBA, and how much each point faces the light above."""

    image: Array
    upward: Array


GRID_Y, GRID_X = np.mgrid[:TEX_H, :TEX_W].astype(np.float32)
GRID_X, GRID_Y = (GRID_X - TEX_W / 2) / TEX_UNIT, (GRID_Y - TEX_H / 2) / TEX_UNIT


def shape(points: Sequence[tuple[float, float]]) -> Array:
    """Anti-aliased mask of a closed curve in fish units (nose at x = .5, tail at x = -.5)."""
    px = spline(points) * TEX_UNIT + (TEX_W / 2, TEX_H / 2)
    mask = np.zeros((TEX_H, TEX_W), np.uint8)
    cv2.fillPoly(mask, [np.round(px * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    return mask.astype(np.float32) / 255


def stroke(points: Sequence[tuple[float, float]], width: float, soft: float) -> Array:
    """Soft open line in fish units."""
    px = np.array(points) * TEX_UNIT + (TEX_W / 2, TEX_H / 2)
    mask = np.zeros((TEX_H, TEX_W), np.uint8)
    pts = [np.round(px * 16).astype(np.int32)]
    cv2.polylines(mask, pts, False, 255, max(1, round(width * TEX_UNIT)), cv2.LINE_AA, 4)
    return blur(mask.astype(np.float32) / 255, soft)


def plain(code: str) -> Array:
    return np.broadcast_to(color(code), (TEX_H, TEX_W, 3))


def paint(
    seed: int,
    body: Array,
    fins: Sequence[tuple[Array, Array]],
    skin: Callable[[Array, Array], tuple[Array, Array]],
    eye: tuple[float, float, float, str],
    pectoral: tuple[Array, Array, str, str],
) -> Fish:
    """Paint a fish from its body mask, its fins (mask, ray phase) and a skin (body, fin albedo)."""
    rng = np.random.default_rng(seed)
    rows = np.arange(TEX_H)[:, None]
    inside = body > 0.5
    columns = np.flatnonzero(inside.any(0))
    top = np.where(inside, rows, TEX_H).min(0)[columns]
    bottom = np.where(inside, rows, 0).max(0)[columns]
    x = np.arange(TEX_W)
    mid = np.interp(x, columns, blur((top + bottom)[None].astype(np.float32) / 2, 6)[0])
    half = np.interp(x, columns, (bottom - top) / 2 + 1, left=1, right=1)
    across = np.clip((rows - mid) / half, -1, 1).astype(np.float32)

    grain = fbm(rng, TEX_H, TEX_W, 90)
    fine = fbm(rng, TEX_H, TEX_W, 9, 3)
    bow = np.arcsin(across * 0.98) * half / TEX_UNIT
    a, b = (GRID_X * 74 - bow * 66) * math.pi, (GRID_X * 74 + bow * 66) * math.pi
    scales = (np.cos(a) * np.cos(b) + 0.35 * np.cos(a - b)).astype(np.float32)
    on_flank = smooth(0.40, 0.22, GRID_X) * body
    skin_body, skin_fin = skin(grain, across)
    relief = blur((0.62 * half * np.sqrt(1 - across**2)).astype(np.float32) * body, 5)
    relief += 0.17 * scales * on_flank + 0.25 * fine * body
    albedo = skin_body * (1 + 0.06 * fine + 0.045 * scales * on_flank + 0.06 * grain)[..., None]
    inner = lit(albedo, relief, 0.16)
    gill = stroke([(0.19, -0.10), (0.165, -0.03), (0.175, 0.05), (0.22, 0.115)], 0.008, 4)
    inner *= (1 - 0.55 * gill)[..., None]
    inner += (0.10 * np.roll(gill, 9, 1) * body)[..., None]

    alpha, rays = body.copy(), np.zeros_like(body)
    for fin, phase in fins:
        rays = np.where(fin > 0.02, np.cos(phase) + 0.35 * np.cos(2.7 * phase), rays)
        alpha = np.maximum(alpha, fin)
    membrane = skin_fin * (1 + 0.17 * rays + 0.05 * fine)[..., None]
    outer = lit(membrane, 1.1 * blur(rays.astype(np.float32), 1.2) + 0.4 * fine, 0.05) * 1.02
    root = blur(body, 9)
    outer *= (1 - 0.42 * smooth(0.1, 0.6, root))[..., None]
    image = mix(outer, inner, smooth(0.25, 0.9, blur(body, 2.5)))

    lobe, phase, near, far = pectoral
    shade = blur(np.roll(lobe, (10, -8), (0, 1)), 7) * body
    image *= (1 - 0.45 * shade)[..., None]
    ramp = smooth(0.16, 0.0, GRID_X)
    blade = mix(plain(near), color(far), ramp)
    blade = blade * (1 + 0.22 * np.cos(phase))[..., None]
    image = mix(image, lit(blade, 1.4 * np.cos(phase).astype(np.float32)), 0.93 * lobe)

    ex, ey, radius, iris = eye
    d = np.hypot(GRID_X - ex, GRID_Y - ey) / radius
    image *= (1 - 0.5 * smooth(1.5, 1.0, d))[..., None]
    ring = color(iris) * (1.15 + 0.5 * (GRID_Y - ey) / radius + 0.12 * fine)[..., None]
    image = mix(image, ring, smooth(1.05, 0.97, d))
    image = mix(
        image, color("07090d"), smooth(0.66, 0.58, d) + 0.8 * smooth(0.10, 0.02, abs(d - 1))
    )
    glint = np.hypot(GRID_X - ex - 0.22 * radius, GRID_Y - ey + 0.34 * radius) / radius
    image += 1.6 * smooth(0.24, 0.12, glint)[..., None]
    sheen = np.hypot(GRID_X - ex + 0.1 * radius, GRID_Y - ey - 0.3 * radius) / radius
    image += (0.05 * smooth(0.6, 0.1, sheen))[..., None] * np.array([0.5, 0.9, 1.0])

    edge = np.clip(image, 0, 4) * alpha[..., None]
    upward = smooth(0.5, -0.9, across) * (0.35 + 0.65 * body)
    return Fish(np.dstack([edge, alpha]).astype(np.float32), upward.astype(np.float32))


def fan(x: float, y: float, count: float) -> Array:
    """Ray phase of a fin whose rays start at one point."""
    return np.arctan2(GRID_Y - y, np.abs(GRID_X - x) + 1e-3) * count


def clownfish(seed: int, shift: float) -> Fish:
    """An orange clownfish with three white bands; `seed` and `shift` make individuals differ."""
    outline = [(0.50, 0.02), (0.47, -0.045), (0.41, -0.095), (0.32, -0.145), (0.2, -0.185)]
    outline += [(0.05, -0.195), (-0.1, -0.165), (-0.22, -0.107), (-0.31, -0.075), (-0.335, 0.0)]
    outline += [(-0.31, 0.08), (-0.22, 0.11), (-0.08, 0.172), (0.08, 0.2), (0.22, 0.188)]
    outline += [(0.36, 0.135), (0.455, 0.082)]
    body = shape(outline)
    tail = [(-0.29, -0.07), (-0.36, -0.115), (-0.44, -0.145), (-0.485, -0.10), (-0.5, 0.0)]
    tail += [(-0.485, 0.105), (-0.44, 0.15), (-0.36, 0.12), (-0.29, 0.075)]
    dorsal = [(0.21, -0.17), (0.16, -0.225), (0.08, -0.255), (0.0, -0.25), (-0.06, -0.23)]
    dorsal += [(-0.13, -0.245), (-0.21, -0.235), (-0.262, -0.18), (-0.25, -0.085), (-0.05, -0.13)]
    anal = [(-0.02, 0.17), (-0.07, 0.235), (-0.15, 0.255), (-0.225, 0.215), (-0.245, 0.13)]
    anal += [(-0.22, 0.08), (-0.1, 0.13)]
    pelvic = [(0.20, 0.17), (0.17, 0.24), (0.1, 0.29), (0.045, 0.27), (0.05, 0.22), (0.11, 0.17)]
    lean = (GRID_X + 0.35 * np.abs(GRID_Y)) * 190
    fins = [(shape(dorsal), lean), (shape(anal), lean), (shape(pelvic), fan(0.22, 0.12, 26))]
    fins.append((shape(tail), fan(-0.22, 0.0, 34)))
    silhouette = np.maximum.reduce([body, *(f for f, _ in fins)])
    rim = cv2.distanceTransform((silhouette > 0.5).astype(np.uint8), cv2.DIST_L2, 5) / TEX_UNIT

    def skin(grain: Array, across: Array) -> tuple[Array, Array]:
        y = GRID_Y
        flesh = mix(plain("f4821c"), color("d6430a"), 0.5 - across / 2)
        flesh = mix(flesh, color("ffae42"), 0.75 * smooth(0.25, 1.0, across))
        flesh = mix(
            flesh, color("b8330a"), 0.45 * smooth(0.36, 0.5, GRID_X) * smooth(0.4, -0.6, across)
        )
        fin = mix(plain("f07a12"), color("ff9d2e"), smooth(0, 0.2, y))
        wobble = 0.006 * grain
        bands = [(0.262 + shift + 0.030 * across - 0.035 * across**2, 0.038 - 0.010 * across)]
        bands += [(-0.005 + shift + 0.075 * np.exp(-(((across - 0.1) / 0.45) ** 2)), 0.046 + 0 * y)]
        bands += [(-0.275 + 0.5 * shift + 0.02 * across**2, 0.030 + 0 * y)]
        white, black = np.zeros_like(y), np.zeros_like(y)
        for center, width in bands:
            d = np.abs(GRID_X - center + wobble) - width
            white = np.maximum(white, smooth(0.003, -0.003, d))
            black = np.maximum(black, smooth(0.022 + wobble, 0.014 + wobble, d))
        pearl = mix(plain("f3f1ea"), color("bcd3e6"), smooth(0.1, 1, across))
        skin_body = mix(mix(flesh, color("15100f"), black), pearl, white)
        tip = smooth(0.030, 0.018, rim + 0.004 * grain)
        trim = smooth(0.0085, 0.0045, rim)
        reach = smooth(0.35, 0.12, np.abs(GRID_X - 0.02 - shift) / 0.2)
        skin_fin = mix(fin, color("e9e4da"), 0.85 * smooth(0.6, 0.9, reach) * (y < 0))
        skin_fin = mix(mix(skin_fin, color("16110f"), tip), color("c9d6e4"), 0.22 * trim)
        lips = np.exp(-(((GRID_X - 0.475) / 0.035) ** 2 + ((y - 0.045) / 0.004) ** 2))
        return mix(skin_body, color("3a1206"), 0.8 * lips), skin_fin

    lobe = [(0.165, 0.02), (0.11, -0.02), (0.04, -0.015), (-0.005, 0.035), (-0.005, 0.09)]
    lobe += [(0.045, 0.13), (0.11, 0.12), (0.16, 0.07)]
    flap = shape(lobe), fan(0.2, 0.045, 30), "e8660f", "ffa53a"
    return paint(seed, body, fins, skin, (0.375, -0.03, 0.036, "c8621c"), flap)


def blue_tang(seed: int) -> Fish:
    """A royal blue tang: black palette mark, yellow tail."""
    outline = [(0.5, 0.015), (0.465, -0.04), (0.41, -0.105), (0.32, -0.175), (0.18, -0.232)]
    outline += [(0.02, -0.242), (-0.14, -0.2), (-0.25, -0.115), (-0.315, -0.05), (-0.345, 0.0)]
    outline += [(-0.315, 0.055), (-0.25, 0.12), (-0.14, 0.2), (0.02, 0.245), (0.18, 0.232)]
    outline += [(0.32, 0.17), (0.43, 0.09)]
    body = shape(outline)
    tail = [(-0.28, -0.045), (-0.36, -0.09), (-0.455, -0.165), (-0.5, -0.165), (-0.462, -0.07)]
    tail += [
        (-0.452, 0.0),
        (-0.462, 0.075),
        (-0.5, 0.17),
        (-0.455, 0.17),
        (-0.36, 0.095),
        (-0.28, 0.05),
    ]
    dorsal = [(0.25, -0.2), (0.19, -0.27), (0.04, -0.3), (-0.12, -0.282), (-0.245, -0.225)]
    dorsal += [(-0.29, -0.13), (-0.25, -0.08), (-0.1, -0.17), (0.1, -0.2)]
    anal = [(0.09, 0.21), (0.03, 0.285), (-0.12, 0.28), (-0.24, 0.225), (-0.285, 0.135)]
    anal += [(-0.25, 0.08), (-0.1, 0.17)]
    pelvic = [(0.2, 0.2), (0.17, 0.265), (0.115, 0.3), (0.105, 0.26), (0.13, 0.21)]
    lean = (GRID_X + 0.5 * np.abs(GRID_Y)) * 230
    fins = [(shape(dorsal), lean), (shape(anal), lean), (shape(pelvic), fan(0.22, 0.14, 26))]
    fins.append((shape(tail), fan(-0.2, 0.0, 46)))
    silhouette = np.maximum.reduce([body, *(f for f, _ in fins)])
    rim = cv2.distanceTransform((silhouette > 0.5).astype(np.uint8), cv2.DIST_L2, 5) / TEX_UNIT
    mark = [
        (0.40, -0.055),
        (0.3, -0.135),
        (0.15, -0.185),
        (-0.03, -0.195),
        (-0.17, -0.15),
        (-0.27, -0.07),
    ]
    mark += [(-0.32, 0.0), (-0.27, 0.07), (-0.17, 0.11), (-0.06, 0.11), (0.04, 0.075), (0.13, 0.02)]
    mark += [(0.19, -0.045), (0.27, -0.06), (0.33, -0.02)]
    window = [(0.14, -0.085), (0.05, -0.115), (-0.06, -0.095), (-0.13, -0.04), (-0.12, 0.02)]
    window += [(-0.04, 0.035), (0.06, -0.01)]
    wedge = [
        (-0.17, 0.0),
        (-0.28, -0.04),
        (-0.4, -0.105),
        (-0.6, -0.15),
        (-0.6, 0.15),
        (-0.4, 0.11),
    ]
    wedge += [(-0.28, 0.045)]

    def skin(grain: Array, across: Array) -> tuple[Array, Array]:
        blue = mix(plain("1f5fe0"), color("1238a8"), 0.5 - across / 2)
        blue = mix(blue, color("5aa4f2"), 0.55 * smooth(0.3, 1.0, across))
        blue = mix(blue, color("3f8bf0"), 0.5 * smooth(0.5, 1.6, grain))
        ink = blur(shape(mark), 2.2) * (1 - blur(shape(window), 2.2))
        gold = blur(shape(wedge), 1.8)
        skin_body = mix(mix(blue, color("080b1c"), 0.96 * ink), color("f7c81e"), gold)
        fin = mix(plain("1b50cf"), color("07102e"), smooth(0.02, 0.009, rim))
        caudal = mix(
            plain("f9cb22"),
            color("0a1230"),
            smooth(0.1, 0.115, np.abs(GRID_Y) - 0.28 * (-0.36 - GRID_X)) * 0.95,
        )
        caudal = mix(caudal, color("fff0a0"), 0.5 * smooth(0.012, 0.005, rim))
        lips = np.exp(-(((GRID_X - 0.488) / 0.022) ** 2 + ((GRID_Y - 0.035) / 0.004) ** 2))
        return mix(skin_body, color("04081c"), 0.8 * lips), mix(
            fin, caudal, smooth(-0.27, -0.3, GRID_X)
        )

    lobe = [(0.2, 0.015), (0.15, -0.025), (0.07, -0.015), (0.02, 0.04), (0.05, 0.075), (0.12, 0.09)]
    lobe += [(0.18, 0.06)]
    flap = shape(lobe), fan(0.24, 0.03, 34), "2a62d8", "f2c62a"
    return paint(seed, body, fins, skin, (0.378, -0.062, 0.029, "d8a24a"), flap)


@dataclass(frozen=True, slots=True)
class Pose:
    """Where a fish is in one moment: pixels, radians; `mirror` is -1 when it looks left."""

    x: float
    y: float
    length: float
    pitch: float
    beat: float
    effort: float
    mirror: int


def swim(fish: Fish, pose: Pose, planes: Array) -> tuple[Array, Array]:
    """Bend, turn and place a fish at twice the image's size: premultiplied RGBA, upward light."""
    u = np.linspace(-0.62, 0.62, 400)
    sway = (0.10 + 1.15 * smooth(0.25, -0.5, u)) * pose.effort
    theta = sway * np.sin(pose.beat + 5.2 * u) + 0.10 * np.sin(0.21 * pose.beat)
    du = u[1] - u[0]
    along = np.cumsum(np.cos(theta)) * du
    depth = np.cumsum(np.sin(theta)) * du
    head = int(np.argmin(np.abs(u - 0.2)))
    along, depth = along - along[head] + 0.2, depth - depth[head]

    scale = 2 * pose.length
    c, s = math.cos(pose.pitch), math.sin(pose.pitch)
    dx, dy = (planes[0] - 2 * pose.x) / scale, (planes[1] - 2 * pose.y) / scale
    px, py = (dx * c + dy * s) * pose.mirror, dy * c - dx * s
    at = np.interp(px, along, u)
    index = ((at - u[0]) / du).astype(np.int32)
    ripple = 0.10 * pose.effort * np.clip(np.abs(py) - 0.14, 0, 0.2)
    v = py / (1 + 0.42 * depth[index]) - 0.012 * np.sin(pose.beat + 4 * at) * smooth(0.2, -0.5, at)
    at = at + ripple * np.sin(pose.beat * 1.3 + 16 * at)
    at[(px < along[0]) | (px > along[-1])] = 9
    mx = (at * TEX_UNIT + TEX_W / 2).astype(np.float32)
    my = (v * TEX_UNIT + TEX_H / 2).astype(np.float32)
    patch = cv2.remap(fish.image, mx, my, cv2.INTER_LINEAR)
    patch[..., :3] *= (1 - 0.30 * np.sin(theta))[index][..., None].astype(np.float32)
    return patch, cv2.remap(fish.upward, mx, my, cv2.INTER_LINEAR)
