"""Masks with 64 pixels to a number, on which boundaries and dilations cost next to nothing.

A stack of masks, bool [M,h,w], becomes uint64 [ceil(w/64),M,h]: column x is bit x % 64 of word
x // 64, and bits past the last column are 0. Words come first so that what moves from one to the
next moves in long rows.
"""

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Bits = NDArray[np.uint64]

WORD = 64


def pack(masks: NDArray[np.bool_]) -> Bits:
    """Masks, bool [M,h,w], as bits [words,M,h]."""
    count, height, width = masks.shape
    octets = np.packbits(masks, axis=-1, bitorder="little")
    padded = np.zeros((count, height, 8 * math.ceil(width / WORD)), np.uint8)
    padded[..., : octets.shape[-1]] = octets
    return np.ascontiguousarray(padded.view("<u8").transpose(2, 0, 1))


def unpack(bits: Bits, width: int) -> NDArray[np.bool_]:
    """The inverse of `pack`, bool [M,h,width]."""
    octets = np.ascontiguousarray(bits.transpose(1, 2, 0)).view(np.uint8)
    return np.unpackbits(octets, axis=-1, count=width, bitorder="little").astype(np.bool_)


def area(bits: Bits) -> NDArray[np.int64]:
    """Number of pixels that are set, int64 [M]."""
    counts: NDArray[np.int64] = np.bitwise_count(bits).sum(axis=(0, 2), dtype=np.int64)
    return counts


def boundaries(bits: Bits, width: int) -> Bits:
    """Pixels that differ from their right, lower or lower right neighbor.

    Neighbors outside of the image do not count: a mask has no boundary where the image ends.

    Args:
        bits: The masks.
        width: Columns of the image.
    """
    word, bit = divmod(width - 1, WORD)
    right = _to_the_left(bits, 1)
    right[word] |= bits[word] & np.uint64(1 << bit)
    found = bits ^ right
    found[..., :-1] |= bits[..., :-1] ^ bits[..., 1:]
    found[..., :-1] |= bits[..., :-1] ^ right[..., 1:]
    return found


def dilate(bits: Bits, radius: int) -> Bits:
    """Pixels that have a set one within the disk of this radius (bits past the width included)."""
    widths = _half_widths(radius)
    # A disk is a pile of rows: widen once for every length of row, then pile up.
    widened, reach = {0: bits}, 0
    for half_width in sorted(set(widths)):
        while reach < half_width:
            step = min(half_width - reach, 2 * reach + 1, WORD - 1)
            widened[reach + step] = _widen(widened[reach], step)
            reach += step
    grown = widened[radius].copy()
    for offset in range(1, min(radius + 1, bits.shape[2])):
        rows = widened[widths[offset]]
        grown[..., offset:] |= rows[..., :-offset]
        grown[..., :-offset] |= rows[..., offset:]
    return grown


@lru_cache(maxsize=8)
def _half_widths(radius: int) -> tuple[int, ...]:
    """Half the length of the disk's rows, from its middle outwards."""
    return tuple(math.isqrt(radius**2 - offset**2) for offset in range(radius + 1))


def _widen(bits: Bits, step: int) -> Bits:
    """Also the pixels `step` to the left and right; no hole is left if runs are long enough."""
    grown = _to_the_left(bits, step)
    grown |= _to_the_right(bits, step)
    grown |= bits
    return grown


def _to_the_left(bits: Bits, step: int) -> Bits:
    """Every pixel `step` columns (1 to 63) further left."""
    moved = bits >> np.uint64(step)
    moved[:-1] |= bits[1:] << np.uint64(WORD - step)
    return moved


def _to_the_right(bits: Bits, step: int) -> Bits:
    """Every pixel `step` columns (1 to 63) further right."""
    moved = bits << np.uint64(step)
    moved[1:] |= bits[:-1] >> np.uint64(WORD - step)
    return moved
