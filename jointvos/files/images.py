"""Opening images safely; the one place that knows what Pillow raises."""

import re
import struct
import warnings
import zlib
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import IO

from PIL import Image as PillowImage
from PIL import ImageOps, UnidentifiedImageError

from jointvos.errors import MediaOpenError, UnsupportedMediaError, os_errors_as, reason

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
VIDEOS = (".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mts", ".mxf", ".webm")
_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF")

# Pillow itself only warns of images between 89 and 179 million pixels.
warnings.simplefilter("error", PillowImage.DecompressionBombWarning)
# It also warns of tags that are cut off before it fails, or reads the image all the same.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.TiffImagePlugin")


def open_image(path: Path | IO[bytes], extra: Sequence[str] = ()) -> PillowImage.Image:
    """Read the header of an image, by content rather than by suffix.

    Args:
        path: The file.
        extra: Kinds that are read besides the usual ones, as Pillow calls them.

    Raises:
        IMAGE_ERRORS: It cannot be read.
    """
    return PillowImage.open(path, formats=(*_FORMATS, *extra))


def upright(image: PillowImage.Image) -> PillowImage.Image:
    """Decode an image and turn it as its EXIF orientation says."""
    return ImageOps.exif_transpose(image)


def page_count(image: PillowImage.Image) -> int:
    """How many images a file holds: more than one in TIFF stacks and animations."""
    return int(getattr(image, "n_frames", 1))


def image_reason(error: BaseException) -> str:
    """What went wrong, in a few words."""
    if isinstance(error, UnidentifiedImageError):
        return "not an image of a known kind"
    if isinstance(error, PillowImage.DecompressionBombError | PillowImage.DecompressionBombWarning):
        return "it claims more than 89 million pixels"
    return reason(error)


def images_in(folder: Path, suffixes: Collection[str] = SUFFIXES) -> list[Path]:
    """The images of a folder in natural order, by their suffixes.

    Raises:
        MediaOpenError: The folder is missing or holds no images.
        UnsupportedMediaError: Two images differ only in their suffixes.
    """
    paths = in_natural_order(with_suffixes(folder, suffixes), folder)
    if not paths:
        inside = sorted(each for each in folder.iterdir() if each.is_dir())
        if found := next((each for each in inside if with_suffixes(each, suffixes)), None):
            raise MediaOpenError(f"{folder} holds no images, but {found} does; give that folder")
        if with_suffixes(folder, VIDEOS):
            raise MediaOpenError(
                f"{folder} holds videos, expected images; give a video, or all to jointvos batch"
            )
        raise MediaOpenError(
            f"{folder} holds no images; expected files ending in {', '.join(sorted(suffixes))}"
        )
    return paths


def with_suffixes(folder: Path, suffixes: Collection[str]) -> list[Path]:
    """The files of a folder that have one of these suffixes and are not hidden.

    Raises:
        MediaOpenError: The folder is missing.
    """
    with os_errors_as(MediaOpenError, str(folder)):
        return [
            path
            for path in folder.iterdir()
            if path.suffix.lower() in suffixes and not path.name.startswith(".")
        ]


def in_natural_order(paths: Iterable[Path], folder: Path) -> list[Path]:
    """Files of a folder as people order them, 2.png before 10.png.

    Raises:
        UnsupportedMediaError: Two differ only in their suffixes.
    """
    ordered = sorted(paths, key=by_name)
    by_stem: dict[str, Path] = {}
    for path in ordered:
        if path.stem in by_stem:
            raise UnsupportedMediaError(
                f"{folder} holds both {by_stem[path.stem].name} and {path.name}; masks are named "
                f"after the stems, so keep one of them or give a pattern, '{folder}/*{path.suffix}'"
            )
        by_stem[path.stem] = path
    return ordered


def by_name(path: Path) -> tuple[list[tuple[int, str]], str]:
    """Sort key for files, 2.png before 10.png."""
    return natural(path.stem), path.name


def natural(text: str) -> list[tuple[int, str]]:
    """Sort key that compares runs of digits as numbers."""
    parts = re.split(r"([0-9]+)", text)
    return [(int(part), "") if i % 2 else (0, part) for i, part in enumerate(parts)]
