"""Mini-sequences for training from scratch: T search regions around one target.

A frame of a mini-sequence is a stack of layers (backdrop, distractors, target, occluders), each
with its own smooth motion. The search region, its jitter, rotation and flip and the layer's motion
are composed into one sampling grid per layer, so every pixel is interpolated once.

Matrices are 3x3 and map pixel indices (x, y, 1); boxes are (x0, y0, x1, y1) in edge coordinates,
where pixel i covers [i, i+1).
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TypeAlias, TypeVar

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from jointvos.errors import ConfigError, DatasetError
from jointvos.training.packs import Still, VideoClip
from jointvos.types import Image

Floats: TypeAlias = NDArray[np.float64]
Mask: TypeAlias = NDArray[np.uint8]
"""uint8 [H,W], 0 or 255."""
Size: TypeAlias = tuple[int, int]
"""(height, width)."""
Random: TypeAlias = np.random.Generator
Item = TypeVar("Item")

KINDS = ("video", "stills", "people", "static")
PEOPLE = frozenset({"ccp", "feral_cat"})
WINDOW = 50
CELL = 8  # pixels between the nodes at which a bending motion is computed
SMALLEST = 12.0  # pixels; the side of a target of which hardly anything is visible
ATTEMPTS = 30


@dataclass(frozen=True)
class MiniSequences:
    """A batch: images uint8 [B,T,3,H,W] (RGB) and masks float32 [B,T,1,H,W] in {0,1}."""

    images: torch.Tensor
    masks: torch.Tensor

    def to(self, device: str | torch.device) -> "MiniSequences":
        """The same batch on a device."""
        return MiniSequences(self.images.to(device), self.masks.to(device))


@dataclass(frozen=True)
class Waves:
    """A smooth bending: offset(p) = sum_k amplitudes[k] sin(frequencies[k] . p + phases[k])."""

    frequencies: Floats
    phases: Floats
    amplitudes: Floats

    def offset(self, points: Floats) -> Floats:
        """Displacement in pixels at points [...,2]."""
        bent: Floats = np.sin(points @ self.frequencies.T + self.phases) @ self.amplitudes
        return bent


@dataclass(frozen=True)
class Layer:
    """One picture in one frame of a scene.

    Attributes:
        image: RGB source.
        mask: Its object; None where only the picture matters.
        to_source: Scene to source pixels.
        waves: Bending added in source pixels.
        cut: Whether only the object is drawn, else the whole picture is.
        is_target: Whether the object is the target.
    """

    image: Image
    mask: Mask | None
    to_source: Floats
    waves: Waves | None = None
    cut: bool = False
    is_target: bool = False


@dataclass(frozen=True)
class SceneFrame:
    """One frame before it is cropped: its size, the box of the whole target, layers bottom up."""

    size: Size
    box: Floats
    layers: tuple[Layer, ...]


class MiniSequenceSynthesizer:
    """Draws mini-sequences from pictures in memory; safe to call from several threads.

    Args:
        videos: Annotated sequences.
        stills: Photographs with label maps.
        crop_size: (height, width) of the search regions.
        frames: T, the template frame included.
        seed: Together with the arguments of `batch` it decides everything.
        device: Where the batch is put.
        workers: Threads that share the samples of one batch.
    """

    def __init__(
        self,
        videos: Sequence[VideoClip],
        stills: Sequence[Still],
        crop_size: Size,
        frames: int = 4,
        seed: int = 0,
        device: str | torch.device = "cpu",
        workers: int = 1,
    ) -> None:
        self.videos = tuple(videos)
        self.stills = tuple(stills)
        self.people = tuple(still for still in stills if still.source in PEOPLE)
        self.crop_size = crop_size
        self.frames = frames
        self.seed = seed
        self.device = device
        self.workers = workers

    def batch(
        self,
        step: int,
        size: int,
        mix: Mapping[str, float],
        crop_size: Size | None = None,
        frames: int | None = None,
    ) -> MiniSequences:
        """A pure function of the seed and its arguments; `mix` weighs `KINDS`.

        `crop_size` and `frames` replace those of the synthesizer, for schedules that grow.

        Raises:
            ConfigError: `mix` names an unknown kind or its weights are no weights.
            DatasetError: A kind was asked for of which there are no usable pictures.
        """
        weights = np.array([mix.get(kind, 0.0) for kind in KINDS])
        if unknown := sorted(set(mix) - set(KINDS)):
            raise ConfigError(f"mix: unknown {', '.join(unknown)}; expected {', '.join(KINDS)}")
        if not np.isfinite(weights).all() or weights.min() < 0 or weights.sum() <= 0:
            raise ConfigError(f"mix: weights {dict(mix)}; expected some above 0, none below")
        crop, count = crop_size or self.crop_size, frames or self.frames
        images = np.empty((size, count, 3, *crop), np.uint8)
        masks = np.empty((size, count, 1, *crop), np.float32)

        def fill(index: int) -> None:
            rng = np.random.default_rng([self.seed, step, index])
            kind = KINDS[rng.choice(len(KINDS), p=weights / weights.sum())]
            for t, (image, mask) in enumerate(self._sample(kind, step, crop, count, rng)):
                images[index, t] = image.transpose(2, 0, 1)
                masks[index, t, 0] = mask > 127

        if self.workers > 1:
            with ThreadPoolExecutor(self.workers) as pool:
                list(pool.map(fill, range(size)))
        else:
            for index in range(size):
                fill(index)
        return MiniSequences(torch.from_numpy(images), torch.from_numpy(masks)).to(self.device)

    def _sample(
        self, kind: str, step: int, crop: Size, count: int, rng: Random
    ) -> list[tuple[Image, Mask]]:
        scenes: dict[str, Callable[[], list[SceneFrame] | None]] = {
            "video": lambda: _video_scene(self.videos, count, rng),
            "stills": lambda: _moving_still(self.stills, self.stills, count, step, rng),
            "people": lambda: _moving_still(self.people, self.stills, count, step, rng),
            "static": lambda: _static_scene(self.videos, self.stills, count, rng),
        }
        for _ in range(ATTEMPTS):
            if (scene := scenes[kind]()) is None:
                continue
            if shots := _shoot(scene, crop, rng):
                return shots
        raise DatasetError(
            f"mix: no usable target for '{kind}' in {len(self.videos)} videos and"
            f" {len(self.stills)} stills; add pictures or set its weight to 0"
        )


# Scenes


def _video_scene(videos: Sequence[VideoClip], count: int, rng: Random) -> list[SceneFrame] | None:
    """Frames of one clip within a window of up to `WINDOW`, half of the time backwards."""
    if not videos:
        return None
    clip = _any(videos, rng)
    total = len(clip.images)
    order = np.arange(total) if rng.random() < 0.5 else np.arange(total)[::-1]
    start = int(rng.integers(max(1, total - count + 1)))
    span = int(rng.integers(min(10, WINDOW), WINDOW + 1))
    later = np.arange(start + 1, min(start + span, total))
    if len(later) < count - 1:
        return None
    picked = [start, *np.sort(rng.choice(later, count - 1, replace=False))]
    chosen = [int(order[i]) for i in picked]
    first = clip.labels[chosen[0]]
    areas = np.bincount(first.ravel())
    ids = np.flatnonzero((areas > 100) | (areas >= 0.002 * first.size))
    ids = ids[ids > 0]
    if len(ids) > 1:
        ids = ids[ids != 255]  # void, where it is not the only object
    if not len(ids):
        return None
    target = rng.choice(ids)
    frames: list[SceneFrame] = []
    for index in chosen:
        mask = _mask(clip.labels[index] == target)
        box = _box(mask) if mask.any() else frames[-1].box
        layer = Layer(clip.images[index], mask, np.eye(3), is_target=True)
        frames.append(SceneFrame(_size(mask), box, (layer,)))
    return frames


def _static_scene(
    videos: Sequence[VideoClip], stills: Sequence[Still], count: int, rng: Random
) -> list[SceneFrame] | None:
    """One picture, T times."""
    if videos and (not stills or rng.random() < 0.5):
        scene = _video_scene(videos, 1, rng)
        return scene and scene * count
    if not stills:
        return None
    still = _any(stills, rng)
    if (mask := _pick_target(still, rng)) is None or (_upright(mask) and rng.random() < 0.7):
        return None
    layer = Layer(still.image, mask, np.eye(3), is_target=True)
    return [SceneFrame(_size(mask), _box(mask), (layer,))] * count


def _moving_still(
    stills: Sequence[Still], others: Sequence[Still], count: int, step: int, rng: Random
) -> list[SceneFrame] | None:
    """A still brought to life: bent as a whole, or its target cut out and moved over a backdrop."""
    if not stills:
        return None
    still = _any(stills, rng)
    if (mask := _pick_target(still, rng)) is None:
        return None
    box, style, vigour = _box(mask), rng.random(), rng.uniform(0.2, 1.0)
    extent = float(np.sqrt(np.prod(box[2:] - box[:2])))
    if _upright(mask):  # a wide crop would be mostly stretched borders
        style = style**0.4
    if style < 0.25:
        size = _size(mask)
        camera = _camera(size, count, vigour, rng, spare=0.15)
        layers = [
            Layer(still.image, mask, to_source, waves, is_target=True)
            for to_source, waves in zip(camera, _bending(extent, count, rng), strict=True)
        ]
        return [SceneFrame(size, _scene_box(mask, layer, size), (layer,)) for layer in layers]
    if style < 0.6:
        backdrop, size = _without_target(still.image, mask), _size(mask)
        camera = _camera(size, count, 0.5 * vigour, rng)
        pose = Pose(_apply(_inverse(camera[0]), _centre(box)), 1 / _zoom(camera[0]))
    else:
        backdrop = _wide(others, rng)
        size = (backdrop.shape[0], backdrop.shape[1])
        camera = _camera(size, count, 0.5 * vigour, rng)
        pose = _place(extent, size, rng)
    target = _moving_cut(still.image, mask, pose, size, count, vigour, rng)
    target = [replace(layer, is_target=True) for layer in target]
    boxes = [_scene_box(mask, layer, size) for layer in target]

    below: list[list[Layer]] = []
    if rng.random() < 0.15 * min(1.0, step / 1000):  # a twin of the target, not early
        twin = _place(extent, size, rng, scale=pose.scale)
        if np.abs(twin.centre - pose.centre).max() > 0.8 * extent * pose.scale:
            below.append(_moving_cut(still.image, mask, twin, size, count, vigour, rng))
    for _ in range(rng.choice(4, p=[0.4, 0.3, 0.2, 0.1])):
        other = _any(others, rng)
        if (cut := _pick_target(other, rng)) is not None:
            spot = _place(_extent(cut), size, rng)
            below.append(_moving_cut(other.image, cut, spot, size, count, vigour, rng))
    above: list[Layer | None] = [None] * count
    if count > 1 and rng.random() < 0.25:
        other = _any(others, rng)
        if (cut := _pick_target(other, rng)) is not None:
            above = _passing_cut(other.image, cut, boxes, rng)
    frames = []
    for t in range(count):
        stack = [Layer(backdrop, None, camera[t]), *(layers[t] for layers in below), target[t]]
        if (occluder := above[t]) is not None:
            stack.append(occluder)
        frames.append(SceneFrame(size, boxes[t], tuple(stack)))
    return frames


def _pick_target(still: Still, rng: Random) -> Mask | None:
    """One object of a still, or None if the draw is too small, too large or mostly cut off."""
    labels = still.labels
    ids = np.flatnonzero(np.bincount(labels.ravel()) > 0.003 * labels.size)
    ids = ids[ids > 0]
    if not len(ids):
        return None
    if still.source == "ccp" and rng.random() < 0.5:
        mask = _mask(labels > 0)  # labels are clothes and body parts: all of them are the person
    else:
        mask = _mask(labels == rng.choice(ids))
        if still.source == "ccp":
            for _ in range(rng.integers(3)):
                around = np.asarray(cv2.dilate(mask, np.ones((5, 5), np.uint8))) > mask
                mask |= _mask((labels > 0) & (labels == rng.choice(labels[around])))
        elif still.source != "feral_cat":
            _, parts, stats, _ = cv2.connectedComponentsWithStats(mask)
            mask = _mask(parts == 1 + np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    share = np.count_nonzero(mask) / mask.size
    rim = sum(np.count_nonzero(edge) for edge in (mask[0], mask[-1], mask[:, 0], mask[:, -1]))
    cut_off = rim > 1.2 * np.sqrt(share * mask.size)
    return mask if 0.004 < share < 0.6 and not (cut_off and still.source not in PEOPLE) else None


def _wide(stills: Sequence[Still], rng: Random) -> Image:
    """A picture to serve as backdrop, upright only by bad luck."""
    image = _any(stills, rng).image
    for _ in range(3):
        if image.shape[1] > image.shape[0]:
            break
        image = _any(stills, rng).image
    return image


def _without_target(image: Image, mask: Mask) -> Image:
    """The picture with its target painted over from around, at a quarter of the resolution."""
    height, width = _size(mask)
    small = (max(1, width // 4), max(1, height // 4))
    hole = np.asarray(cv2.dilate(mask, np.ones((9, 9), np.uint8)), np.uint8)
    coarse_hole = _mask(np.asarray(cv2.resize(hole, small, interpolation=cv2.INTER_AREA)) > 0)
    coarse = cv2.resize(image, small, interpolation=cv2.INTER_AREA)
    filled = cv2.inpaint(coarse, coarse_hole, 3, cv2.INPAINT_TELEA)
    filled = cv2.resize(filled, (width, height), interpolation=cv2.INTER_LINEAR)
    return _blend(np.asarray(filled, np.uint8), image, _weight(_soft(hole, 5)))


# Motion


@dataclass(frozen=True)
class Pose:
    """Where an object stands in the scene and how it is changed against its source."""

    centre: Floats
    scale: float
    angle: float = 0.0
    stretch: float = 0.0
    shear: float = 0.0

    def to_source(self, pivot: Floats) -> Floats:
        """Scene to source, where `pivot` is the object's centre in its source."""
        cos, sin = np.cos(self.angle), np.sin(self.angle)
        shape = np.array([[np.exp(self.stretch), self.shear], [0.0, np.exp(-self.stretch)]])
        linear = self.scale * np.array([[cos, -sin], [sin, cos]]) @ shape
        forward = np.eye(3)
        forward[:2, :2] = linear
        forward[:2, 2] = self.centre - linear @ pivot
        return _inverse(forward)


