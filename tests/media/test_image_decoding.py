import sys
from contextlib import suppress
from fractions import Fraction

import av
import numpy as np
import pytest
from clips import scene
from images import write_dpx, write_exr
from PIL import Image

from jointvos.errors import MediaDecodeError, MediaError, UnsupportedMediaError
from jointvos.media.reading import open_source
from jointvos.media.reading.image_decoding import read_image
from jointvos.media.writing import OverlaySink
from jointvos.types import FrameResult

LINEAR = np.linspace(-0.1, 1.6, 48 * 64 * 3, dtype=np.float32).reshape(48, 64, 3)
ACES_AP0 = (0.7347, 0.2653, 0.0, 1.0, 0.0001, -0.077, 0.32168, 0.33767)


def srgb(linear):
    x = np.clip(linear.astype(np.float64), 0, 1)
    return np.rint(255 * np.where(x <= 0.0031308, 12.92 * x, 1.055 * x ** (1 / 2.4) - 0.055))


@pytest.mark.parametrize("kind", [np.float32, np.float16])
def test_linear_light_is_shown_as_srgb_and_kept(tmp_path, kind):
    write_exr(tmp_path / "a.exr", LINEAR.astype(kind))
    decoded = read_image(tmp_path / "a.exr")
    assert decoded.image.dtype == np.uint8
    assert np.abs(decoded.image - srgb(LINEAR.astype(kind))).max() <= 1
    assert decoded.deep.dtype == np.float32
    assert np.array_equal(decoded.deep, LINEAR.astype(kind).astype(np.float32))


def test_no_number_is_black_and_infinity_white(tmp_path):
    odd = LINEAR.copy()
    odd[0, 0], odd[0, 1], odd[0, 2] = np.nan, np.inf, -np.inf
    write_exr(tmp_path / "a.exr", odd)
    decoded = read_image(tmp_path / "a.exr")
    assert decoded.image[0, :3, 0].tolist() == [0, 255, 0]
    assert np.isfinite(decoded.deep).all()


def test_other_primaries_are_converted(tmp_path):
    # Of ACES2065-1: its white stays white, its red is out of what sRGB shows.
    pixels = np.zeros((4, 4, 3), dtype=np.float32)
    pixels[0], pixels[1, :, 0], pixels[2] = 1, 1, 0.18
    write_exr(tmp_path / "a.exr", pixels, primaries=ACES_AP0)
    decoded = read_image(tmp_path / "a.exr")
    assert decoded.deep[0] == pytest.approx(np.ones((4, 3)), abs=2e-3)
    assert decoded.deep[2] == pytest.approx(np.full((4, 3), 0.18), abs=1e-3)
    # The published matrix from AP0 to linear sRGB: 2.52169, -0.27648, -0.01538.
    assert decoded.deep[1, 0] == pytest.approx([2.5217, -0.2765, -0.0154], abs=0.01)


@pytest.mark.parametrize(
    ("channels", "shown"),
    [
        (("beauty.R", "beauty.G", "beauty.B"), (0, 1, 2)),
        (("spec.R", "spec.G", "spec.B", "R", "G", "B"), (3, 4, 5)),
        (("R", "G", "B", "A", "Z"), (0, 1, 2)),
        (("Y",), (0, 0, 0)),
        # As Blender names them.
        (
            tuple(f"ViewLayer.{each}" for each in ("AO.R", "AO.G", "AO.B"))
            + tuple(f"ViewLayer.Combined.{each}" for each in "RGBA"),
            (3, 4, 5),
        ),
    ],
)
def test_layers_and_single_channels(tmp_path, channels, shown):
    pixels = np.random.default_rng(1).random((4, 6, len(channels)), dtype=np.float32)
    write_exr(tmp_path / "a.exr", pixels, channels)
    assert np.array_equal(read_image(tmp_path / "a.exr").deep, pixels[..., shown])


def test_overscan_is_cut_off_and_a_crop_is_surrounded_by_black(tmp_path):
    write_exr(tmp_path / "a.exr", LINEAR, display=(0, 0, 48, 32), data_at=(-8, -8))
    assert np.array_equal(read_image(tmp_path / "a.exr").deep, LINEAR[8:40, 8:56])
    write_exr(tmp_path / "b.exr", LINEAR, display=(0, 0, 80, 64), data_at=(8, 8))
    framed = read_image(tmp_path / "b.exr").deep
    assert framed.shape == (64, 80, 3)
    assert np.array_equal(framed[8:56, 8:72], LINEAR)
    assert framed[:8].max() == framed[:, 72:].max() == 0


@pytest.mark.parametrize(("x", "y"), [(8, 6), (-100, 0), (0, -3), (1000, 2000)])
def test_a_display_window_may_begin_anywhere(tmp_path, x, y):
    """Beside a data window that is the same, larger, or partly outside."""
    write_exr(tmp_path / "a.exr", LINEAR, display=(x, y, 64, 48), data_at=(x, y))
    assert np.array_equal(read_image(tmp_path / "a.exr").deep, LINEAR)
    write_exr(tmp_path / "b.exr", LINEAR, display=(x, y, 40, 30), data_at=(x - 10, y - 5))
    assert np.array_equal(read_image(tmp_path / "b.exr").deep, LINEAR[5:35, 10:50])
    write_exr(tmp_path / "c.exr", LINEAR, display=(x, y, 64, 48), data_at=(x + 20, y - 8))
    shown = read_image(tmp_path / "c.exr").deep
    assert np.array_equal(shown[:40, 20:], LINEAR[8:, :44])
    assert shown[40:].max() == shown[:, :20].max() == 0


