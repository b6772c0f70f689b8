from fractions import Fraction
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from jointvos.errors import (
    EmptyMaskError,
    MaskReadError,
    MaskSizeMismatch,
    TooManyObjects,
    UnclearBackground,
)
from jointvos.files.orientation import Orientation
from jointvos.masks import DAVIS_PALETTE, MaskCheck, examine_mask, write_mask_png
from jointvos.types import VideoInfo

INFO = VideoInfo(Path("clip.mp4"), 320, 240, Fraction(25), Fraction(1, 25))
ROWS, COLUMNS = np.mgrid[:240, :320]


def discs() -> np.ndarray:
    """Discs with the IDs 1 and 2, which touch, and a bar with the ID 3, uint8 [240,320]."""
    labels = np.zeros((240, 320), dtype=np.uint8)
    labels[np.hypot(COLUMNS - 90, ROWS - 100) < 45] = 1
    labels[np.hypot(COLUMNS - 170, ROWS - 110) < 40] = 2
    labels[180:200, 60:300] = 3
    return labels


IDS = discs()
PURE = np.array([(0, 0, 0), (255, 0, 0), (0, 255, 0), (0, 0, 255)], dtype=np.uint8)


PHOTO = np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)
PHOTO = np.asarray(Image.fromarray(PHOTO).resize((320, 240), Image.Resampling.BICUBIC))


def jpeg(pixels: np.ndarray) -> Image.Image:
    data = BytesIO()
    Image.fromarray(pixels).save(data, "JPEG")
    return Image.open(data)


def agreement(found: np.ndarray, wanted: np.ndarray) -> float:
    """The least overlap of any ID, intersection over union."""
    assert set(np.unique(found)) == set(np.unique(wanted))
    pairs = [(found == i, wanted == i) for i in np.unique(wanted)[1:]]
    return min((a & b).sum() / (a | b).sum() for a, b in pairs)


def soft(image: Image.Image) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(1.2))


@pytest.fixture
def examined(tmp_path):
    """What is found in an image, or in the mask of these IDs, as a file m.png."""

    def examine(image: Image.Image | np.ndarray, **options) -> MaskCheck:
        if isinstance(image, np.ndarray):
            write_mask_png(tmp_path / "m.png", np.ascontiguousarray(image))
        else:
            image.save(tmp_path / "m.png", **options)
        return examine_mask(tmp_path / "m.png", INFO)

    return examine


def test_objects_are_listed(examined):
    labels = IDS
    check = examined(labels)
    assert check.refused is None
    assert check.doubts == ()
    assert check.mended is None
    assert [each.id for each in check.objects] == np.unique(labels)[1:].tolist()
    for each in check.objects:
        mask = labels == each.id
        ys, xs = np.nonzero(mask)
        assert each.area == mask.sum()
        size = (np.ptp(xs) + 1, np.ptp(ys) + 1)
        assert each.box == (xs.min(), ys.min(), *size)
    assert [each.color for each in check.objects] == [(128, 0, 0), (0, 128, 0), (128, 128, 0)]


@pytest.mark.parametrize(
    ("image", "format", "least"),
    [
        pytest.param(soft(Image.fromarray(IDS * 60)), "PNG", 0.93, id="soft gray IDs"),
        pytest.param(soft(Image.fromarray(PURE[IDS])), "PNG", 0.93, id="soft colors"),
        pytest.param(soft(Image.fromarray(DAVIS_PALETTE[IDS])), "PNG", 0.93, id="soft DAVIS"),
        pytest.param(Image.fromarray(PURE[IDS]), "JPEG", 0.93, id="JPEG of colors"),
        pytest.param(Image.fromarray(DAVIS_PALETTE[IDS]), "JPEG", 0.93, id="JPEG of DAVIS"),
    ],
)
def test_phantom_objects_are_refused_and_mended(tmp_path, image, format, least):
    image.save(tmp_path / "m", format)
    check = examine_mask(tmp_path / "m", INFO)
    assert isinstance(check.refused, TooManyObjects)
    assert check.objects == ()
    assert "soft edges" in check.mending
    mended = check.mended
    if mended.max() > 3:  # gray IDs stay what they are
        assert set(np.unique(mended)) == {0, 60, 120, 180}
        mended = mended // 60
    assert agreement(mended, IDS) > least


PROXIES = pytest.mark.parametrize(
    "shape",
    [(120, 160), (480, 640), (121, 160), (30, 40), (1920, 2560), (59, 80)],
    ids=["half", "double", "half and a row", "an eighth", "eight times", "quarter less a row"],
)


@PROXIES
def test_masks_of_proxies_are_scaled(examined, caplog, shape):
    size = (shape[1], shape[0])
    check = examined(Image.fromarray(IDS).resize(size, Image.Resampling.NEAREST))
    assert (check.refused, check.doubts, check.mended) == (None, (), None)
    assert agreement(check.labels, IDS) > (0.9 if shape[0] > 60 else 0.7)
    assert f"m.png is {size[0]}x{size[1]}; scaled to 320x240 without smoothing" in caplog.text
    assert [each.color for each in check.objects] == [(1, 1, 1), (2, 2, 2), (3, 3, 3)]


