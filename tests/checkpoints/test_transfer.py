"""Fetching a file from servers that misbehave in every way we could think of."""

import os
import shutil
import socket
import time
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path
from typing import Any, cast

import misbehaving
import pytest
import urllib3
from misbehaving import Behavior, Server, Visit, answer, serving
from pytest_httpserver import HTTPServer
from urllib3 import exceptions
from werkzeug import Response

from jointvos.checkpoints.partial import Partial
from jointvos.checkpoints.transfer import PROGRESS, Unfetchable, fetch
from jointvos.errors import WeightsError
from jointvos.web import (
    RETRY,
    Failed,
    Interrupted,
    Patience,
    WebError,
    next_try,
    with_reasons,
)

CONTENT = b"PK\x03\x04" + os.urandom(300_000)
QUICK = Patience(connect_s=2, stall_s=1.5, retry=RETRY.new(total=2, backoff_max=0.05))


@pytest.fixture
def server(httpserver: HTTPServer) -> Iterator[Server]:
    with serving(httpserver, CONTENT) as server:
        server.behaviors["/good"] = misbehaving.good
        yield server


@pytest.fixture
def fetched(tmp_path, listener):
    """Fetch from addresses into the test's folder, with little patience."""

    def fetch_into(*addresses: str, folder: Path = tmp_path, size: int | None = None):
        return fetch(addresses, folder, listener, size=size, patience=QUICK)

    return fetch_into


@pytest.fixture
def get(server, fetched):
    """Fetch from a server that behaves so."""

    def from_server(behavior: Behavior, **options) -> Path:
        server.behaviors["/file"] = behavior
        return fetched(f"{server.address}/file", **options)[0]

    return from_server


@pytest.mark.parametrize(
    ("behavior", "ranges", "said"),
    [
        pytest.param("good", [None], "", id="good"),
        pytest.param("without_length", [None], "", id="no-length"),
        pytest.param("moved", [None, None], "", id="redirected"),
        pytest.param("called_html", [None], "", id="wrongly-called-html"),
        pytest.param("cut_once", [None, "bytes=150002-"], "was cut", id="cut"),
        pytest.param("in_chunks", [None, "bytes=50000-"], "was cut", id="cut-in-chunks"),
        pytest.param("stalled_once", [None, "bytes=5000-"], "has stalled", id="stalled"),
        pytest.param(
            "deaf_to_ranges", [None, "bytes=7000-"], "from its start again", id="200-to-a-range"
        ),
        pytest.param("other_range", [None, "bytes=7000-", None], "another part", id="other-range"),
        pytest.param("replaced", [None, "bytes=9000-"], "from its start again", id="if-range"),
        pytest.param(
            "replaced_silently", [None, "bytes=9000-", None], "has changed", id="other-size"
        ),
        pytest.param("past_the_end", [None, "bytes=300003-", None], "no longer fits", id="416"),
        pytest.param("busy_once", [None, None], "answers 503 Service Unavailable", id="503"),
        pytest.param("confirmation", [None, None], "", id="confirmation"),
    ],
)
def test_what_can_be_overcome_is(behavior, ranges, said, server, listener, get):
    path = get(getattr(misbehaving, behavior))
    assert path.read_bytes() == CONTENT
    assert server.ranges() == ranges
    assert said in "\n".join(listener.notes)
    assert bool(said) == bool(listener.notes)
    assert listener.steps[-1][0] == len(CONTENT)


