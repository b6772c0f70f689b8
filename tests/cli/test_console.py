import re

import pytest

from jointvos.cli import console


@pytest.fixture
def seconds(monkeypatch):
    """A clock that moves by hand."""
    now = [0.0]
    monkeypatch.setattr(console.time, "monotonic", lambda: now[0])
    return now


def test_without_a_terminal_a_plain_line_now_and_then(seconds, capsys):
    reporter = console.Reporter()
    for _ in reporter.track(range(100), 100, "frames"):
        seconds[0] += 0.5
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "frames 20/100, 2.0 frames/s, about 0:40 left",
        "frames 40/100, 2.0 frames/s, about 0:30 left",
        "frames 60/100, 2.0 frames/s, about 0:20 left",
        "frames 80/100, 2.0 frames/s, about 0:10 left",
        "frames 100/100, 2.0 frames/s",
    ]


def test_unknown_length_and_slow_items(seconds, capsys):
    for _ in console.Reporter().track(range(2), None, "rows"):
        seconds[0] += 4000
    said = capsys.readouterr().err.splitlines()
    assert said == ["rows 1, 4000.0 s each", "rows 2, 4000.0 s each"]


def test_quiet_says_nothing_but_errors(seconds, capsys):
    reporter = console.Reporter(quiet=True, verbose=True)
    reporter.note("a note")
    reporter.detail("a detail")
    for _ in reporter.track(range(3), 3, "frames"):
        seconds[0] += 60
    console.error("a file\nwith a line break is missing")
    assert capsys.readouterr().err == "jointvos: a file with a line break is missing\n"


def test_details_only_on_request(capsys):
    console.Reporter().detail("hidden")
    console.Reporter(verbose=True).detail("shown")
    assert capsys.readouterr().err == "shown\n"


def test_a_terminal_gets_a_bar(monkeypatch, capsys):
    monkeypatch.setattr(console.sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert list(console.Reporter().track(range(3), 3, "frames")) == [0, 1, 2]
    assert re.search(r"3/3", capsys.readouterr().err)
