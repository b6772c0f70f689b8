"""From the decoded images of a video to upright RGB."""

import struct
from collections.abc import Callable

import numpy as np
from av import VideoFrame
from av.sidedata.sidedata import SideData
from av.video.reformatter import ColorRange, ColorTrc, Interpolation, VideoReformatter
from numpy.typing import NDArray

from jointvos.color import shown_as_sdr
from jointvos.files.orientation import Orientation
from jointvos.types import DeepImage, Hdr, Image, Mastering

_HDR: dict[int, Hdr] = {ColorTrc.SMPTE2084: "pq", ColorTrc.ARIB_STD_B67: "hlg"}
_DISPLAY = struct.Struct("=20i2i")  # ten fractions, and whether colors and luminance are known
_LIGHT = struct.Struct("=2I")
_SDR = (1, 1, 1)  # what HDR is shown in: Rec. 709
# Without these, swscale rounds down, so that videos come out darker by one gray level.
_EXACTLY = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT


class FramePixels:
    """All images of a video in the size, orientation and dynamic range of the first one.

    Attributes:
        orientation: How they are turned to stand upright.
        hdr: How they code HDR, if they do.
        mastering: What that was mastered for, if the first image tells.
    """

    def __init__(self, first: VideoFrame) -> None:
        """See what the first image tells."""
        self._size = (first.width, first.height)
        self._tags = (int(first.colorspace), int(first.color_primaries), int(first.color_trc))
        self._reformatter = VideoReformatter()
        self.orientation = _orientation(first)
        self.hdr = _HDR.get(first.color_trc)
        self.mastering = _mastering(first)

    @property
    def color_tags(self) -> tuple[int, int, int]:
        """Those of what `image` gives; see `VideoInfo`."""
        return self._tags if self.hdr is None else _SDR

    def image(self, picture: VideoFrame) -> Image:
        """RGB, uint8 [Hv,Wv,3]; colors by the matrix and range that the image is tagged with.

        Raises:
            AV_ERRORS: It cannot be converted.
        """
        if self.hdr is not None:
            codes = codes_of(self._resized(picture), self._reformatter)
            return self.orientation.upright(shown_as_sdr(codes, self.hdr))
        if bits_of(picture) > 8 and not _is_limited(picture):  # swscale would round up
            codes = codes_of(self._resized(picture), self._reformatter)
            return self.orientation.upright(codes_in_8_bit(codes))
        rgb = self._reformatter.reformat(
            picture, *self._size, "rgb24", interpolation=_EXACTLY, threads=1
        )
        return self.orientation.upright(np.asarray(rgb.to_ndarray(), dtype=np.uint8))

    def deep(self, picture: VideoFrame) -> Callable[[], DeepImage] | None:
        """What makes the codes of an image, where they have more than 8 bits."""
        if self.hdr is None and bits_of(picture) <= 8:
            return None
        resized = self._resized(picture)
        return lambda: self.orientation.upright(codes_of(resized))

    def _resized(self, picture: VideoFrame) -> VideoFrame:
        if (picture.width, picture.height) == self._size:
            return picture
        return picture.reformat(*self._size)


def _mastering(picture: VideoFrame) -> Mastering | None:
    """What `AVMasteringDisplayMetadata` and `AVContentLightMetadata` hold."""
    display: tuple[float, ...] | None = None
    light: tuple[int, int] | None = None
    told = picture.side_data.get("MASTERING_DISPLAY_METADATA")
    if isinstance(told, SideData) and len(content := bytes(told)) >= _DISPLAY.size:
        *numbers, has_primaries, has_luminance = _DISPLAY.unpack_from(content)
        pairs = list(zip(numbers[::2], numbers[1::2], strict=True))
        if has_primaries and has_luminance and all(bottom for _, bottom in pairs):
            *primaries, lowest, highest = (top / bottom for top, bottom in pairs)
            display = (*primaries, highest, lowest)
    told = picture.side_data.get("CONTENT_LIGHT_LEVEL")
    if isinstance(told, SideData) and len(content := bytes(told)) >= _LIGHT.size:
        most, mean = _LIGHT.unpack_from(content)
        light = (most, mean) if most or mean else None  # 0 is unknown
    return None if display is None and light is None else Mastering(display, light)


def _orientation(picture: VideoFrame) -> Orientation:
    matrix = picture.side_data.get("DISPLAYMATRIX")
    if not isinstance(matrix, SideData):
        return Orientation()
    return Orientation.from_display_matrix(bytes(matrix))


def codes_of(frame: VideoFrame, reformatter: VideoReformatter | None = None) -> NDArray[np.uint16]:
    """RGB, uint16 [H,W,3], 65535 being white; YUV by the matrix and range the frame tells."""
    bits, limited = bits_of(frame), _is_limited(frame)
    # Packed RGB of 16 bit would be quicker, but swscale makes wrong colors of YUV there.
    planar = "gbrp" if bits <= 8 else f"gbrp{10 if bits <= 10 else 12 if bits <= 12 else 16}le"
    if frame.format.name != planar and not frame.format.name.startswith("gbrap"):
        frame = (reformatter or VideoReformatter()).reformat(
            frame, format=planar, interpolation=_EXACTLY, threads=1
        )
    bits = bits_of(frame)
    # Of limited range, swscale makes 255 with zeros behind for white: 1020 of 10 bits.
    top = 255 << (bits - 8) if limited else (1 << bits) - 1
    codes = np.asarray(frame.to_ndarray())[..., :3]
    if top == 65535:
        return codes.astype(np.uint16, copy=False)
    codes = (codes.astype(np.uint32) * 65535 + top // 2) // top
    return np.minimum(codes, 65535).astype(np.uint16)


def codes_in_8_bit(codes: NDArray[np.uint16]) -> Image:
    """Codes of 16 bit, rounded to uint8."""
    return ((codes.astype(np.uint32) + 128) // 257).astype(np.uint8)


def bits_of(frame: VideoFrame) -> int:
    """Bits of a component."""
    return max(part.bits for part in frame.format.components)


def _is_limited(frame: VideoFrame) -> bool:
    """Whether white is not the highest number: in YUV unless the frame tells otherwise."""
    format = frame.format
    yuv = len(format.components) >= 3 and not format.is_rgb and not format.name.startswith("xyz")
    return yuv and frame.color_range != ColorRange.JPEG
