import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pytest
from soft_scene import info, results, write

from jointvos.errors import ConfigError
from jointvos.masks import cut_out, foreground
from jointvos.media.reading import VideoReader
from jointvos.media.writing import StreamSink

KINDS = {
    "rgb": lambda frame, result: frame.image,
    "gray": lambda frame, result: result.labels,
    "rgba": lambda frame, result: cut_out(frame.image, foreground(result)),
}
PIXELS = {"rgb": "rgb24", "gray": "gray", "rgba": "rgba"}


@contextmanager
def stdout_is(descriptor: int) -> Iterator[None]:
    """What goes to file descriptor 1 goes elsewhere."""
    kept = os.dup(1)
    os.dup2(descriptor, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def sent(tmp_path, given, kind, **options) -> bytes:
    source = options.pop("info", info())
    with (tmp_path / "sent").open("wb") as file, stdout_is(file.fileno()):
        sink = StreamSink(source, KINDS[kind], kind=kind, **options)
        write(sink, given)
    return (tmp_path / "sent").read_bytes()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("format", ["nut", "mkv"])
def test_exact_streams(tmp_path, format, kind):
    given = list(results(4))
    data = sent(tmp_path, given, kind, format=format)
    with av.open(io.BytesIO(data)) as film:
        got = list(film.decode(video=0))
    assert [p.time for p in got] == pytest.approx([f.time_s for f, _ in given], abs=0.0006)
    for (frame, result), image in zip(given, got, strict=True):
        pixels = image.to_ndarray(format=PIXELS[kind])
        assert np.array_equal(pixels, KINDS[kind](frame, result))


@pytest.mark.parametrize("kind", KINDS)
def test_raw_streams_are_pixels_only(tmp_path, kind):
    given = list(results(3))
    expected = b"".join(KINDS[kind](f, r).tobytes() for f, r in given)
    assert sent(tmp_path, given, kind, format="raw") == expected


@pytest.mark.parametrize(
    ("size", "layout"), [((64, 48), b"C420"), ((53, 39), b"C444")], ids=["even", "odd"]
)
def test_y4m(tmp_path, size, layout):
    given = list(results(3, *size))
    ntsc = Fraction(30000, 1001)
    source = replace(info(*size), frame_rate=ntsc, time_base=Fraction(1, 90000))
    given = [(replace(f, pts=3003 * i), r) for i, (f, r) in enumerate(given)]
    data = sent(tmp_path, given, "rgb", format="y4m", info=source)
    head = data.split(b"\n")[0].split(b" ")
    assert head[:4] == [b"YUV4MPEG2", b"W%d" % size[0], b"H%d" % size[1], b"F30000:1001"]
    assert any(word.startswith(layout) for word in head)
    assert data.count(b"FRAME\n") == 3
    with av.open(io.BytesIO(data)) as film:
        got = [p.to_ndarray(format="rgb24") for p in film.decode(video=0)]
    for (frame, _), image in zip(given, got, strict=True):
        assert np.abs(image[30:, 5:25].astype(int) - frame.image[30:, 5:25]).max() <= 4


def test_y4m_of_masks_holds_the_ids(tmp_path):
    given = list(results(2))
    data = sent(tmp_path, given, "gray", format="y4m")
    assert b"Cmono" in data.split(b"\n")[0]
    frames = data.split(b"FRAME\n")[1:]
    assert frames == [r.labels.tobytes() for _, r in given]


def test_uneven_times_are_kept(tmp_path):
    source = replace(info(), time_base=Fraction(1, 1000))
    times = [0, 40, 41, 900]
    given = [(replace(f, pts=t), r) for t, (f, r) in zip(times, results(4), strict=True)]
    with av.open(io.BytesIO(sent(tmp_path, given, "rgb", format="nut", info=source))) as film:
        assert [p.time for p in film.decode(video=0)] == pytest.approx([t / 1000 for t in times])


@pytest.mark.parametrize(
    ("name", "codec"), [("clip.mp4", "aac"), ("clip.mkv", "libopus")], ids=["aac", "opus"]
)
def test_sound_goes_with_nut_and_delays_no_image(make_clip, tmp_path, name, codec):
    clip = make_clip(name=name, sound_s=0.4, frames=6, sound_codec=codec)
    with VideoReader(clip) as source:
        given = [(f, r) for f, (_, r) in zip(source, results(6), strict=True)]
        data = sent(tmp_path, given, "rgb", info=source.info, sound=True)
    with av.open(str(clip)) as film, av.open(io.BytesIO(data)) as copied:
        # The priming lies before 0.
        kept = {p.pts * p.time_base: p.size for p in film.demux(audio=0) if p.size and p.pts >= 0}
        sound = {p.pts * p.time_base: p.size for p in copied.demux(audio=0) if p.size}
        assert list(sound.values()) == list(kept.values())
        assert [float(t) for t in sound] == pytest.approx([float(t) for t in kept], abs=0.001)
        copied.seek(0)
        times = [image.time for image in copied.decode(video=0)]
    assert times == pytest.approx([frame.time_s for frame, _ in given], abs=0.0006)


@pytest.mark.parametrize("format", ["nut", "y4m", "mkv", "raw"])
def test_a_closed_pipe_is_told(format):
    reading, writing = os.pipe()
    os.close(reading)
    with stdout_is(writing):
        sink = StreamSink(info(), KINDS["rgb"], kind="rgb", format=format)
        with pytest.raises(BrokenPipeError):
            write(sink, results(18))
        sink.abort()
    os.close(writing)


@pytest.mark.parametrize(
    ("format", "kind", "says"),
    [("y4m", "rgba", "no transparency"), ("mp4", "rgb", "expected y4m, nut, mkv, raw")],
)
def test_what_does_not_fit_is_refused(format, kind, says):
    with pytest.raises(ConfigError, match=says):
        StreamSink(info(), KINDS[kind], kind=kind, format=format)
