"""A request to a web server, by urllib3, and what can be said of the answer.

urllib3 does connections, TLS, proxies, timeouts, and the check that as many bytes came as were
announced; here its errors become one of two kinds, each with its reason in a few words.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3
from urllib3 import BaseHTTPResponse
from urllib3.util import make_headers, parse_url

CHUNK = 1 << 18
MOST_REDIRECTS = 5


@dataclass(frozen=True)
class Patience:
    """How long to wait, in seconds, and how often to try.

    Attributes:
        connect_s: For a connection.
        stall_s: For the next bytes.
        attempts: In a row, each without noteworthy progress.
        pause_s: Before the second attempt; doubled before each further one.
        longest_pause_s: Also for what a server asks for.
    """

    connect_s: float = 10.0
    stall_s: float = 30.0
    attempts: int = 5
    pause_s: float = 1.0
    longest_pause_s: float = 30.0


class Failed(Exception):
    """This address does not give the file, and trying again will not help."""


class Interrupted(Exception):
    """The attempt failed; the next one may not. Says after how many seconds a server wants it."""

    def __init__(self, reason: str, wait_s: float = 0.0) -> None:
        super().__init__(reason)
        self.wait_s = wait_s


def host(address: str) -> str:
    """What to call an address in a message: nothing secret is in it."""
    return urlsplit(address).netloc.rpartition("@")[2]


@contextmanager
def answer_to(url: str, headers: dict[str, str], patience: Patience) -> Iterator[BaseHTTPResponse]:
    """The answer to a request, redirections followed; its `url` is the one that gave it.

    Raises:
        Failed: There is none and will be none.
        Interrupted: There is none this time, or it broke off while it was read.
    """
    try:
        with _answer(url, headers, patience) as response:
            yield response
    except urllib3.exceptions.HTTPError as error:
        raise _reason(error) from error


def _answer(url: str, headers: dict[str, str], patience: Patience) -> BaseHTTPResponse:
    """Redirections are followed, but never from https to http."""
    timeout = urllib3.Timeout(connect=patience.connect_s, read=patience.stall_s)
    for _ in range(MOST_REDIRECTS + 1):
        response = _manager(url).request(
            "GET",
            parse_url(url)._replace(auth=None).url,
            headers=_headers(url) | headers,
            timeout=timeout,
            retries=False,
            redirect=False,
            preload_content=False,
            decode_content=False,
        )
        target = response.get_redirect_location()
        if not target:
            response.url = url
            return response
        response.close()
        new = urljoin(url, target)
        if urlsplit(new).scheme != "https" and urlsplit(url).scheme == "https":
            raise Failed(f"it leads to {host(new)} without encryption")
        if urlsplit(new).hostname == "accounts.google.com":
            raise Failed("Google Drive wants a login: the file is not public any more")
        url = new
    raise Failed("it redirects without end")


def _manager(url: str) -> urllib3.PoolManager:
    """Connections as the environment's proxy variables want them."""
    parts = urlsplit(url)
    proxy = getproxies().get(parts.scheme)
    if not proxy or proxy_bypass(parts.netloc.rpartition("@")[2]):
        return urllib3.PoolManager(maxsize=1)
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    auth = parse_url(proxy).auth
    return urllib3.ProxyManager(
        proxy, maxsize=1, proxy_headers=make_headers(proxy_basic_auth=auth) if auth else None
    )


def _headers(url: str) -> dict[str, str]:
    auth = parse_url(url).auth
    return {
        "User-Agent": "jointvos",
        "Accept-Encoding": "identity",
        "Accept-Language": "en",
        **(make_headers(basic_auth=auth) if auth else {}),
    }


def _reason(error: urllib3.exceptions.HTTPError) -> Interrupted | Failed:
    exceptions = urllib3.exceptions
    known: tuple[tuple[type[Exception], Interrupted | Failed], ...] = (
        (exceptions.NameResolutionError, Failed("its name is not known; is there a network?")),
        (exceptions.NewConnectionError, Interrupted("no connection")),
        (exceptions.ConnectTimeoutError, Interrupted("no connection in time")),
        (exceptions.ReadTimeoutError, Interrupted("the server has stalled")),
        (exceptions.ProxyError, Interrupted("the proxy refuses")),
        (exceptions.SSLError, Failed(f"no trusted connection ({str(error)[:100]})")),
        (exceptions.LocationValueError, Failed("that is no address")),
    )  # the special ones before those they are derived from
    answers = (answer for kind, answer in known if isinstance(error, kind))
    return next(answers, Interrupted("the connection was cut"))


def chunks_of(response: BaseHTTPResponse) -> Iterator[bytes]:
    """Bytes as they come; waiting for full chunks would lose what came before a stall."""
    while chunk := response.read1(CHUNK, decode_content=False):
        yield chunk


def tag_of(response: BaseHTTPResponse) -> str | None:
    """What tells versions of a file apart; a weak ETag does not."""
    strong = response.headers.get("ETag", "")
    if strong.startswith('"'):
        return strong
    return response.headers.get("Last-Modified")


def length_of(response: BaseHTTPResponse) -> int | None:
    """Bytes that are announced."""
    text = response.headers.get("Content-Length", "")
    return int(text) if text.isdigit() else None


def content_range(response: BaseHTTPResponse) -> tuple[int | None, int | None]:
    """First byte and size of the file, from "bytes 5-99/100"."""
    unit, _, rest = response.headers.get("Content-Range", "").partition(" ")
    span, _, total = rest.partition("/")
    start = span.partition("-")[0]
    known = unit == "bytes" and start.isdigit()
    return int(start) if known else None, int(total) if total.isdigit() else None


def pause_asked_for(response: BaseHTTPResponse) -> float:
    """Seconds; the other form of this header, a date, is left to our own pauses."""
    text = response.headers.get("Retry-After", "")
    return float(text) if text.isdigit() else 0.0
