"""The commonest kind of mask read two to three times as fast as by Pillow.

Masks are written with 8 bits per pixel and without filters, because IDs are no smooth image:
then the decompressed data are the IDs, with a 0 in front of every row. Whatever else a PNG may
be, damage included, is left to Pillow.
"""

import struct
import zlib

import numpy as np

from jointvos.types import LabelMap

SIGNATURE = b"\x89PNG\r\n\x1a\n"
GRAY, PALETTE = 0, 3
LARGEST = 2**26
"""Pixels; Pillow decides about larger images."""


def plain_labels(content: bytes) -> LabelMap | None:
    """The IDs in a PNG file, uint8 [Hv,Wv], if it is of the plain kind; else None."""
    try:
        if content[:8] != SIGNATURE or content[12:16] != b"IHDR":
            return None
        width, height, depth, kind, _, _, interlaced = struct.unpack_from(">IIBBBBB", content, 16)
        sound = 0 < width * height <= LARGEST
        if not sound or depth != 8 or kind not in (GRAY, PALETTE) or interlaced:
            return None
        size = height * (width + 1)
        stream = zlib.decompressobj()
        pixels = stream.decompress(_compressed(content), size)
        # The end holds a checksum of it all.
        rest = stream.decompress(stream.unconsumed_tail, 1)
        if len(pixels) != size or rest or not stream.eof:
            return None
    except (struct.error, zlib.error):
        return None
    rows = np.frombuffer(pixels, np.uint8).reshape(height, width + 1)
    return None if rows[:, 0].any() else rows[:, 1:].copy()


def _compressed(content: bytes) -> bytes:
    """The data of all IDAT chunks.

    Raises:
        struct.error: The file ends early.
    """
    parts: list[bytes] = []
    start = len(SIGNATURE)
    while True:
        length, kind = struct.unpack_from(">I4s", content, start)
        if kind == b"IEND":
            return parts[0] if len(parts) == 1 else b"".join(parts)
        if kind == b"IDAT":
            parts.append(content[start + 8 : start + 8 + length])
        start += length + 12  # length, kind and checksum
