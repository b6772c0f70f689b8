"""What videos of different formats consist of, as far as it can be seen without decoding."""

from collections.abc import Generator
from typing import TypeAlias

Steps: TypeAlias = Generator[int, bytes, None]
"""What a format consists of: n > 0 asks for n bytes, n < 0 passes over -n bytes, and 0 says that
the video may end here."""

_PNG = b"\x89PNG\r\n\x1a\n"
_SEGMENT, _CLUSTER = b"\x18\x53\x80\x67", b"\x1f\x43\xb6\x75"
_BOXES = {b"ftyp", b"styp", b"sidx", b"moov", b"moof", b"mdat", b"mfra"}
_BOXES |= {b"free", b"skip", b"wide", b"uuid", b"meta", b"udta", b"pnot"}
_LONGEST_LINE = 4096
_CHROMA = {"420": (2, 2), "422": (2, 1), "444": (1, 1), "411": (4, 1), "440": (1, 2)}


def parts_of(head: bytes) -> Steps | None:
    """The parts of the video that begins with these bytes, None if its format is not known."""
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return _matroska()
    if head.startswith(b"YUV4MPEG2 "):
        return _yuv4mpeg()
    if head.startswith((b"GIF87a", b"GIF89a")):
        return _gif()
    if head.startswith(_PNG):
        return _png()
    if head.startswith(b"\x00\x00\x01\xba"):
        return _program()
    if head[4:8] in _BOXES:
        return _mp4()
    for length, sync in ((188, 0), (192, 4)):
        if head[sync : sync + length + 1 : length] == b"GG":
            return _packets(length)
    return None


def _mp4() -> Steps:
    """Boxes: size, kind, content; the last one may be without size."""
    while True:
        yield 0
        header = yield 8
        size, length = int.from_bytes(header[:4]), 8
        if header[4:] not in _BOXES:
            return
        if size == 1:
            size, length = int.from_bytes((yield 8)), 16
        if size < length:
            return
        if size > length:
            yield length - size


def _matroska() -> Steps:
    """Elements: a key, a size, content; of live videos neither segment nor clusters know theirs."""
    while True:
        yield 0
        first = yield 1
        length = 9 - first[0].bit_length()
        if length > 4:
            return
        key = first + ((yield length - 1) if length > 1 else b"")
        first = yield 1
        length = 9 - first[0].bit_length()
        if length > 8:
            return
        rest = (yield length - 1) if length > 1 else b""
        size = int.from_bytes(first + rest) & (1 << 7 * length) - 1
        unknown = size == (1 << 7 * length) - 1
        if unknown and key not in (_SEGMENT, _CLUSTER):
            return
        if size and not unknown:
            yield -size


def _yuv4mpeg() -> Steps:
    header = yield from _line()
    words = {word[:1]: word[1:] for word in header.split()[1:]}
    try:
        width, height = int(words["W"]), int(words["H"])
    except (KeyError, ValueError):
        return
    kind = words.get("C", "420")
    depth = 1 if kind.partition("p")[2] in ("", "aldv", "eg") else 2
    if kind.startswith("mono"):
        samples, depth = width * height, 1 + (kind != "mono")
    elif kind[:3] in _CHROMA:
        across, down = _CHROMA[kind[:3]]
        samples = width * height + 2 * (-(-width // across) * -(-height // down))
        samples += width * height * kind.endswith("alpha")
    else:
        return
    while True:
        yield 0
        if not (yield from _line()).startswith("FRAME"):
            return
        yield -samples * depth


def _line() -> Generator[int, bytes, str]:
    text = b""
    while len(text) < _LONGEST_LINE and (byte := (yield 1)) != b"\n":
        text += byte
    return text.decode("ascii", "replace")


def _gif() -> Steps:
    yield from _after_table((yield 13)[10])
    while True:
        yield 0
        kind = yield 1
        if kind == b"\x2c":
            yield from _after_table((yield 9)[8])
            yield 1
        elif kind == b"\x21":
            yield 1
        else:  # the end, or nothing that is known
            return
        while count := (yield 1)[0]:
            yield -count


def _after_table(flags: int) -> Steps:
    """Pass over a table of colors, if there is one."""
    if flags & 0x80:
        yield -3 * (2 << (flags & 7))


def _packets(length: int) -> Steps:
    while True:
        yield 0
        yield -length


def _png() -> Steps:
    """Chunks: size, kind, content, checksum; the last one is called IEND."""
    yield len(_PNG)
    while True:
        header = yield 8
        yield -int.from_bytes(header[:4]) - 4
        if header[4:] == b"IEND":
            return


def _program() -> Steps:
    """MPEG program stream: packs, and packets that say how long they are."""
    while True:
        yield 0
        code = yield 4
        if code[:3] != b"\x00\x00\x01" or code[3] < 0xBA:  # the end, or nothing that is known
            return
        if code[3] == 0xBA:
            first = (yield 1)[0]
            if first >> 6 != 1:  # MPEG-1
                yield -7
            elif stuffing := (yield 9)[8] & 7:
                yield -stuffing
        elif size := int.from_bytes((yield 2)):
            yield -size
