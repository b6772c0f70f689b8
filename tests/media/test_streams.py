import os
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
from clips import Clip, make

from jointvos.errors import ConfigError, MediaError
from jointvos.media import read_ahead
from jointvos.media.reading import VideoReader, open_source
from jointvos.media.reading.completeness import Completeness, file_cut_short
from jointvos.media.reading.streams import PipeStream

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def pipe():
    """A pipe whose writer says nothing more after what a test has sent."""
    reading, writing = os.pipe()
    yield reading, writing
    os.close(writing)


def test_stopping_ends_the_wait_for_bytes(pipe):
    reading, writing = pipe
    stream = PipeStream(reading, "pipe")
    os.write(writing, b"abc")
    assert stream.read(9) == b"abc"
    with ThreadPoolExecutor(1) as waiting:
        last = waiting.submit(stream.read, 9)
        stream.stop()
        assert last.result(timeout=30) == b""
    stream.close()


def test_reading_ahead_ends_although_a_frame_is_waited_for():
    stopped = Event()

    def frames():
        yield "a frame"
        stopped.wait()

    ahead = read_ahead(frames(), stop=stopped.set)
    assert next(ahead) == "a frame"
    ahead.close()  # hangs if the thread goes on waiting


def test_what_interrupts_a_read_is_not_lost(pipe):
    class Interrupted(PipeStream):
        def _read(self, size: int) -> bytes:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        VideoReader("pipe", stream=Interrupted(pipe[0], "pipe"))


def test_a_terminal_is_no_video():
    main, terminal = os.openpty()
    saved = os.dup(0)
    os.dup2(terminal, 0)
    try:
        with pytest.raises(ConfigError, match="stdin is a terminal"):
            open_source("-")
    finally:
        os.dup2(saved, 0)
        for descriptor in (saved, main, terminal):
            os.close(descriptor)


def test_no_stdin_at_all():
    saved = os.dup(0)
    os.close(0)
    try:
        with pytest.raises(MediaError, match="/dev/stdin: "):
            open_source("-")
    finally:
        os.dup2(saved, 0)
        os.close(saved)


WAYS = [
    pytest.param({"name": "clip.mkv", "format": "matroska", "pipe": True}, id="live matroska"),
    pytest.param({"name": "clip.mkv"}, id="matroska"),
    pytest.param({"name": "clip.mp4"}, id="mp4"),
    pytest.param({"muxing": {"movflags": "frag_keyframe+empty_moov"}}, id="fragmented mp4"),
    pytest.param({"name": "clip.ts"}, id="transport stream"),
    pytest.param(
        {"name": "clip.m2ts", "format": "mpegts", "muxing": {"mpegts_m2ts_mode": "1"}}, id="m2ts"
    ),
    pytest.param({"name": "clip.y4m", "codec": "wrapped_avframe"}, id="y4m"),
    pytest.param(
        {"name": "c.y4m", "codec": "wrapped_avframe", "pixels": "yuv444p", "size": (53, 39)},
        id="y4m 444",
    ),
    pytest.param({"name": "c.y4m", "codec": "wrapped_avframe", "pixels": "gray"}, id="y4m gray"),
    pytest.param({"name": "c.y4m", "codec": "wrapped_avframe", "pixels": "yuv411p"}, id="y4m 411"),
]


@pytest.mark.parametrize("clip", WAYS)
def test_a_cut_is_noticed_wherever_it_is(tmp_path, clip):
    """Except between two parts, which only a few places are."""
    path = make(tmp_path, Clip(frames=4, **clip))
    data = path.read_bytes()
    assert not file_cut_short(path)
    noticed = []
    for size in range(len(data) - 97, 500, -max(1, len(data) // 50)):
        path.write_bytes(data[:size])
        cut = file_cut_short(path)
        whole = Completeness()
        for start in range(0, size, 333):
            whole.feed(data[start : min(size, start + 333)])
        assert whole.cut_short == cut
        noticed.append(cut)
    assert sum(noticed) >= 0.9 * len(noticed)


def test_what_follows_a_video_is_not_minded(tmp_path):
    path = make(tmp_path, Clip())
    path.write_bytes(path.read_bytes() + b"made by a camera" * 9)
    with open_source(path) as source:
        assert len(list(source)) == 12
