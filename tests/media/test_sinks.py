import json
import logging
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from clips import decoded, index_of
from PIL import Image
from soft_scene import write

from jointvos.errors import ConfigError, EncodeError, OutputError, OutputExists
from jointvos.files.staged_folder import StagedFolder
from jointvos.masks import DAVIS_PALETTE, Refinement, draw_overlay, write_mask_png
from jointvos.masks.legend import Legend
from jointvos.media import FanOut
from jointvos.media.reading import VideoReader, open_source
from jointvos.media.writing import (
    AlphaFolderSink,
    AlphaVideoSink,
    CocoSink,
    CropSink,
    MaskVideoSink,
    MatteVideoSink,
    OverlaySink,
    PngSequenceSink,
    ProbabilityFolderSink,
    ProbabilityVideoSink,
    StatsSink,
)
from jointvos.runs import Outputs, SegmentJob
from jointvos.types import Frame, FrameResult, ObjectState, VideoInfo


def result(frame, labels=None):
    """Labels, and one object that is all of the frame's upper half."""
    size = frame.image.shape[:2]
    if labels is None:
        labels = np.zeros(size, dtype=np.uint8)
    soft = np.zeros((2, *size), dtype=np.float32)
    soft[0, size[0] // 2 :] = soft[1, : size[0] // 2] = 1
    half = (size[1], size[0] // 2)
    state = ObjectState(1, half[0] * half[1], (0, 0, *half), (half[0] / 2, half[1] / 2), 1.0)
    return FrameResult(frame.index, labels, (state,), soft)


def copy(source, sink):
    """Write every frame with an empty mask; returns what was read."""
    frames = list(source)
    write(sink, ((frame, result(frame)) for frame in frames))
    return frames


def read(path):
    with VideoReader(path) as source:
        return source.info, list(source)


VFR = [0, 40, 41, 200, 201, 900, 930, 931, 932, 1000, 1001, 1500]


@pytest.mark.parametrize("suffix", [".mp4", ".m4v", ".mov", ".mkv", ".webm"])
@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({}, id="ordinary"),
        pytest.param({"pts": VFR, "time_base": Fraction(1, 1000)}, id="uneven times"),
        pytest.param({"size": (53, 39), "pixels": "yuv444p"}, id="odd size"),
        pytest.param({"aspect": Fraction(4, 3)}, id="wide pixels"),
        pytest.param({"frames": 1}, id="one frame"),
        pytest.param({"rate": Fraction(30000, 1001)}, id="29.97"),
    ],
)
def test_an_overlay_of_nothing_is_the_film(make_clip, tmp_path, caplog, changes, suffix):
    with VideoReader(make_clip(**changes)) as source:
        output = tmp_path / f"overlay{suffix}"
        frames = copy(source, OverlaySink(output, source.info))
        info = source.info
    copied, got = read(output)
    assert (copied.width, copied.height) == (info.width, info.height)
    if suffix == ".webm" and "aspect" in changes:
        assert "too narrow or too wide" in caplog.text
    else:
        assert copied.sample_aspect_ratio == info.sample_aspect_ratio
        assert not caplog.records
    assert [index_of(f.image) for f in got] == list(range(len(frames)))
    tick = 0 if suffix in (".mp4", ".m4v", ".mov") else 0.00051  # Matroska counts milliseconds
    assert [f.time_s for f in got] == pytest.approx([f.time_s for f in frames], abs=tick + 1e-9)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(["clip.mp4", output.name])


@pytest.mark.parametrize(
    ("name", "make", "kept"),
    [
        ("o.mov", AlphaVideoSink, True),
        ("o.mov", MatteVideoSink, True),
        ("o.mov", lambda p, i: OverlaySink(p, i, encoder="prores"), True),
        ("o.mp4", lambda p, i: OverlaySink(p, i, encoder="vp9"), True),
        ("o.mp4", lambda p, i: OverlaySink(p, i, encoder="av1"), True),
        ("o.mkv", lambda p, i: OverlaySink(p, i, encoder="h265"), True),
        ("o.mkv", lambda p, i: OverlaySink(p, i, encoder="av1"), False),
        ("o.mkv", lambda p, i: OverlaySink(p, i, encoder="prores"), False),
        ("o.mkv", MaskVideoSink, False),
        ("o.mkv", ProbabilityVideoSink, False),
        ("o.webm", AlphaVideoSink, False),
    ],
)
def test_the_shape_of_pixels_is_kept_or_told_to_be_lost(
    make_clip, tmp_path, caplog, name, make, kept
):
    with VideoReader(make_clip(frames=2, aspect=Fraction(2))) as source:
        copy(source, make(tmp_path / name, source.info))
    with VideoReader(tmp_path / name) as output:
        assert output.info.sample_aspect_ratio == (2 if kept else 1)
    assert caplog.text.count("players will show the video too narrow or too wide") == (not kept)


