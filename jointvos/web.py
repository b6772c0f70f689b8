"""A request to a web server, by urllib3, and what can be said of the answer.

Whatever jointvos reads over HTTP, models and videos, is asked for here. urllib3 does connections,
TLS, proxies, timeouts, when to try again, and the check that as many bytes came as were announced;
here its errors become one of two kinds, each with its reason in a few words.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import unquote, urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3
from urllib3.util import Retry, make_headers, parse_url

from jointvos.errors import ConfigError

CHUNK = 1 << 18
MOST_REDIRECTS = 5
SCHEMES = ("http", "https")

Answer: TypeAlias = urllib3.BaseHTTPResponse


RETRY = Retry(
    4, backoff_factor=1, backoff_max=30, status_forcelist=(408, 425, 429, 500, 502, 503, 504)
)
"""Tries after a failed one: at once, then after 2 s, 4 s, ... or when the server asks for it."""


@dataclass(frozen=True)
class Patience:
    """How long to wait, in seconds, and when to try again.

    Attributes:
        connect_s: For a connection.
        stall_s: For the next bytes.
        retry: After failures in a row, each without noteworthy progress. Its longest pause also
            counts for what a server asks for.
    """

    connect_s: float = 10.0
    stall_s: float = 30.0
    retry: Retry = RETRY


class WebError(Exception):
    """A request failed; the message is the reason in a few words, without the address."""


class Failed(WebError):
    """This address does not give the file, and trying again will not help."""


class Interrupted(WebError):
    """The attempt failed; the next one may not. A server's answer may say when it wants that."""

    def __init__(self, reason: str, answer: Answer | None = None) -> None:
        super().__init__(reason)
        self.answer = answer


def require_network(address: str, allowed: bool) -> None:
    """Refuse an address that nobody has allowed to ask.

    Raises:
        ConfigError: The network is not allowed.
    """
    if not allowed:
        raise ConfigError(
            f"{address} is on the network", hint="allow that with `allow_network=True`"
        )


def host(address: str) -> str:
    """What to call an address in a message: nothing secret is in it."""
    return urlsplit(address).netloc.rpartition("@")[2]


@contextmanager
def with_reasons() -> Iterator[None]:
    """What goes wrong with requests and answers in the block ends as a `WebError`.

    Raises:
        Failed: There is no answer and will be none.
        Interrupted: There is none this time, or it broke off while it was read.
    """
    try:
        yield
    except urllib3.exceptions.HTTPError as error:
        raise _reason(error) from error


@contextmanager
def answer_to(url: str, headers: dict[str, str], patience: Patience) -> Iterator[Answer]:
    """The answer to a request for as long as the block reads it; see `ask`.

    Raises:
        Failed: There is none and will be none.
        Interrupted: There is none this time, or it broke off while it was read.
    """
    with with_reasons(), ask(url, headers, patience) as answer:
        yield answer


def ask(url: str, headers: dict[str, str], patience: Patience) -> Answer:
    """Ask for a file; redirections are followed, and the answer's `url` is the one that gave it.

    Only web servers are followed to, and never from https to http. Reading the answer raises
    errors of urllib3, which `with_reasons` turns into ours.

    Raises:
        Failed: There is no answer and will be none.
        Interrupted: There is none this time.
    """
    timeout = urllib3.Timeout(connect=patience.connect_s, read=patience.stall_s)
    for _ in range(MOST_REDIRECTS + 1):
        with with_reasons():
            answer = _manager(url).request(
                "GET",
                parse_url(url)._replace(auth=None).url,
                headers=_headers(url) | headers,
                timeout=timeout,
                retries=False,
                redirect=False,
                preload_content=False,
                decode_content=False,
            )
        target = answer.get_redirect_location()
        if not target:
            answer.url = url
            return answer
        answer.close()
        url = _followed(url, urljoin(url, target))
    raise Failed("too many redirects")


