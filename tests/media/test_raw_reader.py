import os
import threading
from fractions import Fraction

import numpy as np
import pytest
from clips import index_of, scene

from jointvos.errors import ConfigError, MediaDecodeError, MediaOpenError
from jointvos.media.reading import open_source

PIXELS = b"".join(scene(i).tobytes() for i in range(5))


@pytest.fixture
def video(tmp_path):
    path = tmp_path / "video.rgb"
    path.write_bytes(PIXELS)
    return path


def test_frames_are_the_pixels(video):
    with open_source(video, raw="64x48@30000/1001") as source:
        frames = list(source)
        with pytest.raises(MediaOpenError, match="only once"):
            list(source)
    assert source.info.frame_rate == Fraction(30000, 1001)
    assert (source.info.width, source.info.height, source.info.frame_count) == (64, 48, 5)
    assert [frame.time_s for frame in frames] == pytest.approx([i * 1001 / 30000 for i in range(5)])
    assert [frame.name for frame in frames] == [f"{i:05d}" for i in range(5)]
    for index, frame in enumerate(frames):
        assert np.array_equal(frame.image, scene(index))


def test_a_part(video):
    with open_source(video, raw="64x48@10", start="1", end="0.3s") as source:
        assert source.info.frame_count == 2
        assert [(frame.index, index_of(frame.image)) for frame in source] == [(1, 1), (2, 2)]
    with open_source(video, raw="64x48@10", start="9") as source, pytest.raises(ConfigError):
        list(source)


@pytest.mark.parametrize("piped", [False, True], ids=["file", "pipe"])
@pytest.mark.parametrize(
    ("left", "says"),
    [
        pytest.param(len(PIXELS) - 1, "read 4 frames of 64x48, then 9215 bytes", id="cut"),
        pytest.param(100, "read 0 frames of 64x48, then 100 bytes", id="less than a frame"),
        pytest.param(0, "read 0 frames of 64x48, then 0 bytes", id="nothing"),
    ],
)
def test_a_part_of_a_frame_is_damage(tmp_path, video, left, says, piped):
    writer = None
    if piped:
        video = tmp_path / "pipe"
        os.mkfifo(video)
        writer = threading.Thread(target=video.write_bytes, args=(PIXELS[:left],))
        writer.start()
    else:
        video.write_bytes(PIXELS[:left])
    with open_source(video, raw="64x48@10") as source, pytest.raises(MediaDecodeError, match=says):
        list(source)
    if writer is not None:
        writer.join()


@pytest.mark.parametrize(
    "text",
    ["64x48", "64x48@", "64x48@0", "0x48@10", "x@1", "64x48@1/0", "99999x99999@1", "6x4@5000"],
)
def test_sizes_that_make_no_sense(video, text):
    with pytest.raises(ConfigError, match="raw is"):
        open_source(video, raw=text)


def test_a_folder_is_not_raw(tmp_path):
    with pytest.raises(ConfigError, match="raw frames are one file"):
        open_source(tmp_path, raw="6x4@5")


def test_a_missing_file(tmp_path):
    with pytest.raises(MediaOpenError, match="No such file"):
        open_source(tmp_path / "none", raw="6x4@5")