@pytest.mark.parametrize(
    ("size", "matrix"), [((96, 64), 6), ((1280, 720), 1)], ids=["small", "large"]
)
def test_colors_are_converted_and_tagged(tmp_path, size, matrix):
    width, height = size
    colors = [(200, 30, 30), (30, 180, 50), (40, 50, 200), (128, 128, 128)]
    image = np.zeros((height, width, 3), dtype=np.uint8)
    for i, color in enumerate(colors):
        image[:, i * width // 4 : (i + 1) * width // 4] = color
    info = VideoInfo(tmp_path / "none", width, height, Fraction(24), Fraction(1, 24))
    sink = OverlaySink(tmp_path / "o.mp4", info)
    frame = Frame(0, 0, 0.0, image, "00000")
    write(sink, [(frame, result(frame))])
    (got,) = read(sink.path)[1]
    for i, color in enumerate(colors):
        patch = got.image[:, (4 * i + 1) * width // 16 : (4 * i + 3) * width // 16]
        assert np.abs(patch.reshape(-1, 3).mean(axis=0) - color).max() <= 4
    with av.open(str(sink.path)) as film:
        context = film.streams.video[0].codec_context
        assert (context.colorspace, context.color_primaries, context.color_trc) == (matrix,) * 3
        assert context.color_range == 1


def color_tags(path):
    with VideoReader(path) as source:
        return source.info.color_tags


@pytest.mark.parametrize(
    ("suffix", "encoder"),
    [
        *[(".mp4", "h264"), (".mkv", "h264"), (".mov", "h265"), (".webm", "vp9")],
        *[(".mkv", "av1"), (".mov", "prores"), (".mkv", "prores"), (".mov", "alpha")],
        (".webm", "alpha"),
    ],
)
@pytest.mark.parametrize("source", [(1, 1, 1), (5, 5, 6)], ids=["bt709", "bt470bg"])
def test_film_and_frames_tell_the_same_colors(make_clip, tmp_path, suffix, encoder, source):
    path = tmp_path / f"o{suffix}"
    with VideoReader(make_clip(frames=2, tags=source)) as film:
        if encoder == "alpha":
            copy(film, AlphaVideoSink(path, film.info))
        else:
            copy(film, OverlaySink(path, film.info, encoder=encoder))
    with av.open(str(path)) as container:
        for told in (container.streams.video[0].codec_context, *container.decode(video=0)):
            assert (told.colorspace, told.color_primaries, told.color_trc) == source
            assert told.color_range == 1
    # What editors read of ProRes: primaries, transfer and matrix in the header of each image.
    headers = [part[14:17] for part in path.read_bytes().split(b"icpf")[1:]]
    count = 2 if suffix == ".mov" and encoder != "h265" else 0  # Matroska leaves the mark out
    assert headers == [bytes([source[1], source[2], source[0]])] * count


@pytest.mark.parametrize(
    ("source", "expected"), [((1, 1, 1), (0, 1, 1)), ((9, 9, 16), (0, 1, 1))], ids=["SDR", "HDR"]
)
def test_lossless_films_are_tagged_as_rgb(make_clip, tmp_path, source, expected):
    with VideoReader(make_clip(frames=2, tags=source)) as film:
        copy(film, OverlaySink(tmp_path / "o.mkv", film.info, encoder="ffv1"))
        copy(film, MaskVideoSink(tmp_path / "m.mkv", film.info))
    assert color_tags(tmp_path / "o.mkv") == expected
    assert color_tags(tmp_path / "m.mkv") == (2, 2, 2)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param((1, 1, 1), (1, 1, 1), id="bt709"),
        pytest.param((5, 5, 6), (5, 5, 6), id="bt470bg"),
        pytest.param((1, 12, 13), (1, 12, 13), id="wide gamut"),
        pytest.param((1, 2, 2), (1, 1, 1), id="only the matrix"),
        pytest.param((2, 2, 2), (6, 6, 6), id="nothing"),
        pytest.param((9, 9, 14), (9, 9, 14), id="bt2020"),
        pytest.param((9, 2, 2), (9, 9, 14), id="only the matrix of bt2020"),
    ],
)
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_colors_are_tagged_and_converted_like_the_source(
    make_clip, tmp_path, source, expected, suffix
):
    clip = make_clip(size=(640, 480), frames=2, tags=source)
    assert color_tags(clip) == source
    with VideoReader(clip) as film:
        frames = copy(film, OverlaySink(tmp_path / f"o{suffix}", film.info))
    assert color_tags(tmp_path / f"o{suffix}") == expected
    for frame, got in zip(frames, read(tmp_path / f"o{suffix}")[1], strict=True):
        wanted, patch = frame.image[200:, :300].mean((0, 1)), got.image[200:, :300].mean((0, 1))
        assert np.abs(patch - wanted).max() <= 3


