"""Opening single pictures safely; the one place that knows what Pillow raises."""

import struct
import warnings
import zlib
from pathlib import Path

from PIL import Image as PillowImage
from PIL import ImageOps, UnidentifiedImageError

PICTURE_ERRORS = (
    OSError,  # missing, unreadable, truncated, of an unknown kind
    SyntaxError,
    ValueError,
    EOFError,
    OverflowError,
    MemoryError,
    struct.error,
    zlib.error,
    PillowImage.DecompressionBombError,
    PillowImage.DecompressionBombWarning,
)
"""Whatever Pillow raises for a file that is damaged or strange."""

_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF")

# Pillow itself only warns of pictures between 89 and 179 million pixels.
warnings.simplefilter("error", PillowImage.DecompressionBombWarning)


def open_picture(path: Path) -> PillowImage.Image:
    """Read the header of a picture, by content rather than by suffix.

    Raises:
        PICTURE_ERRORS: It cannot be read.
    """
    return PillowImage.open(path, formats=_FORMATS)


def upright(picture: PillowImage.Image) -> PillowImage.Image:
    """Decode a picture and turn it as its EXIF orientation says."""
    return ImageOps.exif_transpose(picture)


def picture_reason(error: BaseException) -> str:
    """What went wrong, in a few words."""
    if isinstance(error, UnidentifiedImageError):
        return "not a picture of a known kind"
    if isinstance(error, PillowImage.DecompressionBombError | PillowImage.DecompressionBombWarning):
        return "it claims more than 89 million pixels"
    text = getattr(error, "strerror", None) or str(error)
    return text.splitlines()[0] if text else type(error).__name__
