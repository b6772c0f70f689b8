"""Several processes at one cache, and processes that end where they should not."""

import signal
import sys
import time
from pathlib import Path

import pytest
from command import Run, environment_for

from jointvos.checkpoints.record import check_fully

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and limits of POSIX")


def start(cache: Path, *arguments: str, limit: int | None = None) -> Run:
    environment = {**environment_for(cache), "JOINTVOS_CACHE": str(cache), "no_proxy": "*"}
    command = ("download-weights", "mine", *arguments)
    return Run(cache.parent, *command, environment=environment, largest_file=limit)


def wait_for_part(cache: Path, size: int) -> Path:
    """The file in the making, once it has so many bytes."""
    for _ in range(400):
        for path in cache.glob("downloads/mine/*.part"):
            if path.stat().st_size >= size:
                return path
        time.sleep(0.02)
    raise AssertionError("nothing is being downloaded")


@pytest.mark.slow
def test_of_two_at_once_one_fetches_and_the_other_waits(server, cache):
    first = start(cache, "--from", f"{server.address}/slow")
    wait_for_part(cache, 1)
    second = start(cache, "--from", f"{server.address}/slow")
    done, refused = first.end(), second.end()
    path = cache / "mine.safetensors"
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{path}\n"
    assert "waiting for another process that is installing mine" in refused.stderr
    assert refused.returncode == 8  # an explicit source never replaces silently
    assert "already exists; replace it with --force" in refused.stderr
    assert len(server.seen) == 1
    assert path.read_bytes() == server.content
    assert check_fully("mine", path).state == "ok"


def test_a_killed_download_goes_on(server, cache):
    run = start(cache, "--from", f"{server.address}/slow")
    part = wait_for_part(cache, len(server.content) // 10)
    run.kill()
    assert run.end().returncode == -signal.SIGKILL
    have = part.stat().st_size
    assert 0 < have < len(server.content)
    assert not (cache / "mine.safetensors").exists()

    ended = start(cache, "--from", f"{server.address}/slow").end()
    assert ended.returncode == 0, ended.stderr
    assert server.ranges() == [None, f"bytes={have}-"]
    path = cache / "mine.safetensors"
    assert ended.stdout == f"{path}\n"
    assert path.read_bytes() == server.content
    left = {str(found.relative_to(cache)) for found in cache.rglob("*") if found.is_file()}
    assert left == {path.name, "mine.installed.json", "downloads/.mine.lock"}


def test_ctrl_c_says_that_it_can_go_on(server, cache):
    run = start(cache, "--from", f"{server.address}/slow")
    part = wait_for_part(cache, len(server.content) // 10)
    run.kill(signal.SIGINT)
    ended = run.end()
    assert ended.returncode == 130
    assert ended.stdout == ""
    assert ended.stderr.splitlines()[-1] == "interrupted; run the same command again to continue"
    assert part.exists()


def test_a_file_that_may_not_grow_is_said(server, cache):
    """What a full disk or a quota does, for real."""
    ended = start(cache, "--from", f"{server.address}/good", limit=100_000).end()
    assert ended.returncode == 5
    assert ended.stdout == ""
    assert f"{cache}/downloads/mine cannot be written: File too large" in ended.stderr
    assert ended.stderr.count("\n") == 2  # what it does, and why it cannot
    assert not (cache / "mine.safetensors").exists()