def _place(extent: float, size: Size, rng: Random, scale: float | None = None) -> Pose:
    """A first pose anywhere in the scene."""
    height, width = size
    wanted = np.exp(rng.uniform(np.log(0.12), np.log(0.45))) * np.sqrt(height * width)
    centre = rng.uniform(0.2, 0.8, 2) * (width, height)
    return Pose(centre, min(wanted / extent, 1.6) if scale is None else scale)


def _wander(
    start: Pose, extent: float, size: Size, count: int, vigour: float, rng: Random
) -> list[Pose]:
    """A random walk from `start`, its centre kept in the scene."""
    height, width = size
    steps = rng.normal(size=(count, 6)) * vigour * [0.35, 0.35, 0.12, 0.2, 0.08, 0.06]
    steps[0] = 0
    x, y, grow, turn, stretch, shear = np.cumsum(steps, axis=0).T
    reach = extent * start.scale
    centres = np.clip(
        start.centre + reach * np.stack([x, y], axis=1),
        np.minimum(start.centre, (0.1 * width, 0.1 * height)),
        np.maximum(start.centre, (0.9 * width, 0.9 * height)),
    )
    scales = start.scale * np.exp(np.clip(grow, -0.6, 0.6))
    return [Pose(centres[t], scales[t], turn[t], stretch[t], shear[t]) for t in range(count)]


