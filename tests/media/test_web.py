import re
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from clips import Clip, index_of, make
from werkzeug import Response

from jointvos.errors import ConfigError, MediaError, MediaOpenError
from jointvos.media.reading import VideoReader, open_source
from jointvos.media.reading.web_stream import open_web
from jointvos.web import Patience

GOES_TO = {"file": "file:///etc/hostname", "ftp": "ftp://x/y", "round": "/to/round"}


@pytest.fixture
def videos(httpserver, tmp_path, monkeypatch):
    """/any/NAME gives parts, /whole/NAME does not, /short/NAME breaks off, /mute/NAME stalls."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    make(tmp_path, Clip())
    make(tmp_path, Clip(name="clip.mkv", format="matroska", pipe=True))
    ended = threading.Event()

    def video(request):
        _, how, name = request.path.split("/")
        if how == "to":
            return Response(status=302, headers={"Location": GOES_TO.get(name, f"/any/{name}")})
        if not (tmp_path / name).exists():
            return Response(status=404)
        data = (tmp_path / name).read_bytes()
        if how == "any":
            return Response(data).make_conditional(request, True, len(data))

        def content():
            yield data[: None if how == "whole" else len(data) // 2]
            if how == "mute":
                ended.wait(30)

        return Response(content(), headers={"Content-Length": str(len(data))})

    httpserver.expect_request(re.compile("")).respond_with_handler(video)
    yield httpserver
    ended.set()


@pytest.fixture
def server(videos):
    return videos.url_for("")


@pytest.mark.parametrize("path", ["any/clip.mp4", "whole/clip.mkv", "any/clip.mkv", "to/clip.mp4"])
def test_videos_are_read_from_a_server(server, path):
    with open_source(f"{server}/{path}", allow_network=True) as source:
        assert [index_of(frame.image) for frame in source] == list(range(12))
    assert (source.info.width, source.info.height) == (64, 48)


def test_any_part_of_a_video_is_read(videos, tmp_path):
    video = (tmp_path / "clip.mp4").read_bytes()
    stream = open_web(videos.url_for("/any/clip.mp4"))
    assert stream.read(9) == video[:9]
    for offset, whence, place in ((1000, 0, 1000), (-20, 2, len(video) - 20), (-500, 1, -510)):
        assert stream.seek(offset, whence) == place % len(video)
        assert stream.read(10) == video[place:][:10]
    stream.close()
    starts = (1000, len(video) - 20, len(video) - 510)
    asked_for = [request.headers.get("Range") for request, _ in videos.log]
    assert asked_for == [None, *(f"bytes={start}-" for start in starts)]


@pytest.mark.parametrize(
    ("login", "sent"),
    [("", None), ("me:secret@", "Basic bWU6c2VjcmV0")],
    ids=["open proxy", "proxy with a password"],
)
def test_a_proxy_of_the_environment_is_used(videos, monkeypatch, login, sent):
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.setenv("http_proxy", videos.url_for("").replace("://", f"://{login}"))
    with open_source("http://videos.example/any/clip.mp4", allow_network=True) as source:
        assert len(list(source)) == 12
    assert {request.headers.get("Proxy-Authorization") for request, _ in videos.log} == {sent}


def test_an_address_may_have_been_a_path(server):
    with open_source(Path(f"{server}/any/clip.mp4"), allow_network=True) as source:
        assert len(list(source)) == 12


@pytest.mark.parametrize(
    ("path", "says"),
    [
        pytest.param("any/none.mp4", "answers 404", id="missing"),
        pytest.param(
            "to/file", "redirects to file:///etc/hostname, which is not followed", id="file"
        ),
        pytest.param("to/ftp", "which is not followed", id="ftp"),
        pytest.param("to/round", "too many redirects", id="round"),
        pytest.param("short/clip.mkv", "the connection was cut", id="cut"),
        pytest.param("mute/clip.mkv", "has stalled", id="stalled"),
    ],
)
def test_what_goes_wrong_is_told_in_one_line(server, path, says):
    address = f"{server}/{path}"
    patience = Patience(connect_s=2, stall_s=0.5)
    with (
        pytest.raises(MediaError, match=says) as caught,
        VideoReader(Path(address), stream=open_web(address, patience)) as source,
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


def test_no_connection_without_permission(videos):
    with pytest.raises(ConfigError, match=r"clip\.mp4 is on the network; allow that"):
        open_source(videos.url_for("/any/clip.mp4"))
    assert videos.log == []


@pytest.mark.parametrize("name", ["list.m3u8", "list.mp4"])
def test_a_video_that_is_there_cannot_lead_to_the_network(tmp_path, name):
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
def test_a_server_that_says_nothing_more_holds_nobody(server, tmp_path):
    video = (tmp_path / "clip.mkv").read_bytes()
    half = video[: len(video) // 2]
    stream = open_web(f"{server}/mute/clip.mkv")
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