def test_an_overlay_is_as_bright_as_the_film(tmp_path):
    # a natural image: soft, with noise
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 255, (15, 20, 3), dtype=np.uint8)
    picture = np.asarray(Image.fromarray(noise).resize((320, 240), Image.Resampling.BICUBIC))
    info = VideoInfo(Path("none"), 320, 240, Fraction(24), Fraction(1, 24))
    first, second = OverlaySink(tmp_path / "1.mp4", info), OverlaySink(tmp_path / "2.mp4", info)
    frame = Frame(0, 0, 0.0, picture, "00000")
    write(first, [(frame, result(frame))])
    copy(VideoReader(first.path), second)

    def luma(path):
        with av.open(str(path)) as film:
            return next(film.decode(video=0)).to_ndarray()[:240].mean()

    assert abs(luma(second.path) - luma(first.path)) < 0.3
    assert np.abs(read(first.path)[1][0].image.mean((0, 1)) - picture.mean((0, 1))).max() < 0.5


def test_a_part_starts_at_zero(make_clip, tmp_path):
    with open_source(make_clip(), start="4", end="9") as source:
        copy(source, OverlaySink(tmp_path / "o.mp4", source.info))
    _, got = read(tmp_path / "o.mp4")
    assert [index_of(frame.image) for frame in got] == [4, 5, 6, 7, 8]
    assert [frame.time_s for frame in got] == pytest.approx([i / 24 for i in range(5)])


def test_times_before_zero_are_moved(make_clip, tmp_path):
    with VideoReader(make_clip(name="clip.ts")) as source:
        frames = [Frame(f.index, f.pts - 999_000, 0.0, f.image, f.name) for f in source]
        sink = OverlaySink(tmp_path / "o.mp4", source.info)
    write(sink, ((frame, result(frame)) for frame in frames))
    assert [f.time_s for f in read(sink.path)[1]] == pytest.approx([i / 24 for i in range(12)])


@pytest.mark.parametrize("name", ["clip.ts", "clip.mpg"])
def test_where_times_begin_anywhere_outputs_begin_at_zero(make_clip, tmp_path, name):
    options = {"name": name, "codec": "mpeg2video", "rate": Fraction(25), "sound_codec": "mp2"}
    clip = make_clip(**options, frames=25, pts=range(37, 62), sound_s=2.4, options={})
    with VideoReader(clip) as source:
        first = source.info.first_pts * source.info.time_base
        assert first > 1.4
        given = [(frame, result(frame)) for frame in source]
    for sink in (
        OverlaySink(tmp_path / "o.mp4", source.info),
        MatteVideoSink(tmp_path / "m.mov", source.info),
        ProbabilityVideoSink(tmp_path / "s.mkv", source.info, ids=[1]),
    ):
        write(sink, given)
        times = [frame.time_s for frame in read(sink.path)[1]]
        assert times == pytest.approx([i / 25 for i in range(25)], abs=0.0006)
    kept = [time - first for time, _ in sound(clip) if time >= first]
    assert [t for t, _ in sound(tmp_path / "o.mp4")] == pytest.approx(kept, abs=0.001)


