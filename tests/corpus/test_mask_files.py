from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from mask_files import BROKEN_MASKS, HEIGHT, IDS, MASKS, ODD_PALETTES, WIDTH

from jointvos.errors import MaskError
from jointvos.masks import check_mask, read_mask
from jointvos.types import VideoInfo

INFO = VideoInfo(Path("clip.mp4"), WIDTH, HEIGHT, Fraction(24), Fraction(1, 24))


@pytest.mark.parametrize("name", MASKS)
def test_the_ids_are_what_the_file_says(tmp_path, name):
    mask = MASKS[name]
    path = tmp_path / mask.name
    mask.save(path)
    ids = read_mask(path, INFO)
    if name != "palette_void":
        check_mask(ids, path, INFO)
    assert (ids.shape, ids.dtype) == (IDS.shape, mask.ids.dtype)
    assert set(np.unique(ids)) == set(np.unique(mask.ids))
    assert np.count_nonzero(ids != mask.ids) <= mask.wrong


@pytest.mark.parametrize("name", BROKEN_MASKS)
def test_what_is_wrong_is_told_in_one_line(tmp_path, name):
    save, says = BROKEN_MASKS[name]
    path = tmp_path / "mask.png"
    save(path)
    with pytest.raises(MaskError, match=says) as caught:
        check_mask(read_mask(path, INFO), path, INFO)
    assert str(path) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("name", ODD_PALETTES)
def test_ids_do_not_depend_on_the_palette(tmp_path, name):
    (tmp_path / "mask.png").write_bytes(ODD_PALETTES[name])
    assert np.array_equal(read_mask(tmp_path / "mask.png", INFO), IDS)
