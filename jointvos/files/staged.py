"""What all outputs have in common: they are built under a hidden name and appear when complete."""

import os
import secrets
from abc import ABC, abstractmethod
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from jointvos.errors import EncodeError, OutputError, OutputExists, os_errors_as
from jointvos.files.whole_file import hidden_beside
from jointvos.types import Frame, FrameResult

_LONGEST_SUFFIX = 16
"""Characters of a suffix that a hidden name keeps."""


class TwoPhaseSink(Protocol):
    """One output, which `close` completes, and which `commit` gives its name.

    The first may fail and the second hardly can, so several outputs can be closed first and then
    put in place together.
    """

    path: Path

    def write(self, frame: Frame, result: FrameResult) -> None: ...
    def close(self) -> None: ...
    def commit(self) -> None: ...
    def abort(self) -> None: ...


class StagedSink(ABC):
    """Builds `path` under a temporary name beside it.

    Attributes:
        path: Where the output will stand.
    """

    def __init__(self, path: Path, *, overwrite: bool = False, source: Path | None = None) -> None:
        """Check that the output can be written, before any work is done.

        Args:
            path: Where the output will stand.
            overwrite: Whether it may replace what is there; that stays until `commit`.
            source: The input, which is never overwritten.

        Raises:
            OutputExists: There is something already and `overwrite` is off.
            OutputError: The folder is missing or not writable, the name is too long, or the output
                is the input.
        """
        self.check(path, overwrite=overwrite, source=source)
        self.path = path
        self._overwrite = overwrite
        suffix = path.suffix[:_LONGEST_SUFFIX]
        self._staging = hidden_beside(path, f".{secrets.token_hex(4)}{suffix}")
        self._wrote = False

    @classmethod
    def check(cls, path: Path, *, overwrite: bool = False, source: Path | None = None) -> None:
        """Refuse a destination as making the sink would, without making it.

        Raises:
            ConfigError: Such a sink writes no files of that kind.
            OutputExists: There is something already and `overwrite` is off.
            OutputError: The folder is missing or not writable, the name is too long, or the output
                is the input.
        """
        cls._refuse_kind(path)
        with os_errors_as(OutputError):
            folder = path.parent
            if not folder.is_dir():
                raise OutputError(f"{path}: the folder {folder} does not exist; create it first")
            if not os.access(folder, os.W_OK | os.X_OK):
                raise OutputError(f"{path}: the folder {folder} is not writable")
            with suppress(FileNotFoundError):
                path.lstat()  # a name that is too long would be noticed at the very end
            if source is not None and _is_same(path, source):
                raise OutputError(f"{path} is the input; choose another name for the output")
            cls._refuse_existing(path, overwrite)

    @property
    def staging(self) -> Path:
        """Where the output is until it is complete."""
        return self._staging

    @abstractmethod
    def write(self, frame: Frame, result: FrameResult) -> None:
        """Add one frame.

        Raises:
            EncodeError: It cannot be encoded or stored.
        """

    def close(self) -> None:
        """Complete the output under its temporary name.

        Raises:
            EncodeError: It cannot be completed, or not one frame was written.
        """
        if not self._wrote:
            raise EncodeError(f"{self.path}: no frames to write")
        self._complete()

    def commit(self) -> None:
        """Give the output its name.

        Raises:
            OutputExists: Something has come to stand there meanwhile and `overwrite` is off.
            OutputError: It cannot be renamed.
        """
        self._refuse_existing(self.path, self._overwrite)
        with os_errors_as(OutputError, f"{self.path} cannot be put in place"):
            self._put_in_place()

    @abstractmethod
    def abort(self) -> None:
        """Leave nothing behind; does nothing after `commit`."""

    @abstractmethod
    def _complete(self) -> None: ...

    @abstractmethod
    def _put_in_place(self) -> None: ...

    @classmethod  # noqa: B027 (folders may have any name)
    def _refuse_kind(cls, path: Path) -> None:
        """Refuse a path whose suffix is not that of what is written."""

    @staticmethod
    @abstractmethod
    def _refuse_existing(path: Path, overwrite: bool) -> None: ...


def _is_same(path: Path, source: Path) -> bool:
    try:
        return path.samefile(source)
    except OSError:  # one of them is not there, or the source is no path at all
        return False


class StagedFile(StagedSink):
    """A sink that makes one file."""

    def abort(self) -> None:
        """Leave nothing behind; does nothing after `commit`."""
        self._let_go()
        self._staging.unlink(missing_ok=True)

    def _let_go(self) -> None:
        """Close what is open, whatever state it is in; a full disk refuses even that."""

    def _put_in_place(self) -> None:
        self._staging.replace(self.path)

    @staticmethod
    def _refuse_existing(path: Path, overwrite: bool) -> None:
        if not os.path.lexists(path):
            return
        # Devices such as /dev/null would be replaced by a file.
        if not path.is_file() and not path.is_symlink():
            raise OutputError(f"{path} is not a regular file; choose another name")
        if not overwrite:
            raise OutputExists(f"{path} already exists")
