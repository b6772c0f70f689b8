"""PNG files that say who wrote them, so that no others are ever replaced."""

import struct
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage
from PIL.PngImagePlugin import PngInfo

from jointvos.errors import EncodeError

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_KEY, _VALUE = "Software", "jointvos"
_TEXT = f"{_KEY}\0{_VALUE}".encode("latin-1")


def mark() -> PngInfo:
    """What to save with a picture."""
    info = PngInfo()
    info.add_text(_KEY, _VALUE)
    return info


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
    pixels: NDArray[np.uint8] | NDArray[np.uint16],
    offset: tuple[int, int] | None = None,
) -> None:
    """Write grey (8 or 16 bit), RGB or RGBA (8 bit) as a PNG that says who wrote it.

    Args:
        path: The file.
        pixels: [H,W], [H,W,3] or [H,W,4].
        offset: Where in a larger picture it belongs, x and y; for editors that place layers.

    Raises:
        EncodeError: The file cannot be written.
    """
    data = BytesIO()
    PillowImage.fromarray(pixels).save(data, "PNG", compress_level=1, pnginfo=mark())
    content = data.getvalue()
    if offset is not None:  # Pillow writes no such chunk; it may stand right behind the header
        content = (
            content[:_HEADER] + _chunk(b"oFFs", struct.pack(">iiB", *offset, 0)) + content[_HEADER:]
        )
    try:
        path.write_bytes(content)
    except OSError as error:
        raise EncodeError(f"{path} cannot be written: {error.strerror or error}") from error


_HEADER = 33  # bytes of the signature and the chunk IHDR


def _chunk(kind: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)
