from pathlib import Path

import pytest

from jointvos.errors import ConfigError, MediaOpenError
from jointvos.files.sequences import images_of, is_pattern, pattern_of, title_of

NAMES = ["f_0998.png", "f_0999.exr", "f_1000.png", "f_10000.png", "f_12.png", "g_1000.png"]


def found(folder, pattern, start_number=None):
    return [path.name for path in images_of(folder / pattern, start_number)]


@pytest.fixture
def folder(tmp_path):
    for name in [*NAMES, "f_1000.txt", "._f_1000.png"]:
        (tmp_path / name).write_bytes(b"")
    return tmp_path


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("f_%04d.png", ["f_0998.png", "f_1000.png", "f_10000.png"]),
        ("f_####.png", ["f_0998.png", "f_1000.png", "f_10000.png"]),
        ("f_%d.png", ["f_12.png", "f_1000.png", "f_10000.png"]),
        ("f_%05d.png", ["f_10000.png"]),
        ("f_1*.png", ["f_12.png", "f_1000.png", "f_10000.png"]),
        ("f_*", ["f_12.png", "f_0998.png", "f_0999.exr", "f_1000.png", "f_10000.png"]),
        ("[gh]_????.png", ["g_1000.png"]),
    ],
)
def test_patterns(folder, pattern, names):
    assert is_pattern(folder / pattern)
    assert found(folder, pattern) == names


def test_a_first_number(folder):
    assert found(folder, "f_####.png", 999) == ["f_1000.png", "f_10000.png"]
    assert found(folder, "g*", 1000) == ["g_1000.png"]
    assert found(folder, ".", 1000) == ["f_1000.png", "f_10000.png", "g_1000.png"]
    with pytest.raises(MediaOpenError, match=r"number 10001 or higher; the last one is f_10000"):
        found(folder, "f_####.png", 10001)


def test_the_number_is_the_one_in_the_pattern(tmp_path):
    for name in ("shot_0007_v2.jp2", "shot_0008_v2.jp2"):
        (tmp_path / name).write_bytes(b"")
    assert found(tmp_path, "shot_####_v2.jp2", 8) == ["shot_0008_v2.jp2"]


def test_missing_numbers_are_told(folder, caplog):
    found(folder, "f_%04d.png")
    assert "9000 of its numbers from 998 to 10000 are missing (999, 1001, 1002, ...)" in caplog.text
    caplog.clear()
    found(folder, "f_*.png")
    assert not caplog.text


def test_videos_among_the_images_are_told(tmp_path, caplog):
    for name in ("a.png", "b.png", "a.mp4"):
        (tmp_path / name).write_bytes(b"")
    assert found(tmp_path, "") == ["a.png", "b.png"]
    assert f"{tmp_path} holds 1 video and 2 images; only the images are read" in caplog.text
    (tmp_path / "b.mp4").write_bytes(b"")
    with pytest.raises(
        MediaOpenError, match=r"2 videos and 2 images; .*\*\.png', .*jointvos batch"
    ):
        found(tmp_path, "")
    assert found(tmp_path, "*.png") == ["a.png", "b.png"]


def test_nothing_matches(folder):
    with pytest.raises(MediaOpenError, match="no image matches it as a pattern"):
        found(folder, "h_####.png")
    with pytest.raises(MediaOpenError, match="no image matches"):
        found(folder, "nowhere/f_####.png")
    with pytest.raises(ConfigError, match="one frame number"):
        found(folder, "f_%04d_%d.png")


def test_a_file_that_is_called_like_a_pattern_is_none(tmp_path):
    for name in ("take#1.mp4", "what[1].mp4", "100%d.mp4"):
        (tmp_path / name).write_bytes(b"")
        assert not is_pattern(tmp_path / name)
    assert not is_pattern(tmp_path / "missing.mp4")


@pytest.mark.parametrize(
    ("pattern", "title"),
    [
        ("shots/sh010_%04d.exr", "sh010"),
        ("shots/sh010.####.exr", "sh010"),
        ("shots/*.png", "shots"),
        ("shots/%d.png", "shots"),
        ("shots/f_[0-9]*.dpx", "f"),
    ],
)
def test_what_outputs_are_named_after(pattern, title):
    assert title_of(Path(pattern)) == title


def test_the_pattern_of_an_image():
    assert pattern_of(Path("a/shot_1001.exr")) == Path("a/shot_####.exr")
    assert pattern_of(Path("a/photo.jp2")) is None