def _moving_cut(
    image: Image, mask: Mask, start: Pose, size: Size, count: int, vigour: float, rng: Random
) -> list[Layer]:
    """An object cut out of its picture that wanders and bends."""
    extent, pivot, alpha = _extent(mask), _centre(_box(mask)), _soft(mask, 3)
    poses = _wander(start, extent, size, count, vigour, rng)
    return [
        Layer(image, alpha, pose.to_source(pivot), waves, cut=True)
        for pose, waves in zip(poses, _bending(extent, count, rng), strict=True)
    ]


def _passing_cut(
    image: Image, mask: Mask, boxes: Sequence[Floats], rng: Random
) -> list[Layer | None]:
    """An object that passes before the target, never in the first frame."""
    extent, pivot, alpha = _extent(mask), _centre(_box(mask)), _soft(mask, 3)
    heading = rng.uniform(0, 2 * np.pi)
    way = np.array([np.cos(heading), np.sin(heading)])
    speed, meeting = rng.uniform(0.6, 1.5), rng.uniform(0.5, len(boxes))
    relative = rng.uniform(0.4, 1.1)
    layers: list[Layer | None] = [None]
    for t, box in enumerate(boxes[1:], start=1):
        reach = float(np.sqrt(np.prod(box[2:] - box[:2])))
        centre = _centre(box) + way * (t - meeting) * speed * reach
        pose = Pose(centre, relative * reach / extent)
        layers.append(Layer(image, alpha, pose.to_source(pivot), cut=True))
    return layers