def _followed(old: str, new: str) -> str:
    """The address that a redirection leads to, if it may be followed."""
    scheme = urlsplit(new).scheme
    if scheme not in SCHEMES:
        raise Failed(f"it redirects to {new}, which is not followed")
    if scheme != "https" and urlsplit(old).scheme == "https":
        raise Failed(f"it redirects to {host(new)} without encryption")
    if urlsplit(new).hostname == "accounts.google.com":
        raise Failed("Google Drive wants a login: the file is no longer public")
    return new


def _manager(url: str) -> urllib3.PoolManager:
    """Connections as the environment's proxy variables want them."""
    parts = urlsplit(url)
    proxy = getproxies().get(parts.scheme)
    if not proxy or proxy_bypass(parts.netloc.rpartition("@")[2]):
        return urllib3.PoolManager(maxsize=1)
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    login = _login(proxy)
    return urllib3.ProxyManager(
        proxy, maxsize=1, proxy_headers=make_headers(proxy_basic_auth=login) if login else None
    )


def _headers(url: str) -> dict[str, str]:
    login = _login(url)
    return {
        "User-Agent": "jointvos",
        "Accept-Encoding": "identity",
        "Accept-Language": "en",
        **(make_headers(basic_auth=login) if login else {}),
    }


def _login(url: str) -> str | None:
    """Name and password in an address."""
    login = parse_url(url).auth
    return unquote(login) if login else None


def _reason(error: urllib3.exceptions.HTTPError) -> Interrupted | Failed:
    exceptions = urllib3.exceptions
    known: tuple[tuple[type[Exception], Interrupted | Failed], ...] = (
        (exceptions.NameResolutionError, Failed("unknown host; are you online?")),
        (exceptions.NewConnectionError, Interrupted("no connection")),
        (exceptions.ConnectTimeoutError, Interrupted("no connection in time")),
        (exceptions.ReadTimeoutError, Interrupted("the server has stalled")),
        (exceptions.ProxyError, Interrupted("the proxy refuses")),
        (exceptions.SSLError, Failed(f"no trusted connection ({str(error)[:100]})")),
        (exceptions.LocationValueError, Failed("invalid URL")),
    )  # the special ones before those they are derived from
    answers = (answer for kind, answer in known if isinstance(error, kind))
    return next(answers, Interrupted("the connection was cut"))


def chunks_of(answer: Answer) -> Iterator[bytes]:
    """Bytes as they come; waiting for full chunks would lose what came before a stall."""
    while chunk := answer.read1(CHUNK, decode_content=False):
        yield chunk


def tag_of(answer: Answer) -> str | None:
    """What tells versions of a file apart; a weak ETag does not."""
    strong = answer.headers.get("ETag", "")
    if strong.startswith('"'):
        return strong
    return answer.headers.get("Last-Modified")


def length_of(answer: Answer) -> int | None:
    """Bytes that are announced."""
    text = answer.headers.get("Content-Length", "")
    return int(text) if text.isdigit() else None


def content_range(answer: Answer) -> tuple[int | None, int | None]:
    """First byte and size of the file, from "bytes 5-99/100"."""
    unit, _, rest = answer.headers.get("Content-Range", "").partition(" ")
    span, _, total = rest.partition("/")
    start = span.partition("-")[0]
    known = unit == "bytes" and start.isdigit()
    return int(start) if known else None, int(total) if total.isdigit() else None


def next_try(retry: Retry, interruption: Interrupted) -> tuple[Retry, float]:
    """What remains of tries after another interruption, and seconds to wait for the next one.

    Raises:
        Failed: No try remains.
    """
    try:
        retry = retry.increment(error=interruption)
    except urllib3.exceptions.MaxRetryError:
        count = len(retry.history) + 1
        raise Failed(f"{interruption}, {count} times in a row") from interruption
    wait_s = retry.get_backoff_time()
    if interruption.answer is not None:
        with suppress(urllib3.exceptions.InvalidHeader):
            wait_s = max(wait_s, retry.get_retry_after(interruption.answer) or 0)
    return retry, min(wait_s, retry.backoff_max)
