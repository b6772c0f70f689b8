"""Images that post houses work in, written by their definitions, not by the codec library."""

import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np


def _attribute(name: str, kind: str, value: bytes) -> bytes:
    return f"{name}\0{kind}\0".encode() + struct.pack("<i", len(value)) + value


def write_exr(
    path: Path,
    pixels: np.ndarray,
    channels: Sequence[str] = ("R", "G", "B"),
    *,
    display: tuple[int, int, int, int] | None = None,
    data_at: tuple[int, int] = (0, 0),
    primaries: Sequence[float] | None = None,
    rate: tuple[int, int] | None = None,
    timecode: int | None = None,
    aspect: float = 1,
    parts: bool = False,
) -> None:
    """OpenEXR, uncompressed, float32, float16 or uint32 [H,W,C]; windows: x, y, width, height.

    Those that may have parts have one.
    """
    height, width, _ = pixels.shape
    x, y = data_at
    left, top, columns, rows = display or (0, 0, width, height)
    kind = {np.dtype("u4"): 0, np.dtype("f2"): 1, np.dtype("f4"): 2}[pixels.dtype]
    order = sorted(range(len(channels)), key=lambda i: channels[i])
    listing = b"".join(
        channels[i].encode() + b"\0" + struct.pack("<i4x2i", kind, 1, 1) for i in order
    )
    head = b"\x76\x2f\x31\x01" + struct.pack("<i", 2 | 0x1000 * parts)
    head += _attribute("channels", "chlist", listing + b"\0")
    head += _attribute("compression", "compression", b"\0")
    head += _attribute(
        "dataWindow", "box2i", struct.pack("<4i", x, y, x + width - 1, y + height - 1)
    )
    window = struct.pack("<4i", left, top, left + columns - 1, top + rows - 1)
    head += _attribute("displayWindow", "box2i", window)
    head += _attribute("lineOrder", "lineOrder", b"\0")
    head += _attribute("pixelAspectRatio", "float", struct.pack("<f", aspect))
    head += _attribute("screenWindowCenter", "v2f", struct.pack("<2f", 0, 0))
    head += _attribute("screenWindowWidth", "float", struct.pack("<f", 1))
    if primaries is not None:
        head += _attribute("chromaticities", "chromaticities", struct.pack("<8f", *primaries))
    if rate is not None:
        head += _attribute("framesPerSecond", "rational", struct.pack("<iI", *rate))
    if timecode is not None:
        head += _attribute("timeCode", "timecode", struct.pack("<2I", timecode, 0))
    head += b"\0\0" if parts else b"\0"
    lines = []
    for row in range(height):
        values = b"".join(np.ascontiguousarray(pixels[row, :, i]).tobytes() for i in order)
        lines.append(bytes(4 * parts) + struct.pack("<2i", y + row, len(values)) + values)
    starts = np.cumsum([len(head) + 8 * height, *(len(line) for line in lines[:-1])])
    path.write_bytes(head + starts.astype("<u8").tobytes() + b"".join(lines))


def write_dpx(
    path: Path,
    codes: np.ndarray,
    bits: int,
    transfer: int = 6,
    rate: float = float("nan"),
    timecode: int = 0xFFFFFFFF,
    aspect: tuple[int, int] = (0xFFFFFFFF, 0xFFFFFFFF),
) -> None:
    """DPX, big-endian RGB [H,W,3]: 10 bit (filled, method A), or 12 or 16 bit in words."""
    height, width, _ = codes.shape
    head = bytearray(2048)
    struct.pack_into(">4sI8sI", head, 0, b"SDPX", 2048, b"V1.0", 0)
    struct.pack_into(">2H2I", head, 768, 0, 1, width, height)
    struct.pack_into(">4BHH", head, 800, 50, transfer, 6, bits, 0 if bits == 16 else 1, 0)
    struct.pack_into(">I", head, 808, 2048)
    struct.pack_into(">2I", head, 1628, *aspect)
    struct.pack_into(">f", head, 1724, rate)
    struct.pack_into(">I", head, 1920, timecode)
    values = codes.astype(np.uint32)
    if bits == 10:
        words = values[..., 0] << 22 | values[..., 1] << 12 | values[..., 2] << 2
        data = words.astype(">u4").tobytes()
    else:
        data = (values << (16 - bits)).astype(">u2").tobytes()
    struct.pack_into(">I", head, 16, len(head) + len(data))
    path.write_bytes(bytes(head) + data)


def write_tiff(
    path: Path,
    pixels: np.ndarray,
    *,
    planar: bool = False,
    order: str = "<",
    deflated: bool = False,
    rows: int = 20,
    tiled: bool = False,
    extra: int | None = None,
    orientation: int = 1,
) -> None:
    """TIFF, gray [H,W] or [H,W,C], in strips of some rows or, if sides fit, in one tile."""
    height, width = pixels.shape[:2]
    planes = pixels.reshape(height, width, -1)
    samples = planes.shape[2]
    parts = np.split(planes, samples, axis=2) if planar else [planes]
    step = height if tiled else rows
    kind = pixels.dtype.newbyteorder(order)
    chunks = [p[y : y + step].astype(kind).tobytes() for p in parts for y in range(0, height, step)]
    if deflated:
        chunks = [zlib.compress(chunk) for chunk in chunks]
    starts = np.cumsum([8, *map(len, chunks)]).tolist()
    tags: dict[int, Sequence[int]] = {
        256: [width],
        257: [height],
        258: [pixels.itemsize * 8] * samples,
        259: [8 if deflated else 1],
        262: [2 if samples > 2 else 1],
        274: [orientation],
        277: [samples],
        284: [2 if planar else 1],
        296: [2],
        339: [3 if pixels.dtype.kind == "f" else 1] * samples,
    }
    if extra is not None:
        tags[338] = [extra]
    sizes = [len(chunk) for chunk in chunks]
    tags |= (
        {322: [width], 323: [height], 324: starts[:-1], 325: sizes}
        if tiled
        else {273: starts[:-1], 278: [rows], 279: sizes}
    )
    entries, behind, end = b"", b"", starts[-1] + 6 + 12 * len(tags)
    for tag, values in sorted(tags.items()):
        packed = struct.pack(f"{order}{len(values)}I", *values)
        if len(values) > 1:
            packed, behind = struct.pack(f"{order}I", end + len(behind)), behind + packed
        entries += struct.pack(f"{order}2HI", tag, 4, len(values)) + packed
    head = struct.pack(f"{order}2sHI", b"II" if order == "<" else b"MM", 42, starts[-1])
    count = struct.pack(f"{order}H", len(tags))
    path.write_bytes(head + b"".join(chunks) + count + entries + bytes(4) + behind)
