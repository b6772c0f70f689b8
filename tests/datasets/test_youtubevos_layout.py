import json

import numpy as np
import pytest
from PIL import Image

from jointvos.datasets import youtubevos_dataset
from jointvos.errors import DatasetError, DatasetNotFound

META = {
    "videos": {
        "b1": {
            "objects": {
                "1": {"category": "fish", "frames": ["00005", "00010", "00015"]},
                "3": {"category": "zebra", "frames": ["00010", "00015"]},
            }
        },
        "a2": {"objects": {"2": {"category": "zebra", "frames": ["00000", "00005"]}}},
    }
}


def labels(*ids):
    image = np.zeros((8, 12), np.uint8)
    for column, each in enumerate(ids):
        image[2:5, 3 * column : 3 * column + 3] = each
    return image


@pytest.fixture
def root(tmp_path):
    """The valid split as it is published: a mask only where an object is given."""
    valid = tmp_path / "valid"
    valid.mkdir()
    (valid / "meta.json").write_text(json.dumps(META))
    (tmp_path / "train").mkdir()
    train = {"videos": {"t": {"objects": {"1": {"category": "fish", "frames": ["00000"]}}}}}
    (tmp_path / "train" / "meta.json").write_text(json.dumps(train))
    for name, stems in (("b1", range(0, 25, 5)), ("a2", (0, 5))):
        (valid / "JPEGImages" / name).mkdir(parents=True)
        (valid / "Annotations" / name).mkdir(parents=True)
        for stem in stems:
            Image.new("RGB", (12, 8)).save(valid / f"JPEGImages/{name}/{stem:05d}.jpg")
    for path, ids in (("b1/00005", (1,)), ("b1/00010", (0, 3)), ("a2/00000", (2,))):
        Image.fromarray(labels(*ids)).save(valid / f"Annotations/{path}.png")
    return tmp_path


def add_all_frames(root, folder):
    for name, count in (("b1", 25), ("a2", 6)):
        (root / folder / "JPEGImages" / name).mkdir(parents=True)
        for stem in range(count):
            path = root / folder / "JPEGImages" / name / f"{stem:05d}.jpg"
            Image.new("RGB", (12, 8)).save(path)


def test_only_listed_frames_from_the_first_object_on(root):
    dataset = youtubevos_dataset(root, 2018)
    b1, a2 = dataset.sequences
    assert (dataset.name, b1.name, a2.name) == ("YouTube-VOS 2018", "b1", "a2")
    assert [path.name for path in b1.frames] == ["00005.jpg", "00010.jpg", "00015.jpg"]
    assert [(each.id, each.frames) for each in b1.objects] == [(1, (0, 1, 2)), (3, (1, 2))]
    assert [each.seen for each in b1.objects] == [True, False]
    assert (dataset.scored, dataset.frames, dataset.submitted) == (False, "listed", True)


def test_objects_are_given_where_they_appear(root):
    b1 = youtubevos_dataset(root).sequences[0]
    np.testing.assert_array_equal(b1.annotation(0, ()), labels(1))
    np.testing.assert_array_equal(b1.annotation(1, {1}), labels(0, 3))
    assert b1.annotation(1, {1, 3}) is None
    assert b1.annotation(2, {1}) is None, "no mask there"


def test_where_the_truth_is_whole_a_known_object_is_not_given_again(root):
    Image.fromarray(labels(1, 3)).save(root / "valid/Annotations/b1/00010.png")
    Image.fromarray(labels(1, 3)).save(root / "valid/Annotations/b1/00015.png")
    dataset = youtubevos_dataset(root)
    assert dataset.scored
    np.testing.assert_array_equal(dataset.sequences[0].annotation(1, {1}), labels(0, 3))


def test_an_object_listed_before_it_can_be_seen_is_given_later(root):
    Image.fromarray(labels()).save(root / "valid/Annotations/b1/00010.png")
    Image.fromarray(labels(0, 3)).save(root / "valid/Annotations/b1/00015.png")
    b1 = youtubevos_dataset(root).sequences[0]
    assert b1.annotation(1, {1}) is None
    np.testing.assert_array_equal(b1.annotation(2, {1}), labels(0, 3))


@pytest.mark.parametrize("folder", ["valid_all_frames", "all_frames/valid_all_frames"])
def test_all_frames_between_the_listed_ones(root, folder):
    add_all_frames(root, folder)
    dataset = youtubevos_dataset(root)
    b1 = dataset.sequences[0]
    assert [path.stem for path in b1.frames] == [f"{stem:05d}" for stem in range(5, 16)]
    assert b1.objects[1].frames == (5, 10)
    assert b1.wanted == (0, 5, 10)
    assert dataset.frames == "all"
    assert dataset.notes == ("the model gets all frames of every video",)
    assert youtubevos_dataset(root, frames="listed").sequences[0].wanted == (0, 1, 2)


def test_without_the_training_split_nobody_knows_what_was_seen(root):
    (root / "train" / "meta.json").unlink()
    dataset = youtubevos_dataset(root)
    assert {each.seen for sequence in dataset.sequences for each in sequence.objects} == {None}
    assert "cannot be told apart" in dataset.notes[1]


def test_all_frames_must_be_there_if_asked_for(root):
    with pytest.raises(DatasetNotFound, match=r"valid_all_frames.JPEGImages is missing"):
        youtubevos_dataset(root, frames="all")


@pytest.mark.parametrize(
    ("lost", "message"),
    [
        pytest.param("JPEGImages/b1/00015.jpg", "b1 lacks frames for 00015", id="frame"),
        pytest.param("Annotations/b1/00010.png", "gives object 3: expected .*00010", id="mask"),
    ],
)
def test_a_broken_video_does_not_hide_the_others(root, lost, message):
    (root / "valid" / lost).unlink()
    dataset = youtubevos_dataset(root)
    assert [each.name for each in dataset.sequences] == ["a2"]
    (broken,) = dataset.broken
    with pytest.raises(DatasetError, match=message):
        raise broken.error


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("{", id="no-json"),
        pytest.param("[]", id="a-list"),
        pytest.param("{}", id="no-videos"),
        pytest.param('{"videos": {}}', id="empty"),
        pytest.param('{"videos": {"a": {"objects": {}}}}', id="no-objects"),
        pytest.param('{"videos": {"a": {"objects": {"1": {}}}}}', id="no-frames"),
        pytest.param('{"videos": {"a": {"objects": {"255": {"frames": ["0"]}}}}}', id="void"),
        pytest.param('{"videos": {"../a": {"objects": {"1": {"frames": ["0"]}}}}}', id="path"),
        pytest.param('{"videos": {"a": {"objects": {"x": {"frames": ["0"]}}}}}', id="no-id"),
    ],
)
def test_meta_that_cannot_be_understood(root, text):
    (root / "valid" / "meta.json").write_text(text)
    with pytest.raises(DatasetError, match=r"meta\.json") as caught:
        youtubevos_dataset(root)
    assert "\n" not in str(caught.value)


def test_a_missing_split(root):
    with pytest.raises(DatasetNotFound, match=r"test.meta\.json is missing"):
        youtubevos_dataset(root, split="test")
