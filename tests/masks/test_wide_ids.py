"""Ids above 254: label maps of uint16, in which 255 is an object like any other."""

import io
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from clips import decoded
from PIL import Image

from jointvos.errors import ConfigError, EncodeError
from jointvos.masks import (
    DAVIS_PALETTE,
    DISPLAY_COLORS,
    as_gray,
    draw_overlay,
    read_mask,
    write_mask_png,
)
from jointvos.masks.palette import davis_colors, display_colors
from jointvos.media.writing import MaskVideoSink, PngSequenceSink, StreamSink
from jointvos.types import (
    Frame,
    FrameResult,
    VideoInfo,
    label_type,
    object_ids,
    object_pixels,
)

INFO = VideoInfo(Path("clip.mp4"), 64, 48, Fraction(24), Fraction(1, 24))
IDS = [1, 255, 300, 65535]


def labels(ids=IDS, dtype=np.uint16) -> np.ndarray:
    made = np.zeros((48, 64), dtype=dtype)
    for i, number in enumerate(ids):
        made[8:24, 4 + 14 * i : 14 + 14 * i] = number
    return made


def test_void_is_only_in_narrow_maps():
    narrow = labels([1, 2, 254, 255], np.uint8)
    assert object_ids(labels()) == IDS
    assert object_ids(narrow) == [1, 2, 254]
    assert np.array_equal(object_pixels(labels()), labels() > 0)
    assert np.array_equal(object_pixels(narrow), (narrow > 0) & (narrow < 255))
    assert [label_type(ids) for ids in ([], [254], [255], [3, 40000])] == [
        *(np.uint8, np.uint8, np.uint16, np.uint16)
    ]


def test_every_id_has_a_color_of_its_own():
    davis, display = davis_colors(65536), display_colors(65536)
    assert np.array_equal(davis[:256], DAVIS_PALETTE)
    assert len(np.unique(davis, axis=0)) == 65536
    assert np.array_equal(display[:255], DISPLAY_COLORS[:255])
    assert display[1:].max(axis=1).min() >= 200
    assert DISPLAY_COLORS[255].tolist() == [0, 0, 0]


def test_wide_objects_are_drawn_like_others():
    image = np.full((48, 64, 3), 100, dtype=np.uint8)
    wide = draw_overlay(image, labels())
    assert np.array_equal((wide != image).any(axis=2), labels() > 0)
    same = [1, 2, 3]
    assert np.array_equal(
        draw_overlay(image, labels(same)), draw_overlay(image, labels(same, np.uint8))
    )
    void = labels([1, 255], np.uint8)
    assert np.array_equal((draw_overlay(image, void) != image).any(axis=2), void == 1)


def test_wide_masks_are_16_bit_gray_and_come_back(tmp_path):
    write_mask_png(tmp_path / "m.png", labels())
    with Image.open(tmp_path / "m.png") as picture:
        assert picture.mode == "I;16"
        assert np.array_equal(np.asarray(picture), labels())
    read = read_mask(tmp_path / "m.png", INFO)
    assert read.dtype == np.uint16
    assert np.array_equal(read, labels())


def write(sink, *maps):
    for i, each in enumerate(maps):
        frame = Frame(i, i, i / 24, np.zeros((48, 64, 3), np.uint8), f"{i:05d}")
        sink.write(frame, FrameResult(i, each, ()))
    sink.close()
    sink.commit()


def test_all_pictures_of_a_wide_folder_are_wide(tmp_path):
    first = labels([1], np.uint8)
    write(PngSequenceSink(tmp_path / "ids", wide=True), first, labels())
    for i, each in enumerate([first, labels()]):
        with Image.open(tmp_path / "ids" / f"{i:05d}.png") as picture:
            assert picture.mode == "I;16"
            assert np.array_equal(np.asarray(picture), each)


def test_a_wide_film_holds_the_ids_exactly(tmp_path):
    first = labels([1], np.uint8)
    write(MaskVideoSink(tmp_path / "m.mkv", INFO, wide=True), first, labels())
    with av.open(str(tmp_path / "m.mkv")) as container:
        assert container.streams.video[0].codec_context.pix_fmt == "gray16le"
    assert np.array_equal(decoded(tmp_path / "m.mkv", "gray16le"), [first, labels()])


@pytest.mark.parametrize("format", ["nut", "mkv", "raw"])
def test_wide_ids_go_through_pipes(tmp_path, capfdbinary, format):
    sink = StreamSink(INFO, lambda frame, result: result.labels, kind="gray16", format=format)
    write(sink, labels(), labels()[::-1])
    data = capfdbinary.readouterr().out
    if format == "raw":
        film = np.frombuffer(data, "<u2").reshape(-1, 48, 64)
    else:
        film = decoded(io.BytesIO(data), "gray16le")
    assert np.array_equal(film, [labels(), labels()[::-1]])


def test_y4m_holds_no_wide_ids():
    with pytest.raises(ConfigError, match="y4m holds no IDs above 254; use nut, mkv or raw"):
        StreamSink(INFO, lambda frame, result: result.labels, kind="gray16", format="y4m")


def test_the_view_in_colors_shows_wide_ids(tmp_path):
    write(MaskVideoSink(tmp_path / "m.mp4", INFO), labels())
    with av.open(str(tmp_path / "m.mp4")) as container:
        shown = next(container.decode(video=0)).to_ndarray(format="rgb24")
    expected = davis_colors(65536)[300].astype(int)
    assert np.abs(shown[16, 37].astype(int) - expected).max() < 30


def test_a_film_begun_with_8_bit_refuses_a_wide_id(tmp_path):
    sink = MaskVideoSink(tmp_path / "m.mkv", INFO)
    with pytest.raises(EncodeError, match=r"m\.mkv has 8 bit, which do not hold the ID 65535"):
        write(sink, labels())
    sink.abort()
    assert list(tmp_path.iterdir()) == []
    assert as_gray(labels([3], np.uint8), True, Path("-")).dtype == np.uint16
