"""Scenes for mini-sequences: T frames of layers around one target, from clips and photographs.

Each function draws one scene, or returns None where the draw has no usable target.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from jointvos.training.data.layers import (
    Floats,
    Layer,
    Mask,
    SceneFrame,
    Size,
    blend,
    box_of,
    center_of,
    extent_of,
    inverse,
    scene_box,
    size_of,
    soften,
    takes_place,
    to_mask,
    transform,
)
from jointvos.training.data.motion import (
    Pose,
    bending,
    camera_path,
    passing_cut,
    place,
    wandering_cut,
)
from jointvos.training.data.packs import Labels, Still, VideoClip
from jointvos.training.train_config import Chances
from jointvos.types import Image

Item = TypeVar("Item")

CLOTHES = "ccp"  # its labels are clothes and body parts: all of them together are the person
CATS = "feral_cat"  # whole animals
PEOPLE = frozenset({CLOTHES, CATS})
WINDOW = 50  # frames of a clip that a mini-sequence spans at most
TWIN_ATTEMPTS = 8  # to find a usable frame and a place beside the target for its look-alike
CHANCES = Chances()


def video_scene(
    videos: Sequence[VideoClip],
    others: Sequence[Still],
    count: int,
    rng: np.random.Generator,
    chances: Chances = CHANCES,
) -> list[SceneFrame] | None:
    """`count` frames of one clip within `WINDOW`, half of the time backwards.

    Sometimes objects of `others`, or the target's look-alike, move between the target and what is
    behind, or an object passes before it.
    """
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
    ids = _usable_ids(clip.labels[chosen[0]])
    if not len(ids):
        return None
    target = int(rng.choice(ids))
    masks = [to_mask(clip.labels[index] == target) for index in chosen]
    boxes: list[Floats] = []
    for mask in masks:
        boxes.append(box_of(mask) if mask.any() else boxes[-1])
    company: list[list[Layer | None]] = []
    if others and rng.random() < chances.company:
        like = (clip.images[chosen[0]], masks[0])
        vigor = rng.uniform(0.2, 1.0)
        company = _distractors(others, like, size_of(masks[0]), count, vigor, rng, chances)
    if takes_place(chances.video_twins, rng):
        company += _twin_of_a_clip(clip, target, set(chosen), boxes[0], count, rng, chances.late)
    above = _occluder(others, boxes, rng, chances.video_occluded)
    shutter = _shutter(rng) if takes_place(chances.fast, rng) else 0.0
    frames: list[SceneFrame] = []
    for t, (index, mask) in enumerate(zip(chosen, masks, strict=True)):
        target_layer = Layer(clip.images[index], mask, np.eye(3), is_target=True)
        layers = [target_layer]
        if company:
            between = _present(company, t)
            target_layer = replace(target_layer, cut=True)
            layers = [Layer(clip.images[index], None, np.eye(3)), *between, target_layer]
        layers += _present([above], t)
        frames.append(SceneFrame(size_of(mask), boxes[t], tuple(layers), shutter))
    return frames


def _twin_of_a_clip(
    clip: VideoClip,
    target: int,
    shown: Collection[int],
    box: Floats,
    count: int,
    rng: np.random.Generator,
    late: float,
) -> list[list[Layer | None]]:
    """The T layers of a clip's target as it is in a frame that is not shown, if that is usable.

    `box` [4] is where the target begins; the twin begins elsewhere.
    """
    hidden = [index for index in range(len(clip.images)) if index not in shown]
    extent = extent_of(box)
    for _ in range(TWIN_ATTEMPTS if hidden else 0):
        index = _any(hidden, rng)
        mask = to_mask(clip.labels[index] == target)
        if np.count_nonzero(mask) < 100 or _cut_off(mask):
            continue
        scale = extent / extent_of(box_of(mask)) * rng.uniform(0.8, 1.25)
        spot = place(extent, size_of(mask), rng, scale=scale)
        if np.abs(spot.center - center_of(box)).max() < 0.8 * extent:
            continue
        image = recolor(clip.images[index], rng)
        if rng.random() < 0.5:  # looks the other way
            image, mask = (np.asarray(cv2.flip(each, 1), np.uint8) for each in (image, mask))
        vigor = rng.uniform(0.2, 1.0)
        cuts = wandering_cut(image, mask, spot, size_of(mask), count, vigor, rng)
        return [_entering(cuts, rng, late)]
    return []


def static_scene(
    videos: Sequence[VideoClip], stills: Sequence[Still], count: int, rng: np.random.Generator
) -> list[SceneFrame] | None:
    """One image, `count` times."""
    if videos and (not stills or rng.random() < 0.5):
        scene = video_scene(videos, (), 1, rng)
        return scene and scene * count
    if not stills:
        return None
    still = _any(stills, rng)
    if (mask := _pick_target(still, rng)) is None or (_upright(mask) and rng.random() < 0.7):
        return None
    layer = Layer(still.image, mask, np.eye(3), is_target=True)
    return [SceneFrame(size_of(mask), box_of(mask), (layer,))] * count


def moving_still(
    stills: Sequence[Still],
    others: Sequence[Still],
    count: int,
    step: int,
    rng: np.random.Generator,
    chances: Chances = CHANCES,
) -> list[SceneFrame] | None:
    """A still brought to life: bent as a whole, or its target cut out and moved over a backdrop.

    Args:
        stills: Where the target is from.
        others: Where backdrops, distractors and occluders are from.
        count: T, frames of the scene.
        step: Of the training run; twins of the target come in slowly.
        rng: Decides everything else.
        chances: How hard it is made.
    """
    if not stills:
        return None
    still = _any(stills, rng)
    if (mask := _pick_target(still, rng)) is None:
        return None
    box, style, vigor = box_of(mask), rng.random(), rng.uniform(0.2, 1.0)
    extent, shutter = extent_of(box), 0.0
    if takes_place(chances.fast, rng):
        vigor, shutter = rng.uniform(1.0, 2.0), _shutter(rng)
    if _upright(mask):  # a wide crop would be mostly stretched borders
        style = style**0.4
    if style < 0.25:
        return _bent_whole(still.image, mask, count, vigor, rng)
    if style < 0.6:
        backdrop, size = paint_over(still.image, mask), size_of(mask)
        camera = camera_path(size, count, 0.5 * vigor, rng)
        zoom = float(np.sqrt(np.linalg.det(camera[0][:2, :2])))
        pose = Pose(transform(inverse(camera[0]), center_of(box)), 1 / zoom)
    else:
        backdrop = wide_image(others, rng)
        size = (backdrop.shape[0], backdrop.shape[1])
        camera = camera_path(size, count, 0.5 * vigor, rng)
        pose = place(extent, size, rng)
    if rng.random() < chances.camouflaged:
        backdrop = disguise(backdrop, np.ones(size, np.uint8), still.image, mask)
    target = wandering_cut(still.image, mask, pose, size, count, vigor, rng)
    target = [replace(layer, is_target=True) for layer in target]
    boxes = [scene_box(mask, layer, size) for layer in target]

    below: list[list[Layer | None]] = []
    if rng.random() < chances.twins * min(1.0, step / 1000):  # not early
        twin = place(extent, size, rng, scale=pose.scale * rng.uniform(0.8, 1.25))
        if np.abs(twin.center - pose.center).max() > 0.8 * extent * pose.scale:
            image = recolor(still.image, rng)
            cuts = wandering_cut(image, mask, twin, size, count, vigor, rng)
            below.append(_entering(cuts, rng, chances.late))
    below += _distractors(others, (still.image, mask), size, count, vigor, rng, chances)
    above = _occluder(others, boxes, rng, chances.occluded)
    frames = []
    for t in range(count):
        behind, before = _present(below, t), _present([above], t)
        stack = [Layer(backdrop, None, camera[t]), *behind, target[t], *before]
        frames.append(SceneFrame(size, boxes[t], tuple(stack), shutter))
    return frames


def _bent_whole(
    image: Image, mask: Mask, count: int, vigor: float, rng: np.random.Generator
) -> list[SceneFrame]:
    size = size_of(mask)
    camera = camera_path(size, count, vigor, rng, spare=0.15)
    layers = [
        Layer(image, mask, to_source, waves, is_target=True)
        for to_source, waves in zip(
            camera, bending(extent_of(box_of(mask)), count, rng), strict=True
        )
    ]
    return [SceneFrame(size, scene_box(mask, layer, size), (layer,)) for layer in layers]


def _distractors(
    others: Sequence[Still],
    like: tuple[Image, Mask],
    size: Size,
    count: int,
    vigor: float,
    rng: np.random.Generator,
    chances: Chances,
) -> list[list[Layer | None]]:
    """Up to three other objects behind the target `like`, each with its T layers."""
    cuts = []
    for _ in range(rng.choice(4, p=[0.4, 0.3, 0.2, 0.1])):
        other = _any(others, rng)
        if (mask := _pick_target(other, rng)) is not None:
            spot = place(extent_of(box_of(mask)), size, rng)
            image = other.image
            if rng.random() < chances.disguised:
                image = disguise(image, mask, *like)
            cut = wandering_cut(image, mask, spot, size, count, vigor, rng)
            cuts.append(_entering(cut, rng, chances.late))
    return cuts


def _entering(layers: Sequence[Layer], rng: np.random.Generator, late: float) -> list[Layer | None]:
    """The T layers of an object, the first ones left out where it comes late."""
    entry = int(rng.integers(1, len(layers))) if len(layers) > 1 and rng.random() < late else 0
    return [None] * entry + list(layers[entry:])


def _present(objects: Sequence[Sequence[Layer | None]], t: int) -> list[Layer]:
    """The layers of frame t of all objects that are there."""
    return [layer for layers in objects if (layer := layers[t]) is not None]


def _occluder(
    others: Sequence[Still], boxes: Sequence[Floats], rng: np.random.Generator, occluded: float
) -> list[Layer | None]:
    """Now and then an object that passes before the target's T boxes."""
    if others and len(boxes) > 1 and takes_place(occluded, rng):
        other = _any(others, rng)
        if (mask := _pick_target(other, rng)) is not None:
            return passing_cut(other.image, mask, boxes, rng)
    return [None] * len(boxes)


