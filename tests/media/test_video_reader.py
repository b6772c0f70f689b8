import subprocess
import sys
from fractions import Fraction

import av
import pytest
from clips import index_of

from jointvos.errors import (
    ConfigError,
    MediaDecodeError,
    MediaOpenError,
)
from jointvos.frame_range import FrameRange
from jointvos.media.reading import VideoReader, open_source


def indices(frames):
    return [index_of(frame.image) for frame in frames]


def test_size_and_pixel_shape_are_those_after_turning(make_clip):
    path = make_clip(turn=90, aspect=Fraction(4, 3), size=(48, 64))
    with VideoReader(path) as source:
        assert (source.info.width, source.info.height) == (48, 64)
        assert source.info.sample_aspect_ratio == Fraction(3, 4)
        assert next(iter(source)).image.shape == (64, 48, 3)


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv"])
def test_times_are_the_files_own(make_clip, name):
    pts = [1000, 1040, 1041, 1500, 1501, 2400]
    path = make_clip(name=name, frames=6, pts=pts, time_base=Fraction(1, 1000))
    with VideoReader(path) as source:
        frames = list(source)
    assert [frame.time_s for frame in frames] == pytest.approx([t / 1000 for t in pts])
    assert [frame.pts * source.info.time_base for frame in frames] == [
        Fraction(t, 1000) for t in pts
    ]


def test_a_source_can_be_read_twice(make_clip):
    with VideoReader(make_clip()) as source:
        assert indices(source) == indices(source) == list(range(12))


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        pytest.param(None, None, list(range(12)), id="all"),
        pytest.param("3", "5", [3, 4], id="frames"),
        pytest.param("0.25s", None, list(range(6, 12)), id="seconds"),
        pytest.param("00:00:00.25", "8", [6, 7], id="timecode"),
        pytest.param(None, "00:00.1", [0, 1, 2], id="between two frames"),
        pytest.param("10", "99", [10, 11], id="end beyond the video"),
    ],
)
def test_ranges_keep_index_and_time(make_clip, start, end, expected):
    with open_source(make_clip(), start=start, end=end) as source:
        frames = list(source)
    assert [frame.index for frame in frames] == indices(frames) == expected
    assert [frame.time_s for frame in frames] == pytest.approx([i / 24 for i in expected])
    assert source.info.frame_count == len(expected)


def test_a_range_counts_from_the_first_frame_of_a_late_video(make_clip):
    path = make_clip(name="clip.mkv", pts=range(240, 252))
    with open_source(path, start="0.25s") as source:
        frame = next(iter(source))
    assert (frame.index, frame.time_s) == (6, pytest.approx(10.25))


@pytest.mark.parametrize("text", ["", "-1", "4.5", "1:75", "5 s", "1:2:3:4", "s", "٣"])
def test_wrong_places_are_refused(text):
    with pytest.raises(ConfigError, match="expected a frame number"):
        FrameRange.parse(text, None)


@pytest.mark.parametrize(
    ("start", "end", "place"),
    [
        ("5", "3", "5 to 3"),
        ("5", "5", "5 to 5"),
        ("2s", "00:01", "2s to 00:01"),
        (None, "0", "the start to 0"),
        ("1s", "0", "1s to 0"),
        ("1", "0s", "1 to 0s"),
    ],
)
def test_ranges_without_frames_are_refused_at_once(tmp_path, start, end, place):
    with pytest.raises(ConfigError, match=f"the range from {place} holds no frame"):
        open_source(tmp_path / "not even looked at.mp4", start=start, end=end)


def test_places_that_cannot_be_compared_are_not_refused():
    assert FrameRange.parse("2s", "5").count(100, Fraction(24)) == 0


@pytest.mark.parametrize("start", ["50", "900s", "0:15:00"])
def test_a_start_far_behind_the_video_is_refused_at_once(make_clip, start):
    with pytest.raises(ConfigError, match=f"from {start} to the end"):
        open_source(make_clip(), start=start)


def test_a_shorter_video_is_noticed_after_its_good_frames(make_clip):
    path = make_clip(frames=30, options={"preset": "ultrafast", "x264-params": "keyint=5"})
    with av.open(str(path)) as clip:
        ends = [p.pos + p.size for p in clip.demux(clip.streams.video[0]) if p.size]
    data = path.read_bytes()
    index = data.rindex(b"moov") - 4
    # The index moves to the front, behind a box of the size of what goes missing before it.
    path.write_bytes(data[: ends[9]] + bytes(index - ends[9]) + data[index:])
    frames = []
    with (
        VideoReader(path) as source,
        pytest.raises(MediaDecodeError, match="read 10 of about 30 frames"),
    ):
        frames.extend(source)
    assert indices(frames) == list(range(10))


def test_reading_a_part_does_not_need_the_rest(make_clip):
    path = make_clip(name="clip.mkv", frames=60)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with open_source(path, end="3") as source:
        assert indices(source) == [0, 1, 2]


def test_nothing_sets_the_log_level_of_the_codec_library():
    # With a level, damaged input and codec threads wait for each other for ever.
    code = "import av.logging, jointvos.media.reading; print(av.logging.get_level())"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "None"


def test_a_start_just_behind_the_end_is_told_with_the_number_of_frames(make_clip):
    with (
        VideoReader(make_clip(frames=6), FrameRange.parse("7", None)) as source,
        pytest.raises(ConfigError, match=r"no frame from 7 to the end; it has 6 frames, 0 to 5 \("),
    ):
        list(source)


def test_a_folder_is_no_video(tmp_path):
    with pytest.raises(MediaOpenError, match="is a folder, expected a video file"):
        VideoReader(tmp_path)
