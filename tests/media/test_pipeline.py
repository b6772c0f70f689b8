import threading
import time
from contextlib import closing
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from clips import index_of

from jointvos.errors import EncodeError, MediaDecodeError
from jointvos.files.staged import StagedFile
from jointvos.media import FanOut, read_ahead
from jointvos.media.reading import VideoReader
from jointvos.media.writing import PngSequenceSink
from jointvos.types import Frame, FrameResult, VideoInfo

IMAGE = np.zeros((8, 8, 3), dtype=np.uint8)


class Counting:
    """A source that knows how far it was read and can fail."""

    info = VideoInfo(Path("counting"), 8, 8, Fraction(24), Fraction(1, 24))

    def __init__(self, count=100, fail_at=None):
        self.count, self.fail_at, self.read = count, fail_at, 0

    def __iter__(self):
        for index in range(self.count):
            if index == self.fail_at:
                raise MediaDecodeError(f"frame {index}")
            self.read += 1
            yield Frame(index, index, index / 24, IMAGE, f"{index:05d}")


class Recording(StagedFile):
    """A sink that writes down what is done with it and can fail or be slow."""

    def __init__(self, path, log, fail=None, wait_s=0.0):
        super().__init__(path)
        self.log, self.fail, self.wait_s = log, fail, wait_s

    def _do(self, what):
        self.log.append((self.path.name, what))
        if what == self.fail:
            raise EncodeError(f"{self.path.name}: {what}")

    def write(self, frame, result):
        time.sleep(self.wait_s)
        self._do(frame.index)
        self._wrote = True
        self._staging.write_text(str(frame.index))

    def _complete(self):
        self._do("close")

    def commit(self):
        self._do("commit")
        super().commit()

    def abort(self):
        self._do("abort")
        self._staging.unlink(missing_ok=True)


def workers():
    return [t for t in threading.enumerate() if t.name.startswith("jointvos-")]


def frame(index):
    labels = np.zeros((8, 8), dtype=np.uint8)
    return Frame(index, index, index / 24, IMAGE, f"{index:05d}"), FrameResult(index, labels, ())


def test_read_ahead_gives_the_same_frames(make_clip):
    with VideoReader(make_clip()) as source:
        assert [index_of(frame.image) for frame in read_ahead(source)] == list(range(12))
    assert not workers()


def test_read_ahead_is_bounded():
    source = Counting()
    with closing(read_ahead(source, depth=3)) as frames:
        next(frames)
        time.sleep(0.1)
        assert source.read <= 4
    assert not workers()


def test_errors_come_out_behind_the_frames_before_them():
    got = []
    with pytest.raises(MediaDecodeError, match="frame 5"):
        got.extend(read_ahead(Counting(fail_at=5)))
    assert [frame.index for frame in got] == [0, 1, 2, 3, 4]
    assert not workers()


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_a_consumer_that_fails_leaves_no_thread(make_clip, error):
    def consume(frames):
        for frame in frames:
            if frame.index == 3:
                raise error

    with VideoReader(make_clip()) as source:
        frames = read_ahead(source)
        with closing(frames), pytest.raises(error):
            consume(frames)
        assert not workers()


def test_a_consumer_that_stops_leaves_no_thread():
    for item in read_ahead(Counting()):
        if item.index == 3:
            break
    assert not workers()


def test_all_sinks_are_closed_before_any_is_put_in_place(tmp_path):
    log = []
    with FanOut([Recording(tmp_path / "a", log), Recording(tmp_path / "b", log)]) as sinks:
        for index in range(3):
            sinks.write(*frame(index))
    writes = [(name, index) for index in range(3) for name in "ab"]
    closed = [("a", "close"), ("b", "close")]
    # Both are given a frame at once, and the next one when both have it.
    together = [sorted(log[i : i + 2]) for i in range(0, 8, 2)]
    assert together == [[*writes[i : i + 2]] for i in range(0, 6, 2)] + [closed]
    assert log[8:] == [("a", "commit"), ("b", "commit")]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "b"]
    assert not workers()


def write_all(sinks, count=20):
    with sinks:
        for index in range(count):
            sinks.write(*frame(index))


@pytest.mark.parametrize(
    "fail",
    [
        pytest.param(0, id="first frame"),
        pytest.param(7, id="a frame"),
        pytest.param(19, id="last frame"),
        pytest.param("close", id="close"),
    ],
)
def test_when_one_sink_fails_nothing_is_left(tmp_path, fail):
    log = []
    sinks = FanOut([Recording(tmp_path / "a", log), Recording(tmp_path / "b", log, fail)])
    with pytest.raises(EncodeError, match=f"b: {fail}"):
        write_all(sinks)
    assert list(tmp_path.iterdir()) == []
    assert log.count(("a", "abort")) == log.count(("b", "abort")) == 1
    assert not workers()
    sinks.abort()
    sinks.finish()
    assert list(tmp_path.iterdir()) == []


def test_an_error_shows_at_the_next_write(tmp_path):
    sinks = FanOut([Recording(tmp_path / "a", [], fail=0)], depth=100)
    sinks.write(*frame(0))
    time.sleep(0.1)
    with pytest.raises(EncodeError):
        sinks.write(*frame(1))


def test_writing_waits_when_the_sinks_are_slow(tmp_path):
    log = []
    sinks = FanOut([Recording(tmp_path / "a", log, wait_s=0.02)], depth=2)
    for index in range(6):
        sinks.write(*frame(index))
        assert index + 1 - len(log) <= 2
    sinks.finish()
    assert len(log) == 8


@pytest.mark.parametrize("error", [KeyboardInterrupt, MediaDecodeError])
def test_leaving_by_an_exception_aborts(tmp_path, error):
    def run(sinks):
        with sinks:
            sinks.write(*frame(0))
            raise error

    with pytest.raises(error):
        run(FanOut([PngSequenceSink(tmp_path / "png")]))
    assert list(tmp_path.iterdir()) == []
    assert not workers()


def test_no_frame_is_an_error(tmp_path):
    with pytest.raises(EncodeError, match="no frames to write"):
        write_all(FanOut([PngSequenceSink(tmp_path / "png")]), count=0)


def test_no_sink_is_an_error():
    with pytest.raises(ValueError, match="at least one sink"):
        FanOut([])