@pytest.mark.parametrize(
    "size", [(160, 100), (240, 320), (20, 15), (2561, 1921), (2, 2), (330, 240)], ids=str
)
def test_masks_of_other_shapes_or_far_other_sizes_are_refused(examined, size):
    check = examined(Image.fromarray(IDS).resize(size, Image.Resampling.NEAREST))
    assert isinstance(check.refused, MaskSizeMismatch)
    assert f"is {size[0]}x{size[1]} but clip.mp4 is 320x240" in str(check.refused)


def test_the_palette_of_a_proxy_is_looked_at(examined):
    half = IN_COLORS.convert("P").resize((160, 120), Image.Resampling.NEAREST)
    check = examined(half)
    assert "15, 40 are places in a web" in check.doubts[0]
    assert agreement(check.mended, IDS % 3) > 0.9


def test_a_soft_mask_of_another_size_is_cut_and_scaled(examined):
    large = Image.fromarray(PURE[IDS]).resize((640, 480), Image.Resampling.BICUBIC)
    check = examined(soft(large))
    assert "soft edges" in check.mending
    assert "scaled from 640x480" in check.mending
    assert agreement(check.mended, IDS) > 0.9


@pytest.mark.parametrize("turns", [1, 3])
def test_a_mask_of_the_stored_image_is_turned_like_the_video(tmp_path, turns):
    write_mask_png(tmp_path / "m.png", np.ascontiguousarray(np.rot90(IDS, -turns)))
    check = examine_mask(tmp_path / "m.png", INFO, Orientation(False, turns))
    assert isinstance(check.refused, MaskSizeMismatch)
    assert check.mending == "rotated like the video"
    assert np.array_equal(check.mended, IDS)


def test_nobody_knows_how_to_turn_it_if_the_video_is_not(examined):
    check = examined(np.ascontiguousarray(np.rot90(IDS)))
    assert isinstance(check.refused, MaskSizeMismatch)
    assert check.mended is None


@pytest.mark.parametrize(
    "present", [(1, 2, 3), (1,), (1, 3), (1, 2, 3, 4, 5, 6, 7), (1, 2, 255)], ids=str
)
def test_palettes_that_became_gray_are_known_by_their_values(examined, present):
    labels = np.zeros((240, 320), dtype=np.uint8)
    for k, i in enumerate(present):
        labels[20:200, 10 + 40 * k : 40 + 40 * k] = i
    check = examined(Image.fromarray(DAVIS_PALETTE[labels]).convert("L"))
    assert check.refused is None
    assert "turned into gray: 38 would be 1" in check.doubts[0].replace(" 15 would be 4,", "")
    assert np.array_equal(check.mended, labels)


@pytest.mark.parametrize("values", [(1, 2, 3), (50, 100, 150), (38, 75, 100), (14, 60)], ids=str)
def test_other_ids_are_not_taken_for_converted_ones(examined, values):
    labels = np.zeros((240, 320), dtype=np.uint8)
    for k, i in enumerate(values):
        labels[20:200, 10 + 40 * k : 40 + 40 * k] = i
    check = examined(Image.fromarray(labels))
    assert check.doubts == ()
    assert [each.id for each in check.objects] == list(values)


def test_slips_of_the_brush_are_told(examined):
    labels = IDS.copy()
    labels[3, 5:9] = 17
    check = examined(labels)
    assert "17 (4 px)" in check.doubts[0]
    assert np.array_equal(check.mended, IDS)


def test_an_object_of_one_pixel_alone_is_fine(examined):
    assert examined((IDS * 0 + (ROWS + COLUMNS == 0)).astype(np.uint8)).doubts == ()


BLACK_AND_WHITE = Image.fromarray(np.where(IDS == 1, 255, 0).astype(np.uint8)).convert("RGB")
IN_COLORS = Image.fromarray(PURE[np.where(IDS == 3, 0, IDS)])
CUT_OUT = IN_COLORS.convert("RGBA")
CUT_OUT.putalpha(Image.fromarray(((IDS == 1) | (IDS == 2)).astype(np.uint8) * 255))


def with_palette(indices: np.ndarray, *colors: tuple[int, int, int]) -> Image.Image:
    image = Image.fromarray(indices.astype(np.uint8))
    image.putpalette([value for color in colors for value in color])
    return image


@pytest.mark.parametrize(
    ("image", "wanted"),
    [
        pytest.param(BLACK_AND_WHITE.quantize(2), IDS == 1, id="black and white"),
        pytest.param(IN_COLORS.quantize(3), IDS % 3, id="colors"),
        pytest.param(
            with_palette(3 - IDS, (128, 128, 0), (0, 128, 0), (128, 0, 0), (0, 0, 0)),
            IDS,
            id="DAVIS colors backwards",
        ),
        pytest.param(
            soft(BLACK_AND_WHITE).quantize(64, Image.Quantize.MEDIANCUT), IDS == 1, id="soft edges"
        ),
    ],
)
def test_a_palette_whose_background_is_not_first_is_refused(examined, image, wanted):
    check = examined(image)
    assert isinstance(check.refused, UnclearBackground)
    assert "of its palette is black" in str(check.refused)
    assert check.mending.startswith("numbered by its colors")
    assert agreement(check.mended, wanted.astype(np.uint8)) > 0.98


