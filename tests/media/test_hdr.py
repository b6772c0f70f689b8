"""HDR by the definitions of ST 2084, BT.2100, BT.2390 and BT.2408, in double precision."""

from dataclasses import replace

import av
import numpy as np
import pytest
from clips import coded
from soft_scene import disc, result_of, write

from jointvos.color import (
    hlg_of_nits,
    nits_of_hlg,
    nits_of_pq,
    pq_of_nits,
    sdr_in_hdr,
    shown_as_sdr,
)
from jointvos.masks import foreground, read_background
from jointvos.media.reading import VideoReader, open_source
from jointvos.media.writing import AlphaVideoSink, CompositeSink, MatteVideoSink, OverlaySink
from jointvos.runs import Outputs
from jointvos.types import Mastering

TRANSFER = {"pq": 16, "hlg": 18}


def pq(nits):
    y = (np.asarray(nits, float) / 10000) ** 0.1593017578125
    return ((0.8359375 + 18.8515625 * y) / (1 + 18.6875 * y)) ** 78.84375


def from_pq(code):
    p = np.asarray(code, float) ** (1 / 78.84375)
    y = np.maximum(p - 0.8359375, 0) / (18.8515625 - 18.6875 * p)
    return 10000 * y ** (1 / 0.1593017578125)


def from_hlg(codes):
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = np.where(codes <= 0.5, codes**2 / 3, (np.exp((codes - c) / a) + b) / 12)
    luma = scene @ [0.2627, 0.6780, 0.0593]
    return 1000 * luma[..., None] ** 0.2 * scene


def as_sdr(codes, hdr):
    """BT.2390 from 1000 to 203 nits on the largest component, BT.2020 to 709, sRGB curve."""
    nits = from_pq(codes) if hdr == "pq" else from_hlg(codes)
    largest = np.maximum(nits.max(-1, keepdims=True), 1e-9)
    top, limit = pq(1000), pq(203) / pq(1000)
    e = np.minimum(pq(largest) / top, 1)
    knee = 1.5 * limit - 0.5
    t = (e - knee) / (1 - knee)
    curve = (2 * t**3 - 3 * t**2 + 1) * knee
    curve += (t**3 - 2 * t**2 + t) * (1 - knee) + (3 * t**2 - 2 * t**3) * limit
    linear = nits * from_pq(np.where(e < knee, e, curve) * top) / largest / 203
    matrix = [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]]
    x = np.clip(linear @ np.transpose(matrix), 0, 1)
    return 255 * np.where(x <= 0.0031308, 12.92 * x, 1.055 * x ** (1 / 2.4) - 0.055)


def test_published_points_of_the_curves():
    nits = np.array([0, 0.1, 1, 100, 203, 1000, 10000], dtype=np.float32)
    assert pq_of_nits(nits) == pytest.approx(pq(nits), abs=1e-5)
    # BT.2408: reference white of 203 nits is 58 % of PQ and 75 % of HLG.
    assert pq_of_nits(np.array([203], np.float32)) == pytest.approx(0.5807, abs=1e-3)
    assert hlg_of_nits(np.full((1, 3), 203, np.float32)) == pytest.approx(0.75, abs=2e-3)
    assert nits_of_hlg(np.full((1, 3), 1, np.float32)) == pytest.approx(1000, rel=1e-4)
    codes = np.random.default_rng(1).random((50, 3)).astype(np.float32)
    assert pq_of_nits(nits_of_pq(codes)) == pytest.approx(codes, abs=1e-4)
    assert hlg_of_nits(nits_of_hlg(codes)) == pytest.approx(codes, abs=1e-3)


@pytest.mark.parametrize("hdr", ["pq", "hlg"])
def test_what_sdr_shows_of_hdr(hdr):
    codes = np.random.default_rng(2).integers(0, 65536, (100, 100, 3), dtype=np.uint16)
    codes[:50] = codes[:50, :, :1]  # grays
    assert np.abs(shown_as_sdr(codes, hdr) - as_sdr(codes / 65535, hdr)).max() < 1


@pytest.mark.parametrize("hdr", ["pq", "hlg"])
def test_what_is_painted_in_hdr_is_shown_in_its_colors(hdr):
    # Dark enough not to be rolled off.
    colors = np.random.default_rng(3).random((20, 20, 3)).astype(np.float32) * np.float32(0.65)
    codes = np.rint(sdr_in_hdr(colors, hdr) * 65535).astype(np.uint16)
    assert np.abs(shown_as_sdr(codes, hdr) / 255 - colors).max() < 1.5 / 255


def image(index):
    """Codes of a ramp of grays up to the highest, and patches of colors, 0 to 1."""
    codes = np.tile(np.linspace(0, 1, 128)[None, :, None], (96, 1, 3))
    codes[48:, :64] = (0.5, 0.35, 0.3)
    codes[48:, 64:] = (0.3, 0.45, 0.5)
    codes[:16, :16] = index / 8
    return codes


