import os
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from jointvos.errors import OutputError
from jointvos.runs.frame_cache import FrameCache
from jointvos.runs.journal import Journal
from jointvos.types import Frame, FrameResult, ObjectState


def result(index: int, wide: bool = False) -> FrameResult:
    rng = np.random.default_rng(index)
    labels = rng.integers(0, 300 if wide else 3, (6, 8)).astype(np.uint16 if wide else np.uint8)
    states = (
        ObjectState(1, 3 + index, (1, 2, 3, 4), (1 / 3, 0.1 + index), 1 / 7, paused=index == 2),
        ObjectState(299, 0, None, None, None),
    )
    soft = rng.random((3, 6, 8), dtype=np.float32)
    return FrameResult(index, labels, states, soft, cut=index == 1)


def same(one: FrameResult, other: FrameResult, probabilities: bool) -> bool:
    assert np.array_equal(one.labels, other.labels)
    assert one.labels.dtype == other.labels.dtype
    assert (one.index, one.objects, one.cut) == (other.index, other.objects, other.cut)
    assert (one.probabilities is not None) == probabilities
    if one.probabilities is not None:
        assert np.array_equal(one.probabilities, other.probabilities)
    return True


@pytest.mark.parametrize("wide", [False, True], ids=["uint8", "uint16"])
@pytest.mark.parametrize("probabilities", [False, True], ids=["labels", "probabilities"])
def test_results_come_back_exactly_in_both_directions(tmp_path, wide, probabilities):
    given = [result(i, wide) for i in range(4)]
    with Journal(tmp_path / "j") as journal:
        for each in given:
            journal.append(each, probabilities=probabilities)
        journal.sync()
    with Journal(tmp_path / "j") as journal:
        assert len(journal) == 4
        assert all(map(same, journal, given, [probabilities] * 4))
        assert all(map(same, reversed(journal), given[::-1], [probabilities] * 4))


@pytest.fixture
def three(tmp_path: Path) -> list[int]:
    """A journal of three results; where each of them ends."""
    ends = []
    with Journal(tmp_path / "j") as journal:
        for i in range(3):
            journal.append(result(i))
            ends.append((tmp_path / "j").stat().st_size)
    return ends


def test_a_tail_that_is_cut_anywhere_is_dropped(tmp_path, three):
    content = (tmp_path / "j").read_bytes()
    for length in range(three[1], three[2]):
        (tmp_path / "j").write_bytes(content[:length])
        with Journal(tmp_path / "j") as journal:
            assert len(journal) == 2
        assert (tmp_path / "j").stat().st_size == three[1]


@pytest.mark.parametrize(
    "tail",
    [
        pytest.param(b"\0" * 500, id="zeros"),
        pytest.param(b"\xff" * 500, id="ones"),
        pytest.param(b"\1", id="a byte"),
    ],
)
def test_what_is_no_result_is_dropped_and_overwritten(tmp_path, three, tail):
    with (tmp_path / "j").open("ab") as file:
        file.write(tail)
    with Journal(tmp_path / "j") as journal:
        assert len(journal) == 3
        journal.append(result(3))
    with Journal(tmp_path / "j") as journal:
        assert [each.index for each in journal] == [0, 1, 2, 3]


def test_a_flipped_bit_ends_it(tmp_path, three):
    content = bytearray((tmp_path / "j").read_bytes())
    content[three[0] + 40] ^= 4
    (tmp_path / "j").write_bytes(content)
    with Journal(tmp_path / "j") as journal:
        assert [each.index for each in journal] == [0]


def test_results_behind_a_place_can_be_dropped(tmp_path, three):
    with Journal(tmp_path / "j") as journal:
        journal.truncate(5)
        assert len(journal) == 3
        journal.truncate(1)
        journal.append(result(7))
        assert [each.index for each in journal] == [0, 7]
        assert [each.index for each in reversed(journal)] == [7, 0]
    with Journal(tmp_path / "j") as journal:
        assert [each.index for each in journal] == [0, 7]


