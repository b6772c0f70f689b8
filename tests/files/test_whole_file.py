"""A file that is being written: never half, never lost, never two in one."""

import errno
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from jointvos.checkpoints.state_file import save_state
from jointvos.errors import MaskError, OutputError
from jointvos.files.whole_file import hidden_beside, remove_partials, shortened, whole_file


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "file.txt"
    path.write_text("old")
    return path


def only(path: Path, text: str) -> bool:
    """Whether there is nothing but that file, with that text."""
    return [*path.parent.iterdir()] == [path] and path.read_text() == text


def test_has_its_name_when_the_block_ends(path):
    with whole_file(path) as partial:
        partial.write_text("new")
        assert path.read_text() == "old"
        assert partial.name.startswith(".")
    assert only(path, "new")


@pytest.mark.parametrize("error", [MaskError("no mask"), KeyboardInterrupt(), ZeroDivisionError()])
def test_an_error_in_the_block_comes_out_as_it_is(path, error):
    def write() -> None:
        with whole_file(path) as partial:
            partial.write_text("ne")
            raise error

    with pytest.raises(type(error)) as caught:
        write()
    assert caught.value is error
    assert only(path, "old")


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_disk_that_refuses_at_the_end(path, step, monkeypatch, audited):
    def refuse(*_: object) -> None:
        # Fully written by then, and without its name.
        assert sorted(each.read_text() for each in path.parent.iterdir()) == ["new", "old"]
        raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))

    if step == "fsync":
        monkeypatch.setattr(os, "fsync", refuse)
    else:
        audited["os.rename"] = refuse
    with (
        pytest.raises(OutputError, match=r"file\.txt cannot be written: Disk quota exceeded"),
        whole_file(path) as partial,
    ):
        partial.write_text("new")
    assert only(path, "old")


@pytest.mark.parametrize("name", ["file.txt", "*"])
def test_what_killed_processes_left_can_be_removed(path, name):
    with whole_file(path) as partial:
        partial.write_text("new")
    partial.write_text("ne")
    others = [path.with_name(each) for each in (".file.txt", ".other.txt.partial")]
    for other in others:
        other.touch()
    remove_partials(path.parent, name)
    assert {*path.parent.iterdir()} == {path, *others}


def test_a_folder_that_is_not_there(tmp_path):
    with (
        pytest.raises(OutputError, match=r"missing.file cannot be written: No such file"),
        whole_file(tmp_path / "missing" / "file") as partial,
    ):
        partial.write_text("new")
    assert [*tmp_path.iterdir()] == []


def test_threads_do_not_write_into_each_others(path):
    texts = [letter * 100_000 for letter in "abcdefgh"]

    def write(text: str) -> None:
        for _ in range(20):
            with whole_file(path) as partial:
                partial.write_text(text)

    with ThreadPoolExecutor(8) as pool:
        [*pool.map(write, texts)]
    assert any(only(path, text) for text in texts)


def test_a_checkpoint_that_does_not_fit(tmp_path, full_disk):
    path = tmp_path / "last.ckpt"
    save_state(path, {"weights": torch.zeros(10)})
    before = path.read_bytes()
    with full_disk(100_000), pytest.raises(OutputError, match=r"last\.ckpt cannot be written"):
        save_state(path, {"weights": torch.zeros(1_000_000)})
    assert [*tmp_path.iterdir()] == [path]
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", ["x" * 255, "猫" * 85, "x" + "é" * 127, "a.b" * 85], ids=len)
def test_hidden_names_fit_however_long_the_name_is(tmp_path, name):
    hidden = hidden_beside(tmp_path / name, ".jointvos-resume")
    assert hidden.parent == tmp_path
    assert hidden.name.startswith("." + name[:30])
    assert hidden.name.endswith(".jointvos-resume")
    assert len(os.fsencode(hidden.name + ".old")) <= 143
    assert hidden == hidden_beside(tmp_path / name, ".jointvos-resume")
    assert hidden != hidden_beside(tmp_path / (name[:-1] + "y"), ".jointvos-resume")
    with whole_file(tmp_path / name) as partial:
        partial.write_text("new")
    assert (tmp_path / name).read_text() == "new"


def test_names_are_cut_only_if_they_must_be(tmp_path):
    assert hidden_beside(tmp_path / "clip.mp4", ".x") == tmp_path / ".clip.mp4.x"
    assert shortened("x" * 243, "_overlay.mp4") == "x" * 243 + "_overlay.mp4"
    cut = shortened("x" * 244, "_overlay.mp4")
    assert len(cut) == 255
    assert cut.endswith("_overlay.mp4")
    assert shortened(os.fsdecode(b"\xff" * 250), "_masks").endswith("_masks")
