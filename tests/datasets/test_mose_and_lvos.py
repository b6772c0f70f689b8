import json

import numpy as np
import pytest
from PIL import Image
from trees import labels_of, write_lvos, write_mose

from jointvos.datasets import lvos_dataset, mose_dataset
from jointvos.errors import DatasetError, DatasetNotFound, SequenceIncomplete


@pytest.mark.parametrize("below", ["", "valid"], ids=["root", "split"])
def test_mose_gives_the_first_mask_and_keeps_the_others(tmp_path, below):
    dataset = mose_dataset(write_mose(tmp_path) / below)
    assert (dataset.name, dataset.split, dataset.names) == ("MOSE", "valid", ("0a1b", "ff00"))
    assert (dataset.scored, dataset.submitted) == (False, True)
    video = dataset.sequences[0]
    assert [path.name for path in video.frames] == [f"0000{index}.jpg" for index in range(4)]
    assert np.array_equal(video.annotation(0, ()), labels_of(0, (1, 2)))
    assert video.annotation(1, {1, 2}) is None
    assert video.wanted == (0, 1, 2, 3)


def test_the_training_split_of_mose_can_be_scored(tmp_path):
    assert mose_dataset(write_mose(tmp_path, split="train"), "train").scored


def test_what_is_missing_of_mose_is_named(tmp_path):
    with pytest.raises(DatasetNotFound, match="valid/JPEGImages is missing: expected the folder"):
        mose_dataset(tmp_path)
    write_mose(tmp_path)
    (tmp_path / "valid/Annotations/ff00/00000.png").unlink()
    (broken,) = mose_dataset(tmp_path).broken
    assert (broken.name, type(broken.error)) == ("ff00", DatasetNotFound)
    (tmp_path / "empty/JPEGImages").mkdir(parents=True)
    with pytest.raises(DatasetNotFound, match="expected a folder per video"):
        mose_dataset(tmp_path, "empty")


@pytest.mark.parametrize(
    ("split", "layout"),
    [
        ("val", {}),
        ("val", {"folder": "valid", "meta": "valid_meta.json"}),
        ("valid", {"meta": "meta.json"}),
    ],
)
def test_lvos_gives_objects_where_they_begin(tmp_path, split, layout):
    dataset = lvos_dataset(write_lvos(tmp_path, **layout), split)
    assert (dataset.name, dataset.names, dataset.scored) == ("LVOS", ("aa", "bb"), True)
    aa, bb = dataset.sequences
    # the end is not in the range; a video begins with its first object
    assert [(each.id, each.frames) for each in aa.objects] == [(1, (0, 1, 2, 3, 4, 5)), (2, (2, 3))]
    assert bb.frames[0].stem == "00000006"
    assert [each.frames for each in bb.objects] == [(0, 1, 2, 3)]
    assert set(np.unique(aa.annotation(0, ()))) == {0, 1}
    assert np.array_equal(aa.annotation(2, {1}), labels_of(2, (1, 2)) * (labels_of(2, (1, 2)) == 2))
    assert aa.annotation(3, {1, 2}) is None
    assert bb.wanted == (0, 1, 2, 3)


def test_the_test_split_of_lvos_is_for_its_server(tmp_path):
    dataset = lvos_dataset(write_lvos(tmp_path, split="test", truth=False), "test")
    assert (dataset.scored, dataset.submitted) == (False, True)


@pytest.mark.parametrize(
    ("change", "kind", "says"),
    [
        (lambda meta: meta["videos"]["aa"]["objects"]["1"].clear(), DatasetError, "frame_range"),
        (lambda meta: meta["videos"]["aa"]["objects"].update({"300": {}}), DatasetError, "as exp"),
        (lambda meta: meta["videos"].clear(), DatasetError, "lists no video"),
    ],
)
def test_a_damaged_list_of_lvos_is_refused(tmp_path, change, kind, says):
    path = write_lvos(tmp_path) / "val/val_meta.json"
    meta = json.loads(path.read_text())
    change(meta)
    path.write_text(json.dumps(meta))
    with pytest.raises(kind, match=says):
        lvos_dataset(tmp_path)


def test_a_broken_video_of_lvos_does_not_hide_the_others(tmp_path):
    write_lvos(tmp_path)
    for path in (tmp_path / "val/Annotations/bb").iterdir():
        path.unlink()
    Image.new("L", (48, 36)).save(tmp_path / "val/Annotations/bb/00000036.png")
    dataset = lvos_dataset(tmp_path)
    (broken,) = dataset.broken
    assert [each.name for each in dataset.sequences] == ["aa"]
    assert isinstance(broken.error, SequenceIncomplete)
    assert "no mask that gives object 3" in str(broken.error)
    (tmp_path / "val/val_meta.json").unlink()
    with pytest.raises(DatasetNotFound, match=r"val_meta\.json is missing"):
        lvos_dataset(tmp_path)
