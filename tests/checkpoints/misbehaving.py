"""An HTTP server on this machine that has files, and behaves as badly as it is told to."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Behaviour = Callable[["Request"], None]


class Listener:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.steps: list[tuple[int, int | None]] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def progress(self, done: int, total: int | None) -> None:
        self.steps.append((done, total))


class Request(BaseHTTPRequestHandler):
    """One request, with what behaviours are made of."""

    server: "Server"
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        self.server.seen.append((self.path, self.headers.get("Range"), self.headers))
        self.number = sum(1 for seen in self.server.seen if seen[0].partition("?")[0] == path)
        self.content = self.server.content
        self.server.behaviours.get(path, missing)(self)

    def log_message(self, *args: object) -> None:
        pass

    @property
    def start(self) -> int:
        """First byte that is asked for."""
        wanted = self.headers.get("Range", "bytes=0-")
        return int(wanted.removeprefix("bytes=").removesuffix("-"))

    def head(self, status: int, **headers: object) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()

    def part(self, start: int, end: int | None = None, **headers: object) -> None:
        """Bytes from `start` on; up to `end` only, though all are announced."""
        total = len(self.content)
        if start:
            headers["Content_Range"] = f"bytes {start}-{total - 1}/{total}"
        self.head(206 if start else 200, Content_Length=total - start, **headers)
        self.wfile.write(self.content[start:end])

    def page(self, text: str, status: int = 200) -> None:
        body = text.encode()
        self.head(status, Content_Type="text/html; charset=utf-8", Content_Length=len(body))
        self.wfile.write(body)

    def hang_up(self) -> None:
        self.close_connection = True


class Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, content: bytes) -> None:
        super().__init__(("127.0.0.1", 0), Request)
        self.content = content
        self.behaviours: dict[str, Behaviour] = {}
        self.seen: list[tuple[str, str | None, object]] = []
        self.ended = threading.Event()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def ranges(self) -> list[str | None]:
        return [wanted for _, wanted, _ in self.seen]

    def handle_error(self, request: object, client_address: object) -> None:
        pass  # clients that go away are what is tested


@contextmanager
def serving(content: bytes) -> Iterator[Server]:
    server = Server(content)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.ended.set()
        server.shutdown()
        thread.join()
        server.server_close()


def missing(request: Request) -> None:
    request.head(404, Content_Length=0)


def good(request: Request) -> None:
    """Ranges, an ETag, and If-Range."""
    tag = '"one"'
    same = request.headers.get("If-Range", tag) == tag
    request.part(request.start if same else 0, ETag=tag)


def without_tag(request: Request) -> None:
    request.part(request.start)


def cut_once(request: Request) -> None:
    if request.number == 1:
        request.part(0, len(request.content) // 2, ETag='"one"')
        request.hang_up()
    else:
        good(request)


def cut_always(request: Request) -> None:
    request.part(request.start, request.start + 1000, ETag='"one"')
    request.hang_up()


def stalled_once(request: Request) -> None:
    if request.number == 1:
        request.part(0, 5000, ETag='"one"')
        request.wfile.flush()
        request.server.ended.wait(20)
        request.hang_up()
    else:
        good(request)


def stalled_always(request: Request) -> None:
    request.server.ended.wait(20)
    request.hang_up()


def deaf_to_ranges(request: Request) -> None:
    """200 and everything, whatever was asked; the first time cut off."""
    request.part(0, None if request.number > 1 else 7000)
    request.hang_up()


def other_range(request: Request) -> None:
    """The first time cut off, then a part from elsewhere, then without parts."""
    if request.number == 1:
        request.part(0, 7000)
        request.hang_up()
    elif request.number == 2:
        request.part(1)
    else:
        request.part(0)


def replaced(request: Request) -> None:
    """Cut off; meanwhile the file is another one, which If-Range finds out."""
    if request.number == 1:
        request.content = bytes(len(request.content))
        request.part(0, 9000, ETag='"old"')
        request.hang_up()
    else:
        good(request)


def replaced_silently(request: Request) -> None:
    """The same with a server that ignores If-Range: the size in Content-Range tells."""
    if request.number == 1:
        request.content = bytes(len(request.content) + 10)
        request.part(0, 9000, ETag='"old"')
        request.hang_up()
    else:
        request.part(request.start)


def past_the_end(request: Request) -> None:
    """Cut off, then the file is shorter than what is there."""
    if request.number == 1:
        request.part(0, len(request.content) - 1, ETag='"old"')
        request.hang_up()
    elif request.headers.get("Range"):
        request.head(416, Content_Length=0)
    else:
        good(request)


def busy_once(request: Request) -> None:
    if request.number == 1:
        request.head(503, Content_Length=0, Retry_After=0)
    else:
        good(request)


def busy_always(request: Request) -> None:
    request.head(429, Content_Length=0, Retry_After=3600)


def forbidden(request: Request) -> None:
    request.head(403, Content_Length=0)


def empty(request: Request) -> None:
    request.head(200, Content_Length=0)


def half(request: Request) -> None:
    """A whole answer with half of the file."""
    request.content = request.content[: len(request.content) // 2]
    request.part(0)


def without_length(request: Request) -> None:
    """Complete, but only the end of the connection says so."""
    request.head(200)
    request.wfile.write(request.content)
    request.hang_up()


def without_length_and_cut(request: Request) -> None:
    request.head(200)
    request.wfile.write(request.content[:9999])
    request.hang_up()


def in_chunks(request: Request) -> None:
    """Chunked transfer, cut off the first time."""
    request.head(200, Transfer_Encoding="chunked")
    pieces = [request.content[:50_000], request.content[50_000:]]
    for piece in pieces[: request.number]:
        request.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
    if request.number > 1:
        request.wfile.write(b"0\r\n\r\n")
    request.hang_up()


def no_http(request: Request) -> None:
    request.wfile.write(b"SSH-2.0-OpenSSH_9.9\r\n")
    request.hang_up()


def moved(request: Request) -> None:
    request.head(302, Location="/good", Content_Length=0)


def moved_for_ever(request: Request) -> None:
    request.head(302, Location=request.path, Content_Length=0)


def called_html(request: Request) -> None:
    """The file itself, declared as a page."""
    request.part(0, Content_Type="text/html")


def page(request: Request) -> None:
    request.page("<html><head><title>Welcome\nto the hotel</title></head>Accept our terms</html>")


def disguised_page(request: Request) -> None:
    body = b"\n<!DOCTYPE html><title>Portal</title>"
    request.head(200, Content_Type="application/octet-stream", Content_Length=len(body))
    request.wfile.write(body)


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


def quota(request: Request) -> None:
    request.page(QUOTA)


def login(request: Request) -> None:
    request.page(LOGIN)


def confirmation(request: Request) -> None:
    request.page(CONFIRM.format(action="/good"))


def confirmation_for_ever(request: Request) -> None:
    request.page(CONFIRM.format(action=request.path))


def confirmation_elsewhere(request: Request) -> None:
    request.page(CONFIRM.format(action="https://example.org/good"))


def slowly(request: Request) -> None:
    """In small pieces the first time, so that there is time to interrupt it."""
    if request.number > 1:
        good(request)
        return
    total = len(request.content)
    request.head(200, Content_Length=total, ETag='"one"')
    for start in range(0, total, total // 50):
        request.wfile.write(request.content[start : start + total // 50])
        if request.server.ended.wait(0.04):
            break
