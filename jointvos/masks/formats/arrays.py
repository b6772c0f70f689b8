"""NumPy arrays: .npy, .npz.

========================  ===================================================================
[H,W] of bool             one object
[H,W] of integers         an ID per pixel, as in a grayscale image
[N,H,W] of bool, or of    a mask per object, IDs 1 to N; also [H,W,N], and with sides of 1
integers 0 and 1 (255)
========================  ===================================================================

Floating-point numbers are read if they are whole.
"""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from jointvos.errors import MaskReadError
from jointvos.masks.formats.entry import Entry, Objects, Shape
from jointvos.masks.mask_file import ids_of
from jointvos.masks.mask_size import same_shape
from jointvos.types import VideoInfo

_MOST_BYTES = 1 << 31
_Array = NDArray[Any]


def read_npy(path: Path, info: VideoInfo) -> list[Entry]:
    """The only array of a file.

    Raises:
        BROKEN: The file is damaged, or the array is no mask.
    """
    with path.open("rb") as file:
        shape, dtype = _header(file)
    return [_entry(path, "", shape, dtype, info)]


def read_npz(path: Path, info: VideoInfo) -> list[Entry]:
    """An entry per array, by its name.

    Raises:
        BROKEN: The file is damaged, or an array is no mask.
    """
    entries = []
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if name.endswith(".npy")]
        for name in names:
            with archive.open(name) as file:
                shape, dtype = _header(file)
            # What is no mask, such as scores, matters only if nothing else is there.
            if len(names) == 1 or _is_mask(shape, dtype, info):
                entries.append(_entry(path, name.removesuffix(".npy"), shape, dtype, info))
    if not entries:
        raise ValueError(f"none of its arrays ({', '.join(names) or 'none'}) fits the video")
    return entries


def _header(file: Any) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and type of an array, of which no more than that is read."""
    version = np.lib.format.read_magic(file)
    read = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }.get(version)
    if read is None:
        raise ValueError(f"version {version} of the format is not read")
    shape, _, dtype = read(file)
    return shape, dtype


def _is_mask(shape: tuple[int, ...], dtype: np.dtype[Any], info: VideoInfo) -> bool:
    """Whether an array can be one, by its header."""
    try:
        _check(shape, dtype)
        height, width = _sides(shape, info)
    except ValueError:
        return False
    return same_shape((width, height), (info.width, info.height))


def _check(shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    if dtype.hasobject:
        raise ValueError(
            "it holds Python objects, which are never loaded because they can run code; "
            "save the array alone"
        )
    if dtype.kind not in "buif":
        raise ValueError(f"its type is {dtype}, expected bool or integers")
    if (nbytes := int(np.prod(shape, dtype=np.float64)) * dtype.itemsize) > _MOST_BYTES:
        raise ValueError(
            f"its shape {list(shape)} takes {nbytes / 2**30:.1f} GiB, expected at most 2; "
            "save it as bool or uint8"
        )


def _entry(
    path: Path, name: str, shape: tuple[int, ...], dtype: np.dtype[Any], info: VideoInfo
) -> Entry:
    _check(shape, dtype)
    height, width = _sides(shape, info)

    def read() -> Objects:
        with np.load(path, allow_pickle=False) as loaded:
            return _objects(loaded[name], (height, width), path)

    def read_alone() -> Objects:
        return _objects(np.load(path, allow_pickle=False), (height, width), path)

    return Entry((width, height), read if name else read_alone, image=name)


def _sides(shape: tuple[int, ...], info: VideoInfo) -> tuple[int, int]:
    """Height and width: two neighboring sides that have the shape of the video."""
    wanted = (info.width, info.height)
    long = [side for side in shape if side != 1] if len(shape) > 2 else list(shape)
    if len(long) == 3 and same_shape((long[1], long[0]), wanted):
        if long[2] in (3, 4) and not same_shape((long[2], long[1]), wanted):
            raise ValueError(
                f"its shape {list(shape)} is that of a color image; expected IDs, [H,W]"
            )
        if not same_shape((long[2], long[1]), wanted):
            return long[0], long[1]
    if len(long) not in (2, 3):
        raise ValueError(f"its shape is {list(shape)}, expected [H,W] or [N,H,W]")
    return long[-2], long[-1]


def _objects(array: _Array, sides: tuple[int, int], path: Path) -> Objects:
    values = array.reshape([side for side in array.shape if side != 1] or [1])
    if values.shape != sides and values.shape[:2] == sides:
        values = np.moveaxis(values, 2, 0)
    values = values.reshape(-1, *sides)
    if values.dtype.kind == "f":
        whole = values.astype(np.int64) if np.isfinite(values).all() else None
        if whole is None or not np.array_equal(whole, values):
            raise ValueError(
                f"it holds fractions ({values.min():.3g} to {values.max():.3g}); "
                "save what is above your threshold, as bool (array > 0.5)"
            )
        values = whole
    if array.ndim > 2 and (len(values) > 1 or values.max(initial=0) <= 1):
        top = values.max(initial=0)
        if top not in (0, 1) and not (top == 255 and set(np.unique(values)) <= {0, 255}):
            raise ValueError(
                f"its shape {list(array.shape)} has a layer per object, but layers hold IDs up "
                f"to {top}; expected 0 and 1, or give each frame its own file, [H,W]"
            )
        return [Shape(layer > 0, id=i) for i, layer in enumerate(values, start=1)]
    labels = values[0]
    if labels.dtype == np.bool_:
        return [Shape(labels, id=1)]
    if labels.min() < 0 or labels.max() > 65535:
        wrong = labels.min() if labels.min() < 0 else labels.max()
        raise MaskReadError(f"{path} holds the ID {wrong}, expected 0 to 65535")
    kind = np.uint8 if labels.max() < 256 else np.uint16
    return ids_of(PillowImage.fromarray(np.ascontiguousarray(labels.astype(kind))), path)
