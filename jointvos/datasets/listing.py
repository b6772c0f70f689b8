"""Folders of images, and names that come from files."""

import re
from pathlib import Path

from jointvos.errors import DatasetError, DatasetNotFound, os_errors_as
from jointvos.files.images import by_name

IMAGES = (".jpg", ".jpeg", ".png")
MASKS = (".png",)


def files_by_stem(folder: Path, suffixes: tuple[str, ...]) -> dict[str, Path]:
    """Files with one of the suffixes, by stem, 2 before 10; empty if there is no such folder.

    Raises:
        DatasetError: Two of them share a stem, or the folder cannot be read.
    """
    with os_errors_as(DatasetError, f"{folder} cannot be read"):
        paths = [
            path
            for path in (folder.iterdir() if folder.is_dir() else ())
            if path.suffix.lower() in suffixes and not path.name.startswith(".")
        ]
    files: dict[str, Path] = {}
    for path in sorted(paths, key=by_name):
        if path.stem in files:
            raise DatasetError(
                f"{folder} holds both {files[path.stem].name} and {path.name}: keep one of them"
            )
        files[path.stem] = path
    return files


def required_files(folder: Path, suffixes: tuple[str, ...]) -> dict[str, Path]:
    """The same, but there must be some.

    Raises:
        DatasetNotFound: There are none.
        DatasetError: Two share a stem, or the folder cannot be read.
    """
    files = files_by_stem(folder, suffixes)
    if not files:
        raise DatasetNotFound(
            f"{folder} is missing or holds no {' or '.join(suffixes)}: expected one file per frame"
        )
    return files


def check_name(name: str, source: Path) -> str:
    """The name itself, if it names a folder and leads to no other.

    Raises:
        DatasetError: It does not.
    """
    if not name or name in (".", "..") or re.search(r"[/\\:\0]", name):
        raise DatasetError(
            f"{source} names the sequence {name!r}: expected the name of a folder, not a path"
        )
    return name


def first_of(names: list[str]) -> str:
    """The first name, and how many there are besides."""
    return f"{names[0]} and {len(names) - 1} more" if len(names) > 1 else names[0]
