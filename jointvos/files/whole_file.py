"""Writing files that are never seen half, and names that every file system takes."""

import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from jointvos.errors import OutputError, os_errors_as


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A hidden name beside `path` to write a file under; it becomes `path` when the block ends.

    Until then, and for good where the block fails, what `path` held stays. The name is another one
    each time, so that threads and machines on one disk never write into the same file; and the file
    is on the disk before it is renamed, so that a power cut leaves the old one or the new one.

    Raises:
        OutputError: It cannot be written.
    """
    partial = hidden_beside(path, f".{secrets.token_hex(8)}.partial")
    try:
        with os_errors_as(OutputError, f"{path} cannot be written"):
            yield partial
            with partial.open("rb+") as file:
                os.fsync(file.fileno())
            partial.replace(path)
    finally:
        # Gone already after success; where it never came to be, this fails as well.
        with suppress(OSError):
            partial.unlink()


def remove_partials(folder: Path, name: str = "*") -> None:
    """Remove what killed processes left of files they were writing; nobody else may write them.

    Args:
        folder: Where the files are.
        name: That of the files, which may be a pattern.

    Raises:
        OutputError: One cannot be removed.
    """
    with os_errors_as(OutputError):
        for path in folder.glob(f".{name}.{'[0-9a-f]' * 16}.partial"):
            path.unlink(missing_ok=True)


def remove(path: Path) -> None:
    """Remove a file, or a folder with everything in it, if it exists."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


LONGEST_NAME = 255
"""Bytes of a file's name that usual file systems take."""

_LONGEST_HIDDEN = 139  # encrypted folders take 143, and a name may come to end in ".old"


def hidden_beside(path: Path, ending: str) -> Path:
    """`.NAME` and an ending, beside `path`: the same each time, and never too long."""
    return path.with_name(shortened(f".{path.name}", ending, _LONGEST_HIDDEN))


def shortened(name: str, ending: str, longest: int = LONGEST_NAME) -> str:
    """A name with its ending in at most so many bytes.

    What is cut off the name is replaced by a hash of it, so that different names stay different.
    """
    room = longest - len(os.fsencode(ending))
    encoded = os.fsencode(name)
    if len(encoded) <= room:
        return name + ending
    mark = "~" + hashlib.sha256(encoded).hexdigest()[:8]
    # Not in the middle of a character.
    return encoded[: room - len(mark)].decode(errors="ignore") + mark + ending
