"""Headers of OpenEXR files: what the codec library does not tell of them, and who wrote them."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

MAGIC = b"\x76\x2f\x31\x01"
_TILED, _DEEP, _PARTS = 0x200, 0x800, 0x1000
_MARK = b"software\0string\0\x08\0\0\0jointvos"
_LONGEST_NAME = 256
_WHOLE = ("combined", "beauty", "rgba", "rgb")


@dataclass(frozen=True)
class ExrHeader:
    """What an OpenEXR file says of its first part.

    Attributes:
        channels: Names in the file's order, such as "R" or "beauty.R".
        origin: x and y where the display window begins.
        primaries: x and y of red, green, blue and white, if they are not those of Rec. 709.
        rate: Frames per second.
        timecode: hh:mm:ss:ff, with ; before the frames where numbers are dropped.
        pixel_aspect: Width of a pixel divided by its height; may be any number.
        has_parts: Whether there may be more parts.
    """

    channels: tuple[str, ...]
    origin: tuple[int, int]
    primaries: tuple[float, ...] | None
    rate: Fraction | None
    timecode: str | None
    pixel_aspect: float
    has_parts: bool

    def layer(self) -> str:
        """The layer to show: "" if there are R, G and B or Y by themselves.

        Else the one that renderers call the whole image, else the first with colors.

        Raises:
            ValueError: None has colors.
        """
        bare = {name.upper() for name in self.channels if "." not in name}
        if bare & {"R", "Y"}:
            return ""
        layers = [name[:-2] for name in self.channels if name.upper().endswith(".R")]
        if not layers:
            there = ", ".join(self.channels)
            if self.has_parts:
                raise ValueError(f"its first part has no colors ({there}); put the RGB part first")
            raise ValueError(f"expected channels R, G, B or Y, it has {there}")
        whole = (layer for layer in layers if layer.rpartition(".")[2].lower() in _WHOLE)
        return next(whole, layers[0])


def read_exr_header(content: bytes) -> ExrHeader:
    """Read the header of a whole file and see whether all of it is there.

    Raises:
        ValueError: It is damaged, cut off, or not OpenEXR.
    """
    try:
        return _read(content)
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise ValueError("the header is damaged") from error


def _read(content: bytes) -> ExrHeader:
    if not content.startswith(MAGIC):
        raise ValueError("not an OpenEXR file")
    flags = struct.unpack_from("<I", content, 4)[0]
    attributes, at = _attributes(content, 8)
    if flags & _PARTS:
        while content[at]:
            _, at = _attributes(content, at)
        at += 1
    if flags & _DEEP:
        raise ValueError("deep images are not read; flatten them first")
    if _ends_early(content, at, flags):
        raise ValueError("the file is not complete")
    values = {name: content[place] for name, place in attributes.items()}
    primaries = values.get("chromaticities")
    return ExrHeader(
        channels=tuple(_channels(values["channels"])) if "channels" in values else (),
        origin=struct.unpack_from("<2i", values.get("displayWindow", bytes(8))),
        primaries=None if primaries is None else struct.unpack("<8f", primaries),
        rate=_rate(values.get("framesPerSecond", values.get("FramesPerSecond"))),
        timecode=_timecode(values.get("timeCode")),
        pixel_aspect=struct.unpack("<f", values.get("pixelAspectRatio", bytes(4)))[0],
        has_parts=bool(flags & _PARTS),
    )


def _rate(value: bytes | None) -> Fraction | None:
    if value is None or len(value) != 8:
        return None
    top, bottom = struct.unpack("<iI", value)
    return Fraction(top, bottom) if bottom else None


def _timecode(value: bytes | None) -> str | None:
    """What SMPTE 12M packs into 32 bits: two digits each, and a flag for dropped numbers."""
    if value is None or len(value) != 8:
        return None
    packed = struct.unpack("<2I", value)[0]
    parts = [f"{packed >> shift & mask:02x}" for shift, mask in ((24, 63), (16, 127), (8, 127))]
    return f"{':'.join(parts)}{';' if packed & 64 else ':'}{packed & 63:02x}"


def _attributes(content: bytes, at: int) -> tuple[dict[str, slice], int]:
    """Where the values of a part's attributes are, and where they end."""
    found = {}
    while content[at]:
        name, at = _text(content, at)
        _, at = _text(content, at)
        size = struct.unpack_from("<i", content, at)[0]
        if size < 0 or at + 4 + size > len(content):
            raise ValueError("the header is damaged")
        found[name] = slice(at + 4, at + 4 + size)
        at += 4 + size
    return found, at + 1


