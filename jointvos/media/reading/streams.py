"""Videos that arrive byte by byte: from a pipe, or from a web server."""

import os
import select
import stat
from abc import ABC, abstractmethod
from pathlib import Path

from jointvos.errors import ConfigError, MediaOpenError
from jointvos.media.reading.completeness import Completeness

STDIN = Path("/dev/stdin")


class ByteStream(ABC):
    """What the codec library reads from; with `seek` and `tell` it can also go back."""

    def __init__(self, name: str) -> None:
        """Remember what to call it in messages."""
        self.name = name
        self._failure: BaseException | None = None
        self._head = b""

    def read(self, size: int) -> bytes:
        """The next bytes, as soon as there are any; none at the end and after a failure."""
        try:
            data = b"" if self._failure else self._read(size)
        except BaseException as error:  # would get lost on its way through the codec library
            self._failure = error
            return b""
        self._head = self._head or data[:8]
        return data

    def check(self) -> None:
        """Raise what went wrong while reading, Ctrl-C included."""
        if self._failure is not None:
            raise self._failure

    def hint(self) -> str:
        """What to add to the message that it cannot be read."""
        if self._head[4:] == b"ftyp" and not hasattr(self, "seek"):
            return (
                "; an MP4 file with its index at the end cannot be read from a pipe: save it "
                "first, or write it with -movflags +faststart"
            )
        return ""

    @property
    @abstractmethod
    def cut_short(self) -> bool:
        """Whether the bytes ended in the middle of something."""

    @abstractmethod
    def _read(self, size: int) -> bytes: ...

    @abstractmethod
    def stop(self) -> None:
        """End a read that another thread is waiting in, and all later ones."""

    @abstractmethod
    def close(self) -> None: ...


class PipeStream(ByteStream):
    """A pipe or a socket, read once from front to back."""

    def __init__(self, descriptor: int, name: str) -> None:
        """Take over a descriptor that is open for reading."""
        super().__init__(name)
        self._descriptor = descriptor
        self._whole = Completeness()
        self._ended = self._closed = False
        # A read may wait for ever for a program that sends nothing; this pipe ends the wait.
        self._wake, self._waker = os.pipe()

    @property
    def cut_short(self) -> bool:
        """Whether the bytes ended in the middle of something."""
        return self._ended and self._whole.cut_short

    def _read(self, size: int) -> bytes:
        ready, _, _ = select.select([self._descriptor, self._wake], [], [])
        if self._wake in ready:
            return b""
        data = os.read(self._descriptor, size)
        self._whole.feed(data)
        self._ended = not data
        return data

    def stop(self) -> None:
        """End a read that another thread is waiting in, and all later ones."""
        if not self._closed:
            os.write(self._waker, b".")

    def close(self) -> None:
        """Close all but the standard input, which is not ours."""
        if self._closed:
            return
        self._closed = True
        for descriptor in (self._descriptor, self._wake, self._waker):
            if descriptor != 0:
                os.close(descriptor)


def pipe_at(path: Path) -> PipeStream | None:
    """The stream behind a path if it is a pipe or a socket, else None.

    Raises:
        ConfigError: It is the standard input, and a terminal.
        MediaOpenError: It cannot be opened.
    """
    stdin = path == STDIN
    try:
        mode = os.fstat(0).st_mode if stdin else path.stat().st_mode
        if stdin and os.isatty(0):
            raise ConfigError(
                "stdin is a terminal; pipe a video into it (ffmpeg ... | jointvos segment -)"
            )
        if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)):
            return None
        return PipeStream(0 if stdin else os.open(path, os.O_RDONLY), str(path))
    except OSError as error:
        if not stdin and isinstance(error, FileNotFoundError):
            return None
        raise MediaOpenError(f"{path}: {error.strerror or error}") from None
