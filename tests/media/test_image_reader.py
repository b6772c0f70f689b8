import io
from fractions import Fraction

import numpy as np
import pytest
from clips import index_of, scene
from images import write_exr
from PIL import Image

from jointvos.errors import ConfigError, MediaDecodeError, MediaError, MediaOpenError
from jointvos.media.reading import open_source


def fill(folder, names, size=(64, 48)):
    for index, name in enumerate(names):
        Image.fromarray(scene(index, *size)).save(folder / name)


def test_pictures_come_in_natural_order_with_mixed_suffixes(tmp_path):
    fill(tmp_path, ["1.jpg", "2.PNG", "9.webp", "10.tif", "11.bmp", "100.jpeg"])
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / "._1.jpg").write_bytes(b"junk")
    with open_source(tmp_path, frame_rate=Fraction(10)) as source:
        frames = list(source)
    assert [frame.name for frame in frames] == ["1", "2", "9", "10", "11", "100"]
    assert [index_of(frame.image) for frame in frames] == [0, 1, 2, 3, 4, 5]
    assert [frame.time_s for frame in frames] == pytest.approx([i / 10 for i in range(6)])
    info = source.info
    assert (info.width, info.height, info.frame_count, info.is_video) == (64, 48, 6, False)
    assert info.time_base * info.frame_rate == 1


def test_the_rate_is_24_unless_told(tmp_path):
    fill(tmp_path, ["0.png", "1.png"])
    with open_source(tmp_path) as source:
        assert source.info.frame_rate == 24
        assert [frame.pts * source.info.time_base for frame in source] == [0, Fraction(1, 24)]
    with pytest.raises(ConfigError, match="frame_rate"):
        open_source(tmp_path, frame_rate=Fraction(0))


def test_ranges(tmp_path):
    fill(tmp_path, [f"{i}.png" for i in range(6)])
    with open_source(tmp_path, start="2", end="00:00.2") as source:
        assert [frame.index for frame in source] == [2, 3, 4]


@pytest.mark.parametrize(("start", "end"), [("6", None), ("1s", "2s"), ("3", "00:00.1")])
def test_ranges_without_pictures_are_refused_at_once(tmp_path, start, end):
    fill(tmp_path, [f"{i}.png" for i in range(6)])
    with pytest.raises(ConfigError, match=f"no frame from {start} to"):
        open_source(tmp_path, start=start, end=end)


GRAY = np.arange(64 * 48, dtype=np.uint8).reshape(48, 64)


@pytest.mark.parametrize(
    ("picture", "expected"),
    [
        pytest.param(Image.fromarray(GRAY), GRAY, id="gray"),
        pytest.param(Image.fromarray(GRAY.astype(np.uint16) * 257), GRAY, id="16 bit"),
        pytest.param(Image.fromarray(scene(2)).quantize(16), scene(2), id="palette"),
        pytest.param(Image.fromarray(np.dstack([scene(2), GRAY])), scene(2), id="alpha is dropped"),
        pytest.param(
            Image.fromarray((GRAY > 99).astype(np.uint8) * 255).convert("1"),
            (GRAY > 99).astype(np.uint8) * 255,
            id="one bit",
        ),
    ],
)
def test_modes_become_rgb(tmp_path, picture, expected):
    picture.save(tmp_path / "0.png")
    with open_source(tmp_path) as source:
        image = next(iter(source)).image
    if expected.ndim == 2:
        expected = np.repeat(expected[:, :, None], 3, axis=2)
    assert image.dtype == np.uint8
    assert np.array_equal(image, expected)


def test_damaged_pictures_are_named(tmp_path):
    fill(tmp_path, ["0.png", "1.png", "2.png"])
    data = (tmp_path / "1.png").read_bytes()
    (tmp_path / "1.png").write_bytes(data[: len(data) // 2])
    frames = []
    with open_source(tmp_path) as source, pytest.raises(MediaDecodeError, match=r"1\.png"):
        frames.extend(source)
    assert [frame.name for frame in frames] == ["0"]


def test_a_bomb_is_refused(tmp_path):
    Image.new("1", (10_000, 10_000)).save(tmp_path / "0.png")
    with pytest.raises(MediaDecodeError, match="89 million"):
        open_source(tmp_path)


def test_two_pictures_of_one_stem_are_refused(tmp_path):
    fill(tmp_path, ["0.png", "0.jpg"])
    with pytest.raises(MediaError, match=r"0\.jpg and 0\.png"):
        open_source(tmp_path)


def test_patterns_keep_the_numbers_of_frames(tmp_path):
    fill(tmp_path, ["f_0008.png", "f_0009.png", "f_0010.png", "g_0008.png"])
    with open_source(tmp_path / "f_####.png", start_number=9) as source:
        frames = list(source)
        assert source.info.path == tmp_path
        assert source.info.names == ("f_0009", "f_0010")
    assert [(frame.index, frame.name) for frame in frames] == [(0, "f_0009"), (1, "f_0010")]
    assert [index_of(frame.image) for frame in frames] == [1, 2]


def test_a_first_number_is_for_sequences(make_clip):
    with pytest.raises(ConfigError, match="`start_number` is only for image sequences"):
        open_source(make_clip(), start_number=3)


@pytest.mark.parametrize("brand", [b"heic", b"mif1", b"avif"])
def test_a_still_of_a_phone_is_no_video(tmp_path, brand):
    path = tmp_path / "IMG_1234.HEIC"
    data = io.BytesIO()
    Image.fromarray(scene(1)).save(data, "AVIF")
    path.write_bytes(data.getvalue()[:8] + brand + data.getvalue()[12:])
    with pytest.raises(MediaError, match=r"is an image, no video.*'.*/IMG_####\.HEIC'"):
        open_source(path)


def test_an_image_alone_says_how_to_give_its_sequence(tmp_path):
    write_exr(tmp_path / "f_0101.exr", np.zeros((4, 4, 3), np.float32))
    with pytest.raises(MediaError, match=r"is an image, no video.*a pattern, '.*/f_####\.exr'"):
        open_source(tmp_path / "f_0101.exr")


@pytest.mark.parametrize("name", ["stack.tif", "a.webp"])
def test_a_file_of_several_images_says_what_to_do(tmp_path, name):
    first, *others = (Image.fromarray(scene(index)) for index in range(3))
    first.save(tmp_path / name, save_all=True, append_images=others)
    with pytest.raises(MediaError, match="holds 3 images; save them as files of a folder"):
        open_source(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("frames.zip", "is not read; unpack it and give the folder of images"),
        ("A001.R3D", "is not read; export it as ProRes or EXR"),
    ],
)
def test_other_files_that_people_have_say_what_to_do(tmp_path, name, says):
    (tmp_path / name).write_bytes(b"PK\3\4" + bytes(99))
    with pytest.raises(MediaError, match=f"{name} {says}"):
        open_source(tmp_path / name)


def test_a_folder_without_images_names_what_was_meant(tmp_path, make_clip):
    clips = make_clip().parent
    with pytest.raises(MediaOpenError, match=r"holds videos, expected images.*jointvos batch"):
        open_source(clips)
    (clips / "frames").mkdir()
    fill(clips / "frames", ["1.png"])
    with pytest.raises(MediaOpenError, match=r"holds no images, but .*frames does; give that"):
        open_source(clips)
