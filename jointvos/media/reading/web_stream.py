"""A video on a web server: nothing but what is asked for, and never for ever.

The codec library has protocols of its own; they check no certificates and know no proxies.
"""

from contextlib import suppress
from threading import Event

from jointvos.errors import MediaOpenError
from jointvos.media.reading.completeness import Completeness
from jointvos.media.reading.streams import ByteStream
from jointvos.web import Answer, Failed, Patience, WebError, ask, length_of, with_reasons

PATIENCE = Patience(stall_s=20.0)


class WebStream(ByteStream):
    """The answer to a request for a video, read from front to back."""

    def __init__(self, address: str, answer: Answer, patience: Patience) -> None:
        """Take over an answer; see `open_web`."""
        super().__init__(address)
        self._patience = patience
        self._answer: Answer | None = answer
        self._whole: Completeness | None = Completeness()
        self._ended = False
        self._stopped = Event()
        self._at = 0

    @property
    def cut_short(self) -> bool:
        """Whether the bytes ended in the middle of something."""
        return self._ended and self._whole is not None and self._whole.cut_short

    def stop(self) -> None:
        """End a read that another thread is waiting in, and all later ones.

        Only a request that has no answer yet waits on, within its patience.
        """
        self._stopped.set()
        # There may be nothing to end: between two requests, and where the answer has ended.
        with suppress(ValueError, RuntimeError, OSError):
            if self._answer is not None:
                self._answer.shutdown()

    def close(self) -> None:
        """End the connection."""
        if self._answer is not None:
            self._answer.close()

    def _read(self, size: int) -> bytes:
        if self._stopped.is_set():
            return b""
        try:
            with with_reasons():
                if self._answer is None:
                    self._answer = _video(self.name, self._at, self._patience)
                data = self._answer.read1(size, decode_content=False)
        except WebError as error:
            if self._stopped.is_set():
                return b""
            raise MediaOpenError(f"{self.name}: {error}") from error
        self._at += len(data)
        if self._whole is not None:
            self._whole.feed(data)
        self._ended = not data
        return data


class SeekableWebStream(WebStream):
    """A video of which the server gives any part; it is asked anew to go back or ahead."""

    def __init__(self, address: str, answer: Answer, patience: Patience, size: int) -> None:
        super().__init__(address, answer, patience)
        self._size = size

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a byte, counted from the start (0), from here (1) or from the end (2)."""
        place = offset + (0, self._at, self._size)[whence]
        if place != self._at:
            self.close()
            self._answer = None
            self._whole = None  # it follows the bytes only in their order
            self._at = place
        return place

    def tell(self) -> int:
        """The byte that comes next."""
        return self._at

    def _read(self, size: int) -> bytes:
        return super()._read(size) if self._at < self._size else b""


def open_web(address: str, patience: Patience = PATIENCE) -> WebStream:
    """Ask for a video.

    Raises:
        MediaOpenError: There is no such server or video, or it does not answer in time.
    """
    try:
        answer = _video(address, 0, patience)
    except WebError as error:
        raise MediaOpenError(f"{address}: {error}") from error
    size = length_of(answer)
    if answer.headers.get("Accept-Ranges") == "bytes" and size is not None:
        return SeekableWebStream(address, answer, patience, size)
    return WebStream(address, answer, patience)


def _video(address: str, start: int, patience: Patience) -> Answer:
    """The video from a byte on.

    Raises:
        WebError: There is none.
    """
    answer = ask(address, {"Range": f"bytes={start}-"} if start else {}, patience)
    if answer.status != (206 if start else 200):
        answer.close()
        raise Failed(f"the server answers {answer.status} {answer.reason or ''}".rstrip())
    return answer
