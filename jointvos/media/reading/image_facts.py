"""What an image says of the sequence that it is of."""

import logging
import struct
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from jointvos.files.exr import read_exr_header
from jointvos.files.tiff import MAGIC as TIFF
from jointvos.files.tiff import read_tiff_header

_log = logging.getLogger("jointvos.media")

_FASTEST = 1000
_DPX_HEADER, _DPX_TIMECODE, _DPX_RATES = 1944, 1920, (1940, 1724)  # television, film
_DPX_PIXEL = 1628
_DPX_TRANSFER, _LOGARITHMIC = 801, {1: "printing density", 3: "logarithmic"}


@dataclass(frozen=True)
class Facts:
    """What an image may say of its sequence.

    Attributes:
        frame_rate: Frames per second, None if it does not say.
        timecode: hh:mm:ss:ff or hh:mm:ss;ff of the image, None if it does not say.
        pixel_aspect: Width of a pixel divided by its height.
    """

    frame_rate: Fraction | None = None
    timecode: str | None = None
    pixel_aspect: Fraction = Fraction(1)


def read_facts(path: Path) -> Facts:
    """Read the header of an image that was decoded; what may not be expected is told."""
    if path.suffix.lower() == ".exr":
        _log.info("%s: showing linear light as sRGB; values above 1 become white", path.name)
        header = read_exr_header(path.read_bytes())
        return Facts(_usual(header.rate), header.timecode, _shape(header.pixel_aspect))
    with path.open("rb") as file:
        head = file.read(_DPX_HEADER)
        if path.suffix.lower() == ".dpx":
            return _of_dpx(path.name, head)
        if head.startswith(TIFF):
            file.seek(0)
            tiff = read_tiff_header(file)
            if tiff.is_16_bit and not tiff.for_codec:
                _log.warning(
                    "%s: only 8 of its 16 bits are used; to keep all, save it as RGB in strips, "
                    "uncompressed or with LZW",
                    path.name,
                )
    return Facts()


def _of_dpx(name: str, head: bytes) -> Facts:
    if kind := _LOGARITHMIC.get(head[_DPX_TRANSFER]):
        _log.warning("%s is tagged %s; used as it is, so it looks flat", name, kind)
    if len(head) < _DPX_HEADER:
        return Facts()
    order = ">" if head.startswith(b"SDPX") else "<"
    (digits,) = struct.unpack_from(f"{order}I", head, _DPX_TIMECODE)
    text = f"{digits:08x}"  # two digits each of hours, minutes, seconds and frames
    rates = (struct.unpack_from(f"{order}f", head, at)[0] for at in _DPX_RATES)
    rate = next((rate for rate in map(_of_float, rates) if rate is not None), None)
    timecode = ":".join(text[i : i + 2] for i in range(0, 8, 2)) if text.isdecimal() else None
    across, down = struct.unpack_from(f"{order}2I", head, _DPX_PIXEL)
    return Facts(rate, timecode, _shape(across / (down or 1)))


def _of_float(rate: float) -> Fraction | None:
    """25 for 25.0, 24000/1001 for 23.976."""
    if not 1 <= rate <= _FASTEST:  # 0, infinite or no number where nothing is said
        return None
    whole = round(rate)
    return Fraction(whole) if abs(rate - whole) < 0.005 else Fraction(whole * 1000, 1001)


def _usual(rate: Fraction | None) -> Fraction | None:
    return rate if rate is not None and 1 <= rate <= _FASTEST else None


def _shape(aspect: float) -> Fraction:
    """59/54 for 1.0926; 1 for what no pixel is like, as 0 where nothing is said."""
    if not 0.1 <= aspect <= 10:  # nor no number
        return Fraction(1)
    return Fraction(aspect).limit_denominator(1000)