@pytest.fixture(params=["pq", "hlg"])
def hdr(request):
    return request.param


@pytest.fixture
def clip(tmp_path, hdr):
    """HEVC of 10 bit as phones and HDR10 discs have it."""
    path = tmp_path / "hdr.mp4"
    with av.open(str(path), "w") as output:
        options = {"x265-params": "log-level=none:lossless=1:bframes=0"}
        film = output.add_stream("libx265", rate=24, options=options)
        film.width, film.height, film.pix_fmt = 128, 96, "yuv420p10le"
        context = film.codec_context
        context.colorspace, context.color_primaries = 9, 9
        context.color_trc, context.color_range = TRANSFER[hdr], 1
        for index in range(3):
            frame = coded(image(index) * 255, "yuv420p10le", "hdr", False)
            frame.color_primaries, frame.color_trc = 9, TRANSFER[hdr]
            frame.pts = index
            output.mux(film.encode(frame))
        output.mux(film.encode(None))
    return path


INNER = np.ix_([*range(20, 44), *range(52, 96)], range(4, 60))  # where chroma has no edges


def masked(frames):
    soft = disc(100, 70, 12, 128, 96)[None]
    return [(frame, result_of(soft, frame.index, (3,))) for frame in frames]


def test_the_image_is_sdr_and_the_rest_is_kept(clip, hdr, caplog):
    with VideoReader(clip, deep=True) as source:
        frames = list(source)
        assert (source.info.hdr, source.info.color_tags) == (hdr, (1, 1, 1))
    assert not caplog.text
    codes = image(1)
    assert np.abs(frames[1].deep()[INNER] / 65535 - codes[INNER]).max() < 0.003
    assert np.abs(frames[1].image[INNER].astype(float) - as_sdr(codes, hdr)[INNER]).max() < 3


def test_without_depth_it_is_sdr_with_a_notice(clip, hdr, caplog):
    with open_source(clip) as source:
        frame = next(iter(source))
        assert source.info.hdr is None
    assert frame.deep is None
    assert np.abs(frame.image[INNER].astype(float) - as_sdr(image(0), hdr)[INNER]).max() < 3
    assert f"is HDR ({hdr.upper()}) and is shown as SDR" in caplog.text


def written(path):
    with av.open(str(path)) as film:
        frames = list(film.decode(video=0))
    (told,) = {(f.format.name, f.colorspace, f.color_primaries, f.color_trc) for f in frames}
    return told, [f.to_ndarray(format="rgb48le") / 65535 for f in frames]


@pytest.mark.parametrize(
    ("encoder", "name", "pixels"),
    [
        ("h265", "o.mp4", "yuv420p10le"),
        ("h265", "o.mkv", "yuv420p10le"),
        ("av1", "o.mp4", "yuv420p10le"),
        ("prores", "o.mov", "yuv422p10le"),
    ],
)
def test_an_overlay_stays_hdr(clip, hdr, tmp_path, encoder, name, pixels):
    assert Outputs(overlay=name, encoder=encoder).need_depth
    with VideoReader(clip, deep=True) as source:
        write(OverlaySink(tmp_path / name, source.info, encoder=encoder), masked(source))
    told, got = written(tmp_path / name)
    assert told == (pixels, 9, 9, TRANSFER[hdr])
    for index, codes in enumerate(got):
        assert np.abs(codes[INNER] - image(index)[INNER]).mean() < 0.006
    # The tint is as bright as in SDR: no brighter than white of 203 nits.
    inside = got[0][66:74, 96:104].mean((0, 1))
    assert inside.max() < (0.59 if hdr == "pq" else 0.76)
    assert np.abs(inside - image(0)[70, 100]).max() > 0.02


def test_an_overlay_in_8_bit_is_sdr(clip, hdr, tmp_path):
    assert not Outputs(overlay="o.mp4").need_depth
    with VideoReader(clip, deep=True) as source:
        write(OverlaySink(tmp_path / "o.mp4", source.info), masked(source))
    told, got = written(tmp_path / "o.mp4")
    assert told == ("yuv420p", 1, 1, 1)
    assert np.abs(got[1][INNER] * 255 - as_sdr(image(1), hdr)[INNER]).mean() < 3


def test_before_another_background_it_is_sdr(clip, hdr, tmp_path):
    assert not Outputs(overlay="o.mov", encoder="prores", background="blur").need_depth
    behind = read_background("gray")
    with VideoReader(clip, deep=True) as source:
        sink = CompositeSink(tmp_path / "o.mov", source.info, behind, encoder="prores")
        write(sink, masked(source))
    told, got = written(tmp_path / "o.mov")
    assert told == ("yuv422p10le", 1, 1, 1)
    assert np.abs(got[0][30, 20] - 128 / 255).max() < 0.01


