"""Answers of a server on this machine that behaves as badly as it is told to."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from socket import SHUT_WR
from threading import Event

from pytest_httpserver import HTTPServer
from werkzeug import Request, Response
from werkzeug.datastructures import Headers


class Listener:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.steps: list[tuple[int, int | None]] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def progress(self, done: int, total: int | None) -> None:
        self.steps.append((done, total))


@dataclass
class Visit:
    """A request, with what answers are made of.

    Attributes:
        number: From 1, of the requests for the same path.
        ended: Set when the test is over.
    """

    request: Request
    content: bytes
    number: int
    ended: Event

    @property
    def start(self) -> int:
        """First byte that is asked for."""
        wanted = self.request.headers.get("Range", "bytes=0-")
        return int(wanted.removeprefix("bytes=").removesuffix("-"))

    def part(self, start: int, end: int | None = None, **headers: object) -> Response:
        """Bytes from `start` on; the connection is cut at `end`, though all are announced."""
        total = len(self.content)
        if start:
            headers["Content_Range"] = f"bytes {start}-{total - 1}/{total}"
        body = [self.content[start:end]]
        return answer(206 if start else 200, body, Content_Length=total - start, **headers)

    def raw(self, data: bytes) -> Response:
        """Bytes that are no answer as HTTP wants it, and the end of the connection."""
        connection = self.request.environ["werkzeug.socket"]
        connection.sendall(data)
        connection.shutdown(SHUT_WR)
        return Response()


Behavior = Callable[[Visit], Response]


class Server:
    """What `http` is asked for, and how each path behaves."""

    def __init__(self, http: HTTPServer, content: bytes) -> None:
        self.address = http.url_for("")
        self.port = http.port
        self.content = content
        self.behaviors: dict[str, Behavior] = {}
        self.seen: list[tuple[str, str | None, Headers]] = []
        self.ended = Event()
        http.expect_request(re.compile("")).respond_with_handler(self._respond)

    def ranges(self) -> list[str | None]:
        return [wanted for _, wanted, _ in self.seen]

    def _respond(self, request: Request) -> Response:
        address = request.environ["REQUEST_URI"]
        path = address.partition("?")[0]
        self.seen.append((address, request.headers.get("Range"), request.headers))
        number = sum(seen[0].partition("?")[0] == path for seen in self.seen)
        return self.behaviors.get(path, missing)(Visit(request, self.content, number, self.ended))


@contextmanager
def serving(http: HTTPServer, content: bytes) -> Iterator[Server]:
    server = Server(http, content)
    yield server
    server.ended.set()


def answer(
    status: int, body: str | list[bytes] | Iterator[bytes] = "", **headers: object
) -> Response:
    fields = {name.replace("_", "-"): str(value) for name, value in headers.items()}
    return Response(body, f"{status} {HTTPStatus(status).phrase}", fields)


def missing(visit: Visit) -> Response:
    return answer(404)


def good(visit: Visit) -> Response:
    """Ranges, an ETag, and If-Range."""
    tag = '"one"'
    same = visit.request.headers.get("If-Range", tag) == tag
    return visit.part(visit.start if same else 0, ETag=tag)


def without_tag(visit: Visit) -> Response:
    return visit.part(visit.start)


def cut_once(visit: Visit) -> Response:
    if visit.number == 1:
        return visit.part(0, len(visit.content) // 2, ETag='"one"')
    return good(visit)


def cut_always(visit: Visit) -> Response:
    return visit.part(visit.start, visit.start + 1000, ETag='"one"')


def stalled_once(visit: Visit) -> Response:
    if visit.number > 1:
        return good(visit)

    def pieces() -> Iterator[bytes]:
        yield visit.content[:5000]
        visit.ended.wait(20)

    return answer(200, pieces(), Content_Length=len(visit.content), ETag='"one"')


def stalled_always(visit: Visit) -> Response:
    visit.ended.wait(20)
    return missing(visit)


def deaf_to_ranges(visit: Visit) -> Response:
    """200 and everything, whatever was asked; the first time cut off."""
    return visit.part(0, None if visit.number > 1 else 7000)


def other_range(visit: Visit) -> Response:
    """The first time cut off, then a part from elsewhere, then without parts."""
    if visit.number == 1:
        return visit.part(0, 7000)
    return visit.part(1 if visit.number == 2 else 0)


def replaced(visit: Visit) -> Response:
    """Cut off; meanwhile the file is another one, which If-Range finds out."""
    if visit.number > 1:
        return good(visit)
    visit.content = bytes(len(visit.content))
    return visit.part(0, 9000, ETag='"old"')


def replaced_silently(visit: Visit) -> Response:
    """The same with a server that ignores If-Range: the size in Content-Range tells."""
    if visit.number > 1:
        return visit.part(visit.start)
    visit.content = bytes(len(visit.content) + 10)
    return visit.part(0, 9000, ETag='"old"')


def past_the_end(visit: Visit) -> Response:
    """Cut off, then the file is shorter than what is there."""
    if visit.number == 1:
        return visit.part(0, len(visit.content) - 1, ETag='"old"')
    return answer(416) if "Range" in visit.request.headers else good(visit)


def busy_once(visit: Visit) -> Response:
    return answer(503, Retry_After=0) if visit.number == 1 else good(visit)


def busy_always(visit: Visit) -> Response:
    return answer(429, Retry_After=3600)


def forbidden(visit: Visit) -> Response:
    return answer(403)


def empty(visit: Visit) -> Response:
    return answer(200)


def half(visit: Visit) -> Response:
    """A whole answer with half of the file."""
    visit.content = visit.content[: len(visit.content) // 2]
    return visit.part(0)


def without_length(visit: Visit) -> Response:
    """Complete, but only the end of the connection says so."""
    return visit.raw(b"HTTP/1.1 200 OK\r\n\r\n" + visit.content)


def without_length_and_cut(visit: Visit) -> Response:
    return visit.raw(b"HTTP/1.1 200 OK\r\n\r\n" + visit.content[:9999])


def in_chunks(visit: Visit) -> Response:
    """Chunked transfer, cut off the first time."""

    def pieces() -> Iterator[bytes]:
        yield visit.content[:50_000]
        if visit.number == 1:
            raise ConnectionAbortedError
        yield visit.content[50_000:]

    return answer(200, pieces())


def no_http(visit: Visit) -> Response:
    return visit.raw(b"SSH-2.0-OpenSSH_9.9\r\n")


def moved(visit: Visit) -> Response:
    return answer(302, Location="/good")


def moved_for_ever(visit: Visit) -> Response:
    return answer(302, Location=visit.request.path)


def called_html(visit: Visit) -> Response:
    """The file itself, declared as a page."""
    return visit.part(0, Content_Type="text/html")


def html(text: str, kind: str = "text/html; charset=utf-8") -> Response:
    return answer(200, text, Content_Type=kind)


def page(visit: Visit) -> Response:
    return html("<html><head><title>Welcome\nto the hotel</title></head>Accept our terms</html>")


def disguised_page(visit: Visit) -> Response:
    return html("\n<!DOCTYPE html><title>Portal</title>", "application/octet-stream")


QUOTA = """<!DOCTYPE html><html><head><title>Google Drive - Quota exceeded</title>
<style>.uc { color: red }</style></head><body><p class="uc-error-caption">Sorry, you can't view or
download this file at this time.</p><p class="uc-error-subcaption">Too many users have viewed or
downloaded this file recently. Please try accessing the file again later.</p></body></html>"""

CONFIRM = """<!DOCTYPE html><html><head><title>Google Drive - Virus scan warning</title></head>
<body><p class="uc-warning-caption">Google Drive can't scan this file for viruses.</p>
<form id="download-form" action="{action}" method="get">
<input type="submit" id="uc-download-link" value="Download anyway"/>
<input type="hidden" name="id" value="1UB"><input type="hidden" name="export" value="download">
<input type="hidden" name="confirm" value="t"><input type="hidden" name="uuid" value="a b&amp;c">
</form></body></html>"""

LOGIN = """<html><head><title>Google Drive: Sign-in</title></head><body>You need access. Request
access, or switch to an account with access.</body></html>"""


def quota(visit: Visit) -> Response:
    return html(QUOTA)


def login(visit: Visit) -> Response:
    return html(LOGIN)


def confirmation(visit: Visit) -> Response:
    return html(CONFIRM.format(action="/good"))


def confirmation_for_ever(visit: Visit) -> Response:
    return html(CONFIRM.format(action=visit.request.path))


def confirmation_elsewhere(visit: Visit) -> Response:
    return html(CONFIRM.format(action="https://example.org/good"))


def slowly(visit: Visit) -> Response:
    """In small pieces the first time, so that there is time to interrupt it."""
    if visit.number > 1:
        return good(visit)
    total = len(visit.content)

    def pieces() -> Iterator[bytes]:
        for start in range(0, total, total // 50):
            yield visit.content[start : start + total // 50]
            if visit.ended.wait(0.04):
                break

    return answer(200, pieces(), Content_Length=total, ETag='"one"')
