"""PNG files that say who wrote them, so that no others are ever replaced."""

import struct
import zlib
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage
from PIL.PngImagePlugin import PngInfo

from jointvos.errors import EncodeError, os_errors_as
from jointvos.types import Hdr

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_KEY, _VALUE = "Software", "jointvos"
_TEXT = f"{_KEY}\0{_VALUE}".encode("latin-1")


def is_marked(path: Path) -> bool:
    """Whether a file is a PNG that jointvos has written; reads no further than the header.

    Raises:
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        if file.read(8) != _SIGNATURE:
            return False
        while len(head := file.read(8)) == 8:
            length, kind = struct.unpack(">I4s", head)
            if kind == b"IDAT":
                return False
            start = file.tell()
            if kind == b"tEXt" and length == len(_TEXT) and file.read(length) == _TEXT:
                return True
            file.seek(start + length + 4)  # a checksum of 4 bytes follows
    return False


def write_png(
    path: Path,
    pixels: NDArray[np.uint8 | np.uint16],
    offset: tuple[int, int] | None = None,
    hdr: Hdr | None = None,
    palette: NDArray[np.uint8] | None = None,
) -> None:
    """Write gray or RGBA (8 or 16 bit) or RGB (8 bit) as a PNG that says who wrote it.

    Args:
        path: The file.
        pixels: [H,W], [H,W,3] or [H,W,4].
        offset: Where in a larger image it belongs, x and y; for editors that place layers.
        hdr: How colors are coded, if they are HDR.
        palette: RGB, [256,3], that gray of 8 bit are the indices of.

    Raises:
        EncodeError: The file cannot be written.
    """
    extra = b""  # chunks that may stand right behind the header
    if pixels.ndim == 3 and pixels.dtype == np.uint16:  # which Pillow does not know
        colors = cv2.cvtColor(pixels, cv2.COLOR_RGBA2BGRA)
        _, coded = cv2.imencode(".png", colors, [cv2.IMWRITE_PNG_COMPRESSION, 1])
        content, extra = coded.tobytes(), _chunk(b"tEXt", _TEXT)
    else:
        image, data = PillowImage.fromarray(pixels), BytesIO()
        if palette is not None:
            image.putpalette(palette.tobytes())
        info = PngInfo()
        info.add_text(_KEY, _VALUE)
        image.save(data, "PNG", compress_level=1, pnginfo=info)
        content = data.getvalue()
    if offset is not None:
        extra += _chunk(b"oFFs", struct.pack(">iiB", *offset, 0))
    if hdr is not None:  # primaries, transfer, matrix by their numbers in H.273; full range
        extra += _chunk(b"cICP", bytes((9, 16 if hdr == "pq" else 18, 0, 1)))
    content = content[:_HEADER] + extra + content[_HEADER:]
    with os_errors_as(EncodeError, f"{path} cannot be written"):
        path.write_bytes(content)


_HEADER = 33  # bytes of the signature and the chunk IHDR


def _chunk(kind: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)
