"""What is in a mask, what is wrong with it, and what it was most likely meant to be."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from PIL import Image as PillowImage

from jointvos.errors import (
    EmptyMaskError,
    MaskError,
    MaskSizeMismatch,
    TooManyObjects,
    UnclearBackground,
)
from jointvos.files.images import IMAGE_ERRORS, open_image, upright
from jointvos.files.orientation import Orientation
from jointvos.masks.mask_file import LOSSY, check_mask, ids_of, read_mask
from jointvos.masks.mending import as_colours, harden, luma_ids, map_ids
from jointvos.masks.palette_order import ids_by_colours, looks_of, palette_doubt
from jointvos.types import VOID, LabelMap, VideoInfo, object_ids

_TINY = 16
"""Pixels; an object below that is rather a slip of the brush."""


@dataclass(frozen=True)
class MaskedObject:
    """One object of a mask.

    Attributes:
        id: Its id.
        colour: What the file shows there, RGB.
        area: Its pixels.
        box: Tight box (x, y, width, height).
    """

    id: int
    colour: tuple[int, int, int]
    area: int
    box: tuple[int, int, int, int]


@dataclass(frozen=True)
class MaskCheck:
    """What was found out about a mask.

    Attributes:
        path: The file.
        labels: What it is read as, [H,W]; None when it is refused.
        objects: What is in it as it is read, by id.
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
        stored: How the pictures of the video are turned to stand upright.
    """
    try:
        labels = read_mask(path, info)
        check_mask(labels, path, info)
    except MaskError as error:
        return _refused(path, info, stored or Orientation(), error)
    return examine_labels(labels, path)


def examine_labels(labels: LabelMap, path: Path) -> MaskCheck:
    """What is in a mask that could be read, [H,W], from a file."""
    check = MaskCheck(path, labels, tuple(_objects(labels, _shown(path))))
    return _doubted(check, labels)


def _objects(
    labels: LabelMap, shown: Callable[[int, int], tuple[int, int, int]]
) -> list[MaskedObject]:
    """The objects by rising id; `shown` is from a row and a column to the colour there."""
    found = []
    for i in object_ids(labels):
        mask = labels == i
        x, y, width, height = cv2.boundingRect(mask.astype(np.uint8))
        column = x + int(np.flatnonzero(mask[y, x : x + width])[0])
        area = int(np.count_nonzero(mask))
        found.append(MaskedObject(i, shown(y, column), area, (x, y, width, height)))
    return found


def _shown(path: Path) -> Callable[[int, int], tuple[int, int, int]]:
    with open_image(path) as picture:
        colours = upright(picture).convert("RGB")

    def shown(row: int, column: int) -> tuple[int, int, int]:
        red, green, blue = np.asarray(colours.getpixel((column, row))).tolist()
        return red, green, blue

    return shown


def _doubted(check: MaskCheck, labels: LabelMap) -> MaskCheck:
    """Look for what can be used but is hardly meant."""
    table = luma_ids(labels)
    if table is not None:
        names = ", ".join(f"{grey} would be {i}" for grey, i in table.items())
        return replace(
            check,
            doubts=(f"its ids are DAVIS colours that were turned into grey: {names}",),
            mended=map_ids(labels, table),
            mending="given back the ids of those colours",
        )
    with open_image(check.path) as picture:
        looks = looks_of(picture, labels) if _are_indices(labels, picture) else {}
    if doubt := palette_doubt(looks):
        return replace(
            check,
            doubts=(doubt,),
            mended=map_ids(labels, ids_by_colours(looks)),
            mending="numbered by its colours",
        )
    if _seems_inverted(check.objects, labels):
        (one,) = check.objects
        share = 100 * one.area / labels.size
        return replace(
            check,
            doubts=(
                f"object {one.id} is {share:.2f} % of the picture and touches all four sides, "
                "as the background does",
            ),
            mended=_inverted(labels, one.id),
            mending="inverted",
        )
    tiny = [each for each in check.objects if each.area < _TINY]
    large = [each for each in check.objects if each.area >= _TINY]
    if not tiny or not large:
        return check
    names = ", ".join(f"{each.id} ({each.area} px)" for each in tiny[:8])
    return replace(
        check,
        doubts=(f"objects of hardly any pixels, rather slips than meant: {names}",),
        mended=np.where(np.isin(labels, [each.id for each in tiny]), labels.dtype.type(0), labels),
        mending="freed of objects below 16 pixels",
    )


def _are_indices(labels: LabelMap, picture: PillowImage.Image) -> bool:
    """Whether the labels are those of the file as they are, and come with a palette."""
    return picture.mode == "P" and np.array_equal(np.asarray(upright(picture)), labels)


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
    if isinstance(error, MaskSizeMismatch):
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
    """The ids, whatever the size; soft edges are decided, and what the background is."""
    try:
        return read_mask(path)
    except UnclearBackground:
        steps.append("numbered by its colours")
        with open_image(path) as picture:
            indices = np.asarray(upright(picture))
            labels = map_ids(indices, ids_by_colours(looks_of(picture, indices)))
        with suppress(TooManyObjects):
            return ids_of(PillowImage.fromarray(labels), path)
    except TooManyObjects:
        pass
    with open_image(path) as picture:
        if picture.mode.startswith("I"):  # 16 bit, for which there are no colours
            raise TooManyObjects(f"{path} has 16 bit and soft edges")
        lossy = picture.format in LOSSY
        colours = as_colours(upright(picture))
    labels = ids_of(PillowImage.fromarray(harden(colours, lossy)), path)
    steps.append("cut where its soft edges are nearest to one object or another")
    return labels


def _fitted(
    labels: LabelMap, info: VideoInfo, stored: Orientation, steps: list[str]
) -> LabelMap | None:
    """The labels in the size of the video, if it can be told how."""
    height, width = labels.shape
    if (height, width) == (info.width, info.height) and stored.swaps_sides:
        steps.append("turned as the video is turned for showing")
        return stored.upright(labels)
    if abs(width * info.height - height * info.width) <= max(width, height, info.width):
        steps.append(f"scaled from {width}x{height} without smoothing")
        size = (info.width, info.height)
        scaled: LabelMap = cv2.resize(labels, size, interpolation=cv2.INTER_NEAREST)  # type: ignore[assignment]
        return scaled
    return None
