"""Image sequences: a folder, or a pattern of names: f_%04d.exr, f_####.exr or f_*.exr."""

import fnmatch
import logging
import re
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from jointvos.errors import ConfigError, MediaOpenError
from jointvos.files import images as usual
from jointvos.files.images import VIDEOS, images_in, in_natural_order, with_suffixes
from jointvos.wording import plural

_log = logging.getLogger("jointvos.files")

SUFFIXES = usual.SUFFIXES | {
    *(".avif", ".heic", ".heif", ".hif", ".jxl", ".tga", ".exr", ".dpx"),
    *(".jp2", ".j2k", ".j2c", ".jpc", ".jpx"),
}
"""Endings of images that can be frames."""

_NUMBER = re.compile(r"%(0?)([0-9]*)d|(#+)")
_GLOB = re.compile(r"[*?\[]")
_LAST_NUMBER = re.compile(r".*?([0-9]+)[^0-9]*\.[^.]*")
_SHOWN = 3


def is_pattern(path: Path) -> bool:
    """Whether a path that does not exist stands for a sequence."""
    found = _NUMBER.search(path.name) or _GLOB.search(path.name)
    try:
        return found is not None and not path.exists()
    except OSError:  # such as a name that is too long
        return False


def folder_of(path: Path) -> Path:
    """The folder that the images of a folder or of a pattern lie in."""
    return path.parent if is_pattern(path) else path


def title_of(path: Path) -> str:
    """What to call what comes of a video, a folder or a pattern: "shot" for "shot_####.exr"."""
    if not is_pattern(path):
        try:
            return path.resolve().name if path.is_dir() else path.stem
        except OSError:  # such as a name that is too long; opening it tells
            return path.stem
    stem = path.name.removesuffix(path.suffix)
    title = re.sub(r"\[.*?\]|[*?]", "", _NUMBER.sub("", stem)).strip("._- ")
    return title or path.parent.resolve().name


def pattern_of(image: Path) -> Path | None:
    """The pattern of the sequence that an image seems to be of, None if it has no number."""
    found = _LAST_NUMBER.fullmatch(image.name)
    if found is None:
        return None
    start, end = found.span(1)
    return image.with_name(image.name[:start] + "#" * (end - start) + image.name[end:])


def images_of(path: Path, start_number: int | None = None) -> list[Path]:
    """The images of a folder or of a pattern, in natural order.

    Args:
        path: A folder or a pattern; wildcards stand in the last part only.
        start_number: Images with lower numbers are left out: those in place of "%04d" or "####",
            else the last digits of a name.

    Raises:
        ConfigError: The pattern has two numbers.
        MediaOpenError: There are none, or a folder holds as many videos.
        UnsupportedMediaError: Two images differ only in their suffixes.
    """
    number = _LAST_NUMBER
    if not is_pattern(path):
        images = images_in(path, SUFFIXES)
        _tell_videos(path, images)
    else:
        numbered = _NUMBER.search(path.name) is not None
        names = re.compile(_regex(path) if numbered else fnmatch.translate(path.name))
        images = _matching(path, names)
        if numbered:
            number = names
            _tell_gaps(path, [_number(image, number) for image in images])
    if start_number is None:
        return images
    wanted = [image for image in images if _number(image, number) >= start_number]
    if not wanted:
        raise MediaOpenError(
            f"{path}: no image has number {start_number} or higher; "
            f"the last one is {images[-1].name}"
        )
    return wanted


def _tell_videos(folder: Path, images: Sequence[Path]) -> None:
    """Tell of videos among the images, which then may be masks."""
    if not (videos := with_suffixes(folder, VIDEOS)):
        return
    count = f"{folder} holds {plural(len(videos), 'video')} and {plural(len(images), 'image')}"
    if len(videos) < len(images):
        _log.warning("%s; only the images are read", count)
        return
    raise MediaOpenError(
        count,
        hint="for the images give a pattern of their names, "
        f"'{folder / f'*{images[0].suffix}'}', for the videos use jointvos batch",
    )


def _number(image: Path, form: re.Pattern[str]) -> int:
    """The frame number in the name of an image, -1 if there is none."""
    found = form.fullmatch(image.name)
    return int(found[1]) if found else -1


def _matching(path: Path, names: re.Pattern[str]) -> list[Path]:
    try:
        files = with_suffixes(path.parent, SUFFIXES)
    except MediaOpenError:
        files = []
    found = [file for file in files if names.fullmatch(file.name)]
    if not found:
        raise MediaOpenError(f"{path}: no such file, and no image matches it as a pattern")
    return in_natural_order(found, path.parent)


def _regex(path: Path) -> str:
    numbers = list(_NUMBER.finditer(path.name))
    if len(numbers) > 1:
        raise ConfigError(f"{path}: expected one frame number in the pattern")
    (number,) = numbers
    width = len(number[3] or "") or int(number[2] or 1)
    digits = rf"([0-9]{{{width}}}|[1-9][0-9]{{{width},}})"
    return re.escape(path.name[: number.start()]) + digits + re.escape(path.name[number.end() :])


def _tell_gaps(path: Path, numbers: list[int]) -> None:
    first, last, there = numbers[0], numbers[-1], set(numbers)
    missing = last - first + 1 - len(numbers)
    if missing > 0:
        shown = list(islice((n for n in range(first, last) if n not in there), _SHOWN))
        more = ", ..." if missing > len(shown) else ""
        _log.warning(
            "%s: %d of its numbers from %d to %d are missing (%s%s); their frames are left out",
            *(path, missing, first, last, ", ".join(map(str, shown)), more),
        )