def _text(content: bytes, at: int) -> tuple[str, int]:
    end = content.find(b"\0", at, at + _LONGEST_NAME)
    if end < 0:
        raise ValueError("the header is damaged")
    return content[at:end].decode(), end + 1


def _channels(listing: bytes) -> Iterator[str]:
    at = 0
    while listing[at]:
        name, at = _text(listing, at)
        yield name
        at += 16  # kind of number, flags, sampling


def _offsets(content: bytes, at: int) -> list[int]:
    """The table of where chunks of pixels are; the first of them begins where the table ends."""
    found: list[int] = []
    while at < min(found, default=len(content)):
        found.append(struct.unpack_from("<Q", content, at)[0])
        at += 8
    return found


def _ends_early(content: bytes, table: int, flags: int) -> bool:
    """Whether the last chunk is not all there; the codec library would paint it black."""
    offsets = _offsets(content, table)
    if not offsets or min(offsets) <= table:  # a renderer fills in the table at the very end
        return True
    last = max(offsets) + (4 if flags & _PARTS else 0)
    last += 16 if flags & _TILED else 4
    size: int = struct.unpack_from("<i", content, last)[0]
    return last + 4 + size > len(content)


def at_origin(content: bytes, header: ExrHeader) -> bytes:
    """The same image with a display window that begins at 0,0, which the codec library expects.

    Raises:
        ValueError: It is damaged.
    """
    if header.origin == (0, 0):
        return content
    try:
        return _moved(content, header.origin)
    except (struct.error, KeyError, IndexError) as error:
        raise ValueError("the header is damaged") from error


def _moved(content: bytes, origin: tuple[int, int]) -> bytes:
    moved, shift = bytearray(content), np.array(origin, dtype=np.int64)
    flags = struct.unpack_from("<I", content, 4)[0]
    attributes, table = _attributes(content, 8)
    is_tiled = "tiles" in attributes
    for name in ("displayWindow", "dataWindow"):
        place = attributes[name].start
        window = np.frombuffer(content, "<i4", 4, place).astype(np.int64) - np.tile(shift, 2)
        struct.pack_into("<4i", moved, place, *window.tolist())
    while flags & _PARTS and content[table]:
        _, table = _attributes(content, table)
    if is_tiled:  # tiles are counted from the data window
        return bytes(moved)
    ahead = 4 if flags & _PARTS else 0
    for offset in _offsets(content, table + (1 if ahead else 0)):
        if ahead and struct.unpack_from("<i", content, offset)[0] != 0:
            continue  # of another part
        row = struct.unpack_from("<i", content, offset + ahead)[0]
        struct.pack_into("<i", moved, offset + ahead, row - origin[1])
    return bytes(moved)


def marked_exr(content: bytes) -> bytes:
    """An OpenEXR file of one part with a note in its header that jointvos wrote it."""
    _, table = _attributes(content, 8)
    offsets = _offsets(content, table)
    moved = (offset + len(_MARK) for offset in offsets)
    return b"".join(
        (
            content[: table - 1],
            _MARK,
            b"\0",
            struct.pack(f"<{len(offsets)}Q", *moved),
            content[table + 8 * len(offsets) :],
        )
    )


def is_marked_exr(path: Path) -> bool:
    """Whether a file is an OpenEXR image that jointvos has written.

    Raises:
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(4096)
    return head.startswith(MAGIC) and _MARK in head