def _bending(extent: float, count: int, rng: Random) -> list[Waves | None]:
    """Waves about as long as the target that grow from nothing; never so steep that they fold."""
    length = extent * rng.uniform(0.5, 1.6, 3)
    heading = rng.uniform(0, 2 * np.pi, 3)
    frequencies = np.stack([np.cos(heading), np.sin(heading)], axis=1) * 2 * np.pi / length[:, None]
    phases = rng.uniform(0, 2 * np.pi, 3)
    steepness = rng.uniform(0, 0.35) / np.sqrt(3)
    amplitudes = rng.normal(size=(3, 2)) * (steepness * length / (2 * np.pi))[:, None]
    grown = (amplitudes * t / (count - 1) for t in range(1, count))
    return [None, *(Waves(frequencies, phases, amplitude) for amplitude in grown)]


def _camera(
    size: Size, count: int, vigour: float, rng: Random, spare: float = 0.08
) -> list[Floats]:
    """Scene to backdrop: a drift that mostly stays within the backdrop's borders."""
    height, width = size
    zoom = np.exp(rng.uniform(0, 2 * spare) + np.cumsum(rng.normal(0, 0.04 * vigour, count)))
    turn = np.cumsum(rng.normal(0, 0.05 * vigour, count))
    drift = np.cumsum(rng.normal(0, 0.4 * spare * vigour, (count, 2)), axis=0)
    drift = np.clip(drift, -spare, spare) * (width, height)
    middle = np.array([width, height]) / 2
    return [
        Pose(middle + drift[t], max(float(zoom[t]), 1.0), turn[t]).to_source(middle)
        for t in range(count)
    ]


