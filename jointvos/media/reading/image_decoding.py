"""One image of a sequence, whatever its kind, as 8-bit RGB and in full depth.

What is shown, and seen by the network, of

* OpenEXR: linear light as sRGB: primaries converted to Rec. 709, cut off at 0 and 1, sRGB curve;
* DPX: its codes as they are, which suits images that were made for a display; those that say they
  are logarithmic look flat, and there is a notice;
* JPEG 2000 of digital cinema (X'Y'Z'): converted by the codec library;
* all others: what the file says.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import av
import av.error
import numpy as np
from av import VideoFrame
from av.video.codeccontext import VideoCodecContext
from PIL import Image as PillowImage
from PIL.ExifTags import Base as Tag

from jointvos.color import REC_709, Values, between, convert, to_display
from jointvos.errors import MediaDecodeError, UnsupportedMediaError
from jointvos.files.exr import ExrHeader, at_origin, read_exr_header
from jointvos.files.images import IMAGE_ERRORS, image_reason, open_image, upright
from jointvos.files.orientation import Orientation
from jointvos.files.tiff import MAGIC as TIFF
from jointvos.files.tiff import plain_tiff, read_tiff_header
from jointvos.media.reading.containers import AV_ERRORS, MAX_PIXELS
from jointvos.media.reading.frame_pixels import bits_of, codes_in_8_bit, codes_of
from jointvos.types import DeepImage, Image

_CODECS = {".exr": "exr", ".dpx": "dpx"} | dict.fromkeys(
    (".jp2", ".j2k", ".j2c", ".jpc", ".jpx"), "jpeg2000"
)
_PLUGINS = {".jxl": ("pillow_jxl", "JPEG XL", "pillow-jxl-plugin")} | dict.fromkeys(
    (".heic", ".heif", ".hif"), ("pillow_heif", "HEIC", "pillow-heif")
)
_PNG, _PNG_BITS = b"\x89PNG\r\n\x1a\n", 24
_HALF_MAX = 65504.0  # instead of infinity
_LARGEST = 1 << 30  # bytes; 100 million pixels of half floats are less


@dataclass(frozen=True)
class Decoded:
    """An image.

    Attributes:
        image: RGB, uint8 [H,W,3], as it is shown.
        deep: The same in full depth, None where that is 8 bit.
    """

    image: Image
    deep: DeepImage | None = None


def read_image(path: Path) -> Decoded:
    """Decode an image.

    Raises:
        MediaDecodeError: It is damaged, cut off, too large, or not of the kind its name says.
        UnsupportedMediaError: There is no decoder for its kind.
    """
    try:
        return _decoder_of(path)(path)
    except (*AV_ERRORS, *IMAGE_ERRORS, RuntimeError) as error:
        if isinstance(error, UnsupportedMediaError):
            raise
        raise MediaDecodeError(f"{path} cannot be decoded: {image_reason(error)}") from error


def _decoder_of(path: Path) -> Callable[[Path], Decoded]:
    if path.suffix.lower() in _CODECS:
        return _through_codec
    with path.open("rb") as file:
        head = file.read(_PNG_BITS + 1)
    if head.startswith(_PNG) and head[_PNG_BITS:] == b"\x10":
        return _of_png
    return _of_tiff if head.startswith(TIFF) else _through_pillow


def deep_reader(path: Path) -> Callable[[], DeepImage]:
    """What decodes an image in full depth once more when it is asked for."""

    def read() -> DeepImage:
        deep = read_image(path).deep
        assert deep is not None
        return deep

    return read


def _through_pillow(path: Path) -> Decoded:
    extra: tuple[str, ...] = ()
    suffix = path.suffix.lower()
    if suffix in _PLUGINS:
        module, kind, package = _PLUGINS[suffix]
        try:
            plugin = importlib.import_module(module)
        except ImportError:
            raise UnsupportedMediaError(
                f"{path}: reading {kind} needs another package; pip install {package}"
            ) from None
        if module == "pillow_heif":
            plugin.register_heif_opener()
        extra = ("HEIF", "AVIF", "JXL")
    elif suffix == ".avif":
        extra = ("AVIF",)
    elif suffix == ".tga":  # has no signature, so any file could be taken for one
        extra = ("TGA",)
    with open_image(path, extra) as picture:
        return Decoded(_to_rgb(upright(picture)))


def _to_rgb(picture: PillowImage.Image) -> Image:
    """RGB, uint8 [H,W,3]; alpha is dropped as in videos, 16 bits are scaled to 8."""
    if picture.mode.startswith("I"):
        gray = np.clip(np.rint(np.asarray(picture) / 257), 0, 255).astype(np.uint8)
        return np.repeat(gray[:, :, None], 3, axis=2)
    return np.array(picture.convert("RGB"))


def _of_png(path: Path) -> Decoded:
    with open_image(path) as picture:
        exif = PillowImage.Image.getexif(picture)  # that of PNG files may decode the image
    return _of_codes(
        _decode("png", _content(path)), Orientation.from_exif(exif.get(Tag.Orientation))
    )


def _of_tiff(path: Path) -> Decoded:
    with path.open("rb") as file:
        header = read_tiff_header(file)
    header.check()
    if not header.for_codec:
        return _through_pillow(path)
    frame = _decode("tiff", plain_tiff(_content(path), header))
    orientation = Orientation.from_exif(header.first_of(Tag.Orientation, 1))
    return _of_codes(frame, orientation, associated=header.is_associated)


def _content(path: Path) -> bytes:
    if path.stat().st_size > _LARGEST:
        raise ValueError(f"it has more than {_LARGEST >> 20} MiB")
    return path.read_bytes()


def _through_codec(path: Path) -> Decoded:
    content = _content(path)
    codec = _CODECS[path.suffix.lower()]
    if codec != "exr":
        return _of_codes(_decode(codec, content), Orientation())
    header = read_exr_header(content)
    frame = _decode(codec, at_origin(content, header), layer=header.layer())
    linear = _linear(frame, header)
    shown = np.rint(to_display(linear) * np.float32(255)).astype(np.uint8)
    return Decoded(shown, linear)


def _decode(codec: str, content: bytes, **options: str) -> VideoFrame:
    context = av.CodecContext.create(codec, "r")
    assert isinstance(context, VideoCodecContext)
    context.options = {"max_pixels": str(MAX_PIXELS), "err_detect": "explode", **options}
    context.thread_count = 1
    try:
        frames = [*context.decode(av.Packet(content)), *context.decode(None)]
    except (av.error.InvalidDataError, av.error.ExternalError, av.error.UnknownError) as error:
        raise ValueError("it is damaged or cut off") from error
    if not frames:
        raise ValueError("it contains no image")
    return frames[0]


def _linear(frame: VideoFrame, header: ExrHeader) -> Values:
    """Linear light in Rec. 709, float32 [H,W,3]; what is no number is 0."""
    name = frame.format.name
    if "f16" not in name and "f32" not in name:
        raise ValueError("its pixels are whole numbers, expected half or float")
    kind = np.dtype("<f2" if "f16" in name else "<f4")
    planes = [
        np.frombuffer(bytes(plane), kind).reshape(plane.height, -1)[:, : plane.width]
        for plane in frame.planes
    ]
    order = (2, 0, 1) if len(planes) >= 3 else (0, 0, 0)  # G, B, R and alpha, or gray and alpha
    linear = np.stack([planes[i] for i in order], axis=-1).astype(np.float32)
    np.nan_to_num(linear, copy=False, nan=0.0, posinf=_HALF_MAX, neginf=-_HALF_MAX)
    if header.primaries is not None and not np.allclose(header.primaries, REC_709, atol=1e-3):
        linear = convert(linear, between(header.primaries, REC_709))
    return linear


def _of_codes(frame: VideoFrame, orientation: Orientation, *, associated: bool = False) -> Decoded:
    if bits_of(frame) <= 8:
        return Decoded(np.asarray(frame.to_ndarray(format="rgb24"), dtype=np.uint8))
    deep = codes_of(frame)
    if associated:
        alpha = frame.to_ndarray(format="rgba64le")[..., 3:].astype(np.float32)
        straight = np.divide(deep, alpha / 65535, out=deep.astype(np.float32), where=alpha > 0)
        deep = np.rint(np.minimum(straight, 65535)).astype(np.uint16)
    deep = orientation.upright(deep)
    return Decoded(codes_in_8_bit(deep), deep)
