"""OpenEXR files: half floats, ZIP, with a note of who wrote them."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av import VideoFrame
from av.video.codeccontext import VideoCodecContext

from jointvos.color import Values
from jointvos.errors import EncodeError
from jointvos.files.exr import marked_exr
from jointvos.media.reading.containers import AV_ERRORS, reason

_HALF_MAX = 65504


def write_exr(path: Path, pixels: Values) -> None:
    """Write linear light and alpha, float32 [H,W,4], premultiplied as the format has it.

    Raises:
        EncodeError: The file cannot be written.
    """
    height, width, _ = pixels.shape
    try:
        codec = av.CodecContext.create("exr", "w")
        assert isinstance(codec, VideoCodecContext)
        codec.width, codec.height, codec.pix_fmt = width, height, "gbrapf32le"
        codec.time_base = Fraction(1)
        codec.options = {"format": "half", "compression": "zip16"}
        bounded = np.clip(pixels, -_HALF_MAX, _HALF_MAX).astype(np.float32)
        frame = VideoFrame.from_ndarray(np.ascontiguousarray(bounded), format="gbrapf32le")
        packets = [*codec.encode(frame), *codec.encode(None)]
        path.write_bytes(marked_exr(b"".join(bytes(packet) for packet in packets)))
    except AV_ERRORS as error:
        raise EncodeError(f"{path} cannot be written: {reason(error)}") from error
