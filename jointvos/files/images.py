"""Opening images safely; the one place that knows what Pillow raises."""

import re
import struct
import warnings
import zlib
from pathlib import Path
from typing import IO

from PIL import Image as PillowImage
from PIL import ImageOps, UnidentifiedImageError

from jointvos.errors import MediaOpenError, UnsupportedMediaError

IMAGE_ERRORS = (
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

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp"}
_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF")

# Pillow itself only warns of pictures between 89 and 179 million pixels.
warnings.simplefilter("error", PillowImage.DecompressionBombWarning)


def open_image(path: Path | IO[bytes]) -> PillowImage.Image:
    """Read the header of a picture, by content rather than by suffix.

    Raises:
        IMAGE_ERRORS: It cannot be read.
    """
    return PillowImage.open(path, formats=_FORMATS)


def upright(picture: PillowImage.Image) -> PillowImage.Image:
    """Decode a picture and turn it as its EXIF orientation says."""
    return ImageOps.exif_transpose(picture)


def image_reason(error: BaseException) -> str:
    """What went wrong, in a few words."""
    if isinstance(error, UnidentifiedImageError):
        return "not a picture of a known kind"
    if isinstance(error, PillowImage.DecompressionBombError | PillowImage.DecompressionBombWarning):
        return "it claims more than 89 million pixels"
    text = getattr(error, "strerror", None) or str(error)
    return text.splitlines()[0] if text else type(error).__name__


def images_in(folder: Path) -> list[Path]:
    """The pictures of a folder in natural order, by their suffixes.

    Raises:
        MediaOpenError: The folder is missing or holds no pictures.
        UnsupportedMediaError: Two pictures differ only in their suffixes.
    """
    try:
        entries = list(folder.iterdir())
    except OSError as error:
        raise MediaOpenError(f"{folder}: {error.strerror}") from None
    paths = sorted(
        (
            path
            for path in entries
            if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
        ),
        key=natural,
    )
    if not paths:
        raise MediaOpenError(
            f"{folder} holds no pictures; expected files ending in {', '.join(sorted(SUFFIXES))}"
        )
    by_stem: dict[str, Path] = {}
    for path in paths:
        if path.stem in by_stem:
            raise UnsupportedMediaError(
                f"{folder} holds both {by_stem[path.stem].name} and {path.name}; "
                "masks are named after the stems, so keep one of them"
            )
        by_stem[path.stem] = path
    return paths


def natural(path: Path) -> tuple[list[tuple[int, str]], str]:
    """Sort key that compares runs of digits as numbers."""
    parts = re.split(r"([0-9]+)", path.stem)
    return [(int(part), "") if i % 2 else (0, part) for i, part in enumerate(parts)], path.name
