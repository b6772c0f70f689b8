"""Reading, checking and writing masks.

What the IDs are:

========================  ===================================================================
palette image           the indices, 255 is void; the colors do not matter, but if index 0
                          is not black and another one is, nobody knows what is background
gray, 1 bit, 16 bit       the values, 255 is void unless there are larger ones; but only 0 and
                          the maximum: one object, also if the values between are just a
                          smoothed edge
RGB in DAVIS colors      the IDs of these colors
other RGB                 gray as above; else one object per color, IDs by falling 0xRRGGBB
RGBA, gray with alpha     visible DAVIS colors; else what is more than half opaque, one object.
                          An alpha channel that is the same everywhere is ignored.
========================  ===================================================================
"""

import logging
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage
from PIL import UnidentifiedImageError

from jointvos.errors import (
    EmptyMaskError,
    EncodeError,
    MaskError,
    MaskReadError,
    TooManyObjects,
    os_errors_as,
)
from jointvos.files.images import IMAGE_ERRORS, image_reason, open_image, page_count, upright
from jointvos.files.png import write_png
from jointvos.files.staged import StagedFile
from jointvos.files.whole_file import whole_file
from jointvos.masks.mask_size import check_size, scaled
from jointvos.masks.palette import DAVIS_PALETTE, color_keys
from jointvos.masks.palette_order import are_of_web_palette, looks_of, refuse_order
from jointvos.types import VOID, LabelMap, VideoInfo, object_ids, object_pixels

_log = logging.getLogger("jointvos.masks")

LOSSY = ("JPEG", "MPO", "WEBP")
"""Kinds of images that change colors; lossless WebP counts as one, for its header is alike."""

_NOISE = 16
_SOFT = 8
_WIDEST = 65535
_PHOTO = 1 / 8
"""Colors per pixel of a photo, which has at least 10,000; JPEG makes 0.07 of 30 objects."""
_BINARY = ({0, 255}, {255})
_DAVIS_KEYS = color_keys(DAVIS_PALETTE)
_Keys = NDArray[np.uint32]


def read_mask(path: Path, info: VideoInfo | None = None) -> LabelMap:
    """Ids per pixel, [H,W], as they are in the file: uint8, or uint16 if there are larger ones.

    Args:
        path: An image; its kind is found by content.
        info: The video the mask is for; if given, sizes are compared before decoding, and the mask
            of a proxy (another size of the same shape) is scaled, with a warning.

    Raises:
        MaskReadError: The file is missing, damaged, no image or a photo.
        MaskSizeMismatch: Its shape is not the video's.
        TooManyObjects: It holds IDs above 65535, or soft edges that look like many objects.
        UnclearBackground: Its palette shows the background at another index than 0.
    """
    with os_errors_as(MaskReadError):
        if path.is_dir():
            raise MaskReadError(f"{path} is a folder; expected an image")
    try:
        with open_image(path) as image:
            if info is not None:
                # EXIF may still swap the sides.
                check_size(image.size, path, info, or_swapped=image.format == "JPEG")
            if (count := page_count(image)) > 1:
                _log.warning("%s holds %d images; only the first one is read", path, count)
            labels = ids_of(upright(image), path, lossy=image.format in LOSSY)
            return labels if info is None else scaled(labels, path, info)
    except MaskError:
        raise
    except UnidentifiedImageError as error:
        raise MaskReadError(f"{path}: {image_reason(error)}", hint="save it as PNG") from error
    except IMAGE_ERRORS as error:
        raise MaskReadError(f"{path}: {image_reason(error)}") from error


def check_mask(mask: LabelMap, path: Path, info: VideoInfo) -> None:
    """Refuse a mask that does not fit the video or selects nothing.

    Raises:
        MaskSizeMismatch: Its size is not the video's.
        EmptyMaskError: It holds no object.
    """
    check_size((mask.shape[1], mask.shape[0]), path, info)
    if not object_pixels(mask).any():
        found = "background and void (255)" if np.any(mask == VOID) else "background (0)"
        raise EmptyMaskError(
            f"{path} selects nothing: it holds only {found}; objects have the IDs 1 to 254"
        )


