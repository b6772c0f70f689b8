"""What is in a mask, what is wrong with it, and what it was most likely meant to be."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from PIL import Image as PillowImage

from jointvos.errors import (
    EmptyMaskError,
    MaskError,
    TooManyObjects,
    UnclearBackground,
)
from jointvos.files.images import IMAGE_ERRORS, open_image, upright
from jointvos.files.orientation import Orientation
from jointvos.masks.mask_file import LOSSY, check_mask, ids_of, read_mask
from jointvos.masks.mask_size import resized, same_shape
from jointvos.masks.mending import as_colors, harden, luma_ids, map_ids
from jointvos.masks.palette import davis_colors, table_size
from jointvos.masks.palette_order import Looks, ids_by_colors, looks_of, palette_doubt
from jointvos.types import VOID, LabelMap, VideoInfo, object_ids

_TINY = 16
"""Pixels; an object below that is rather a slip of the brush."""


@dataclass(frozen=True)
class MaskedObject:
    """One object of a mask.

    Attributes:
        id: Its ID.
        color: What the file shows there, RGB; of a file that is no image, the color that IDs have.
        area: Its pixels.
        box: Tight box (x, y, width, height).
        name: Its label in the file, "" for none.
    """

    id: int
    color: tuple[int, int, int]
    area: int
    box: tuple[int, int, int, int]
    name: str = ""


@dataclass(frozen=True, eq=False)
class MaskCheck:
    """What was found out about a mask.

    Attributes:
        path: The file.
        labels: What it is read as, [H,W]; None when it is refused.
        objects: What is in it as it is read, by ID.
        refused: Why it cannot be used; None when it can.
        doubts: What is most likely not meant so, a sentence each, although it can be used.
        mended: What was most likely meant, [Hv,Wv]; None if nothing is wrong or nobody can tell.
        mending: How `mended` was made, for a sentence "it was ...".
    """

    path: Path
    labels: LabelMap | None = None
    objects: tuple[MaskedObject, ...] = ()
    refused: MaskError | None = None
    doubts: tuple[str, ...] = ()
    mended: LabelMap | None = None
    mending: str = ""


def examine_mask(path: Path, info: VideoInfo, stored: Orientation | None = None) -> MaskCheck:
    """Read a mask as `read_mask` does and find out what may be wrong with it.

    Args:
        path: The mask.
        info: The video it is for.
        stored: How the images of the video are turned to stand upright.
    """
    try:
        labels = read_mask(path, info)
        check_mask(labels, path, info)
    except MaskError as error:
        return _refused(path, info, stored or Orientation(), error)
    return examine_labels(labels, path)


def examine_labels(
    labels: LabelMap,
    path: Path,
    names: Mapping[int, str] | None = None,
    *,
    is_image: bool = True,
) -> MaskCheck:
    """What is in a mask that could be read, [Hv,Wv].

    Args:
        labels: What it is read as.
        path: The file.
        names: What the objects are called, by ID.
        is_image: Whether the file is an image of them.
    """
    shown = _shown(path, labels.shape) if is_image else _by_id(labels)
    check = MaskCheck(path, labels, tuple(_objects(labels, shown, names or {})))
    return _doubted(check, labels, is_image)


def _objects(
    labels: LabelMap,
    shown: Callable[[int, int], tuple[int, int, int]],
    names: Mapping[int, str],
) -> list[MaskedObject]:
    """The objects by rising ID; `shown` is from a row and a column to the color there."""
    found = []
    for i in object_ids(labels):
        mask = labels == i
        x, y, width, height = cv2.boundingRect(mask.astype(np.uint8))
        column = x + int(np.flatnonzero(mask[y, x : x + width])[0])
        area = int(np.count_nonzero(mask))
        box = (x, y, width, height)
        found.append(MaskedObject(i, shown(y, column), area, box, names.get(i, "")))
    return found


def _shown(path: Path, shape: tuple[int, ...]) -> Callable[[int, int], tuple[int, int, int]]:
    """The colors of an image, by the pixels of a mask of this shape."""
    with open_image(path) as image:
        colors = upright(image).convert("RGB")

    def shown(row: int, column: int) -> tuple[int, int, int]:
        x = (2 * column + 1) * colors.width // (2 * shape[1])
        y = (2 * row + 1) * colors.height // (2 * shape[0])
        red, green, blue = np.asarray(colors.getpixel((x, y))).tolist()
        return red, green, blue

    return shown


def _by_id(labels: LabelMap) -> Callable[[int, int], tuple[int, int, int]]:
    """The colors of IDs."""
    colors = davis_colors(table_size(labels))

    def shown(row: int, column: int) -> tuple[int, int, int]:
        red, green, blue = colors[labels[row, column]].tolist()
        return red, green, blue

    return shown


def _doubted(check: MaskCheck, labels: LabelMap, is_image: bool) -> MaskCheck:
    """Look for what can be used but is hardly meant."""
    table = luma_ids(labels) if is_image else None
    if table is not None:
        names = ", ".join(f"{gray} would be {i}" for gray, i in table.items())
        return replace(
            check,
            doubts=(f"its IDs are DAVIS colors turned into gray: {names}",),
            mended=map_ids(labels, table),
            mending="with the IDs of those colors restored",
        )
    looks = _looks(check.path, labels) if is_image else {}
    if doubt := palette_doubt(looks):
        return replace(
            check,
            doubts=(doubt,),
            mended=map_ids(labels, ids_by_colors(looks)),
            mending="numbered by its colors",
        )
    if _seems_inverted(check.objects, labels):
        (one,) = check.objects
        share = 100 * one.area / labels.size
        return replace(
            check,
            doubts=(
                f"object {one.id} is {share:.2f} % of the image and touches all four sides, "
                "as the background does",
            ),
            mended=_inverted(labels, one.id),
            mending="inverted",
        )
    if [each.area for each in check.objects] == [labels.size]:
        (one,) = check.objects
        return replace(check, doubts=(f"object {one.id} covers the whole frame",))
    tiny = [each for each in check.objects if each.area < _TINY]
    large = [each for each in check.objects if each.area >= _TINY]
    if not tiny or not large:
        return check
    names = ", ".join(f"{each.id} ({each.area} px)" for each in tiny[:8])
    return replace(
        check,
        doubts=(f"objects of very few pixels, probably slips: {names}",),
        mended=np.where(np.isin(labels, [each.id for each in tiny]), labels.dtype.type(0), labels),
        mending="without objects below 16 pixels",
    )


def _looks(path: Path, labels: LabelMap) -> Looks:
    """How the labels look if they are the indices of an image with a palette, else {}."""
    with open_image(path) as image:
        if image.mode != "P":
            return {}
        indices = np.asarray(upright(image))
        if indices.shape != labels.shape:
            indices = resized(indices, (labels.shape[1], labels.shape[0]))
        return looks_of(image, labels) if np.array_equal(indices, labels) else {}


def _seems_inverted(objects: tuple[MaskedObject, ...], labels: LabelMap) -> bool:
    """Whether the only object is what surrounds the rest."""
    height, width = labels.shape
    if len(objects) != 1 or objects[0].box != (0, 0, width, height):
        return False
    return objects[0].area > labels.size / 2 and bool(np.any(labels == 0))


def _inverted(labels: LabelMap, object_id: int) -> LabelMap:
    """Background as the object and the other way round; void stays."""
    inverted = labels.copy()
    inverted[labels == 0], inverted[labels == object_id] = object_id, 0
    return inverted


def _refused(path: Path, info: VideoInfo, stored: Orientation, error: MaskError) -> MaskCheck:
    check = MaskCheck(path, refused=error)
    steps: list[str] = []
    try:
        labels = _readable(path, steps)
    except (MaskError, *IMAGE_ERRORS):
        return check
    if labels.shape != (info.height, info.width):
        fitted = _fitted(labels, info, stored, steps)
        if fitted is None:
            return check
        labels = fitted
    if not object_ids(labels):
        if not isinstance(error, EmptyMaskError) or not np.any(labels == VOID):
            return check
        labels = np.asarray(labels == VOID).astype(np.uint8)
        steps.append("read with void (255) as object 1")
    try:
        check_mask(labels, path, info)
    except MaskError:
        return check
    return replace(check, mended=labels, mending=" and ".join(steps))


def _readable(path: Path, steps: list[str]) -> LabelMap:
    """The IDs, whatever the size; soft edges are decided, and what the background is."""
    try:
        return read_mask(path)
    except UnclearBackground:
        steps.append("numbered by its colors")
        with open_image(path) as image:
            indices = np.asarray(upright(image))
            labels = map_ids(indices, ids_by_colors(looks_of(image, indices)))
        with suppress(TooManyObjects):
            return ids_of(PillowImage.fromarray(labels), path)
    except TooManyObjects:
        pass
    with open_image(path) as image:
        if image.mode.startswith("I"):  # 16 bit, for which there are no colors
            raise TooManyObjects(f"{path} has 16 bit and soft edges")
        lossy = image.format in LOSSY
        colors = as_colors(upright(image))
    labels = ids_of(PillowImage.fromarray(harden(colors, lossy)), path)
    steps.append("with soft edges given to the nearest object")
    return labels


def _fitted(
    labels: LabelMap, info: VideoInfo, stored: Orientation, steps: list[str]
) -> LabelMap | None:
    """The labels in the size of the video, if it can be told how."""
    height, width = labels.shape
    if (height, width) == (info.width, info.height) and stored.swaps_sides:
        steps.append("rotated like the video")
        return stored.upright(labels)
    if same_shape((width, height), (info.width, info.height)):
        steps.append(f"scaled from {width}x{height} without smoothing")
        return resized(labels, (info.width, info.height))
    return None
