"""Timecode as Sony's cameras note it in MP4 files: XML (NonRealTimeMeta) in a box of its own."""

import re
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

from jointvos.media.writing.timecode import Timecode

_LARGEST = 1 << 20
_TABLE = re.compile(r"<LtcChangeTable\b[^>]*>")
_CHANGE = re.compile(r"<LtcChange\b[^>]*>")
_ATTRIBUTE = re.compile(r"""(\w+)\s*=\s*["']([^"']*)["']""")
_BCD = re.compile(r"[0-9A-Fa-f]{8}")
_DROP = 0x40


def sony_timecode(path: Path, rate: Fraction) -> Timecode | None:
    """The timecode of a video's first frame, None if the file has no such note.

    At 50 and 60 frames a second Sony counts pairs of frames.
    """
    xml = _xml_of(path)
    table, change = _TABLE.search(xml), _CHANGE.search(xml)
    if table is None or change is None:
        return None
    per_second = dict(_ATTRIBUTE.findall(table[0])).get("tcFps", "")
    noted = dict(_ATTRIBUTE.findall(change[0]))
    value = noted.get("value", "")
    if noted.get("frameCount") != "0" or not per_second.isdecimal() or not _BCD.fullmatch(value):
        return None
    frames, seconds, minutes, hours = bytes.fromhex(value)  # of two decimal digits each
    sign = ";" if frames & _DROP else ":"
    number = _digits(frames & 0x3F)
    if round(rate) == 2 * int(per_second):
        number *= 2
    text = f"{_digits(hours & 0x3F):02}:{_digits(minutes & 0x7F):02}"
    return Timecode.parse(f"{text}:{_digits(seconds & 0x7F):02}{sign}{number:02}", rate)


def _digits(pair: int) -> int:
    return 10 * (pair >> 4) + (pair & 15)


def _xml_of(path: Path) -> str:
    with suppress(OSError), path.open("rb") as file:
        for place in (_boxes(file, 0, path.stat().st_size), _in_moov(file, path)):
            for kind, start, end in place:
                if kind != b"meta" or end - start > _LARGEST:
                    continue
                for inner, first, last in _boxes(file, start + 4, end):
                    if inner == b"xml ":
                        file.seek(first + 4)
                        return file.read(last - first - 4).decode(errors="replace")
    return ""


def _in_moov(file: BinaryIO, path: Path) -> Iterator[tuple[bytes, int, int]]:
    for kind, start, end in _boxes(file, 0, path.stat().st_size):
        if kind == b"moov":
            yield from _boxes(file, start, end)


def _boxes(file: BinaryIO, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Boxes of an MP4 file from one place to another: kind, and where the content is."""
    while at + 8 <= end:
        file.seek(at)
        header = file.read(16)
        size, start = int.from_bytes(header[:4]), at + 8
        if size == 1:
            size, start = int.from_bytes(header[8:16]), at + 16
        size = size or end - at
        if size < start - at or at + size > end:
            return
        yield header[4:8], start, at + size
        at += size