def test_a_journal_that_changes_under_the_reader_is_an_error(tmp_path, three):
    with Journal(tmp_path / "j") as journal:
        os.truncate(tmp_path / "j", three[0] + 3)
        results = iter(journal)
        assert next(results).index == 0
        with pytest.raises(OutputError, match="was changed"):
            next(results)


def test_places_that_cannot_be_written_are_said(tmp_path):
    with pytest.raises(OutputError, match="gone"):
        Journal(tmp_path / "gone" / "j")


def test_a_full_disk_is_an_error(tmp_path, full_disk):
    with Journal(tmp_path / "j") as journal:
        journal.append(result(0))
        size = journal.path.stat().st_size
        with full_disk(size + 20), pytest.raises(OutputError, match="too large"):
            journal.append(result(1))
    with Journal(tmp_path / "j") as journal:
        assert len(journal) == 1


def frame(index: int, size: tuple[int, int]) -> Frame:
    image = np.random.default_rng(index).integers(0, 256, (*size, 3), dtype=np.uint8)
    return Frame(index, 40 * index + 7, index / 25, image, f"p{index}")


@pytest.mark.parametrize("size", [(48, 64), (45, 31), (1, 2)], ids=["even", "odd", "tiny"])
@pytest.mark.parametrize("count", [0, 1, 4, 11])
def test_frames_come_back_exactly_in_both_directions(tmp_path, size, count):
    given = [frame(i, size) for i in range(count)]
    cache = FrameCache(tmp_path, chunk_frames=4)
    for each in given:
        cache.append(each)
    assert len(cache) == count
    assert len(list(tmp_path.iterdir())) == count // 4
    for back, wanted in ((list(cache), given), (list(reversed(cache)), given[::-1])):
        assert [(f.index, f.pts, f.time_s, f.name) for f in back] == [
            (f.index, f.pts, f.time_s, f.name) for f in wanted
        ]
        assert all(np.array_equal(f.image, w.image) for f, w in zip(back, wanted, strict=True))


def test_codes_of_16_bit_wait_on_disk_and_linear_light_in_its_files(tmp_path):
    draw = np.random.default_rng(5)
    codes = [draw.integers(0, 65536, (45, 31, 3), dtype=np.uint16) for _ in range(4)]
    asked = []

    def deep(index):
        asked.append(index)
        return codes[index]

    cache = FrameCache(tmp_path, chunk_frames=3)
    for index in range(4):
        cache.append(replace(frame(index, (45, 31)), deep=partial(deep, index)))
    asked.clear()
    back = list(reversed(cache))
    assert [np.array_equal(f.deep(), codes[f.index]) for f in back] == [True] * 4
    assert asked == [3]  # which is still waiting; the others were let go
    linear = np.ones((45, 31, 3), np.float32)
    cache = FrameCache(tmp_path, chunk_frames=3)
    for index in range(3):
        cache.append(replace(frame(index, (45, 31)), deep=lambda: linear))
    assert [f.deep() is linear for f in cache] == [True] * 3


def test_large_frames_make_short_videos(tmp_path):
    cache = FrameCache(tmp_path, chunk_bytes=2 * 48 * 64 * 3)
    for i in range(7):
        cache.append(frame(i, (48, 64)))
    assert len(list(tmp_path.iterdir())) == 3
    path = tmp_path / "frames-00000.mkv"
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(OutputError, match=r"frames-00000\.mkv"):
        list(reversed(cache))


def test_frames_on_a_full_disk_are_an_error(tmp_path, full_disk):
    cache = FrameCache(tmp_path, chunk_frames=2)
    cache.append(frame(0, (96, 128)))
    with full_disk(5000), pytest.raises(OutputError, match="kept for going backwards"):
        cache.append(frame(1, (96, 128)))
