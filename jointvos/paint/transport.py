"""Label maps between server and page: runs of equal pixels, row by row.

A run is four bytes, little-endian: its length in the upper 24 bits, its ID in the lower 8.
"""

import numpy as np

from jointvos.errors import MaskReadError
from jointvos.types import LabelMap

_LONGEST = (1 << 24) - 1


def pack_labels(labels: LabelMap) -> bytes:
    """The runs of a label map, uint8 [H,W]."""
    pixels = labels.ravel()
    starts = np.concatenate(([0], np.flatnonzero(pixels[1:] != pixels[:-1]) + 1))
    lengths = np.diff(np.concatenate((starts, [pixels.size])))
    ids = pixels[starts]
    if lengths.max(initial=0) > _LONGEST:
        parts = -(-lengths // _LONGEST)
        last = lengths - (parts - 1) * _LONGEST
        ends = np.cumsum(parts) - 1
        lengths, ids = np.full(parts.sum(), _LONGEST), np.repeat(ids, parts)
        lengths[ends] = last
    return (lengths.astype("<u4") << 8 | ids).astype("<u4").tobytes()


def unpack_labels(data: bytes, height: int, width: int) -> LabelMap:
    """The label map, uint8 [H,W], of these runs.

    Raises:
        MaskReadError: They are not those of an image of this size.
    """
    if len(data) % 4:
        raise MaskReadError(f"the mask has {len(data)} bytes, expected runs of 4 bytes each")
    runs = np.frombuffer(data, dtype="<u4")
    lengths = runs >> 8
    if int(lengths.sum(dtype=np.int64)) != height * width:
        raise MaskReadError(
            f"the mask has {int(lengths.sum(dtype=np.int64))} pixels, expected {width}x{height}"
        )
    return np.repeat((runs & 255).astype(np.uint8), lengths).reshape(height, width)