def write_mask_png(path: Path, labels: LabelMap) -> None:
    """Write IDs as a PNG that says who wrote it: uint8 [H,W] in DAVIS colors, uint16 in gray.

    Raises:
        EncodeError: The file cannot be written.
    """
    write_png(path, labels, palette=DAVIS_PALETTE if labels.dtype == np.uint8 else None)


class MaskFile:
    """A PNG with the IDs of one frame, as `write_mask_png` makes it.

    Attributes:
        path: Where it will stand.
    """

    def __init__(self, path: Path, *, overwrite: bool = False, source: Path | None = None) -> None:
        """Check that it can be written; see `StagedSink`."""
        self.path = path
        self._check = partial(StagedFile.check, path, overwrite=overwrite, source=source)
        self._check()

    def save(self, labels: LabelMap) -> None:
        """Write the IDs, [Hv,Wv].

        Raises:
            OutputError: That cannot be done; nothing is left behind then.
        """
        self._check()
        with whole_file(self.path) as staging:
            write_mask_png(staging, labels)


def as_gray(labels: LabelMap, wide: bool, path: Path) -> LabelMap:
    """Ids as gray values for an output whose depth is settled: uint8, or uint16 if `wide`.

    Raises:
        EncodeError: It has 8 bit and there is an ID above 254, which it cannot hold.
    """
    if wide:
        return labels.astype(np.uint16)
    if labels.dtype != np.uint8:
        raise EncodeError(f"{path} has 8 bit, which do not hold the ID {labels.max()}")
    return labels


def ids_of(image: PillowImage.Image, path: Path, *, lossy: bool = False) -> LabelMap:
    """What `read_mask` makes of an image that is decoded already.

    Raises:
        MaskReadError: It is of a kind that is not supported, or a photo.
        TooManyObjects: It holds more IDs than there can be, or soft edges.
        UnclearBackground: Its palette shows the background at another index than 0.
    """
    mode = image.mode
    if mode in ("P", "PA"):
        indices = np.array(image if mode == "P" else image.getchannel(0), dtype=np.uint8)
        refuse_order(image, indices, path)
        try:
            _refuse_soft_edges(indices, lossy, path)
        except TooManyObjects as error:
            if not are_of_web_palette(looks_of(image, indices)):
                raise
            raise TooManyObjects(
                f"{path} was dithered to a web palette, which makes {len(object_ids(indices))} "
                "objects of its colors; save it as RGB, or without dithering"
            ) from error
        return indices
    if mode == "1":
        return np.array(image).astype(np.uint8)
    if mode.startswith("I"):
        return _from_wide_gray(np.asarray(image), path)
    if mode == "L":
        return _from_gray(np.asarray(image), lossy, path)
    if mode in ("LA", "RGBA"):
        alpha = np.asarray(image.getchannel("A"))
        if alpha.min() != alpha.max():
            return _from_cut_out(np.asarray(image.convert("RGB")), alpha > 127)
        return ids_of(image.convert(mode[:-1]), path, lossy=lossy)
    if mode in ("RGB", "CMYK", "YCbCr"):
        return _from_colors(np.asarray(image.convert("RGB")), lossy, path)
    raise MaskReadError(f"{path}: images of mode {mode} are not supported, use a palette PNG")