def sound(path):
    """Times and sizes of the sound's packets."""
    with av.open(str(path)) as film:
        if not film.streams.audio:
            return []
        packets = [p for p in film.demux(film.streams.audio[0]) if p.size]
        return [(float(p.pts * p.time_base), p.size) for p in packets]


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_sound_is_copied_to_its_end(make_clip, tmp_path, suffix):
    clip = make_clip(sound_s=1.5, frames=24)
    with VideoReader(clip) as source:
        output = tmp_path / f"o{suffix}"
        frames = copy(source, OverlaySink(output, source.info))
    given, got = sound(clip), sound(output)
    assert given[0][0] < 0  # the priming of AAC
    if suffix == ".mkv":  # which cannot say times before 0
        given = [(time, size) for time, size in given if time >= 0]
    assert [size for _, size in got] == [size for _, size in given]
    assert np.allclose([t for t, _ in got], [t for t, _ in given], atol=0.001)
    times = [f.time_s for f in read(output)[1]]
    assert times == pytest.approx([f.time_s for f in frames], abs=0.00051)


@pytest.mark.parametrize("suffix", [".mkv", ".webm"])
def test_the_priming_of_opus_is_kept(make_clip, tmp_path, suffix):
    clip = make_clip(name="clip.mkv", sound_s=1.5, frames=24, sound_codec="libopus")
    with VideoReader(clip) as source:
        frames = copy(source, OverlaySink(tmp_path / f"o{suffix}", source.info))
    assert sound(tmp_path / f"o{suffix}") == sound(clip)
    times = [f.time_s for f in read(tmp_path / f"o{suffix}")[1]]
    assert times == pytest.approx([f.time_s for f in frames], abs=0.00051)


def test_of_a_part_only_its_sound_is_copied(make_clip, tmp_path):
    clip = make_clip(sound_s=2.0, frames=48)
    with open_source(clip, start="0.5s", end="1s") as source:
        copy(source, OverlaySink(tmp_path / "o.mp4", source.info))
    times = [time for time, _ in sound(tmp_path / "o.mp4")]
    assert 0 <= times[0] < 0.03
    assert 0.45 < times[-1] <= 0.5


@pytest.mark.parametrize("wanted", [True, False])
def test_sound_of_a_pipe_is_left_out_and_told(make_clip, tmp_path, caplog, wanted):
    clip, pipe = make_clip(name="clip.mkv", sound_s=0.5), tmp_path / "pipe"
    os.mkfifo(pipe)
    with ThreadPoolExecutor(1) as sending:
        sending.submit(lambda: pipe.write_bytes(clip.read_bytes()))
        with open_source(pipe) as source:
            assert source.info.has_audio
            copy(source, OverlaySink(tmp_path / "o.mp4", source.info, sound=wanted))
    assert sound(tmp_path / "o.mp4") == []
    told = [f"{tmp_path / 'o.mp4'}: without audio, which cannot be copied from a pipe or URL"]
    assert caplog.messages == (told if wanted else [])


def test_sound_that_does_not_fit_is_left_out_and_told(make_clip, tmp_path, caplog):
    with caplog.at_level(logging.WARNING), VideoReader(make_clip(sound_s=1.0)) as source:
        copy(source, OverlaySink(tmp_path / "o.webm", source.info))
    assert "aac sound does not fit into webm files" in caplog.text
    assert sound(tmp_path / "o.webm") == []


@pytest.mark.parametrize("codec", ["libopus", "flac"])
def test_sound_that_only_the_header_refuses_is_left_out(make_clip, tmp_path, caplog, codec):
    clip = make_clip(name="clip.mkv", frames=3, sound_s=0.2, sound_codec=codec)
    with VideoReader(clip) as source:
        copy(source, OverlaySink(tmp_path / "o.mov", source.info))
    assert f"{codec[-4:]} sound does not fit into mov files and is left out" in caplog.text
    assert len(read(tmp_path / "o.mov")[1]) == 3
    assert sound(tmp_path / "o.mov") == []


def test_sound_can_be_left_out(make_clip, tmp_path):
    with VideoReader(make_clip(sound_s=1.0)) as source:
        copy(source, OverlaySink(tmp_path / "o.mp4", source.info, sound=False))
    assert sound(tmp_path / "o.mp4") == []


def labeled(count=6, size=(53, 39)):
    rng = np.random.default_rng(0)
    image = np.zeros((size[1], size[0], 3), dtype=np.uint8)
    for index in range(count):
        labels = rng.integers(0, 255, image.shape[:2], dtype=np.uint8)
        frame = Frame(index, 7 * index, 0.0, image, f"{index:05d}")
        yield frame, result(frame, labels)


ODD = VideoInfo(Path("none"), 53, 39, Fraction(24), Fraction(1, 168))


