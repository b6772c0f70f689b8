"""Masks as the compressed run lengths of COCO."""

from typing import TypedDict

import numpy as np
from numpy.typing import NDArray


class Rle(TypedDict):
    """COCO's `segmentation` of a mask: height and width, and the runs as text."""

    size: list[int]
    counts: str


def compressed_rle(mask: NDArray[np.bool_]) -> Rle:
    """The runs of a mask, bool [H,W], column by column, beginning with those outside."""
    pixels = mask.ravel(order="F")
    changes = np.flatnonzero(pixels[1:] != pixels[:-1]) + 1
    runs = np.diff(np.concatenate(([0], changes, [pixels.size])))
    counts = runs.tolist() if not pixels[0] else [0, *runs.tolist()]
    return {"size": [int(mask.shape[0]), int(mask.shape[1])], "counts": _text(counts)}


def _text(counts: list[int]) -> str:
    """Five bits per character, the lowest first; from the fourth on, the change to two before."""
    codes = bytearray()
    for i, count in enumerate(counts):
        value = count - counts[i - 2] if i > 2 else count
        while True:
            bits, value = value & 0x1F, value >> 5
            # Enough when what is left only repeats the sign, the highest bit written.
            done = value == (-1 if bits & 0x10 else 0)
            codes.append(48 + (bits if done else bits | 0x20))
            if done:
                break
    return codes.decode("ascii")
