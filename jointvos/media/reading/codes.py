"""Decoded images in more than 8 bits."""

import numpy as np
from av import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray

# Without these, swscale rounds down, so that videos come out darker by one gray level.
EXACTLY = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT


def codes_of(frame: VideoFrame, reformatter: VideoReformatter | None = None) -> NDArray[np.uint16]:
    """RGB, uint16 [H,W,3], 65535 being the highest code; YUV by the matrix the frame tells."""
    bits = bits_of(frame)
    # Packed RGB of 16 bit would be quicker, but swscale makes wrong colors of YUV there.
    planar = f"gbrp{10 if bits <= 10 else 12 if bits <= 12 else 16}le"
    if frame.format.name != planar and not frame.format.name.startswith("gbrap"):
        frame = (reformatter or VideoReformatter()).reformat(
            frame, format=planar, interpolation=EXACTLY, threads=1
        )
    top = (1 << bits_of(frame)) - 1
    codes = np.asarray(frame.to_ndarray())[..., :3]
    if top == 65535:
        return codes.astype(np.uint16, copy=False)
    return ((codes.astype(np.uint32) * 65535 + top // 2) // top).astype(np.uint16)


def bits_of(frame: VideoFrame) -> int:
    """Bits of a component."""
    return max(part.bits for part in frame.format.components)
