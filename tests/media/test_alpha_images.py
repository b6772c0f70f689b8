from fractions import Fraction

import av
import cv2
import numpy as np
import pytest
from images import write_dpx, write_exr
from PIL import Image
from soft_scene import results, write

from jointvos.errors import OutputError, OutputExists
from jointvos.files.exr import read_exr_header
from jointvos.masks import foreground
from jointvos.media.reading import open_source
from jointvos.media.writing import AlphaFolderSink


def exr(path):
    """Premultiplied RGBA of a file, float32 [H,W,4]."""
    codec = av.CodecContext.create("exr", "r")
    (frame,) = [*codec.decode(av.Packet(path.read_bytes())), *codec.decode(None)]
    assert frame.format.name == "gbrapf16le"
    green, blue, red, alpha = (
        np.frombuffer(bytes(plane), "<f2").reshape(plane.height, -1)[:, : plane.width]
        for plane in frame.planes
    )
    return np.dstack([red, green, blue, alpha]).astype(np.float32)


def png(path):
    """RGBA of a file, uint16 [H,W,4]."""
    return cv2.imread(str(path), cv2.IMREAD_UNCHANGED)[..., [2, 1, 0, 3]]


def masked(folder):
    """The frames of a sequence of 64 x 48, each with soft masks."""
    with open_source(folder) as source:
        frames = list(source)
    return [
        (frame, result) for frame, (_, result) in zip(frames, results(len(frames)), strict=True)
    ]


def test_colors_of_8_bit_in_16_bit_and_in_linear_light(tmp_path):
    given = list(results(2))
    write(AlphaFolderSink(tmp_path / "p", format="png16"), given)
    write(AlphaFolderSink(tmp_path / "e", format="exr"), given)
    for frame, result in given:
        soft = foreground(result)
        pixels = png(tmp_path / "p" / f"{frame.name}.png")
        assert pixels.dtype == np.uint16
        assert np.array_equal(pixels[..., :3], frame.image.astype(np.uint16) * 257)
        assert np.abs(pixels[..., 3] - 65535 * soft.astype(np.float64)).max() <= 0.51
        linear = exr(tmp_path / "e" / f"{frame.name}.exr")
        assert linear[..., 3] == pytest.approx(soft, abs=1e-3)
        value = frame.image / 255
        curve = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
        assert linear[..., :3] == pytest.approx(curve * soft[..., None], abs=1e-3)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_colors_of_16_bit_keep_their_depth(tmp_path, suffix):
    (tmp_path / "in").mkdir()
    codes = np.random.default_rng(4).integers(0, 65536, (48, 64, 3), dtype=np.uint16)
    cv2.imwrite(str(tmp_path / "in" / f"0{suffix}"), codes[..., ::-1])
    ((frame, result),) = masked(tmp_path / "in")
    write(AlphaFolderSink(tmp_path / "p", format="png16"), [(frame, result)])
    pixels = png(tmp_path / "p" / "0.png")
    seen = pixels[..., 3] > 0
    assert seen.any()
    np.testing.assert_array_equal(pixels[seen][:, :3], codes[seen])


@pytest.mark.parametrize("aspect", [Fraction(1), Fraction(2), Fraction(59, 54)])
def test_openexr_tells_the_shape_of_pixels(tmp_path, aspect):
    write(AlphaFolderSink(tmp_path / "e", format="exr", pixel_aspect=aspect), list(results(1)))
    with open_source(tmp_path / "e") as source:
        assert source.info.sample_aspect_ratio == aspect


def test_linear_light_comes_back_as_it_was(tmp_path):
    (tmp_path / "in").mkdir()
    pixels = np.linspace(-0.5, 30, 48 * 64 * 3, dtype=np.float32).reshape(48, 64, 3)
    write_exr(tmp_path / "in" / "shot_1001.exr", pixels)
    given = masked(tmp_path / "in")
    write(AlphaFolderSink(tmp_path / "out", format="exr"), given)
    linear = exr(tmp_path / "out" / "shot_1001.exr")
    wanted = pixels * foreground(given[0][1])[..., None]
    assert linear[..., :3] == pytest.approx(wanted, rel=1e-3, abs=1e-3)


def test_codes_of_10_bit_come_back_in_16_bit(tmp_path):
    (tmp_path / "in").mkdir()
    codes = np.arange(48 * 64 * 3).reshape(48, 64, 3) % 1024
    write_dpx(tmp_path / "in" / "shot_0086400.dpx", codes, 10)
    write(AlphaFolderSink(tmp_path / "out", format="png16"), masked(tmp_path / "in"))
    pixels = png(tmp_path / "out" / "shot_0086400.png")
    assert np.array_equal(np.rint(pixels[..., :3] / 65535 * 1023), codes)


def test_the_note_of_who_wrote_it_leaves_files_whole(tmp_path):
    write(AlphaFolderSink(tmp_path / "e", format="exr"), list(results(1)))
    header = read_exr_header((tmp_path / "e" / "00000.exr").read_bytes())
    assert sorted(header.channels) == ["A", "B", "G", "R"]
    write(AlphaFolderSink(tmp_path / "p", format="png16"), list(results(1)))
    with Image.open(tmp_path / "p" / "00000.png") as image:
        image.load()
        assert image.info["Software"] == "jointvos"


@pytest.mark.parametrize("format", ["png16", "exr"])
def test_only_our_own_images_are_replaced(tmp_path, format):
    write(AlphaFolderSink(tmp_path / "a", format=format), list(results(2)))
    with pytest.raises(OutputExists):
        AlphaFolderSink(tmp_path / "a", format=format)
    write(AlphaFolderSink(tmp_path / "a", format=format, overwrite=True), list(results(1)))
    assert len(list((tmp_path / "a").iterdir())) == 1
    write_exr(tmp_path / "a" / "other.exr", np.zeros((4, 4, 3), np.float32))
    with pytest.raises(OutputError, match=r"other\.exr, which jointvos did not write"):
        AlphaFolderSink(tmp_path / "a", format=format, overwrite=True)


def test_hdr_is_told_in_png(tmp_path):
    write(AlphaFolderSink(tmp_path / "a", format="png16", hdr="hlg"), list(results(1)))
    content = (tmp_path / "a" / "00000.png").read_bytes()
    assert content[content.index(b"cICP") + 4 :][:4] == bytes((9, 18, 0, 1))