def test_what_is_transparent_is_background(examined):
    indices = np.array([2, 0, 1, 2], dtype=np.uint8)[IDS]
    image = with_palette(indices, (255, 0, 0), (0, 0, 0), (255, 255, 255))
    check = examined(image, transparency=2)
    assert "index 2 of its palette is transparent" in str(check.refused)
    assert np.array_equal(check.mended, IDS % 3)  # black, which can be seen, is an object


@pytest.mark.parametrize(
    ("image", "says", "wanted"),
    [
        pytest.param(IN_COLORS.convert("P"), "15, 40 are places in a web", IDS % 3, id="web"),
        pytest.param(
            with_palette(IDS, (0, 0, 0), (0, 128, 0), (128, 0, 0), (128, 128, 0)),
            "of other ids: 1 has that of 2, 2 has that of 1",
            np.array([0, 2, 1, 3], dtype=np.uint8)[IDS],
            id="DAVIS colors in another order",
        ),
        pytest.param(
            with_palette(IDS, (0, 0, 0), (9, 90, 0), (90, 0, 0), (9, 90, 0)),
            "1 and 3 have the same color, #095a00",
            np.array([0, 2, 1, 2], dtype=np.uint8)[IDS],
            id="one color twice",
        ),
        pytest.param(
            with_palette(IDS, (0, 0, 0), (90, 9, 0), (9, 0, 90), (0, 0, 0)),
            "index 3 of its palette is black like index 0",
            IDS % 3,
            id="black twice",
        ),
    ],
)
def test_palettes_that_are_hardly_meant_so_are_told(examined, image, says, wanted):
    check = examined(image)
    assert check.refused is None
    assert says in check.doubts[0]
    assert check.mending == "numbered by its colors"
    assert np.array_equal(check.mended, wanted)


@pytest.mark.parametrize(
    "colors",
    [
        pytest.param([(0, 0, 0), (1, 2, 3), (255, 255, 255), (9, 9, 9)], id="black first"),
        pytest.param([(9, 90, 200), (1, 200, 3), (255, 255, 255), (90, 9, 9)], id="no black"),
        pytest.param([(0, 0, 0)] * 4, id="all black"),
    ],
)
def test_other_palettes_do_not_matter(examined, colors):
    check = examined(with_palette(IDS, *colors))
    assert (check.refused, check.doubts) == (None, ())
    assert np.array_equal(check.labels, IDS)


def test_an_inverted_mask_is_told_and_turned_back(examined):
    inverted = np.where(IDS == 1, 0, 255).astype(np.uint8)
    check = examined(Image.fromarray(inverted))
    assert "touches all four sides" in check.doubts[0]
    assert check.mending == "inverted"
    assert np.array_equal(check.mended, IDS == 1)


CROSS = (np.abs(COLUMNS - 160) < 30) | (np.abs(ROWS - 120) < 30)


@pytest.mark.parametrize(
    "labels",
    [
        pytest.param(np.where(ROWS < 120, 1, 2), id="no background"),
        pytest.param((np.abs(COLUMNS - 160) < 150).astype(np.uint8), id="not at all sides"),
        pytest.param((IDS == 1) * 2 + (IDS != 1), id="two objects"),
        pytest.param(CROSS, id="a cross"),
    ],
)
def test_large_objects_are_no_inverted_background(examined, labels):
    assert examined(labels.astype(np.uint8)).doubts == ()


@pytest.mark.parametrize("value", [1, 255])
def test_an_object_that_covers_the_whole_frame_is_told(examined, value):
    check = examined(Image.new("L", (320, 240), value))
    assert check.doubts == ("object 1 covers the whole frame",)
    assert check.mended is None


def test_void_alone_is_taken_for_the_object(examined):
    check = examined(np.where(IDS == 1, 255, 0).astype(np.uint8))
    assert isinstance(check.refused, EmptyMaskError)
    assert np.array_equal(check.mended, IDS == 1)


@pytest.mark.parametrize(
    ("image", "error"),
    [
        pytest.param(Image.new("L", (320, 240)), EmptyMaskError, id="empty"),
        pytest.param(Image.new("L", (100, 100), 255), MaskSizeMismatch, id="another shape"),
        pytest.param(None, MaskReadError, id="missing"),
        pytest.param(Image.fromarray(PHOTO), MaskReadError, id="photo"),
        pytest.param(jpeg(PHOTO), MaskReadError, id="photo in JPEG"),
    ],
)
def test_what_nobody_can_mend(tmp_path, image, error, examined):
    if image is None:
        check = examine_mask(tmp_path / "m.png", INFO)
    else:
        check = examined(image, format=image.format or "PNG")
    assert type(check.refused) is error
    assert check.mended is None
    assert check.mending == ""