def test_a_matroska_mask_video_keeps_every_id(tmp_path):
    sink = MaskVideoSink(tmp_path / "masks.mkv", ODD)
    given = list(labeled())
    write(sink, given)
    got = decoded(sink.path, "gray")
    assert len(got) == len(given)
    for (_, labels), gray in zip(given, got, strict=True):
        assert np.array_equal(labels.labels, gray)
    for (_, labels), frame in zip(given, read(sink.path)[1], strict=True):
        assert np.array_equal(frame.image, np.repeat(labels.labels[:, :, None], 3, axis=2))


@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
def test_other_mask_videos_show_davis_colors(tmp_path, suffix):
    info = VideoInfo(Path("none"), 64, 48, Fraction(24), Fraction(1, 24))
    labels = np.zeros((48, 64), dtype=np.uint8)
    labels[:, 32:] = 2
    sink = MaskVideoSink(tmp_path / f"masks{suffix}", info)
    frame = Frame(0, 0, 0.0, np.zeros((48, 64, 3), dtype=np.uint8), "00000")
    write(sink, [(frame, result(frame, labels))])
    (got,) = read(sink.path)[1]
    assert np.abs(got.image[24, 48].astype(int) - DAVIS_PALETTE[2]).max() <= 8
    assert got.image[24, 10].max() <= 8


def test_png_sequences(tmp_path):
    sink = PngSequenceSink(tmp_path / "masks")
    given = list(labeled())
    for frame, labels in given:
        sink.write(frame, labels)
        assert not sink.path.exists()
    sink.close()
    sink.commit()
    assert sorted(p.name for p in sink.path.iterdir()) == [f"{i:05d}.png" for i in range(6)]
    for frame, labels in given:
        with Image.open(sink.path / f"{frame.name}.png") as picture:
            assert picture.mode == "P"
            assert np.array_equal(np.asarray(picture), labels.labels)
    assert [p.name for p in tmp_path.iterdir()] == ["masks"]


SINKS = [
    pytest.param(lambda path, **kw: OverlaySink(path.with_suffix(".mp4"), ODD, **kw), id="overlay"),
    pytest.param(lambda path, **kw: MaskVideoSink(path.with_suffix(".mkv"), ODD, **kw), id="masks"),
    pytest.param(PngSequenceSink, id="png"),
    pytest.param(
        lambda path, **kw: AlphaVideoSink(path.with_suffix(".mov"), ODD, **kw), id="alpha"
    ),
    pytest.param(AlphaFolderSink, id="alpha png"),
    pytest.param(
        lambda path, **kw: ProbabilityVideoSink(path.with_suffix(".mkv"), ODD, **kw), id="soft"
    ),
    pytest.param(ProbabilityFolderSink, id="soft png"),
    pytest.param(CropSink, id="crop"),
    pytest.param(lambda path, **kw: StatsSink(path.with_suffix(".jsonl"), ODD, **kw), id="stats"),
    pytest.param(lambda path, **kw: CocoSink(path.with_suffix(".json"), ODD, **kw), id="coco"),
]


def place(sink_of, path):
    """An earlier output where a sink will want to write; returns its name and how to read it."""
    sink = sink_of(path)
    if isinstance(sink, StagedFolder):
        sink.path.mkdir()
        write_mask_png(sink.path / "old.png", np.full((4, 4), 7, dtype=np.uint8))
        old = (sink.path / "old.png").read_bytes()
        return sink.path, lambda: "old" if (sink.path / "old.png").read_bytes() == old else "new"
    sink.path.write_text("old")
    return sink.path, sink.path.read_text


@pytest.mark.parametrize("sink_of", SINKS)
def test_outputs_are_not_overwritten_by_chance(tmp_path, sink_of):
    path, content = place(sink_of, tmp_path / "out")
    with pytest.raises(OutputExists, match="overwrite=True"):
        sink_of(tmp_path / "out")
    assert content() == "old"
    assert list(tmp_path.iterdir()) == [path]


def count_frames(path):
    if path.is_dir():
        return len(list(path.rglob("*.png")))
    if path.suffix == ".json":
        return len(json.loads(path.read_text())["images"])
    return len(path.read_text().splitlines() if path.suffix == ".jsonl" else read(path)[1])


