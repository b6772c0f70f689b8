"""How bright images of 8 and more bits are, by the definitions of BT.601, BT.709 and BT.2100."""

from dataclasses import replace

import av
import numpy as np
import pytest
from clips import TAGS, coded
from soft_scene import result_of, write

from jointvos.media.reading import VideoReader
from jointvos.media.writing import AlphaVideoSink, OverlaySink

COLORS = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (0, 255, 255), (255, 0, 255)]
COLORS += [(200, 40, 40), (30, 180, 90)]
RAMP = np.s_[:28]
PATCHES = np.s_[36:60]


def chart():
    """All grays, and below them eight colors; 0 to 255."""
    image = np.zeros((64, 256, 3))
    image[:32] = np.arange(256)[:, None]
    image[32:] = np.repeat(COLORS, 32, axis=0)
    return image


def flat(values):
    """The inner pixels of the colors, where chroma has no edges."""
    return values[PATCHES].reshape(24, 8, 32, -1)[:, :, 8:24]


def lossless(path, pixels, matrix, full_range):
    with av.open(str(path), "w") as output:
        video = output.add_stream("ffv1", rate=24)
        video.width, video.height, video.pix_fmt = 256, 64, pixels
        context = video.codec_context
        context.colorspace, context.color_primaries, context.color_trc = TAGS[matrix]
        context.color_range = 2 if full_range else 1
        frame = coded(chart(), pixels, matrix, full_range)
        frame.color_primaries, frame.color_trc = TAGS[matrix][1:]
        output.mux(video.encode(frame))
        output.mux(video.encode(None))
    return path


@pytest.mark.parametrize("full_range", [False, True], ids=["limited", "full"])
@pytest.mark.parametrize("matrix", ["601", "709", "hdr", "hlg"])
@pytest.mark.parametrize("pixels", ["yuv420p10le", "yuv444p10le"])
def test_10_bits_are_read_as_they_are_defined(tmp_path, pixels, matrix, full_range):
    path = lossless(tmp_path / "clip.mkv", pixels, matrix, full_range)
    with VideoReader(path, deep=True) as source:
        (frame,) = source
    codes = frame.deep() / 257
    assert np.abs(codes - chart())[RAMP].max() < 0.3  # a quarter is a number of 10 bits
    assert abs((codes - chart())[RAMP].mean()) < 0.02
    assert codes[0, 255] == pytest.approx(255)
    assert np.abs(flat(codes - chart())).max() < 0.5
    if source.info.hdr is None:
        assert np.abs(frame.image - chart())[RAMP].max() == 0
        assert np.abs(flat(frame.image - chart())).max() <= 1


def planes(path):
    """Luma and chroma of the first image, in numbers of 10 bits."""
    with av.open(str(path)) as video:
        return planes_of(next(video.decode(video=0)))


def planes_of(frame):
    unit = 1 << (frame.format.components[0].bits - 10)
    rows = [np.frombuffer(bytes(p), np.uint16).reshape(p.height, -1) for p in frame.planes[:3]]
    return [row[:, : p.width] / unit for p, row in zip(frame.planes, rows, strict=False)]


@pytest.mark.parametrize("depth", [8, 10])
@pytest.mark.parametrize(
    ("name", "encoder", "matrix"),
    [
        ("o.mov", "alpha", "601"),
        ("o.mov", "alpha", "hdr"),
        ("o.mov", "prores", "709"),
        ("o.mov", "prores", "hlg"),
        ("o.mp4", "h265", "hdr"),
        ("o.mp4", "av1", "hlg"),
    ],
)
def test_10_bits_are_written_as_they_are_defined(tmp_path, name, encoder, matrix, depth):
    path = lossless(tmp_path / "clip.mkv", "yuv420p10le", matrix, False)
    with VideoReader(path, deep=True) as source:
        (frame,) = source
        info = source.info
    if depth == 8:  # as of a source of 8 bits, or of codes that are exact
        frame = replace(frame, image=chart().astype(np.uint8), deep=None)
        if info.hdr:
            frame = replace(frame, deep=lambda: chart().astype(np.uint16) * 257)
    if encoder == "alpha":
        sink = AlphaVideoSink(tmp_path / name, info)
    else:
        crf = None if encoder == "prores" else 1
        sink = OverlaySink(tmp_path / name, info, encoder=encoder, crf=crf)
    write(sink, [(frame, result_of(np.zeros((1, 64, 256), np.float32), ids=(3,)))])
    wanted = planes_of(coded(chart(), "yuv444p10le", matrix, False))
    luma, *chroma = planes(tmp_path / name)
    error = luma - wanted[0]
    assert abs(error[RAMP].mean()) < 0.15
    assert np.abs(error[RAMP]).max() <= 1
    assert luma[RAMP, 255].mean() == pytest.approx(940, abs=0.5)
    assert np.abs(flat(error)).max() <= 1
    for got, exact in zip(chroma, wanted[1:], strict=True):
        full = np.kron(got, np.ones((64 // got.shape[0], 256 // got.shape[1])))
        assert np.abs(flat(full - exact)).max() <= 1
