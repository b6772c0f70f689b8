"""How to know the PNG files that jointvos has written, so that no others are ever replaced."""

import struct
from pathlib import Path

from PIL.PngImagePlugin import PngInfo

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