@pytest.mark.parametrize("sink_of", SINKS)
def test_an_old_output_stays_until_the_new_one_is_complete(tmp_path, sink_of):
    path, content = place(sink_of, tmp_path / "out")
    sink = sink_of(tmp_path / "out", overwrite=True)
    for frame, labels in labeled():
        sink.write(frame, labels)
    assert content() == "old"
    sink.close()
    assert content() == "old"
    sink.commit()
    sink.abort()
    assert count_frames(path) == 6
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("sink_of", SINKS)
@pytest.mark.parametrize("count", [0, 1, 6])
def test_abort_leaves_nothing_but_the_old_output(tmp_path, sink_of, count):
    path, content = place(sink_of, tmp_path / "out")
    sink = sink_of(tmp_path / "out", overwrite=True)
    for frame, labels in labeled(count):
        sink.write(frame, labels)
    sink.abort()
    assert content() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("sink_of", SINKS)
def test_what_appears_meanwhile_is_kept(tmp_path, sink_of):
    sink = sink_of(tmp_path / "out")
    for frame, labels in labeled():
        sink.write(frame, labels)
    _, content = place(sink_of, tmp_path / "out")
    sink.close()
    with pytest.raises(OutputExists):
        sink.commit()
    sink.abort()
    assert content() == "old"


@pytest.mark.parametrize("sink_of", SINKS)
def test_a_missing_folder_is_named(tmp_path, sink_of):
    with pytest.raises(OutputError, match=r"missing does not exist"):
        sink_of(tmp_path / "missing" / "out")


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("name", ["mine.png", "holiday.jpg", "folder.png", "painted.png"])
def test_folders_with_files_of_others_are_never_replaced(tmp_path, name, overwrite):
    write_mask_png(tmp_path / "00000.png", np.zeros((4, 4), dtype=np.uint8))
    mine = tmp_path / name
    if name == "folder.png":
        mine.mkdir()
    elif name == "painted.png":
        Image.fromarray(np.eye(4, dtype=np.uint8)).save(mine)
    else:
        mine.write_text("precious")
    with pytest.raises(OutputError, match=rf"holds {name}, which .* or move it away") as caught:
        PngSequenceSink(tmp_path, overwrite=overwrite)
    assert not isinstance(caught.value, OutputExists)  # for which the advice is to overwrite
    assert mine.exists()


def test_what_others_add_meanwhile_is_kept(tmp_path):
    sink = PngSequenceSink(tmp_path / "out", overwrite=True)
    for frame, labels in labeled(1):
        sink.write(frame, labels)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.png").write_text("precious")
    sink.close()
    with pytest.raises(OutputError, match=r"holds mine\.png"):
        sink.commit()
    sink.abort()
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["mine.png"]


def test_an_empty_folder_may_be_filled(tmp_path):
    (tmp_path / "out").mkdir()
    sink = PngSequenceSink(tmp_path / "out")
    write(sink, labeled(1))
    assert len(list(sink.path.iterdir())) == 1


@pytest.mark.parametrize("suffix", ["", ".avi", ".png"])
def test_unknown_suffixes_are_refused(tmp_path, suffix):
    with pytest.raises(ConfigError, match=r"\.mp4, \.m4v, \.mov, \.mkv, \.webm"):
        OverlaySink(tmp_path / f"o{suffix}", ODD)


def test_the_input_is_never_overwritten(make_clip, tmp_path):
    with VideoReader(make_clip()) as source:
        os.link(tmp_path / "clip.mp4", tmp_path / "same.mp4")
        for name in ("clip.mp4", "same.mp4"):
            with pytest.raises(OutputError, match="is the input"):
                OverlaySink(tmp_path / name, source.info, overwrite=True)
    with pytest.raises(OutputError, match="is the input"):
        PngSequenceSink(tmp_path, overwrite=True, source=tmp_path)


def test_what_is_no_file_is_never_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe.mkv")
    with pytest.raises(OutputError, match="not a regular file"):
        MaskVideoSink(tmp_path / "pipe.mkv", ODD, overwrite=True)


