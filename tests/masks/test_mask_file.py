from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jointvos.errors import (
    EmptyMaskError,
    EncodeError,
    MaskReadError,
    MaskSizeMismatch,
    TooManyObjects,
)
from jointvos.masks import (
    DAVIS_PALETTE,
    DISPLAY_COLORS,
    check_mask,
    read_mask,
    write_mask_png,
)
from jointvos.types import VideoInfo

IDS = np.zeros((48, 64), dtype=np.uint8)
IDS[8:20, 8:24], IDS[24:40, 8:24], IDS[10:30, 40:60] = 1, 2, 3
ONE = (IDS == 1).astype(np.uint8)
WITH_VOID = np.where(IDS == 3, 255, IDS).astype(np.uint8)
INFO = VideoInfo(Path("clip.mp4"), 64, 48, Fraction(24), Fraction(1, 24))
PURE = np.array([(0, 0, 0), (255, 0, 0), (0, 255, 0), (0, 0, 255)], dtype=np.uint8)


def palette(ids, colors=DAVIS_PALETTE):
    image = Image.fromarray(ids)
    image.putpalette(colors.tobytes())
    return image


@pytest.mark.parametrize("factor", [200, 255, 20_000])
def test_ids_above_255_are_not_wrapped(tmp_path, factor):
    ids = IDS.astype(np.uint16) * factor
    Image.fromarray(ids).save(tmp_path / "mask.png")
    mask = read_mask(tmp_path / "mask.png", INFO)
    assert mask.dtype == np.uint16
    assert np.array_equal(mask, ids)
    check_mask(mask, tmp_path / "mask.png", INFO)


def test_smoothed_edges_in_16_bit(tmp_path, caplog):
    steps = np.asarray(smooth(Image.fromarray(ONE * 255))).astype(np.uint16) * 257
    Image.fromarray(steps).save(tmp_path / "mask.png")
    assert np.array_equal(read_mask(tmp_path / "mask.png"), steps > 32767)
    assert "thresholded at mid-gray" in caplog.text
    steps = np.asarray(smooth(Image.fromarray(IDS * 50))).astype(np.uint16) * 99
    Image.fromarray(steps).save(tmp_path / "mask.png")
    with pytest.raises(TooManyObjects, match="smoothed edges"):
        read_mask(tmp_path / "mask.png")


def test_a_black_and_white_jpeg_is_cut_at_gray_and_told(tmp_path, caplog):
    Image.fromarray(ONE * 255).save(tmp_path / "mask.jpg", quality=90)
    mask = read_mask(tmp_path / "mask.jpg")
    assert set(np.unique(mask)) == {0, 1}
    assert np.count_nonzero(mask != ONE) <= 20
    assert "thresholded at mid-gray" in caplog.text


def test_near_black_and_white_is_cut_whatever_the_format(tmp_path):
    noisy = (ONE * 240 + np.random.default_rng(0).integers(0, 15, ONE.shape)).astype(np.uint8)
    Image.fromarray(noisy).save(tmp_path / "mask.png")
    assert np.array_equal(read_mask(tmp_path / "mask.png"), ONE)


def smooth(image):
    image = image.resize((640, 480), Image.Resampling.NEAREST)
    return image.rotate(10, Image.Resampling.BICUBIC).resize((320, 240), Image.Resampling.BICUBIC)


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_smoothed_edges_of_one_object_are_cut_at_gray_and_told(tmp_path, caplog, mode):
    image = smooth(Image.fromarray(ONE * 255))
    assert len(np.unique(np.asarray(image))) > 50
    image.convert(mode).save(tmp_path / "mask.png")
    assert np.array_equal(read_mask(tmp_path / "mask.png"), np.asarray(image) > 127)
    assert "thresholded at mid-gray" in caplog.text


def test_a_few_gray_steps_are_an_edge_too(tmp_path):
    fine = Image.fromarray(ONE * 255).rotate(10, expand=False).resize((192, 144))
    image = fine.resize((96, 72), Image.Resampling.BOX)
    image.save(tmp_path / "mask.png")
    assert set(np.unique(read_mask(tmp_path / "mask.png"))) == {0, 1}


@pytest.mark.parametrize(
    ("image", "format", "hint"),
    [
        pytest.param(smooth(Image.fromarray(IDS * 50)), "PNG", "smoothed edges;", id="gray IDs"),
        pytest.param(
            smooth(Image.fromarray(WITH_VOID * 1)), "PNG", "smoothed edges;", id="IDs with void"
        ),
        pytest.param(
            smooth(palette(IDS).convert("RGB")), "PNG", "smoothed edges;", id="colors of IDs"
        ),
        pytest.param(Image.fromarray(IDS.astype(np.int32) * 40_000), "TIFF", "120000", id="32 bit"),
        pytest.param(Image.fromarray(IDS.astype(np.int32) - 1), "TIFF", "ID -1", id="negative"),
    ],
)
def test_too_many_objects(tmp_path, image, format, hint):
    image.save(tmp_path / "mask", format)
    with pytest.raises(TooManyObjects, match=hint):
        read_mask(tmp_path / "mask")


