"""A folder that may be given as a zip file."""

import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath, PureWindowsPath
from zipfile import BadZipFile, ZipFile, ZipInfo

from jointvos.errors import DatasetError

SMALL = 64 * 2**20
MOST_PACKED = 100
"""Images are packed already; a zip that grows more than so many times is a trap."""


@contextmanager
def as_folder(path: Path) -> Iterator[Path]:
    """The folder itself, or a temporary one with the content of a zip file.

    If the zip holds nothing but one folder, it is that, unless it is a split with its meta.json.

    Raises:
        DatasetError: The zip is damaged, or a file in it would be written elsewhere.
    """
    if path.suffix.lower() != ".zip" or not path.is_file():
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="jointvos-") as folder:
        unpacked = Path(folder)
        _unpack(path, unpacked)
        entries = [entry for entry in unpacked.iterdir() if entry.name != "__MACOSX"]
        alone = len(entries) == 1 and entries[0].is_dir()
        yield entries[0] if alone and not (entries[0] / "meta.json").exists() else unpacked


def _unpack(path: Path, folder: Path) -> None:
    try:
        with ZipFile(path) as archive:
            members = archive.infolist()
            for member in members:
                _check_member(member, path)
            size = sum(member.file_size for member in members)
            if size > max(SMALL, MOST_PACKED * path.stat().st_size):
                raise DatasetError(
                    f"{path} would unpack to {size / 2**20:.0f} MiB, more than {MOST_PACKED} times "
                    "its size: expected images; unpack it by hand if it is what you want"
                )
            archive.extractall(folder)
    except (BadZipFile, OSError, NotImplementedError, RuntimeError) as error:
        raise DatasetError(f"{path} cannot be unpacked ({error}): download it again") from error


def _check_member(member: ZipInfo, path: Path) -> None:
    name = PurePosixPath(member.filename.replace("\\", "/"))
    leaves = name.is_absolute() or ".." in name.parts or PureWindowsPath(member.filename).drive
    if leaves or stat.S_ISLNK(member.external_attr >> 16):
        raise DatasetError(
            f"{path} holds {member.filename!r}, which would be written outside of its folder: "
            "nothing was unpacked; fetch the data set from a source that you trust"
        )
