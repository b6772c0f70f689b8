"""PNG and TIFF of 16 bit keep their depth."""

import struct
import zlib

import cv2
import numpy as np
import pytest
from images import write_tiff
from PIL import Image

from jointvos.errors import MediaDecodeError
from jointvos.media.reading import open_source
from jointvos.media.reading.image_decoding import read_image

CODES = np.random.default_rng(0).integers(0, 65536, (48, 64, 4), dtype=np.uint16)
CODES[0, 0], CODES[0, 1] = 0, 65535
RGB, GRAY = CODES[..., :3], CODES[..., 0]
AS_RGB = np.repeat(GRAY[..., None], 3, axis=2)
TURNS = {  # what EXIF says of where row 0 and column 0 are, and how to turn it upright
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: a.swapaxes(0, 1)[:, ::-1],
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: a.swapaxes(0, 1)[::-1],
}


def write_png(path, codes, orientation=None):
    _, coded = cv2.imencode(".png", codes[..., ::-1] if codes.ndim == 3 else codes)
    content = coded.tobytes()
    if orientation is not None:
        exif = b"eXIfMM\0*\0\0\0\x08\0\x01" + struct.pack(">HHIHHI", 274, 3, 1, orientation, 0, 0)
        chunk = struct.pack(">I", len(exif) - 4) + exif + struct.pack(">I", zlib.crc32(exif))
        content = content[:33] + chunk + content[33:]
    path.write_bytes(content)


def assert_shows(path, codes):
    decoded = read_image(path)
    np.testing.assert_array_equal(decoded.deep, codes)
    np.testing.assert_array_equal(decoded.image, np.rint(codes / 257))
    assert (decoded.deep.dtype, decoded.image.dtype) == (np.uint16, np.uint8)


@pytest.mark.parametrize(("codes", "shown"), [(RGB, RGB), (GRAY, AS_RGB)])
def test_png(tmp_path, codes, shown):
    write_png(tmp_path / "a.png", codes)
    assert_shows(tmp_path / "a.png", shown)


@pytest.mark.parametrize("planar", [False, True])
@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("deflated", [False, True])
@pytest.mark.parametrize(
    ("codes", "extra", "shown"), [(RGB, None, RGB), (CODES, 2, RGB), (CODES, 0, RGB)]
)
def test_tiff(tmp_path, codes, extra, shown, planar, order, deflated):
    how = {"planar": planar, "order": order, "deflated": deflated}
    write_tiff(tmp_path / "a.tif", codes, extra=extra, **how)
    assert_shows(tmp_path / "a.tif", shown)


@pytest.mark.parametrize(("codes", "extra"), [(GRAY, None), (CODES[..., ::3], 2)])
def test_gray_tiff(tmp_path, codes, extra):
    write_tiff(tmp_path / "a.tif", codes, extra=extra)
    assert_shows(tmp_path / "a.tif", AS_RGB)


def test_colors_that_are_multiplied_with_alpha_are_divided(tmp_path):
    codes = np.zeros((48, 64, 4), np.uint16)
    codes[:], codes[:9], codes[9:20] = (30, 300, 10000, 20000), (5, 6, 7, 0), 65535
    write_tiff(tmp_path / "a.tif", codes, extra=1)
    shown = np.zeros((48, 64, 3), np.uint16)
    shown[:], shown[:9], shown[9:20] = (98, 983, 32768), (5, 6, 7), 65535
    assert np.abs(read_image(tmp_path / "a.tif").deep.astype(int) - shown).max() <= 1


@pytest.mark.parametrize("orientation", TURNS)
def test_images_stand_upright(tmp_path, orientation):
    upright = TURNS[orientation](RGB)
    write_tiff(tmp_path / "a.tif", RGB, orientation=orientation)
    assert_shows(tmp_path / "a.tif", upright)
    write_png(tmp_path / "a.png", RGB, orientation)
    assert_shows(tmp_path / "a.png", upright)
    Image.fromarray(RGB.astype(np.uint8)).save(tmp_path / "b.png", exif=exif_of(orientation))
    np.testing.assert_array_equal(read_image(tmp_path / "b.png").image, upright.astype(np.uint8))


def exif_of(orientation):
    exif = Image.Exif()
    exif[274] = orientation
    return exif


@pytest.mark.parametrize("planar", [False, True])
def test_tiff_in_tiles_is_read_as_8_bit_or_refused(tmp_path, caplog, planar):
    write_tiff(tmp_path / "a.tif", RGB, tiled=True, planar=planar)
    if planar:
        with pytest.raises(MediaDecodeError, match="planar TIFF of 16 bit"):
            open_source(tmp_path)
        return
    with open_source(tmp_path) as source:
        (frame,) = source
    assert np.abs(frame.image - RGB / 257).max() < 1
    assert frame.deep is None
    assert "a.tif: only 8 of its 16 bits are used" in caplog.text


@pytest.mark.parametrize("codes", [RGB, GRAY])
def test_tiff_of_floating_point_values_is_refused(tmp_path, codes):
    write_tiff(tmp_path / "a.tif", codes.astype(np.float32))
    with pytest.raises(MediaDecodeError, match="save it as OpenEXR or with 16 bit"):
        read_image(tmp_path / "a.tif")


@pytest.mark.filterwarnings("ignore::UserWarning")  # of Pillow, which no user sees
@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("part", [0.1, 0.5, 0.9, 0.99])
def test_files_that_are_cut_off_are_refused(tmp_path, suffix, part):
    path = tmp_path / f"a{suffix}"
    (write_png if suffix == ".png" else write_tiff)(path, RGB)
    content = path.read_bytes()
    path.write_bytes(content[: int(part * len(content))])
    with pytest.raises(MediaDecodeError, match=rf"a{suffix} cannot be decoded: ."):
        read_image(path)


def test_tiff_with_a_strip_that_is_cut_off_is_refused(tmp_path):
    """Even if tags stand before the pixels, so that only these are missing."""
    path = tmp_path / "a.tif"
    write_tiff(path, RGB, rows=48)
    entry = struct.Struct("<2H2I")
    size, more = entry.pack(279, 4, 1, RGB.nbytes), entry.pack(279, 4, 1, 2 * RGB.nbytes)
    path.write_bytes(path.read_bytes().replace(size, more))
    with pytest.raises(MediaDecodeError, match="the file is not complete"):
        read_image(path)
