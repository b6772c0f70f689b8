"""Images of frames in the depth of their source."""

import numpy as np
from numpy.typing import NDArray

from jointvos.color import (
    REC_709,
    REC_2020,
    WHITE_NITS,
    Values,
    between,
    convert,
    from_display,
    nits_of_hlg,
    nits_of_pq,
    to_display,
)
from jointvos.types import Frame, Hdr

_WHITE = np.float32(65535)


def codes_16(frame: Frame) -> NDArray[np.uint16]:
    """A frame as codes of 16 bit, [Hv,Wv,3]: HDR as it is, linear light as it is shown."""
    if frame.deep is None:
        return frame.image.astype(np.uint16) * 257
    deep = frame.deep()
    if deep.dtype == np.uint16:
        return np.asarray(deep, dtype=np.uint16)
    shown = to_display(np.asarray(deep, dtype=np.float32))
    return np.asarray(np.rint(shown * _WHITE), dtype=np.uint16)


def linear_light(frame: Frame, hdr: Hdr | None) -> Values:
    """A frame in linear light, Rec. 709, float32 [Hv,Wv,3]; 1.0 is white, 203 nits in HDR."""
    deep = None if frame.deep is None else frame.deep()
    if deep is not None and deep.dtype == np.float32:
        return deep.astype(np.float32, copy=False)
    codes = (frame.image / np.float32(255) if deep is None else deep / _WHITE).astype(np.float32)
    if deep is None or hdr is None:
        return from_display(codes)
    nits = nits_of_pq(codes) if hdr == "pq" else nits_of_hlg(codes)
    return convert(nits / np.float32(WHITE_NITS), between(REC_2020, REC_709))