def _shutter(rng: np.random.Generator) -> float:
    """Part of the way between two frames during which the picture of a fast target is taken."""
    return rng.uniform(0.1, 0.5)


def _areas(labels: Labels) -> NDArray[np.float32]:
    """Pixels of each ID that the type of a label map [H,W] allows."""
    bins = int(np.iinfo(labels.dtype).max) + 1
    counts = cv2.calcHist([labels], [0], None, [bins], [0, bins])
    return np.asarray(counts, np.float32).ravel()


def _usable_ids(labels: Labels) -> NDArray[np.intp]:
    """The objects of a frame of a clip that are large enough to be followed."""
    areas = _areas(labels)
    return _objects(np.flatnonzero((areas > 100) | (areas >= 0.002 * labels.size)))


def _objects(ids: NDArray[np.intp]) -> NDArray[np.intp]:
    """Those that are neither background nor, where there are others, void."""
    ids = ids[ids > 0]
    return ids[ids != 255] if len(ids) > 1 else ids


def _pick_target(still: Still, rng: np.random.Generator) -> Mask | None:
    """One object of a still, or None if the draw is too small, too large or mostly cut off."""
    labels = still.labels
    ids = _objects(np.flatnonzero(_areas(labels) > 0.003 * labels.size))
    if not len(ids):
        return None
    if still.source == CLOTHES and rng.random() < 0.5:
        mask = to_mask(labels > 0)
    else:
        mask = to_mask(labels == int(rng.choice(ids)))
        if still.source != CATS:
            mask = _with_neighbors(mask, labels, rng)
        if still.source not in PEOPLE:
            _, parts, stats, _ = cv2.connectedComponentsWithStats(mask)
            mask = to_mask(parts == 1 + np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    share = np.count_nonzero(mask) / mask.size
    whole = still.source in PEOPLE or not _cut_off(mask)
    return mask if 0.004 < share < 0.6 and whole else None


def _cut_off(mask: Mask) -> bool:
    """Whether much of an object's outline is the border of its image."""
    rim = sum(np.count_nonzero(edge) for edge in (mask[0], mask[-1], mask[:, 0], mask[:, -1]))
    return bool(rim > 1.2 * np.sqrt(np.count_nonzero(mask)))


def _with_neighbors(mask: Mask, labels: Labels, rng: np.random.Generator) -> Mask:
    """Up to two adjoining regions more: real things have more than one color."""
    for _ in range(rng.integers(3)):
        around = np.asarray(cv2.dilate(mask, np.ones((5, 5), np.uint8))) > mask
        if len(near := labels[around & (labels > 0)]):
            mask = mask | to_mask(labels == rng.choice(near))
    return mask


def recolor(image: Image, rng: np.random.Generator) -> Image:
    """The image [H,W,3] in slightly other colors: what makes a look-alike."""
    mixing = np.eye(3) * rng.uniform(0.8, 1.2, 3) + rng.normal(0, 0.06, (3, 3))
    shift = rng.uniform(-20, 20, (3, 1))
    return np.asarray(cv2.transform(image, np.hstack([mixing, shift])), np.uint8)


def disguise(image: Image, mask: Mask, like: Image, like_mask: Mask) -> Image:
    """The image [H,W,3] with the colors of another's object: mean and spread per channel."""
    mean, spread = cv2.meanStdDev(image, mask=mask)
    wanted, wanted_spread = cv2.meanStdDev(like, mask=like_mask)
    gain = np.clip(wanted_spread / np.maximum(spread, 1.0), 0.3, 2.0)
    mixing = np.hstack([np.diag(gain.ravel()), wanted - gain * mean])
    return np.asarray(cv2.transform(image, mixing), np.uint8)


def wide_image(stills: Sequence[Still], rng: np.random.Generator) -> Image:
    """An image [H,W,3] to serve as backdrop, upright only by bad luck."""
    image = _any(stills, rng).image
    for _ in range(3):
        if image.shape[1] > image.shape[0]:
            break
        image = _any(stills, rng).image
    return image


def paint_over(image: Image, mask: Mask) -> Image:
    """The image [H,W,3] with its target filled from around, at a quarter of the resolution."""
    height, width = size_of(mask)
    small = (max(1, width // 4), max(1, height // 4))
    hole = np.asarray(cv2.dilate(mask, np.ones((9, 9), np.uint8)), np.uint8)
    coarse_hole = to_mask(np.asarray(cv2.resize(hole, small, interpolation=cv2.INTER_AREA)) > 0)
    coarse = cv2.resize(image, small, interpolation=cv2.INTER_AREA)
    filled = cv2.inpaint(coarse, coarse_hole, 3, cv2.INPAINT_TELEA)
    filled = cv2.resize(filled, (width, height), interpolation=cv2.INTER_LINEAR)
    return blend(np.asarray(filled, np.uint8), image, soften(hole, 5))


def _any(items: Sequence[Item], rng: np.random.Generator) -> Item:
    return items[int(rng.integers(len(items)))]


def _upright(mask: Mask) -> bool:
    return bool(mask.shape[0] > mask.shape[1])