def test_a_photo_is_no_mask(tmp_path):
    coarse = np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)
    photo = Image.fromarray(coarse).resize((320, 240), Image.Resampling.BICUBIC)
    photo.save(tmp_path / "photo.png")
    with pytest.raises(
        MaskReadError, match=r"photo.png looks like a photo, .* \d{5} colors; paint"
    ):
        read_mask(tmp_path / "photo.png")


def test_many_solid_objects_are_welcome(tmp_path):
    ids = (np.arange(120)[:, None] // 8 * 16 + np.arange(128)[None] // 8 + 1).astype(np.uint8)
    write_mask_png(tmp_path / "mask.png", ids)
    assert np.array_equal(read_mask(tmp_path / "mask.png"), ids)


def test_a_missing_mask(tmp_path):
    with pytest.raises(MaskReadError, match="No such file"):
        read_mask(tmp_path / "mask.png")


def test_of_several_images_the_first_is_read_with_a_warning(tmp_path, caplog):
    first, second = (Image.fromarray(np.full((4, 6), value, np.uint8)) for value in (0, 255))
    first.save(tmp_path / "m.tif", save_all=True, append_images=[second])
    assert not read_mask(tmp_path / "m.tif").any()
    assert "m.tif holds 2 images; only the first one is read" in caplog.text


@pytest.mark.parametrize("head", [b"8BPS\0\1", b"gimp xcf v011\0", b"%PDF-1.7", b"\x1aE\xdf\xa3"])
def test_other_files_are_to_be_saved_as_png(tmp_path, head):
    (tmp_path / "m.psd").write_bytes(head + bytes(99))
    with pytest.raises(MaskReadError, match="not an image of a known kind; save it as PNG"):
        read_mask(tmp_path / "m.psd")


def test_a_folder_is_no_mask(tmp_path):
    with pytest.raises(MaskReadError, match="is a folder; expected an image"):
        read_mask(tmp_path)


@pytest.mark.parametrize(
    ("size", "hint"),
    [((4, 3), "nearest neighbor"), ((40, 24), "would distort it"), ((48, 64), "turn the mask")],
)
def test_other_sizes_are_refused_before_and_after_decoding(tmp_path, size, hint):
    path = tmp_path / "mask.png"
    write_mask_png(path, np.ones(size[::-1], dtype=np.uint8))
    message = rf"mask\.png is {size[0]}x{size[1]} but clip\.mp4 is 64x48; .*{hint}"
    with pytest.raises(MaskSizeMismatch, match=message):
        read_mask(path, INFO)
    with pytest.raises(MaskSizeMismatch, match=message):
        check_mask(read_mask(path), path, INFO)


@pytest.mark.parametrize(
    ("mask", "message"),
    [(IDS * 0, r"background \(0\)"), (ONE * 255, r"void \(255\)")],
)
def test_masks_that_select_nothing(mask, message):
    with pytest.raises(EmptyMaskError, match=message):
        check_mask(mask, Path("mask.png"), INFO)
    check_mask(IDS, Path("mask.png"), INFO)


def test_written_masks_are_palette_images(tmp_path):
    ids = np.arange(256, dtype=np.uint8).reshape(16, 16)
    write_mask_png(tmp_path / "mask.png", ids)
    with Image.open(tmp_path / "mask.png") as image:
        assert image.mode == "P"
        assert np.array_equal(np.asarray(image), ids)
        assert np.array_equal(np.asarray(image.convert("RGB")), DAVIS_PALETTE[ids])
    with pytest.raises(EncodeError, match="cannot be written"):
        write_mask_png(tmp_path / "missing" / "mask.png", ids)


def test_palettes():
    assert DAVIS_PALETTE[:4].tolist() == [[0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0]]
    assert DAVIS_PALETTE[[8, 255]].tolist() == [[64, 0, 0], [224, 224, 192]]
    assert len(np.unique(DAVIS_PALETTE, axis=0)) == 256
    assert len(np.unique(DISPLAY_COLORS[1:255], axis=0)) == 254
    assert DISPLAY_COLORS[1:255].max(axis=1).min() >= 200


def test_colors_dithered_to_a_web_palette(tmp_path):
    colors = np.array([(0, 0, 0), (51, 221, 255), (250, 50, 83), (130, 77, 201)], dtype=np.uint8)
    Image.fromarray(colors[IDS]).resize((320, 240), 0).convert("P").save(tmp_path / "mask.png")
    with pytest.raises(TooManyObjects, match=r"dithered to a web palette.*save it as RGB"):
        read_mask(tmp_path / "mask.png")
