import logging
from fractions import Fraction
from itertools import islice

import av
import numpy as np
import pytest
from clips import Clip, make
from soft_scene import result_of

from jointvos.media.reading import open_source
from jointvos.media.writing import AlphaVideoSink, MaskVideoSink, MatteVideoSink, OverlaySink
from jointvos.media.writing.timecode import Timecode

RATES = {
    "25": Fraction(25),
    "23.976": Fraction(24000, 1001),
    "29.97": Fraction(30000, 1001),
    "59.94": Fraction(60000, 1001),
}


def numbers(per_second, left_out):
    """All timecodes from midnight on, by the definition."""
    for minutes in range(24 * 60):
        for seconds in range(60):
            for frames in range(per_second):
                if minutes % 10 and not seconds and frames < left_out:
                    continue
                sign = ";" if left_out else ":"
                yield f"{minutes // 60:02}:{minutes % 60:02}:{seconds:02}{sign}{frames:02}"


@pytest.mark.parametrize(
    ("rate", "left_out"),
    [("25", 0), ("23.976", 0), ("29.97", 2), ("29.97", 0), ("59.94", 4)],
    ids=str,
)
def test_frames_are_counted_as_they_are_defined(rate, left_out):
    per_second = round(RATES[rate])
    first = Timecode.parse(f"00:00:00{';' if left_out else ':'}00", RATES[rate])
    for count, text in enumerate(islice(numbers(per_second, left_out), 12 * 60 * per_second)):
        timecode = first + count
        assert str(timecode) == text
        assert Timecode.parse(text, RATES[rate]) == timecode


@pytest.mark.parametrize(
    ("rate", "start", "frames", "expected"),
    [
        ("25", "01:00:00:00", 5, "01:00:00:05"),
        ("23.976", "23:59:59:23", 1, "00:00:00:00"),
        ("29.97", "00:00:59;28", 2, "00:01:00;02"),
        ("29.97", "00:09:59;29", 1, "00:10:00;00"),
        ("29.97", "00:00:59.29", 1, "00:01:00;02"),
        ("29.97", "00:00:59:29", 1, "00:01:00:00"),
        ("29.97", "01:00:00;00", 107892, "02:00:00;00"),  # an hour, by the clock
        ("29.97", "23:59:59;29", 1, "00:00:00;00"),
        ("59.94", "00:00:59;58", 2, "00:01:00;04"),
        ("59.94", "23:59:59;59", 1, "00:00:00;00"),
    ],
)
def test_known_timecodes(rate, start, frames, expected):
    assert str(Timecode.parse(start, RATES[rate]) + frames) == expected


@pytest.mark.parametrize(
    "text",
    ["", "1:00", "25:00:00:00", "00:60:00:00", "00:00:00:25", "00:00:00;00", "00:00:00:0x"],
)
def test_what_is_no_timecode_of_the_video(text):
    assert Timecode.parse(text, RATES["25"]) is None


def test_numbers_that_are_left_out_name_no_frame():
    assert Timecode.parse("00:01:00;00", RATES["29.97"]) is None
    assert Timecode.parse("00:10:00;00", RATES["29.97"]) is not None
    assert Timecode.parse("00:01:00;03", RATES["59.94"]) is None


def filmed(folder, name, rate, timecode, place="video", codec="libx264"):
    """A video whose timecode is told by its stream (in .mov and .mp4 by a track) or by the file."""
    plain = make(folder, Clip(name=f"plain{name}", rate=rate, codec=codec, frames=8))
    return tagged(plain, folder / name, place, timecode=timecode)


def tagged(source, path, place, **tags):
    """The video again, with tags of its stream or of the file."""
    with av.open(str(source)) as read, av.open(str(path), "w") as target:
        (video,) = read.streams.video
        stream = target.add_stream_from_template(video)
        (stream if place == "video" else target).metadata.update(tags)
        for packet in read.demux(video):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    return path


def told(path):
    """The timecodes of the video, of its track if there is one, and of the file."""
    with av.open(str(path)) as container:
        every = [*(stream.metadata for stream in container.streams), container.metadata]
        tags = [{key.lower(): value for key, value in each.items()} for each in every]
        return [each["timecode"] for each in tags if "timecode" in each]


def written(path, sink_type, source):
    sink = sink_type(path, source.info)
    soft = np.zeros((1, source.info.height, source.info.width), dtype=np.float32)
    soft[0, :8] = 1
    for frame in source:
        sink.write(frame, result_of(soft, frame.index, (1,)))
    sink.close()
    sink.commit()
    return path


@pytest.mark.parametrize(
    ("rate", "timecode", "start", "expected"),
    [
        ("25", "01:00:00:00", None, "01:00:00:00"),
        ("25", "01:00:00:00", "5", "01:00:00:05"),
        ("25", "01:00:00:00", "0.2s", "01:00:00:05"),
        ("23.976", "00:59:59:22", "3", "01:00:00:01"),
        ("29.97", "00:00:59;28", "3", "00:01:00;03"),
        ("29.97", "00:00:59:28", "3", "00:01:00:01"),
        ("59.94", "00:00:59;58", "3", "00:01:00;05"),
    ],
)
@pytest.mark.parametrize("name", ["clip.mov", "clip.mp4", "clip.mkv"])
def test_videos_carry_the_timecode_of_their_first_frame(
    tmp_path, name, rate, timecode, start, expected
):
    clip = filmed(tmp_path, name, RATES[rate], timecode)
    for output, sink_type, count in [
        ("o.mov", OverlaySink, 2),
        ("a.mov", AlphaVideoSink, 2),
        ("o.mp4", OverlaySink, 2),
        ("o.mkv", OverlaySink, 1),
        ("m.mkv", MaskVideoSink, 1),
        ("matte.mov", MatteVideoSink, 2),
        ("matte.mp4", MatteVideoSink, 2),
        ("matte.mkv", MatteVideoSink, 1),
    ]:
        with open_source(clip, start=start) as source:
            assert told(written(tmp_path / output, sink_type, source)) == [expected] * count