@pytest.mark.parametrize(
    ("behavior", "size", "said", "requests"),
    [
        pytest.param("cut_always", None, "connection was cut, 3 times in a row", 3, id="cut"),
        pytest.param(
            *("stalled_always", None, "has stalled, 3 times in a row", 3),
            id="stalled",
            marks=pytest.mark.slow,
        ),
        pytest.param("no_http", None, "connection was cut, 3 times in a row", 3, id="no-http"),
        pytest.param("busy_always", None, "answers 429 Too Many Requests, 3 times", 3, id="429"),
        pytest.param("missing", None, "answers 404 Not Found", 1, id="404"),
        pytest.param("forbidden", None, "answers 403 Forbidden", 1, id="403"),
        pytest.param("empty", None, "sent an empty file", 1, id="empty"),
        pytest.param("half", 300_004, "offers 150002 bytes, the file has 300004", 1, id="size"),
        pytest.param(
            "without_length_and_cut", 300_004, "sent 9999 bytes, the file has", 1, id="cut-unseen"
        ),
        pytest.param("without_length", 9999, "sends more than 9999 bytes", 1, id="endless"),
        pytest.param("moved_for_ever", None, "too many redirects", 6, id="redirects"),
        pytest.param("page", None, "a web page ('Welcome to the hotel') instead", 1, id="html"),
        pytest.param("disguised_page", None, "a web page ('Portal')", 1, id="disguised-html"),
        pytest.param("quota", None, "Google Drive's download quota for this file", 1, id="quota"),
        pytest.param("login", None, "Google Drive wants a login", 1, id="login"),
        pytest.param(
            "confirmation_for_ever", None, "confirmation that it did not accept", 2, id="confirm"
        ),
        pytest.param("confirmation_elsewhere", None, "did not accept", 1, id="form-elsewhere"),
    ],
)
def test_what_cannot_be_overcome_is_said(behavior, size, said, requests, server, get):
    with pytest.raises(Unfetchable) as caught:
        get(getattr(misbehaving, behavior), size=size)
    message = str(caught.value)
    assert message.startswith(f"127.0.0.1:{server.port}: ")
    assert said in message
    assert "\n" not in message
    assert caught.value.exit_code == 5
    assert len(server.seen) == requests


def test_the_confirmation_is_sent_as_the_form_says(server, get):
    get(misbehaving.confirmation)
    assert server.seen[-1][0] == "/good?id=1UB&export=download&confirm=t&uuid=a+b%26c"


def test_addresses_are_tried_in_turn(server, fetched):
    server.behaviors["/quota"] = misbehaving.quota
    addresses = [f"{server.address}/{name}" for name in ("quota", "absent", "good", "unused")]
    path, used = fetched(*addresses)
    assert path.read_bytes() == CONTENT
    assert used == addresses[2]
    assert [seen[0] for seen in server.seen] == ["/quota", "/absent", "/good"]
    with pytest.raises(Unfetchable, match=r"quota for this file is used up; .*404 Not Found"):
        fetched(*addresses[:2])


def test_a_later_call_goes_on_where_an_earlier_one_ended(server, tmp_path, get):
    with pytest.raises(Unfetchable):
        get(misbehaving.cut_always)
    left = list(tmp_path.glob("*.part"))
    assert [path.stat().st_size for path in left] == [3000]
    server.seen.clear()
    path = get(misbehaving.good)
    assert path.read_bytes() == CONTENT
    assert server.ranges() == ["bytes=3000-"]
    assert path not in left
    assert list(tmp_path.glob("*.part")) == [path]


@pytest.mark.parametrize("notes", ["", "[]", '{"address": "http://elsewhere/file"}'])
def test_remains_of_something_else_are_left_alone(notes, server, tmp_path, get):
    (tmp_path / "0.part").write_bytes(b"other")
    (tmp_path / "0.json").write_text(notes)
    path = get(misbehaving.good)
    assert path.read_bytes() == CONTENT
    assert server.ranges() == [None]


def test_without_a_tag_the_size_must_be_the_same(server, tmp_path, get):
    address = f"{server.address}/file"
    for total, ranges in ((len(CONTENT), ["bytes=5-"]), (len(CONTENT) + 1, ["bytes=5-", None])):
        partial = Partial(tmp_path, address)
        partial.restart(None, total)
        partial.path.write_bytes(CONTENT[:5])
        server.seen.clear()
        path = get(misbehaving.without_tag)
        assert path.read_bytes() == CONTENT
        assert server.ranges() == ranges
        shutil.rmtree(tmp_path)
        tmp_path.mkdir()


def test_steady_progress_uses_up_no_attempts(server, get):
    server.content = CONTENT * 14

    def in_bits(visit: Visit) -> Response:
        return visit.part(visit.start, visit.start + PROGRESS, ETag='"one"')

    path = get(in_bits)
    assert path.read_bytes() == server.content
    assert len(server.seen) == 5


