import pytest
from clips import index_of
from folders import BROKEN_FOLDERS, FOLDERS
from test_videos import color_error

from jointvos.errors import MediaError
from jointvos.media.reading import open_source


@pytest.mark.parametrize("linked", [False, True], ids=["folder", "symlink"])
@pytest.mark.parametrize("name", FOLDERS)
def test_every_image_once_in_order_and_upright(tmp_path, name, linked):
    folder = tmp_path / "images"
    folder.mkdir()
    FOLDERS[name].fill(folder)
    if linked:
        (tmp_path / "link").symlink_to("images")
        folder = tmp_path / "link"
    with open_source(folder) as source:
        frames = list(source)
    assert [index_of(frame.image) for frame in frames] == list(FOLDERS[name].numbers)
    assert {frame.image.shape for frame in frames} == {(48, 64, 3)}
    if FOLDERS[name].colored:
        assert max(color_error(frame) for frame in frames) <= 8


@pytest.mark.parametrize("name", BROKEN_FOLDERS)
def test_what_is_wrong_with_a_folder_is_told(tmp_path, name):
    fill, says = BROKEN_FOLDERS[name]
    fill(tmp_path)
    with pytest.raises(MediaError, match=says) as caught, open_source(tmp_path) as source:
        list(source)
    assert str(tmp_path) in str(caught.value)