def _from_wide_gray(values: NDArray[np.integer], path: Path) -> LabelMap:
    low, top = int(values.min()), int(values.max())
    if low < 0 or top > _WIDEST:
        raise TooManyObjects(f"{path} holds the ID {low if low < 0 else top}; expected 0 to 65535")
    if top <= VOID:
        return _from_gray(values.astype(np.uint8), False, path)
    ids = values.astype(np.uint16)
    if top == _WIDEST:
        between = np.unique(ids[(ids > 0) & (ids < top)]).size
        if not between:
            return (ids > 0).astype(np.uint8)
        if between >= _SOFT and set(np.flatnonzero(_solid(ids))) in ({0, top}, {top}):
            _warn_of_cut(path)
            return (ids > top // 2).astype(np.uint8)
    _refuse_soft_edges(ids, False, path)
    return ids


def _from_gray(values: LabelMap, lossy: bool, path: Path) -> LabelMap:
    counts = np.bincount(values.ravel(), minlength=256)
    if counts[255] and not counts[1:255].any():
        return (values > 127).astype(np.uint8)
    noisy = counts[:_NOISE].sum() + counts[-_NOISE:].sum()
    # A lossy file cannot carry IDs; in others, values just below 255 tell noise from IDs.
    if lossy:
        cut = noisy >= 0.95 * values.size and bool(counts[-_NOISE:].any())
    elif noisy == values.size:
        cut = bool(counts[-_NOISE:-1].any())
    else:
        cut = noisy >= 0.9 * values.size and set(np.flatnonzero(_solid(values))) in _BINARY
    if cut:
        _warn_of_cut(path)
        return (values > 127).astype(np.uint8)
    _refuse_soft_edges(values, lossy, path)
    return values.copy()


def _warn_of_cut(path: Path) -> None:
    _log.warning("%s has grays between black and white, thresholded at mid-gray", path)


def _from_colors(colors: NDArray[np.uint8], lossy: bool, path: Path) -> LabelMap:
    keys = color_keys(colors)
    if (ids := _davis_ids(keys)) is not None:
        return ids
    if np.array_equal(colors[..., 0], colors[..., 1]) and np.array_equal(
        colors[..., 1], colors[..., 2]
    ):
        return _from_gray(colors[..., 0], lossy, path)
    found, indices = np.unique(keys, return_inverse=True)
    if len(found) > max(10_000, _PHOTO * keys.size):
        raise MaskReadError(
            f"{path} looks like a photo, not a mask: it holds {len(found)} colors",
            hint="paint over the objects and save only what you painted, as PNG",
        )
    if len(found) > 254:
        raise _too_soft(path, len(found), lossy)
    order = [int(key) for key in found[::-1] if key]  # black is background
    table = np.array([order.index(int(k)) + 1 if k else 0 for k in found], dtype=np.uint8)
    ids = table[indices.reshape(keys.shape)]
    _refuse_soft_edges(ids, lossy, path)
    names = ", ".join(f"#{key:06x} is object {id}" for id, key in enumerate(order[:8], start=1))
    _log.warning("%s is not in DAVIS colors; %s", path, names)
    return ids


def _from_cut_out(colors: NDArray[np.uint8], visible: NDArray[np.bool_]) -> LabelMap:
    keys = np.where(visible, color_keys(colors), np.uint32(0))
    ids = _davis_ids(keys)
    return ids if ids is not None and ids.any() else visible.astype(np.uint8)


def _davis_ids(keys: _Keys) -> LabelMap | None:
    """Ids of DAVIS colors, None if there is any other color."""
    order = np.argsort(_DAVIS_KEYS)
    at = np.minimum(np.searchsorted(_DAVIS_KEYS, keys, sorter=order), 255)
    ids = order[at]
    return ids.astype(np.uint8) if np.array_equal(_DAVIS_KEYS[ids], keys) else None


def _solid(values: LabelMap) -> NDArray[np.bool_]:
    """Which of all values fill a 3x3 block somewhere; the steps of a smoothed edge do not."""
    kernel = np.ones((3, 3), dtype=np.uint8)
    inside = cv2.erode(values, kernel) == cv2.dilate(values, kernel)
    return np.bincount(values[inside], minlength=np.iinfo(values.dtype).max + 1) > 0


def _refuse_soft_edges(ids: LabelMap, lossy: bool, path: Path) -> None:
    """Refuse many IDs of which most are not solid."""
    if ids.max() < _SOFT:  # as nearly always
        return
    objects = object_ids(ids)
    soft = len(objects) - int(_solid(ids)[objects].sum())
    if soft >= _SOFT and 2 * soft > len(objects):
        raise _too_soft(path, len(objects), lossy)


def _too_soft(path: Path, count: int, lossy: bool) -> TooManyObjects:
    cause = "smoothed edges or JPEG" if lossy else "smoothed edges"
    return TooManyObjects(
        f"{path} seems to hold {count} objects, most likely because of {cause}; "
        "save it as PNG without anti-aliasing, one value per object"
    )
