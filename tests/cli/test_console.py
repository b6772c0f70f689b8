from contextlib import redirect_stderr

from terminal import Terminal

from jointvos.cli import console


def lines(unit, total, count, each_s):
    """Where a clock moves by so many seconds with each of `count` items."""
    now = [0.0]
    shown = console.Lines(unit, total, lambda: now[0])
    for _ in range(count):
        now[0] += each_s
        shown.advance()


def test_without_a_terminal_a_plain_line_now_and_then(capsys):
    lines("frames", 100, 100, 0.5)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "frames 20/100, 2.0 frames/s, about 0:40 left",
        "frames 40/100, 2.0 frames/s, about 0:30 left",
        "frames 60/100, 2.0 frames/s, about 0:20 left",
        "frames 80/100, 2.0 frames/s, about 0:10 left",
        "frames 100/100, 2.0 frames/s",
    ]


def test_unknown_length_and_slow_items(capsys):
    lines("rows", None, 2, 4000)
    said = capsys.readouterr().err.splitlines()
    assert said == ["rows 1, 4000.0 s each", "rows 2, 4000.0 s each"]


def test_quiet_says_nothing_but_errors(capsys):
    reporter = console.Reporter(quiet=True, verbose=True)
    reporter.note("a note")
    reporter.detail("a detail")
    assert not isinstance(reporter.meter("frames", 3), console.Lines)
    assert isinstance(console.Reporter().meter("frames", 3), console.Lines)
    assert list(reporter.track(range(3), 3, "frames")) == [0, 1, 2]
    console.error("a file\nwith a line break is missing")
    assert capsys.readouterr().err == "jointvos: a file with a line break is missing\n"


def test_details_only_on_request(capsys):
    console.Reporter().detail("hidden")
    console.Reporter(verbose=True).detail("shown")
    assert capsys.readouterr().err == "shown\n"


def test_a_terminal_gets_a_bar(monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    with redirect_stderr(Terminal()) as shown:
        assert list(console.Reporter().track(range(3), 3, "frames")) == [0, 1, 2]
    assert "3/3" in shown.getvalue()