FULL_DISK = """
import resource, sys
from pathlib import Path
sys.path = {paths!r}
from test_sinks import ODD, labeled
from jointvos.errors import EncodeError
from jointvos.media import FanOut
from jointvos.media.writing import MaskVideoSink, OverlaySink, PngSequenceSink
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
folder = Path({folder!r})
sink = {{"overlay": OverlaySink, "masks": MaskVideoSink}}[{kind!r}](folder / {name!r}, ODD)
try:
    with FanOut([PngSequenceSink(folder / "png"), sink]) as sinks:
        for frame, labels in labeled(40):
            frame.image[:] = labels.labels[..., None]
            sinks.write(frame, labels)
except EncodeError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("kind", "name"), [("overlay", "o.mp4"), ("overlay", "o.webm"), ("masks", "m.mkv")]
)
def test_a_full_disk_leaves_nothing(tmp_path, kind, name):
    code = FULL_DISK.format(paths=sys.path, folder=str(tmp_path), kind=kind, name=name)
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
    assert f"{tmp_path / name}: cannot write the video" in run.stdout
    assert list(tmp_path.iterdir()) == []


def test_an_encoder_that_refuses_is_an_encode_error(tmp_path):
    info = VideoInfo(Path("none"), 20_000, 2, Fraction(24), Fraction(1, 24))
    sink = OverlaySink(tmp_path / "o.mp4", info)
    frame = Frame(0, 0, 0.0, np.zeros((2, 20_000, 3), dtype=np.uint8), "00000")
    with pytest.raises(EncodeError, match=r"o\.mp4: cannot write the video"):
        sink.write(frame, result(frame))
    sink.abort()
    assert list(tmp_path.iterdir()) == []


def test_two_sinks_appear_together(make_clip, tmp_path):
    with VideoReader(make_clip()) as source:
        outputs = [
            OverlaySink(tmp_path / "o.mp4", source.info),
            MaskVideoSink(tmp_path / "m.mkv", source.info),
            PngSequenceSink(tmp_path / "png", source=source.info.path),
        ]
        with FanOut(outputs) as sinks:
            for frame in source:
                sinks.write(frame, result(frame))
                assert [p.name for p in tmp_path.iterdir() if p.name[0] != "."] == ["clip.mp4"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["clip.mp4", "m.mkv", "o.mp4", "png"]


def test_an_overlay_tints_objects_and_draws_lines_inside_them():
    image = np.full((240, 240, 3), 100, dtype=np.uint8)
    labels = np.zeros((240, 240), dtype=np.uint8)
    labels[60:120, 60:120], labels[60:120, 120:180], labels[200:, 200:] = 1, 2, 255
    before = image.copy()
    drawn = draw_overlay(image, labels)
    assert np.array_equal(image, before)
    objects = (labels > 0) & (labels < 255)
    assert np.array_equal(drawn[~objects], image[~objects])
    inside, line = drawn[90, 90].astype(int), drawn[60, 90].astype(int)
    assert inside[0] > inside[1] + 50  # object 1 is red
    assert line.sum() > inside.sum() + 100  # its outline is lighter
    assert drawn[90, 119].sum() > inside.sum() + 100  # also towards the neighbor
    assert np.array_equal(draw_overlay(image, labels * 0), image)


def test_an_overlay_that_is_drawn_already_is_taken(tmp_path, make_clip):
    """And stays as it is, though names are drawn into the video."""
    with VideoReader(make_clip(size=(320, 240), frames=1)) as source:
        frame = next(iter(source))
        drawn = np.full_like(frame.image, 255)
        sink = OverlaySink(tmp_path / "o.mkv", source.info, legend=Legend({1: "cup"}))
        sink.write(frame, replace(result(frame), overlay=drawn))
        sink.close()
        sink.commit()
    _, (written,) = read(tmp_path / "o.mkv")
    assert (drawn == 255).all()
    assert np.median(written.image) > 250
    assert written.image.min() < 200  # the plate with the name


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({"outputs": Outputs(overlay="o.mp4", png="masks")}, True, id="overlay"),
        pytest.param({"outputs": Outputs(overlay="-")}, True, id="stdout"),
        pytest.param({"outputs": Outputs(png="masks")}, False, id="none"),
        pytest.param(
            {"outputs": Outputs(overlay="o.mp4", background="white")}, False, id="background"
        ),
        pytest.param({"outputs": Outputs(overlay="o.mp4", encoder="prores")}, False, id="deep"),
        pytest.param({"direction": "both"}, False, id="both ways"),
        pytest.param({"resume": True}, False, id="saved on the way"),
        pytest.param({"refine": Refinement(feather=1)}, False, id="refined"),
    ],
)
def test_when_a_session_draws_the_overlay(changes, expected):
    """Where what it draws is what is written."""
    job = SegmentJob("video.mp4", ["first.png"], **{"outputs": Outputs(overlay="o.mp4"), **changes})
    assert job.need_overlays == expected
