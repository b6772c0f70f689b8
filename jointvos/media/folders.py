"""Outputs that are a folder of pictures, which is never mixed with anybody else's files."""

import os
import shutil
import struct
import zlib
from abc import abstractmethod
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from jointvos.errors import EncodeError, OutputError, OutputExists
from jointvos.media.png_mark import is_marked, mark
from jointvos.media.sinks import StagedSink
from jointvos.types import Frame, FrameResult


class StagedFolder(StagedSink):
    """A sink that makes a folder of PNG files, or of folders of them."""

    def __init__(
        self, directory: Path, *, overwrite: bool = False, source: Path | None = None
    ) -> None:
        """Check that the folder can be written; see `StagedSink`.

        With `overwrite` the whole folder is replaced, but only if jointvos has written all of it.
        """
        super().__init__(Path(os.path.realpath(directory)), overwrite=overwrite, source=source)

    def write(self, frame: Frame, result: FrameResult) -> None:
        """Add the files of one frame.

        Raises:
            EncodeError: They cannot be stored.
        """
        if not self._wrote:
            self._make(self._staging)
            self._wrote = True
        self._write(self._staging, frame, result)

    def abort(self) -> None:
        """Leave nothing behind; does nothing after `commit`."""
        shutil.rmtree(self._staging, ignore_errors=True)

    @abstractmethod
    def _write(self, folder: Path, frame: Frame, result: FrameResult) -> None: ...

    def _object_folder(self, object_id: int) -> Path:
        """A folder for one object's pictures."""
        folder = self._staging / str(object_id)
        if not folder.is_dir():
            self._make(folder)
        return folder

    def _make(self, folder: Path) -> None:
        try:
            folder.mkdir()
        except OSError as error:
            raise EncodeError(f"{self.path} cannot be made: {error.strerror}") from error

    def _complete(self) -> None:
        """Every file is complete when it is written."""

    def _put_in_place(self) -> None:
        if not self.path.exists():
            self._staging.rename(self.path)
            return
        old = self._staging.with_name(self._staging.name + ".old")
        self.path.rename(old)
        try:
            self._staging.rename(self.path)
        except OSError:
            old.rename(self.path)
            raise
        shutil.rmtree(old)

    def _refuse_existing(self) -> None:
        if not self.path.exists():
            return
        if not self.path.is_dir():
            raise OutputError(f"{self.path} is a file, expected the name of a folder")
        entries = sorted(self.path.iterdir())
        foreign = next((entry for entry in entries if not _is_ours(entry)), None)
        if foreign is not None:  # no OutputExists, for permission to overwrite would not help
            raise OutputError(
                f"{self.path} holds {foreign.name}, which jointvos did not write; "
                "choose another folder or move it away"
            )
        if entries and not self._overwrite:
            raise OutputExists(
                f"{self.path} exists and is not empty; choose another name or allow overwriting"
            )


def write_png(
    path: Path,
    pixels: NDArray[np.uint8] | NDArray[np.uint16],
    offset: tuple[int, int] | None = None,
) -> None:
    """Write grey (8 or 16 bit), RGB or RGBA (8 bit) as a PNG that says who wrote it.

    Args:
        path: The file.
        pixels: [H,W], [H,W,3] or [H,W,4].
        offset: Where in a larger picture it belongs, x and y; for editors that place layers.

    Raises:
        EncodeError: The file cannot be written.
    """
    data = BytesIO()
    PillowImage.fromarray(pixels).save(data, "PNG", compress_level=1, pnginfo=mark())
    content = data.getvalue()
    if offset is not None:  # Pillow writes no such chunk; it may stand right behind the header
        content = (
            content[:_HEADER] + _chunk(b"oFFs", struct.pack(">iiB", *offset, 0)) + content[_HEADER:]
        )
    try:
        path.write_bytes(content)
    except OSError as error:
        raise EncodeError(f"{path} cannot be written: {error.strerror or error}") from error


_HEADER = 33  # bytes of the signature and the chunk IHDR


def _chunk(kind: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)


def _is_ours(path: Path) -> bool:
    """Whether jointvos has written a PNG, or all that is in the folder of an object."""
    try:
        if path.is_dir() and not path.is_symlink() and path.name.isdecimal():
            entries = list(path.iterdir())
            return bool(entries) and all(e.is_file() and is_marked(e) for e in entries)
        return path.is_file() and is_marked(path)
    except OSError:  # what cannot be read cannot be known
        return False
