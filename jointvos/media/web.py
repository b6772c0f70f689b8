"""A film on a web server, read by urllib3: nothing but what is asked for, and never for ever.

The codec library has protocols of its own; they check no certificates and know no proxies.
"""

from contextlib import suppress
from threading import Event
from urllib.parse import urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3
from urllib3.util import Timeout, make_headers, parse_url

from jointvos.errors import MediaOpenError
from jointvos.media.completeness import Completeness
from jointvos.media.streams import ByteStream

SCHEMES = ("http", "https")
_PATIENCE = Timeout(connect=10.0, read=20.0)
_MOST_REDIRECTS = 5


class WebStream(ByteStream):
    """The answer to a request for a film, read from front to back."""

    def __init__(self, address: str, answer: urllib3.BaseHTTPResponse) -> None:
        """Take over an answer; see `open_web`."""
        super().__init__(address)
        self._answer: urllib3.BaseHTTPResponse | None = answer
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
            if self._answer is None:
                self._answer = _ask(self.name, self._at)
            data = self._answer.read1(size, decode_content=False)
        except urllib3.exceptions.HTTPError as error:
            if self._stopped.is_set():
                return b""
            raise _failed(self.name, error) from error
        self._at += len(data)
        if self._whole is not None:
            self._whole.feed(data)
        self._ended = not data
        return data


class SeekableWebStream(WebStream):
    """A film of which the server gives any part; it is asked anew to go back or ahead."""

    def __init__(self, address: str, answer: urllib3.BaseHTTPResponse, size: int) -> None:
        super().__init__(address, answer)
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


def open_web(address: str) -> WebStream:
    """Ask for a film.

    Raises:
        MediaOpenError: There is no such server or film, or it does not answer in time.
    """
    try:
        answer = _ask(address, 0)
    except urllib3.exceptions.HTTPError as error:
        raise _failed(address, error) from error
    size = answer.headers.get("Content-Length", "")
    if answer.headers.get("Accept-Ranges") == "bytes" and size.isdecimal():
        return SeekableWebStream(address, answer, int(size))
    return WebStream(address, answer)


def _ask(address: str, start: int) -> urllib3.BaseHTTPResponse:
    """The film from a byte on; only web servers are followed to, and never without encryption."""
    url = address
    for _ in range(_MOST_REDIRECTS + 1):
        answer = _pool(url).request(
            "GET",
            parse_url(url)._replace(auth=None).url,
            headers=_headers(url, start),
            timeout=_PATIENCE,
            retries=False,
            redirect=False,
            preload_content=False,
            decode_content=False,
        )
        target = answer.get_redirect_location()
        if not target:
            break
        answer.close()
        new = urljoin(url, target)
        allowed = SCHEMES[1:] if urlsplit(url).scheme == "https" else SCHEMES
        if urlsplit(new).scheme not in allowed:
            raise MediaOpenError(f"{address}: it leads to {new}, which is not followed")
        url = new
    else:
        raise MediaOpenError(f"{address}: it redirects without end")
    expected = 206 if start else 200
    if answer.status != expected:
        answer.close()
        raise MediaOpenError(
            f"{address}: the server answers {answer.status} {answer.reason or ''}".rstrip()
        )
    return answer


def _pool(url: str) -> urllib3.PoolManager:
    """Connections as the environment's proxy variables want them."""
    parts = urlsplit(url)
    proxy = getproxies().get(parts.scheme)
    if not proxy or proxy_bypass(parts.netloc.rpartition("@")[2]):
        return urllib3.PoolManager(maxsize=1)
    return urllib3.ProxyManager(proxy if "://" in proxy else f"http://{proxy}", maxsize=1)


def _headers(url: str, start: int) -> dict[str, str]:
    auth = parse_url(url).auth
    return {
        "User-Agent": "jointvos",
        "Accept-Encoding": "identity",
        **(make_headers(basic_auth=auth) if auth else {}),
        **({"Range": f"bytes={start}-"} if start else {}),
    }


def _failed(address: str, error: urllib3.exceptions.HTTPError) -> MediaOpenError:
    exceptions = urllib3.exceptions
    known: tuple[tuple[type[Exception], str], ...] = (
        (exceptions.NameResolutionError, "the name of its server is not known"),
        (exceptions.NewConnectionError, "no connection to its server"),
        (exceptions.ConnectTimeoutError, "no connection to its server in time"),
        (exceptions.ReadTimeoutError, "its server has stalled"),
        (exceptions.SSLError, f"no trusted connection ({str(error)[:100]})"),
        (exceptions.LocationValueError, "that is no address"),
    )  # the special ones before those they are derived from
    reasons = (text for kind, text in known if isinstance(error, kind))
    return MediaOpenError(f"{address}: {next(reasons, 'the connection was cut')}")