def _scene_box(mask: Mask, layer: Layer, size: Size) -> Floats:
    """The box in the scene of a layer's object, from its outline; clipped to the scene."""
    outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    points = np.concatenate(outlines)[:, 0].astype(np.float64)
    if layer.waves is not None:
        points -= layer.waves.offset(points)
    points = _apply(_inverse(layer.to_source), points)
    height, width = size
    limits = np.array([width, height], np.float64)
    low = np.clip(points.min(axis=0), 0, limits - 1)
    high = np.clip(points.max(axis=0) + 1, low + 1, limits)
    return np.concatenate([low, high])


# Camera work: search regions, rendering, colours


def _shoot(scene: list[SceneFrame], crop: Size, rng: Random) -> list[tuple[Image, Mask]] | None:
    """Crop and render all frames; None if the first one does not show the target well."""
    height, width = crop
    flip = np.diag([-1.0, 1.0, 1.0])
    flip[0, 2] = width - 1
    mirror = flip if rng.random() < 0.5 else np.eye(3)
    colours = _colours(rng)
    shots: list[tuple[Image, Mask]] = []
    for t, frame in enumerate(scene):
        to_scene = search_region(frame.box, frame.size, crop, rng, first=t == 0)
        turn = np.eye(3)
        turn[:2] = cv2.getRotationMatrix2D(
            ((width - 1) / 2, (height - 1) / 2),
            rng.uniform(-15, 15),
            float(np.exp(rng.uniform(-0.2, 0.2))),
        )
        image, mask = render(frame.layers, to_scene @ turn @ mirror, crop)
        if t == 0 and not 0.003 < np.count_nonzero(mask) / mask.size < 0.75:
            return None
        image = np.asarray(cv2.transform(image, rng.uniform(0.8, 1.2) * colours), np.uint8)
        shots.append((image if t == 0 else _degrade(image, rng), mask))
    return shots


