import json
import zipfile

import numpy as np
import pytest
from PIL import Image
from trees import HEIGHT, WIDTH, labels_of, predict, write_davis, write_youtubevos

from jointvos.datasets import davis_dataset, youtubevos_dataset
from jointvos.errors import DatasetError
from jointvos.evaluation.submission import write_submission


@pytest.fixture
def youtubevos(tmp_path):
    return write_youtubevos(tmp_path / "y", truth=False, all_frames=True)


def listed_in_meta(root):
    """Independent of the package."""
    meta = json.loads((root / "valid/meta.json").read_text())
    return sorted(
        {
            f"Annotations/{name}/{frame}.png"
            for name, video in meta["videos"].items()
            for each in video["objects"].values()
            for frame in each["frames"]
        }
    )


def test_the_zip_holds_exactly_what_meta_lists(youtubevos, tmp_path):
    dataset = youtubevos_dataset(youtubevos)
    assert not dataset.scored
    masks = predict(dataset, tmp_path / "run")
    count = write_submission(tmp_path / "a.zip", dataset, masks)
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert sorted(archive.namelist()) == listed_in_meta(youtubevos)
        assert count == len(archive.namelist()) == 9
        with Image.open(archive.open("Annotations/0a/00020.png")) as image:
            assert (image.mode, image.size) == ("P", (WIDTH, HEIGHT))
            assert set(np.unique(image)) == {0, 1, 3}, "the late object is in it"
        with Image.open(archive.open("Annotations/0a/00010.png")) as image:
            assert set(np.unique(image)) == {0, 1}
    write_submission(tmp_path / "b.zip", dataset, masks)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def test_davis_has_its_sequences_at_the_root(tmp_path):
    root = write_davis(tmp_path / "d", {"bear": (4, (1, 2))}, split="test-dev")
    for index in (1, 2, 3):
        (root / f"Annotations/480p/bear/{index:05d}.png").unlink()
    dataset = davis_dataset(root, 2017, "test-dev")
    assert (dataset.scored, dataset.submitted) == (False, True)
    write_submission(tmp_path / "a.zip", dataset, predict(dataset, tmp_path / "run"))
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert archive.namelist() == [f"bear/{index:05d}.png" for index in range(4)]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        pytest.param(lambda path: path.unlink(), "0a lacks predicted masks for 00015", id="gone"),
        pytest.param(lambda path: path.write_bytes(b""), "cannot be read", id="damaged"),
        pytest.param(
            lambda path: Image.new("P", (4, 4)).save(path), "is 4x4 but the frame is", id="size"
        ),
        pytest.param(
            lambda path: Image.fromarray(labels_of(15, (2,))).save(path),
            "holds the ID 2, which is not an object",
            id="id",
        ),
    ],
)
def test_a_zip_that_the_server_would_refuse_is_not_made(youtubevos, tmp_path, spoil, message):
    dataset = youtubevos_dataset(youtubevos)
    masks = predict(dataset, tmp_path / "run")
    spoil(masks / "0a/00015.png")
    with pytest.raises(DatasetError, match=message):
        write_submission(tmp_path / "a.zip", dataset, masks)
    assert not list(tmp_path.glob("*zip*"))