def test_a_smaller_overlay_stays_hdr_and_a_matte_is_none(clip, hdr, tmp_path):
    with VideoReader(clip, deep=True) as source:
        given = masked(source)
        small = OverlaySink(tmp_path / "o.mov", source.info, encoder="prores", max_width=64)
        matte = MatteVideoSink(tmp_path / "m.mov", source.info)
    write(small, given)
    write(matte, given)
    told, got = written(tmp_path / "o.mov")
    assert told == ("yuv422p10le", 9, 9, TRANSFER[hdr])
    assert got[0].shape == (48, 64, 3)
    assert np.abs(got[0][30:44, 4:26] - image(0)[70, 10]).mean() < 0.01
    (_, *tags), _ = written(tmp_path / "m.mov")
    assert TRANSFER[hdr] not in tags


def test_objects_alone_stay_hdr(clip, hdr, tmp_path):
    assert Outputs(alpha="a.mov").need_depth
    with VideoReader(clip, deep=True) as source:
        given = masked(source)
        sink = AlphaVideoSink(tmp_path / "a.mov", source.info)
    write(sink, given)
    (pixels, *tags), got = written(tmp_path / "a.mov")
    assert pixels.startswith("yuva444p1")
    assert tags == [9, 9, TRANSFER[hdr]]
    assert np.abs(got[0][INNER] - image(0)[INNER]).mean() < 0.004
    assert foreground(given[0][1]).max() > 0.9


def test_10_bits_of_sdr_are_kept_in_prores(make_clip, tmp_path):
    options = {"x265-params": "log-level=none:lossless=1:bframes=0"}
    clip = make_clip(codec="libx265", pixels="yuv444p10le", matrix="709", options=options)
    with VideoReader(clip, deep=True) as source:
        frame = next(iter(source))
        assert source.info.hdr is None
        deep = frame.deep()
    assert deep.dtype == np.uint16
    assert np.abs(deep / 257 - frame.image).max() < 1


DISPLAY = (0.68, 0.32, 0.265, 0.69, 0.15, 0.06, 0.3127, 0.329, 1000.0, 0.005)
X265_DISPLAY = "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50)"


@pytest.fixture(params=["both", "display", "light"])
def mastered(tmp_path, request):
    """A video of one HDR10 frame, and what it says of its mastering."""
    told = {"display": f"master-display={X265_DISPLAY}", "light": "max-cll=1000,400"}
    parts = told if request.param == "both" else [request.param]
    parameters = ":".join(["log-level=none:bframes=0", *(told[part] for part in parts)])
    with av.open(str(tmp_path / "hdr.mp4"), "w") as output:
        film = output.add_stream("libx265", rate=24, options={"x265-params": parameters})
        film.width, film.height, film.pix_fmt = 128, 96, "yuv420p10le"
        frame = coded(image(0) * 255, "yuv420p10le", "hdr", False)
        for each in (film.codec_context, frame):
            each.colorspace, each.color_primaries, each.color_trc = 9, 9, 16
        output.mux(film.encode(frame))
        output.mux(film.encode(None))
    display = DISPLAY if "display" in parts else None
    return tmp_path / "hdr.mp4", Mastering(display, (1000, 400) if "light" in parts else None)


def mastering_of(path):
    with VideoReader(path, deep=True) as source:
        found = source.info.mastering
    return found and replace(found, display=found.display and pytest.approx(found.display, 2e-3))


@pytest.mark.parametrize(
    ("encoder", "name"), [("h265", "o.mp4"), ("h265", "o.mkv"), ("av1", "o.mp4")]
)
def test_what_hdr_was_mastered_for_is_kept(mastered, tmp_path, caplog, encoder, name):
    path, mastering = mastered
    assert mastering_of(path) == mastering
    with VideoReader(path, deep=True) as source:
        write(OverlaySink(tmp_path / name, source.info, encoder=encoder), masked(source))
    assert mastering_of(tmp_path / name) == mastering
    assert not caplog.text


def test_what_hdr_was_mastered_for_is_told_where_it_is_lost(mastered, tmp_path, caplog):
    with VideoReader(mastered[0], deep=True) as source:
        write(AlphaVideoSink(tmp_path / "a.mov", source.info), masked(source))
    assert "a.mov loses the mastering metadata of its HDR" in caplog.text


@pytest.mark.parametrize(
    ("outputs", "says"),
    [
        ({"overlay": "o.mp4"}, "o.mp4 will be SDR, as it has 8 bits; `encoder='h265'`"),
        ({"overlay": "o.mov", "encoder": "prores"}, None),
        (
            {"overlay": "o.mov", "encoder": "prores", "background": "blur"},
            "o.mov will be SDR, as other backgrounds are",
        ),
    ],
)
def test_an_overlay_that_is_sdr_beside_an_output_that_is_hdr_is_told(
    clip, tmp_path, caplog, monkeypatch, outputs, says
):
    monkeypatch.chdir(tmp_path)
    with VideoReader(clip, deep=True) as source:
        for sink in Outputs(alpha="a.mov", **outputs).sinks(source.info):
            sink.abort()
    assert says in caplog.text if says else not caplog.text
