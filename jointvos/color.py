"""What the numbers of pixels mean: display, scene-linear and HDR values, and how they are shown.

Values are floats; 1.0 is white of an SDR display, of a linear image, or the highest code of HDR.
Shapes are [...,3], RGB, unless said otherwise.
"""

from collections.abc import Sequence
from functools import cache
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from jointvos.types import Frame, Hdr

Values: TypeAlias = NDArray[np.float32]

WHITE_NITS = 203.0
"""Luminance of what is white in SDR, shown in HDR (ITU-R BT.2408)."""
PEAK_NITS = 1000.0
"""What highlights are taken to reach when HDR is shown as SDR, and HLG is made for."""

REC_709 = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, 0.3127, 0.3290)
"""x and y of red, green, blue and white: those of sRGB, too."""
REC_2020 = (0.708, 0.292, 0.170, 0.797, 0.131, 0.046, 0.3127, 0.3290)

_M1, _M2 = 2610 / 16384, 2523 / 4096 * 128
_C1, _C2, _C3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
_HLG_A = 0.17883277
_HLG_B, _HLG_C = 1 - 4 * _HLG_A, 0.5 - _HLG_A * float(np.log(4 * _HLG_A))
_HLG_GAMMA = 1.2  # of a display of 1000 nits
_LUMA_2020 = np.array((0.2627, 0.6780, 0.0593), dtype=np.float32)
_BRADFORD = np.array(
    ((0.8951, 0.2664, -0.1614), (-0.7502, 1.7135, 0.0367), (0.0389, -0.0685, 1.0296))
)


def to_display(linear: Values) -> Values:
    """Linear light as sRGB shows it: cut off at 0 and 1, then the curve of IEC 61966-2-1."""
    x = np.clip(linear, 0, 1)
    return np.where(x <= 0.0031308, 12.92 * x, 1.055 * x ** np.float32(1 / 2.4) - 0.055).astype(
        np.float32
    )


def from_display(shown: Values) -> Values:
    """The linear light that `to_display` shows so."""
    x = np.clip(shown, 0, 1)
    linear: Values = np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** np.float32(2.4))
    return linear.astype(np.float32)


def between(source: Sequence[float], target: Sequence[float]) -> NDArray[np.float64]:
    """Matrix [3,3] from linear RGB of one set of primaries to another, whites adapted (Bradford).

    Args:
        source: x and y of red, green, blue and white.
        target: The same.

    Raises:
        ValueError: They are no colors.
    """
    try:
        white_source, white_target = (_xyz(*each[6:8]) for each in (source, target))
        cone = (_BRADFORD @ white_target) / (_BRADFORD @ white_source)
        adapted = np.linalg.inv(_BRADFORD) @ np.diag(cone) @ _BRADFORD
        matrix: NDArray[np.float64] = np.linalg.inv(_to_xyz(target)) @ adapted @ _to_xyz(source)
    except (np.linalg.LinAlgError, ZeroDivisionError) as error:
        raise ValueError(f"primaries {tuple(source)} make no colors") from error
    if not np.isfinite(matrix).all():
        raise ValueError(f"primaries {tuple(source)} make no colors")
    return matrix


def _xyz(x: float, y: float) -> NDArray[np.float64]:
    return np.array((x / y, 1.0, (1 - x - y) / y))


def _to_xyz(primaries: Sequence[float]) -> NDArray[np.float64]:
    columns = np.stack([_xyz(*primaries[i : i + 2]) for i in (0, 2, 4)], axis=1)
    scaled: NDArray[np.float64] = columns * np.linalg.solve(columns, _xyz(*primaries[6:8]))
    return scaled


def convert(linear: Values, matrix: NDArray[np.float64]) -> Values:
    """Linear RGB in other primaries."""
    converted: Values = (linear @ matrix.T.astype(np.float32)).astype(np.float32)
    return converted


def nits_of_pq(codes: Values) -> Values:
    """Luminance, 0 to 10000, of PQ codes, 0 to 1 (ST 2084)."""
    power = np.clip(codes, 0, 1).astype(np.float64) ** (1 / _M2)
    nits = 10000 * (np.maximum(power - _C1, 0) / (_C2 - _C3 * power)) ** (1 / _M1)
    return nits.astype(np.float32)


def pq_of_nits(nits: Values) -> Values:
    """PQ codes of luminance, the inverse of `nits_of_pq`."""
    power = np.clip(np.asarray(nits, dtype=np.float64) / 10000, 0, 1) ** _M1
    codes = ((_C1 + _C2 * power) / (1 + _C3 * power)) ** _M2
    return np.asarray(codes, dtype=np.float32)


def nits_of_hlg(codes: Values) -> Values:
    """Luminance of HLG codes on a display of 1000 nits (BT.2100: inverse OETF, then OOTF)."""
    scene = _hlg_scene(codes)
    luma = np.maximum((scene @ _LUMA_2020)[..., None], 1e-12)
    nits: Values = (PEAK_NITS * luma ** (_HLG_GAMMA - 1) * scene).astype(np.float32)
    return nits


def _hlg_scene(codes: Values) -> Values:
    x = np.clip(codes, 0, 1)
    scene = np.where(x <= 0.5, x * x / 3, (np.exp((x - _HLG_C) / _HLG_A) + _HLG_B) / 12)
    return np.asarray(scene, dtype=np.float32)


