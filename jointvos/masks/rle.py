"""Masks as the compressed run lengths of COCO."""

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

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


def decoded_rle(rle: Mapping[str, Any]) -> NDArray[np.bool_]:
    """The mask, bool [H,W], of a `segmentation` with `size` and `counts`, as text or as a list.

    Raises:
        ValueError: The runs do not fill the size, or the text is none of COCO's.
    """
    height, width = (int(side) for side in rle["size"])
    counts = rle["counts"]
    runs = np.array(_counts(counts) if isinstance(counts, str) else counts, dtype=np.int64)
    if runs.ndim != 1 or (runs < 0).any() or runs.sum() != height * width:
        raise ValueError(f"run lengths add up to {runs.sum()}, expected {height}x{width} pixels")
    inside = np.arange(len(runs)) % 2 == 1
    return np.repeat(inside, runs).reshape((height, width), order="F")


def _counts(text: str) -> Sequence[int]:
    """The inverse of `_text`."""
    counts: list[int] = []
    value = shift = 0
    for code in text.encode("ascii"):
        bits = code - 48
        if not 0 <= bits < 64 or shift > 30:
            raise ValueError(f"compressed run lengths hold {chr(code)!r} where none can stand")
        value |= (bits & 0x1F) << shift
        shift += 5
        if bits & 0x20:
            continue
        if bits & 0x10:
            value -= 1 << shift
        counts.append(value + (counts[-2] if len(counts) > 2 else 0))
        value = shift = 0
    if shift:
        raise ValueError("compressed run lengths end in the middle of a number")
    return counts


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
