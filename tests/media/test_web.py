import re
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from clips import Clip, index_of, make

from jointvos.errors import ConfigError, MediaError, MediaOpenError
from jointvos.media.reading import open_source, web_stream
from jointvos.web import Patience

GOES_TO = {"file": "file:///etc/hostname", "ftp": "ftp://x/y", "round": "/to/round"}


class Film(BaseHTTPRequestHandler):
    """/any/NAME gives parts, /whole/NAME does not, /short/NAME breaks off, /mute/NAME stalls."""

    address: str
    folder: Path
    asked: list[str]
    credentials: list[str | None]
    until: threading.Event

    def do_GET(self) -> None:
        path = urlsplit(self.path).path  # a proxy is told the whole address
        self.asked.append(path)
        self.credentials.append(self.headers.get("Proxy-Authorization"))
        _, how, name = path.split("/")
        if how == "to":
            self.send_response(302)
            self.send_header("Location", GOES_TO.get(name, f"/any/{name}"))
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        path = self.folder / name
        if not path.exists():
            self.send_error(404)
            return
        data, start = path.read_bytes(), 0
        wanted = re.match(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if how == "any" and wanted:
            start = int(wanted[1])
        self.send_response(206 if start else 200)
        if how == "any":
            self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        content = data[start : len(data) // 2 if how in ("short", "mute") else None]
        try:
            self.wfile.write(content)
            if how == "mute":
                self.wfile.flush()
                self.until.wait(30)
        except (BrokenPipeError, ConnectionResetError):  # the reader goes elsewhere
            pass

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def films(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Film]]:
    """A server that runs; what it was asked for is noted."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    make(tmp_path, Clip())
    make(tmp_path, Clip(name="clip.mkv", format="matroska", pipe=True))
    handler = type("Handler", (Film,), {})
    handler.folder, handler.until = tmp_path, threading.Event()
    handler.asked, handler.credentials = [], []
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        handler.address = f"http://127.0.0.1:{running.server_port}"
        yield handler
        handler.until.set()
        running.shutdown()
        thread.join()


@pytest.fixture
def server(films: type[Film]) -> str:
    return films.address


@pytest.mark.parametrize("path", ["any/clip.mp4", "whole/clip.mkv", "any/clip.mkv", "to/clip.mp4"])
def test_films_are_read_from_a_server(server, path):
    with open_source(f"{server}/{path}", allow_network=True) as source:
        assert [index_of(frame.image) for frame in source] == list(range(12))
    assert (source.info.width, source.info.height) == (64, 48)


@pytest.mark.parametrize(
    ("login", "sent"),
    [("", None), ("me:secret@", "Basic bWU6c2VjcmV0")],
    ids=["open proxy", "proxy with a password"],
)
def test_a_proxy_of_the_environment_is_used(films, monkeypatch, login, sent):
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.setenv("http_proxy", films.address.replace("://", f"://{login}"))
    with open_source("http://films.example/any/clip.mp4", allow_network=True) as source:
        assert len(list(source)) == 12
    assert set(films.credentials) == {sent}


def test_an_address_may_have_been_a_path(server):
    with open_source(Path(f"{server}/any/clip.mp4"), allow_network=True) as source:
        assert len(list(source)) == 12


@pytest.mark.parametrize(
    ("path", "says"),
    [
        pytest.param("any/none.mp4", "answers 404", id="missing"),
        pytest.param("to/file", "leads to file:///etc/hostname, which is not followed", id="file"),
        pytest.param("to/ftp", "which is not followed", id="ftp"),
        pytest.param("to/round", "too many redirects", id="round"),
        pytest.param("short/clip.mkv", "the connection was cut", id="cut"),
        pytest.param("mute/clip.mkv", "has stalled", id="stalled"),
    ],
)
def test_what_goes_wrong_is_told_in_one_line(server, monkeypatch, path, says):
    monkeypatch.setattr(web_stream, "PATIENCE", Patience(connect_s=2, stall_s=0.5))
    address = f"{server}/{path}"
    with (
        pytest.raises(MediaError, match=says) as caught,
        open_source(address, allow_network=True) as source,
    ):
        list(source)
    assert address in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_nobody_there(server):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        with pytest.raises(MediaOpenError, match="no connection"):
            open_source(f"http://127.0.0.1:{port}/clip.mp4", allow_network=True)


def test_no_connection_without_permission(films):
    with pytest.raises(ConfigError, match=r"clip\.mp4 is on the network; allow that"):
        open_source(f"{films.address}/any/clip.mp4")
    assert films.asked == []


@pytest.mark.parametrize("name", ["list.m3u8", "list.mp4"])
def test_a_film_that_is_there_cannot_lead_to_the_network(tmp_path, name):
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        port = server.getsockname()[1]
        (tmp_path / name).write_text(
            f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nhttp://127.0.0.1:{port}/x.ts\n"
        )
        with pytest.raises(MediaOpenError):
            open_source(tmp_path / name, allow_network=True)
        with pytest.raises(TimeoutError):
            server.accept()


@pytest.mark.timeout(60)
def test_a_server_that_says_nothing_more_holds_nobody(server, monkeypatch, tmp_path):
    """Its patience would outlast this test."""
    monkeypatch.setattr(web_stream, "PATIENCE", Patience(connect_s=2, stall_s=600))
    film = (tmp_path / "clip.mkv").read_bytes()
    half = film[: len(film) // 2]
    stream = web_stream.open_web(f"{server}/mute/clip.mkv")
    seen = b""
    while len(seen) < len(half):
        seen += stream.read(1000)
    assert seen == half
    with ThreadPoolExecutor(1) as reader:
        rest = reader.submit(stream.read, 1000)
        while not rest.running():
            time.sleep(0.01)
        time.sleep(0.2)  # it waits for what never comes
        stream.stop()
        assert rest.result() == b""
    stream.close()
    stream.stop()
