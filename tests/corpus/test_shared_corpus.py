"""A corpus of videos, images and masks that lies elsewhere: JOINTVOS_CORPUS names its folder.

The folder holds manifest.json, which says of every entry what must be seen.
"""

import json
import os
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_videos import as_stdin

from jointvos.errors import JointVOSError, MaskError, MediaError
from jointvos.masks import check_mask, read_mask
from jointvos.media.reading import open_source
from jointvos.types import VideoInfo, object_ids

ROOT = Path(os.environ.get("JOINTVOS_CORPUS", "nowhere"))
MANIFEST = ROOT / "manifest.json"


def entries(*kinds: str) -> list[Any]:
    """One parameter per entry; a single one that is skipped where there is no corpus."""
    if not MANIFEST.is_file():
        missing = pytest.mark.skip(reason="JOINTVOS_CORPUS names no folder with manifest.json")
        return [pytest.param({}, marks=missing, id="none")]
    known = json.loads(MANIFEST.read_text())["entries"]
    return [pytest.param(entry, id=entry["id"]) for entry in known if entry["kind"] in kinds]


def path_of(entry: dict[str, Any]) -> Path:
    name = entry["path"].encode(entry.get("path_encoding", "utf-8"))
    return ROOT / os.fsdecode(name)


def read(entry: dict[str, Any]) -> tuple[VideoInfo, list[float], list[tuple[int, ...]]]:
    if entry.get("via") == "stdin":
        with as_stdin(path_of(entry).read_bytes()), open_source("-") as source:
            frames = list(source)
    else:
        with open_source(path_of(entry)) as source:
            frames = list(source)
    return source.info, [f.time_s for f in frames], [f.image.shape for f in frames]


@pytest.mark.slow
@pytest.mark.parametrize("entry", entries("video", "sequence"))
def test_videos_and_folders(entry):
    expected = entry["expect"]
    if entry["class"] == "broken":
        with pytest.raises(MediaError) as caught:
            read(entry)
        assert len(" ".join(str(caught.value).splitlines()).splitlines()) == 1
        assert path_of(entry).name in str(caught.value)
        return
    try:
        info, times, shapes = read(entry)
    except JointVOSError:
        assert expected["result"] == "decode_or_error"
        return
    assert len(times) == expected["frames"]
    assert (info.width, info.height) == (expected["width"], expected["height"])
    assert set(shapes) == {(info.height, info.width, 3)}
    assert np.all(np.diff(times) > 0)
    if "pts_s" in expected:
        assert times == pytest.approx(expected["pts_s"], abs=max(expected["pts_tol"], 0.0011))


@pytest.mark.slow
@pytest.mark.parametrize("entry", entries("mask"))
def test_masks(entry):
    expected = entry["expect"]
    path = path_of(entry)
    info = VideoInfo(Path("clip.mp4"), 320, 180, Fraction(24), Fraction(1, 24))
    try:
        ids = read_mask(path, info)
        check_mask(ids, path, info)
    except MaskError:
        may_fail = ("must_error", "or_error")
        assert entry["class"] == "broken" or any(expected.get(key) for key in may_fail)
        return
    assert not expected.get("must_error")
    assert entry["class"] == "valid" or expected["result"] == "error_or_mask"
    if not expected.get("pixels"):
        return
    areas = sorted(int((ids == i).sum()) for i in object_ids(ids))
    allowed = 0 if expected["exact"] else expected.get("tolerance_px", 0)
    assert areas == pytest.approx(sorted(expected["pixels"].values()), abs=allowed)