@pytest.mark.parametrize("bits", [10, 12, 16])
def test_codes_of_dpx_are_kept(tmp_path, bits):
    codes = np.random.default_rng(2).integers(0, 1 << bits, (48, 64, 3))
    codes[0, 0], codes[0, 1] = 0, (1 << bits) - 1
    write_dpx(tmp_path / "a.dpx", codes, bits)
    decoded = read_image(tmp_path / "a.dpx")
    exactly = codes / ((1 << bits) - 1)
    assert np.abs(decoded.deep / 65535 - exactly).max() < 1 / 65535
    assert np.abs(decoded.image / 255 - exactly).max() <= 0.5 / 255 + 1 / 65535


@pytest.mark.parametrize(
    ("transfer", "told"), [(1, "printing density"), (3, "logarithmic"), (6, "")]
)
def test_logarithmic_dpx_is_told(tmp_path, caplog, transfer, told):
    write_dpx(tmp_path / "f_1.dpx", np.zeros((48, 64, 3)), 10, transfer)
    with open_source(tmp_path):
        assert ("looks flat" in caplog.text) == bool(told)
        assert told in caplog.text


def save(path, picture):
    """As the suffix says."""
    if path.suffix == ".jp2":
        frame = av.VideoFrame.from_ndarray(np.asarray(picture))
        codec = av.CodecContext.create("jpeg2000", "w")
        codec.width, codec.height, codec.pix_fmt = picture.width, picture.height, "rgb24"
        codec.time_base, codec.options = 1, {"pred": "1", "format": "jp2"}
        path.write_bytes(b"".join(map(bytes, [*codec.encode(frame), *codec.encode(None)])))
    else:
        picture.save(path, **({"quality": 95} if path.suffix == ".avif" else {}))


@pytest.mark.parametrize(("suffix", "apart"), [(".avif", 6), (".tga", 0), (".jp2", 0)])
def test_other_kinds(tmp_path, suffix, apart):
    for index in range(2):
        save(tmp_path / f"{index}{suffix}", Image.fromarray(scene(index)))
    with open_source(tmp_path) as source:
        frames = list(source)
    for index, frame in enumerate(frames):
        middle = np.s_[20:44, 4:28]  # flat, and without an edge of halved chroma
        difference = frame.image.astype(int) - scene(index)
        assert np.abs(difference[middle]).max() <= apart
    assert [frame.name for frame in frames] == ["0", "1"]


@pytest.mark.parametrize(
    ("name", "module", "package"),
    [("a.heic", "pillow_heif", "pillow-heif"), ("a.jxl", "pillow_jxl", "pillow-jxl-plugin")],
)
def test_what_needs_another_package_says_which(tmp_path, monkeypatch, name, module, package):
    monkeypatch.setitem(sys.modules, module, None)
    (tmp_path / name).write_bytes(b"whatever it holds")
    with pytest.raises(UnsupportedMediaError, match=f"pip install {package}"):
        open_source(tmp_path)


@pytest.mark.parametrize("name", ["a.heic", "a.jxl"])
def test_packages_that_are_there_are_used(tmp_path, name):
    module = pytest.importorskip("pillow_heif" if name == "a.heic" else "pillow_jxl")
    if name == "a.heic":
        module.register_heif_opener()
    Image.fromarray(scene(5)).save(tmp_path / name, quality=95)
    image = read_image(tmp_path / name).image
    assert np.abs(image.astype(int) - scene(5))[20:44, 4:28].max() <= 10


@pytest.mark.parametrize("name", ["a.exr", "a.dpx", "a.jp2", "a.avif", "a.tga"])
@pytest.mark.parametrize("part", [0, 0.01, 0.1, 0.5, 0.95])
def test_files_that_are_cut_off_end_in_one_line(tmp_path, name, part):
    path = tmp_path / name
    if name == "a.exr":
        write_exr(path, LINEAR)
    elif name == "a.dpx":
        write_dpx(path, np.full((48, 64, 3), 9), 10)
    else:
        save(path, Image.fromarray(scene(3)))
    content = path.read_bytes()
    path.write_bytes(content[: int(part * len(content))])
    with pytest.raises(MediaDecodeError, match=rf"{name} cannot be decoded: .") as error:
        read_image(path)
    assert "\n" not in str(error.value)


def test_flipped_bits_are_survived(tmp_path):
    path, draw = tmp_path / "a.exr", np.random.default_rng(3)
    write_exr(path, LINEAR[:8, :8])
    content = path.read_bytes()
    for _ in range(200):
        damaged = bytearray(content)
        for at in draw.integers(0, 500, 3):
            damaged[at] ^= 1 << draw.integers(8)
        path.write_bytes(damaged)
        with suppress(MediaError):
            assert read_image(path).image.nbytes < 1 << 20