def hlg_of_nits(nits: Values) -> Values:
    """HLG codes of luminance, the inverse of `nits_of_hlg`."""
    shown = np.clip(np.asarray(nits, dtype=np.float32) / np.float32(PEAK_NITS), 0, 1)
    luma = np.maximum((shown @ _LUMA_2020)[..., None], 1e-12)
    scene = np.clip(shown * luma ** (1 / _HLG_GAMMA - 1), 0, 1)
    high = _HLG_A * np.log(np.maximum(12 * scene - _HLG_B, 1e-6)) + _HLG_C
    codes: Values = np.where(scene <= 1 / 12, np.sqrt(3 * scene), high).astype(np.float32)
    return codes


def shown_as_sdr(codes: NDArray[np.uint16], hdr: Hdr) -> NDArray[np.uint8]:
    """HDR (BT.2020), 65535 being the peak, as SDR shows it: sRGB, uint8 [H,W,3].

    Highlights are rolled off by the curve of ITU-R BT.2390 (EETF), from 1000 nits to white of 203;
    what is below about 90 nits is kept. The curve works on the largest of red, green and blue, so
    that hues stay. Then colors are converted to Rec. 709, and those outside are cut off.
    """
    light = np.take(_light(hdr), codes)  # 1 is the peak
    if hdr == "hlg":
        luma = cv2.transform(light, _LUMA_2020[None])
        light *= np.power(luma, np.float32(_HLG_GAMMA - 1)).reshape(*luma.shape[:2], 1)
    largest = light.max(axis=-1)
    gain = np.take(_gain(), _index(np.sqrt(largest))) / np.maximum(largest, 1)
    light *= gain[..., None]
    linear: Values = np.asarray(
        cv2.transform(light, between(REC_2020, REC_709).astype(np.float32)), dtype=np.float32
    )
    return np.take(_shown(), _index(linear))


def _index(values: Values) -> NDArray[np.uint16]:
    """Places in a table of 65536 entries from 0 to 1."""
    return (np.clip(values, 0, 1) * np.float32(65535) + np.float32(0.5)).astype(np.uint16)


@cache
def _light(hdr: Hdr) -> Values:
    """By code: light of the display for PQ, of the scene for HLG."""
    codes = np.linspace(0, 1, 65536, dtype=np.float32)
    return nits_of_pq(codes) / np.float32(PEAK_NITS) if hdr == "pq" else _hlg_scene(codes)


@cache
def _gain() -> Values:
    """By the square root of light: from light to what SDR shows, 1 being white."""
    light = np.linspace(1e-4, 1, 65536, dtype=np.float32) ** 2
    return _rolled_off(light * np.float32(PEAK_NITS)) / (light * np.float32(WHITE_NITS))


@cache
def _shown() -> NDArray[np.uint8]:
    linear = np.linspace(0, 1, 65536, dtype=np.float32)
    return np.rint(to_display(linear) * 255).astype(np.uint8)


def _rolled_off(nits: Values) -> Values:
    """The EETF of BT.2390 without lift of black."""
    top = pq_of_nits(np.array([PEAK_NITS], dtype=np.float32))
    limit = pq_of_nits(np.array([WHITE_NITS], dtype=np.float32)) / top
    codes = np.minimum(pq_of_nits(nits) / top, 1)
    knee = 1.5 * limit - 0.5
    t = np.maximum(codes - knee, 0) / (1 - knee)
    spline = (
        (2 * t**3 - 3 * t**2 + 1) * knee
        + (t**3 - 2 * t**2 + t) * (1 - knee)
        + (-2 * t**3 + 3 * t**2) * limit
    )
    return nits_of_pq(np.where(codes < knee, codes, spline) * top)


def sdr_in_hdr(shown: Values, hdr: Hdr) -> Values:
    """Codes of HDR (BT.2020) that look like sRGB values from 0 to 1: white is 203 nits."""
    linear = convert(from_display(shown), between(REC_709, REC_2020))
    nits = linear * np.float32(WHITE_NITS)
    return pq_of_nits(nits) if hdr == "pq" else hlg_of_nits(nits)


def codes_16(frame: Frame) -> NDArray[np.uint16]:
    """A frame as codes of 16 bit, [Hv,Wv,3]: HDR as it is, linear light as it is shown."""
    if frame.deep is None:
        return frame.image.astype(np.uint16) * 257
    deep = frame.deep()
    if deep.dtype == np.uint16:
        return np.asarray(deep, dtype=np.uint16)
    shown = to_display(np.asarray(deep, dtype=np.float32))
    return np.asarray(np.rint(shown * np.float32(65535)), dtype=np.uint16)


def linear_light(frame: Frame, hdr: Hdr | None) -> Values:
    """A frame in linear light, Rec. 709, float32 [Hv,Wv,3]; 1.0 is white, 203 nits in HDR."""
    deep = None if frame.deep is None else frame.deep()
    if deep is not None and deep.dtype == np.float32:
        return deep.astype(np.float32, copy=False)
    values, top = (frame.image, 255) if deep is None else (deep, 65535)
    codes = values.astype(np.float32) / np.float32(top)
    if deep is None or hdr is None:
        return from_display(codes)
    nits = nits_of_pq(codes) if hdr == "pq" else nits_of_hlg(codes)
    return convert(nits / np.float32(WHITE_NITS), between(REC_2020, REC_709))
