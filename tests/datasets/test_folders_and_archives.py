import stat
import zipfile

import numpy as np
import pytest
from PIL import Image
from trees import write_davis, write_lvos, write_youtubevos

from jointvos.datasets import (
    as_folder,
    davis_dataset,
    lvos_dataset,
    open_folders,
    predicted_files,
    youtubevos_dataset,
)
from jointvos.errors import DatasetError, DatasetNotFound, SequenceIncomplete


def write_masks(folder, *names):
    folder.mkdir(parents=True)
    for name in names:
        Image.fromarray(np.ones((4, 5), np.uint8)).save(folder / name)


@pytest.mark.parametrize("below", ["", "Annotations", "480p", "Annotations/480p"])
def test_folders_of_sequences_wherever_they_lie(tmp_path, below):
    write_masks(tmp_path / below / "swan", "2.png", "10.png", "1.png", "._1.png")
    write_masks(tmp_path / below / "bear", "1.png", "2.png")
    dataset = open_folders(tmp_path)
    assert dataset.names == ("bear", "swan")
    assert [path.name for path in dataset.sequences[1].frames] == ["1.png", "2.png", "10.png"]
    assert not dataset.images
    assert list(predicted_files(tmp_path, "swan")) == ["1", "2", "10"]


def test_masks_right_in_the_folder_are_one_sequence(tmp_path):
    write_masks(tmp_path / "clip", "1.png", "2.png")
    assert open_folders(tmp_path / "clip").names == ("clip",)
    assert list(predicted_files(tmp_path / "clip", "other", alone=True)) == ["1", "2"]
    with pytest.raises(SequenceIncomplete, match="masks of sequence other"):
        predicted_files(tmp_path / "clip", "other")


@pytest.mark.parametrize(
    ("write", "listing", "open_again"),
    [
        (lambda root: write_davis(root, {"bear": (2, (1,))}), "*/*/val.txt", davis_dataset),
        (write_youtubevos, "valid/meta.json", youtubevos_dataset),
        (write_lvos, "val/val_meta.json", lvos_dataset),
    ],
    ids=["davis", "youtubevos", "lvos"],
)
def test_a_list_may_begin_with_a_byte_order_mark(tmp_path, write, listing, open_again):
    names = open_again(write(tmp_path)).names
    (path,) = tmp_path.glob(listing)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    dataset = open_again(tmp_path)
    assert (dataset.names, dataset.broken) == (names, ())


def test_nothing_there(tmp_path):
    with pytest.raises(DatasetNotFound, match="holds no masks"):
        open_folders(tmp_path)


@pytest.fixture
def write_zip(tmp_path):
    def write(*members):
        with zipfile.ZipFile(tmp_path / "data.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for member, content in members:
                archive.writestr(member, content)
        return tmp_path / "data.zip"

    return write


def link(name):
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


def test_a_zip_is_unpacked_for_a_while(write_zip):
    with as_folder(write_zip(("DAVIS/ImageSets/2017/val.txt", "bear"))) as folder:
        assert (folder / "ImageSets/2017/val.txt").read_text() == "bear"
    assert not folder.exists()
    with as_folder(write_zip(("valid/meta.json", "{}"))) as folder:
        assert (folder / "valid" / "meta.json").is_file(), "a split is not the root"


@pytest.mark.parametrize(
    ("members", "message"),
    [
        pytest.param([("a.txt", ""), ("../../canary", "x")], r"\.\./\.\./canary", id="dots"),
        pytest.param([("/tmp/canary", "x")], "/tmp/canary", id="absolute"),
        pytest.param([("C:\\canary", "x")], "canary", id="drive"),
        pytest.param([("a\\..\\..\\canary", "x")], "canary", id="backslashes"),
        pytest.param([(link("d"), "/tmp"), ("d/canary", "x")], "'d'", id="link"),
        pytest.param([("zeros", b"\0" * 80_000_000)], "would unpack to 76 MiB", id="bomb"),
    ],
)
def test_a_zip_that_is_a_trap_is_not_unpacked(write_zip, tmp_path, members, message):
    path = write_zip(*members)
    with pytest.raises(DatasetError, match=message) as caught, as_folder(path):
        pytest.fail("unpacked")
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert [entry.name for entry in tmp_path.iterdir()] == ["data.zip"]


def test_a_damaged_zip(tmp_path):
    (tmp_path / "data.zip").write_bytes(b"PK\x03\x04 and so on")
    with (
        pytest.raises(DatasetError, match=r"data\.zip cannot be unpacked"),
        as_folder(tmp_path / "data.zip"),
    ):
        pytest.fail("unpacked")


def test_a_folder_is_itself(tmp_path):
    with as_folder(tmp_path) as folder:
        assert folder == tmp_path
