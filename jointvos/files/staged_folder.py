"""Outputs that are a folder of images, which is never mixed with anybody else's files."""

import os
import shutil
from abc import abstractmethod
from pathlib import Path

from jointvos.errors import EncodeError, OutputError, OutputExists, os_errors_as
from jointvos.files.exr import is_marked_exr
from jointvos.files.png import is_marked
from jointvos.files.staged import StagedSink
from jointvos.types import Frame, FrameResult


class StagedFolder(StagedSink):
    """A sink that makes a folder of images, or of folders of them."""

    def __init__(
        self, directory: Path, *, overwrite: bool = False, source: Path | None = None
    ) -> None:
        """Check that the folder can be written; see `StagedSink`.

        With `overwrite` the whole folder is replaced, but only if jointvos has written all of it.
        """
        super().__init__(Path(os.path.realpath(directory)), overwrite=overwrite, source=source)

    @classmethod
    def check(cls, path: Path, *, overwrite: bool = False, source: Path | None = None) -> None:
        """Refuse a folder as making the sink would; see `StagedSink.check`."""
        super().check(Path(os.path.realpath(path)), overwrite=overwrite, source=source)

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
        """A folder for one object's images."""
        folder = self._staging / str(object_id)
        if not folder.is_dir():
            self._make(folder)
        return folder

    def _make(self, folder: Path) -> None:
        with os_errors_as(EncodeError, f"{self.path} cannot be made"):
            folder.mkdir()

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

    @staticmethod
    def _refuse_existing(path: Path, overwrite: bool) -> None:
        if not path.exists():
            return
        if not path.is_dir():
            raise OutputError(f"{path} is a file, expected the name of a folder")
        entries = sorted(path.iterdir())
        foreign = next((entry for entry in entries if not _is_ours(entry)), None)
        if foreign is not None:  # no OutputExists, for permission to overwrite would not help
            raise OutputError(
                f"{path} holds {foreign.name}, which jointvos did not write; "
                "choose another folder or move it away"
            )
        if entries and not overwrite:
            raise OutputExists(f"{path} already exists and is not empty")


def _is_ours(path: Path) -> bool:
    """Whether jointvos has written an image, or all that is in the folder of an object."""
    try:
        if path.is_dir() and not path.is_symlink() and path.name.isdecimal():
            entries = list(path.iterdir())
            return bool(entries) and all(e.is_file() and _is_marked(e) for e in entries)
        return path.is_file() and _is_marked(path)
    except OSError:  # what cannot be read cannot be known
        return False


def _is_marked(path: Path) -> bool:
    return is_marked(path) or is_marked_exr(path)
