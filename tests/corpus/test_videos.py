import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from clips import index_of
from videos import BROKEN, CUT_STREAMS, STREAMS, VIDEOS, Video, pieces

from jointvos.errors import MediaDecodeError, MediaError, MediaOpenError
from jointvos.media.reading import open_source
from jointvos.types import Frame


def color_error(frame: Frame) -> float:
    """How far the two areas of a scene are off, in their middles."""
    height, width = frame.image.shape[:2]
    rows = slice(height * 5 // 8, height * 7 // 8)
    left = frame.image[rows, width // 8 : width * 3 // 8].reshape(-1, 3).mean(axis=0)
    right = frame.image[rows, width * 5 // 8 : width * 7 // 8].reshape(-1, 3).mean(axis=0)
    return float(max(abs(left - (200, 40, 40)).max(), abs(right - (40, 40, 200)).max()))


def check(video: Video, frames: list[Frame]) -> None:
    assert [index_of(frame.image) for frame in frames] == list(video.numbers)
    assert {frame.image.shape for frame in frames} == {(video.size[1], video.size[0], 3)}
    assert [frame.index for frame in frames] == list(range(len(frames)))
    assert [frame.name for frame in frames] == [f"{i:05d}" for i in range(len(frames))]
    assert np.all(np.diff([frame.time_s for frame in frames]) > 0)
    if video.times is not None:
        assert [frame.time_s for frame in frames] == pytest.approx(list(video.times), abs=0.0011)
    if video.error is not None:
        assert max(color_error(frame) for frame in frames) <= video.error


@pytest.mark.parametrize("name", VIDEOS)
def test_every_frame_once_in_order_upright_in_its_colors(tmp_path, caplog, name):
    video = VIDEOS[name]
    with (
        caplog.at_level(logging.WARNING, "jointvos.media"),
        open_source(video.make(tmp_path)) as source,
    ):
        check(video, list(source))
    assert (source.info.width, source.info.height) == video.size
    for fact, value in {"has_audio": False, **dict(video.facts)}.items():
        assert getattr(source.info, fact) == value
    said = [record.message for record in caplog.records if record.name == "jointvos.media"]
    assert len(said) == (video.warning is not None)
    assert video.warning is None or video.warning in said[0]


@pytest.mark.parametrize("name", BROKEN)
def test_damage_is_told_in_one_line(tmp_path, name):
    make, error, says = BROKEN[name]
    path = make(tmp_path)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(error, match=says) as caught, open_source(path) as source:
        list(source)
    assert str(path) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    assert sorted(tmp_path.iterdir()) == before


@contextmanager
def as_stdin(data: bytes) -> Iterator[None]:
    """A pipe full of bytes in the place of the standard input."""
    reading, writing = os.pipe()
    saved = os.dup(0)
    os.dup2(reading, 0)
    os.close(reading)

    def send() -> None:
        try:
            for piece in pieces(data):
                os.write(writing, piece)
        except BrokenPipeError:  # the reader had enough
            pass
        finally:
            os.close(writing)

    writer = threading.Thread(target=send)
    writer.start()
    try:
        yield
    finally:
        os.dup2(saved, 0)
        os.close(saved)
        writer.join()


@pytest.mark.parametrize("name", STREAMS)
def test_videos_come_through_a_pipe(tmp_path, name):
    data = VIDEOS[name].make(tmp_path).read_bytes()
    with as_stdin(data), open_source(Path("-")) as source:
        check(VIDEOS[name], list(source))
        with pytest.raises(MediaOpenError, match="read only once"):
            list(source)


@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.8])
@pytest.mark.parametrize("name", CUT_STREAMS)
def test_a_pipe_that_closes_early_is_damage(tmp_path, name, share):
    data = VIDEOS[name].make(tmp_path).read_bytes()
    data = data[: int(len(data) * share) + 1]
    with (
        as_stdin(data),
        pytest.raises(MediaError, match="/dev/stdin") as caught,
        open_source("-") as source,
    ):
        list(source)
    assert len(str(caught.value).splitlines()) == 1


def test_an_index_at_the_end_needs_a_file(tmp_path):
    data = VIDEOS["h264_mp4"].make(tmp_path).read_bytes()
    # Too much for the buffer of the codec library, which would hold a small video.
    place = data.index(b"mdat") - 4
    data = data[:place] + (1 << 20).to_bytes(4) + b"free" + bytes((1 << 20) - 8) + data[place:]
    with (
        as_stdin(data),
        pytest.raises(MediaError, match="index at the end cannot be read from a pipe"),
        open_source("-") as source,
    ):
        list(source)


@pytest.mark.parametrize(("share", "count"), [(0.0, 0), (0.6, 3)])
def test_a_named_pipe(tmp_path, share, count):
    data = VIDEOS["y4m"].make(tmp_path).read_bytes()
    os.mkfifo(tmp_path / "pipe")
    part = data[: int(len(data) * share)]
    writer = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=(part,))
    writer.start()
    frames: list[Frame] = []
    with pytest.raises(MediaError, match="pipe: "), open_source(tmp_path / "pipe") as source:
        frames.extend(source)
    writer.join()
    assert len(frames) == count


def test_a_file_as_stdin_is_read_like_a_file(tmp_path):
    path = VIDEOS["h264_mp4"].make(tmp_path)
    saved = os.dup(0)
    file = os.open(path, os.O_RDONLY)
    os.dup2(file, 0)
    try:
        with open_source("-") as source:
            check(VIDEOS["h264_mp4"], list(source))
            check(VIDEOS["h264_mp4"], list(source))
    finally:
        os.dup2(saved, 0)
        os.close(saved)
        os.close(file)


def test_damage_comes_behind_the_good_frames(tmp_path):
    make, _, _ = BROKEN["trunc_y4m"]
    frames: list[Frame] = []
    with (
        open_source(make(tmp_path)) as source,
        pytest.raises(MediaDecodeError, match="read 14 of"),
    ):
        frames.extend(source)
    assert [index_of(frame.image) for frame in frames] == list(range(14))