@pytest.mark.parametrize(
    ("asks_for", "expected"),
    [
        pytest.param(None, [0, 2, 4, 7], id="nothing"),
        pytest.param("5", [5, 5, 5, 7], id="seconds"),
        pytest.param("3600", [7, 7, 7, 7], id="too-long"),
        pytest.param(formatdate(time.time() + 3600, usegmt=True), [7, 7, 7, 7], id="date"),
        pytest.param("soon", [0, 2, 4, 7], id="nonsense"),
    ],
)
def test_pauses_grow_and_servers_may_ask_for_longer_ones(asks_for, expected):
    headers = {"Retry-After": asks_for} if asks_for else {}
    busy = Interrupted("busy", urllib3.HTTPResponse(status=503, headers=headers))
    retry, pauses = RETRY.new(backoff_max=7), []
    for _ in expected:
        retry, pause = next_try(retry, busy)
        pauses.append(pause)
    assert pauses == expected
    with pytest.raises(Failed, match="busy, 5 times in a row"):
        next_try(retry, busy)


def test_nobody_listening_is_said(fetched):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}/file"
    with pytest.raises(Unfetchable, match="no connection, 3 times in a row"):
        fetched(address)


def test_a_page_that_wants_a_login_is_not_followed(get):
    login = {"Location": "https://accounts.google.com/x"}
    with pytest.raises(Unfetchable, match="Google Drive wants a login"):
        get(lambda _: answer(302, **login))


def test_encryption_is_not_given_up_for_a_redirection(monkeypatch, fetched):
    class Encrypted:
        """A server elsewhere."""

        def request(self, *_: object, **options: object) -> urllib3.HTTPResponse:
            return urllib3.HTTPResponse(status=302, headers={"Location": "http://b.example/file"})

    monkeypatch.setattr("jointvos.web._manager", lambda url: Encrypted())
    with pytest.raises(Unfetchable, match=r"b\.example without encryption"):
        fetched("https://a.example/file")


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        pytest.param(
            exceptions.NameResolutionError("a", cast(Any, None), socket.gaierror()),
            Failed,
            "unknown host; are you online?",
            id="name",
        ),
        pytest.param(
            exceptions.SSLError("self-signed"), Failed, "connection (self-signed)", id="tls"
        ),
        pytest.param(exceptions.LocationParseError("x"), Failed, "invalid URL", id="address"),
        pytest.param(
            exceptions.ConnectTimeoutError(), Interrupted, "no connection in time", id="timeout"
        ),
        pytest.param(
            exceptions.ProxyError("x", OSError()), Interrupted, "the proxy refuses", id="proxy"
        ),
    ],
)
def test_reasons_of_failed_connections_are_told_apart(error, kind, said):
    with pytest.raises(WebError) as caught, with_reasons():
        raise error
    assert type(caught.value) is kind
    assert said in str(caught.value)


def test_passwords_in_addresses_are_used_and_not_shown(server, fetched):
    server.behaviors["/file"] = misbehaving.forbidden
    address = f"http://me:secret@127.0.0.1:{server.port}/file"
    with pytest.raises(Unfetchable) as caught:
        fetched(address)
    assert "secret" not in str(caught.value)
    assert server.seen[0][2].get("Authorization") == "Basic bWU6c2VjcmV0"
    assert server.seen[0][0] == "/file"


@pytest.mark.parametrize(
    ("login", "sent"),
    [("", None), ("me:se%40cret@", "Basic bWU6c2VAY3JldA==")],
    ids=["open proxy", "proxy with a password"],
)
def test_a_proxy_of_the_environment_is_used(login, sent, server, monkeypatch, fetched):
    server.behaviors["http://models.example/file"] = misbehaving.good
    monkeypatch.setenv("http_proxy", server.address.replace("://", f"://{login}"))
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    path, _ = fetched("http://models.example/file")
    assert path.read_bytes() == CONTENT
    assert server.seen[0][2].get("Proxy-Authorization") == sent


def test_too_little_room_is_said_before_anything_is_fetched(tmp_path, get):
    def huge(visit: Visit) -> Response:
        return answer(200, [b"PK"], Content_Length=10**18)

    with pytest.raises(WeightsError, match=r"room for \d+ bytes, 10{18} are needed") as caught:
        get(huge, size=10**18)
    assert not isinstance(caught.value, Unfetchable)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_said(server, tmp_path, get):
    (tmp_path / "file").touch()
    with pytest.raises(WeightsError, match="cannot be written: Not a directory"):
        get(misbehaving.good, folder=tmp_path / "file")
    assert len(server.seen) == 1
