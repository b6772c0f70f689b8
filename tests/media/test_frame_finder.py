import random
from contextlib import suppress

import av
import numpy as np
import pytest
from clips import index_of, scene
from PIL import Image
from videos import VIDEOS

from jointvos.errors import MediaDecodeError, MediaError, MediaOpenError
from jointvos.media.reading import NoSuchFrame, open_finder, open_source

GOPS = {
    "closed": {"options": {"g": "8", "bf": "3"}},
    "open": {"options": {"x264-params": "keyint=8:open-gop=1:bframes=3"}},
    "refreshed bit by bit": {"options": {"x264-params": "keyint=10:intra-refresh=1:bframes=0"}},
    "matroska": {"name": "clip.mkv", "options": {"g": "8", "bf": "3"}},
    "transport stream": {"name": "clip.ts", "options": {"g": "8", "bf": "3"}},
    "hevc": {"codec": "libx265", "options": {"x265-params": "keyint=8:open-gop=1:log-level=none"}},
    "mpeg2": {"codec": "mpeg2video", "name": "clip.ts", "options": {"g": "8", "bf": "2"}},
    "mpeg4 in avi": {"codec": "mpeg4", "name": "clip.avi", "options": {"g": "8"}},
    "turned": {"turn": 90, "options": {"g": "8"}},
}


def read(path):
    with open_source(path) as source:
        return list(source)


def check_any_order(path, keep_bytes):
    expected = read(path)
    order = list(range(len(expected))) * 2
    random.Random(0).shuffle(order)
    order = order[:60]
    finder = open_finder(path, keep_bytes)
    try:
        for index in order:
            frame, other = finder.at(index), expected[index]
            assert np.array_equal(frame.image, other.image), index
            assert (frame.index, frame.name) == (other.index, other.name)
        with pytest.raises(NoSuchFrame):
            finder.at(len(expected))
        assert finder.count == len(expected)
    finally:
        finder.close()


@pytest.mark.parametrize("name", VIDEOS)
def test_any_frame_is_the_one_that_reading_from_the_start_gives(tmp_path, name):
    check_any_order(VIDEOS[name].make(tmp_path), 1)


@pytest.mark.parametrize("changes", GOPS.values(), ids=GOPS)
def test_frames_between_keyframes_are_exact(make_clip, changes):
    clip = make_clip(frames=26, **changes)
    for keep_bytes in (1, 2**20):
        check_any_order(clip, keep_bytes)


def test_nothing_before_the_keyframe_is_decoded(make_clip):
    """What was decoded on the way is kept: those are the frames that are left without a file."""
    path = make_clip(frames=60, options={"g": "10", "bf": "2"})
    finder = open_finder(path)
    assert index_of(finder.at(57).image) == 57
    assert finder.count == 60
    path.unlink()
    left = set()
    for index in range(60):
        with suppress(MediaError):
            assert index_of(finder.at(index).image) == index
            left.add(index)
    assert {55, 57} <= left <= set(range(48, 60))
    finder.close()


def test_images_of_a_folder(tmp_path):
    for index in range(3):
        Image.fromarray(scene(index)).save(tmp_path / f"shot{index + 9}.png")
    finder = open_finder(tmp_path)
    assert [index_of(finder.at(index).image) for index in (2, 0, 1)] == [2, 0, 1]
    assert (finder.count, finder.name(1)) == (3, "shot10")
    with pytest.raises(NoSuchFrame):
        finder.at(3)


def test_a_damaged_frame_is_told_and_those_of_other_keyframes_are_shown(make_clip):
    path = make_clip(frames=30, options={"g": "10", "bf": "0"})
    good = read(path)
    with av.open(str(path)) as container:
        hurt = next(p for n, p in enumerate(container.demux(video=0)) if n == 14)
        place, size = hurt.pos, hurt.size
    data = bytearray(path.read_bytes())
    data[place + 8 : place + size] = b"\xff" * (size - 8)
    path.write_bytes(data)
    finder = open_finder(path)
    for index in (2, 25):
        assert np.array_equal(finder.at(index).image, good[index].image)
    with pytest.raises(MediaDecodeError, match=r"frame 14 (is damaged|cannot be decoded)"):
        finder.at(14)
    finder.close()


def test_a_stream_is_refused(tmp_path):
    with pytest.raises(MediaOpenError, match="cannot be rewound"):
        open_finder(tmp_path.joinpath("-").relative_to(tmp_path))