def search_region(box: Floats, size: Size, crop: Size, rng: Random, first: bool) -> Floats:
    """Crop to scene: 25 times the area of the jittered box, in the crop's proportions.

    As in the tracker at least one side fits into the picture, and the region is moved inside as
    far as it fits. The first region keeps the target inside; later ones may lose some of it.
    """
    height, width = crop
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


def render(layers: Sequence[Layer], to_scene: Floats, crop: Size) -> tuple[Image, Mask]:
    """Draw layers bottom up into a crop: the picture and the visible part of the target."""
    height, width = crop
    picture: Image = np.zeros((height, width, 3), np.uint8)
    target: Mask = np.zeros(crop, np.uint8)
    for layer in layers:
        matrix = layer.to_source @ to_scene
        grid = None if layer.waves is None else _grid(matrix, layer.waves, crop)
        alpha: Mask | None = None
        if layer.mask is not None:
            alpha = _warp(layer.mask, matrix, grid, crop, cv2.BORDER_CONSTANT)
        if not layer.cut:
            picture = _warp(layer.image, matrix, grid, crop, cv2.BORDER_REPLICATE)
        elif alpha is not None:
            x, y, columns, rows = cv2.boundingRect(alpha)
            if not columns:
                continue
            part = (slice(y, y + rows), slice(x, x + columns))
            corner = np.eye(3)
            corner[:2, 2] = x, y
            piece = _warp(
                layer.image,
                matrix @ corner,
                None if grid is None else grid[:, y : y + rows, x : x + columns],
                (rows, columns),
                cv2.BORDER_REPLICATE,
            )
            picture[part] = _blend(piece, picture[part], _weight(alpha[part]))
        if alpha is not None:
            if layer.is_target:
                target = _mask(alpha > 127)
            elif layer.cut:
                target[alpha > 127] = 0
    return picture, target


def _warp(
    source: NDArray[np.uint8],
    matrix: Floats,
    grid: NDArray[np.float32] | None,
    crop: Size,
    border: int,
) -> NDArray[np.uint8]:
    if grid is not None:
        warped = cv2.remap(source, grid[0], grid[1], cv2.INTER_LINEAR, borderMode=border)
    else:
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        warped = cv2.warpAffine(source, matrix[:2], crop[::-1], flags=flags, borderMode=border)
    return np.asarray(warped, np.uint8)