def test_bombs_are_refused(tmp_path):
    # A few bytes that claim 60000 x 60000 pixels.
    small = np.zeros((1, 1, 3), dtype=np.float32)
    write_exr(tmp_path / "a.exr", small, display=(0, 0, 60000, 60000))
    with pytest.raises(MediaDecodeError, match=r"a\.exr cannot be decoded"):
        read_image(tmp_path / "a.exr")
    write_dpx(tmp_path / "a.dpx", np.zeros((1, 1, 3)), 10)
    content = bytearray((tmp_path / "a.dpx").read_bytes())
    content[772:780] = (60000).to_bytes(4) * 2
    (tmp_path / "a.dpx").write_bytes(content)
    with pytest.raises(MediaDecodeError, match=r"a\.dpx cannot be decoded"):
        read_image(tmp_path / "a.dpx")


@pytest.mark.parametrize(
    ("write", "why"),
    [
        (lambda p: write_exr(p, np.ones((4, 4, 3), np.uint32)), "expected half or float"),
        (
            lambda p: write_exr(p, LINEAR[..., :1], ("Z",)),
            "expected channels R, G, B or Y, it has Z",
        ),
        (
            lambda p: write_exr(p, LINEAR[..., :1], ("Z",), parts=True),
            r"its first part has no colors \(Z\); put the RGB part first",
        ),
        (lambda p: p.write_bytes(b"II*\0 not an EXR"), "not an OpenEXR file"),
    ],
)
def test_what_is_not_shown_is_refused(tmp_path, write, why):
    write(tmp_path / "a.exr")
    with pytest.raises(MediaDecodeError, match=why):
        read_image(tmp_path / "a.exr")


@pytest.mark.parametrize(
    ("name", "rate", "timecode", "told"),
    [
        ("exr", (25, 1), 0x01000012, (25, "01:00:00:12")),
        ("exr", (30000, 1001), 0x00010042, (Fraction(30000, 1001), "00:01:00;02")),
        ("exr", (0, 0), None, (24, None)),
        ("dpx", 25.0, 0x10595923, (25, "10:59:59:23")),
        ("dpx", 23.976, 0x01000000, (Fraction(24000, 1001), "01:00:00:00")),
        ("dpx", float("nan"), 0xFFFFFFFF, (24, None)),
        ("dpx", float("inf"), 0x0100000F, (24, None)),
    ],
)
def test_sequences_tell_rate_and_timecode(tmp_path, name, rate, timecode, told):
    for index in range(2):
        path = tmp_path / f"{index}.{name}"
        if name == "exr":
            write_exr(path, LINEAR, rate=rate, timecode=timecode)
        else:
            write_dpx(path, np.zeros((48, 64, 3)), 10, rate=rate, timecode=timecode)
    with open_source(tmp_path) as source:
        assert (source.info.frame_rate, source.info.timecode) == told
    with open_source(tmp_path, frame_rate=Fraction(50)) as source:
        assert source.info.frame_rate == 50


@pytest.mark.parametrize(
    ("name", "aspect", "told"),
    [
        ("exr", 2, 2),
        ("exr", 59 / 54, Fraction(59, 54)),
        ("exr", 1.00001, 1),
        ("exr", 0, 1),
        ("exr", float("nan"), 1),
        ("exr", float("inf"), 1),
        ("dpx", (2, 1), 2),
        ("dpx", (1200, 1100), Fraction(12, 11)),
        ("dpx", (1, 0), 1),
        ("dpx", (0, 0), 1),
        ("dpx", (0xFFFFFFFF, 0xFFFFFFFF), 1),
    ],
)
def test_sequences_tell_the_shape_of_pixels(tmp_path, name, aspect, told):
    if name == "exr":
        write_exr(tmp_path / "0.exr", LINEAR, aspect=aspect)
    else:
        write_dpx(tmp_path / "0.dpx", np.zeros((48, 64, 3)), 10, aspect=aspect)
    with open_source(tmp_path) as source:
        assert source.info.sample_aspect_ratio == told


def test_videos_of_sequences_carry_their_timecode_and_shape_of_pixels(tmp_path):
    folder = tmp_path / "shot"
    folder.mkdir()
    for index in range(4):
        write_exr(
            folder / f"{1001 + index}.exr",
            LINEAR,
            rate=(25, 1),
            timecode=0x01000000 + index,
            aspect=2,
        )
    with open_source(folder, start="2") as source:
        sink = OverlaySink(tmp_path / "o.mov", source.info)
        for frame in source:
            labels = np.zeros(frame.image.shape[:2], np.uint8)
            sink.write(frame, FrameResult(frame.index, labels, ()))
        sink.close()
        sink.commit()
    with av.open(str(tmp_path / "o.mov")) as video:
        assert video.streams.video[0].average_rate == 25
        assert video.streams.video[0].sample_aspect_ratio == 2
        assert video.streams.data[0].metadata["timecode"] == "01:00:00:02"