def test_a_timecode_of_the_file_is_carried_too(tmp_path):
    clip = filmed(tmp_path, "clip.mxf", RATES["25"], "01:00:00:00", "file", "mpeg2video")
    with open_source(clip, start="5") as source:
        assert told(written(tmp_path / "o.mov", OverlaySink, source)) == ["01:00:00:05"] * 2
        assert told(written(tmp_path / "o.mkv", OverlaySink, source)) == ["01:00:00:05"]


def test_none_is_better_than_a_wrong_one(tmp_path, caplog):
    clip = filmed(tmp_path, "clip.mkv", RATES["25"], "01:00:00;00")
    with caplog.at_level(logging.WARNING), open_source(clip) as source:
        assert told(written(tmp_path / "o.mov", OverlaySink, source)) == []
    assert "its timecode 01:00:00;00 does not fit 25 frames a second" in caplog.text


def test_a_video_without_timecode_gets_none(tmp_path):
    with open_source(make(tmp_path, Clip(name="clip.mov"))) as source:
        assert told(written(tmp_path / "o.mov", OverlaySink, source)) == []


def test_the_name_of_the_reel_is_carried(tmp_path):
    plain = filmed(tmp_path, "clip.mov", RATES["25"], "01:00:00:00")
    tags = {"timecode": "01:00:00:00", "reel_name": "A001C002"}
    with open_source(tagged(plain, tmp_path / "reel.mov", "video", **tags)) as source:
        written(tmp_path / "o.mov", OverlaySink, source)
    with av.open(str(tmp_path / "o.mov")) as container:
        assert container.streams.data[0].metadata["reel_name"] == "A001C002"


def by_sony(path, rate, table, change, inside=False):
    """A video with the note that Sony's cameras put beside or into its index."""
    make(path.parent, Clip(name=path.name, rate=rate, frames=4))
    xml = f"<NonRealTimeMeta><LtcChangeTable {table}><LtcChange {change}/></LtcChangeTable>"
    xml += '<CreationDate value="2024-05-06T07:08:09+02:00"/></NonRealTimeMeta>'
    note = box(b"meta", bytes(4) + box(b"hdlr", bytes(25)) + box(b"xml ", bytes(4) + xml.encode()))
    if inside:
        content = path.read_bytes()
        at = content.index(b"moov") - 4
        size = int.from_bytes(content[at : at + 4])
        assert at + size == len(content)  # so that the images stay where they are
        path.write_bytes(content[:at] + box(b"moov", content[at + 8 :] + note))
    else:
        with path.open("ab") as file:
            file.write(note)
    return path


def box(kind, content):
    return (8 + len(content)).to_bytes(4) + kind + content


@pytest.mark.parametrize(
    ("rate", "table", "value", "expected"),
    [
        ("25", 'tcFps="25" halfStep="false"', "15593201", "01:32:59:15"),
        ("23.976", 'tcFps="24" halfStep="false"', "23000010", "10:00:00:23"),
        ("29.97", 'tcFps="30" halfStep="false"', "68590001", "01:00:59;28"),
        ("59.94", 'tcFps="30" halfStep="true"', "69595923", "23:59:59;58"),
    ],
)
@pytest.mark.parametrize("inside", [False, True])
def test_timecode_of_sony_cameras(tmp_path, rate, table, value, expected, inside):
    change = f'frameCount="0" value="{value}" status="increment"'
    clip = by_sony(tmp_path / "C0001.MP4", RATES[rate], table, change, inside)
    with open_source(clip) as source:
        assert told(written(tmp_path / "o.mov", OverlaySink, source)) == [expected] * 2


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ('tcFps="25"', 'frameCount="0" value="005A0000"'),
        ('tcFps="25"', 'frameCount="0" value="155932"'),
        ('tcFps="many"', 'frameCount="0" value="15593201"'),
        ('tcFps="25"', 'frameCount="9" value="15593201"'),
        ("", ""),
    ],
)
def test_notes_of_sony_that_say_nothing(tmp_path, table, change):
    clip = by_sony(tmp_path / "C0001.MP4", RATES["25"], table, change)
    with open_source(clip) as source:
        assert told(written(tmp_path / "o.mov", OverlaySink, source)) == []


def test_the_time_of_recording_is_carried(tmp_path):
    plain = filmed(tmp_path, "clip.mov", RATES["25"], "01:00:00:00")
    tags = {"creation_time": "2024-05-06T07:08:09Z"}
    with open_source(tagged(plain, tmp_path / "c.mov", "file", **tags)) as source:
        for name in ("o.mov", "o.mp4", "o.mkv"):
            written(tmp_path / name, OverlaySink, source)
            with av.open(str(tmp_path / name)) as container:
                tags = {key.lower(): value for key, value in container.metadata.items()}
                assert tags["creation_time"].startswith("2024-05-06T07:08:09")