def _grid(matrix: Floats, waves: Waves, crop: Size) -> NDArray[np.float32]:
    """Source positions (x, y) [2,H,W]: exact at nodes `CELL` pixels apart, linear between them."""
    height, width = crop
    rows, columns = -(-height // CELL) + 2, -(-width // CELL) + 2  # one cell of margin around
    y, x = np.mgrid[:rows, :columns]
    nodes = (np.stack([x, y], axis=-1) - 0.5) * CELL - 0.5
    points = _apply(matrix, nodes)
    points += waves.offset(points)
    fine = cv2.resize(
        points.astype(np.float32), (columns * CELL, rows * CELL), interpolation=cv2.INTER_LINEAR
    )
    inner = np.asarray(fine, np.float32)[CELL : CELL + height, CELL : CELL + width]
    return np.ascontiguousarray(inner.transpose(2, 0, 1))


def _colours(rng: Random) -> Floats:
    """A colour change for a whole sequence, [3,4]: gains, contrast, saturation; seldom gray."""
    gray = np.full((3, 3), 1.0) * [0.299, 0.587, 0.114]
    saturation = 0.0 if rng.random() < 0.05 else rng.uniform(0.6, 1.4)
    mixing = saturation * np.eye(3) + (1 - saturation) * gray
    contrast = rng.uniform(0.8, 1.2)
    gains = rng.uniform(0.75, 1.25) * rng.uniform(0.92, 1.08, 3)
    colours = np.full((3, 4), 128 * (1 - contrast))
    colours[:, :3] = contrast * gains[:, None] * mixing
    return colours


def _degrade(image: Image, rng: Random) -> Image:
    """Every fourth picture: moved, out of focus, compressed or noisy."""
    fault = rng.random()
    if fault < 0.08:
        length = int(rng.integers(3, 10))
        kernel = np.zeros((length, length), np.float32)
        heading, middle = rng.uniform(0, np.pi), (length - 1) / 2
        along = np.linspace(-middle, middle, 2 * length)
        rows = np.rint(middle + along * np.sin(heading)).astype(int)
        columns = np.rint(middle + along * np.cos(heading)).astype(int)
        kernel[rows, columns] = 1
        return np.asarray(cv2.filter2D(image, -1, kernel / kernel.sum()), np.uint8)
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


# Small pieces


def _any(items: Sequence[Item], rng: Random) -> Item:
    return items[int(rng.integers(len(items)))]


def _mask(where: NDArray[np.bool_]) -> Mask:
    return where.astype(np.uint8) * np.uint8(255)


def _soft(mask: Mask, width: int) -> Mask:
    return np.asarray(cv2.blur(mask, (width, width)), np.uint8)


def _weight(alpha: Mask) -> NDArray[np.float32]:
    return alpha.astype(np.float32) / np.float32(255)


def _size(mask: Mask) -> Size:
    return mask.shape[0], mask.shape[1]


def _upright(mask: Mask) -> bool:
    return bool(mask.shape[0] > mask.shape[1])


def _box(mask: Mask) -> Floats:
    x, y, width, height = cv2.boundingRect(mask)
    return np.array([x, y, x + width, y + height], np.float64)


def _centre(box: Floats) -> Floats:
    """Centre of a box as a pixel index."""
    middle: Floats = (box[:2] + box[2:] - 1) / 2
    return middle


def _extent(mask: Mask) -> float:
    box = _box(mask)
    return float(np.sqrt(np.prod(box[2:] - box[:2])))


def _zoom(to_source: Floats) -> float:
    return float(np.sqrt(np.linalg.det(to_source[:2, :2])))


def _inverse(matrix: Floats) -> Floats:
    return np.asarray(np.linalg.inv(matrix), np.float64)


def _apply(matrix: Floats, points: Floats) -> Floats:
    moved: Floats = points @ matrix[:2, :2].T + matrix[:2, 2]
    return moved


def _blend(over: Image, under: Image, weight: NDArray[np.float32]) -> Image:
    """Mix two pictures: `over` where weight [H,W] is 1, `under` where it is 0."""
    return np.asarray(cv2.blendLinear(over, under, weight, 1 - weight), np.uint8)
