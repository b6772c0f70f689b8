import os
import sys
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest
from fsspec.implementations.local import LocalFileSystem
from fsspec.implementations.memory import MemoryFileSystem

from jointvos.batch.urls import (
    check_url,
    exists,
    fetch,
    path_of,
    shown,
    split_mask,
    store,
    url_of,
    version,
)
from jointvos.errors import ConfigError, TransferError

MEMORY = fsspec.filesystem("memory")


class Breaks:
    """Writes so many files, and no more."""

    left = 0

    def put_file(self, local: str, name: str, **options: object) -> None:
        if type(self).left == 0:
            raise ConnectionResetError("the line is cut")
        type(self).left -= 1
        super().put_file(local, name, **options)  # type: ignore[misc]


class BreakingDisk(Breaks, LocalFileSystem):
    protocol = "disk"

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return super()._strip_protocol(path.replace("disk://", "/"))


class BreakingBucket(Breaks, MemoryFileSystem):
    protocol = "bucket"
    store: dict[str, object] = {}  # noqa: RUF012
    pseudo_dirs = [""]  # noqa: RUF012

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return super()._strip_protocol(path.replace("bucket://", "memory://"))


class Short(MemoryFileSystem):
    """A line that ends in the middle of a file."""

    protocol = "short"

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return super()._strip_protocol(path.replace("short://", "memory://"))

    def get_file(self, name: str, local: str, **options: object) -> None:
        Path(local).write_bytes(self.cat(name)[:2])


@pytest.fixture(autouse=True, scope="module")
def _known() -> None:
    for kind in (BreakingDisk, BreakingBucket, Short):
        fsspec.register_implementation(kind.protocol, kind)


@pytest.fixture(autouse=True)
def _empty() -> Iterator[None]:
    yield
    for kind in (MemoryFileSystem, BreakingBucket):
        kind.store.clear()
        kind.pseudo_dirs[:] = [""]


@pytest.mark.parametrize(
    ("text", "url"),
    [
        pytest.param("s3://bucket/a.mp4", "s3://bucket/a.mp4", id="bucket"),
        pytest.param("GS://bucket/a.mp4", "gs://bucket/a.mp4", id="capitals"),
        pytest.param("file:///data/a.mp4", "file:///data/a.mp4", id="file"),
        pytest.param("/data/a.mp4", None, id="path"),
        pytest.param("a:b/c.mp4", None, id="colon"),
        pytest.param("C:/clips/a.mp4", None, id="drive"),
    ],
)
def test_a_url_can_be_a_path(text, url):
    assert url_of(text) == url_of(Path(text)) == url
    assert shown(Path(text)) == (url or text)


def test_a_url_that_no_path_keeps_is_refused():
    for url in ("s3://bucket//a.mp4", "s3://bucket/./a.mp4"):
        with pytest.raises(ConfigError, match=r"contains // or /\./"):
            path_of(url)
    assert path_of("s3://bucket/masks/") == Path("s3://bucket/masks")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        pytest.param("s3://b/m.png", ("", "s3://b/m.png"), id="first frame"),
        pytest.param("120=s3://b/m.png", ("120=", "s3://b/m.png"), id="frame"),
        pytest.param("4.5s=2:s3:/b/x=1.png", ("4.5s=2:", "s3:/b/x=1.png"), id="object, as a path"),
        pytest.param("120=m.png", None, id="path"),
    ],
)
def test_a_mask_behind_a_url_keeps_its_frame_and_id(text, parts):
    assert split_mask(text) == parts


@pytest.mark.parametrize(
    ("url", "says"),
    [
        pytest.param("s3://b/a", "s3://b/a is on the network; allow that with", id="network"),
        pytest.param("nowhere://b/a", "nowhere://b/a is on the network", id="unknown"),
    ],
)
def test_the_network_has_to_be_allowed(url, says):
    with pytest.raises(ConfigError, match=says):
        check_url(url, allow_network=False)
    check_url("memory://a", allow_network=False)
    check_url("file:///a", allow_network=False)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        pytest.param(
            "s3://b/a", r"s3:// needs the package s3fs; install it with: pip install s3fs", id="s3"
        ),
        pytest.param("sftp://b/a", 'sftp:// cannot be used: .*"paramiko"', id="part of fsspec"),
        pytest.param("nowhere://b/a", "no protocol that fsspec knows", id="unknown"),
        pytest.param("sftp://me:pw@b/a", "^the URL for b holds a password,", id="password"),
    ],
)
def test_what_is_missing_for_a_protocol_is_named(monkeypatch, url, says):
    monkeypatch.setitem(sys.modules, "s3fs", None)
    monkeypatch.setitem(sys.modules, "paramiko", None)
    with pytest.raises(ConfigError, match=says):
        check_url(url, allow_network=True)


def test_a_change_shows_without_reading(tmp_path):
    file, folder = tmp_path / "a.mp4", tmp_path / "frames"
    folder.mkdir()
    for path in (file, folder / "0.png", folder / "1.png"):
        path.write_bytes(b"x")
    urls = [f"file://{file}", f"file://{folder}"]
    before = [version(url) for url in urls]
    assert [version(url) for url in urls] == before
    os.utime(file, ns=(1, 1))
    (folder / "1.png").write_bytes(b"xy")
    assert all(version(url) != old for url, old in zip(urls, before, strict=True))
    with pytest.raises(FileNotFoundError):
        version(f"file://{tmp_path}/none")


def test_a_file_is_fetched_once_unless_it_changes(tmp_path):
    MEMORY.pipe("/clips/a.mp4", b"one")
    copy = tmp_path / "scratch/a.mp4"
    fetch("memory://clips/a.mp4", copy)
    stamp = copy.stat()
    copy.write_bytes(b"two")  # would not be noticed but by its time
    os.utime(copy, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    fetch("memory://clips/a.mp4", copy)
    assert copy.read_bytes() == b"two"
    MEMORY.pipe("/clips/a.mp4", b"new")
    fetch("memory://clips/a.mp4", copy)
    assert copy.read_bytes() == b"new"
    assert copy.stat().st_mtime_ns != stamp.st_mtime_ns
    assert [path.name for path in copy.parent.iterdir()] == ["a.mp4"]
    fetch("memory://clips/a.mp4", tmp_path / "elsewhere/a.mp4")
    assert (tmp_path / "elsewhere/a.mp4").stat().st_mtime_ns == copy.stat().st_mtime_ns


def test_a_folder_is_fetched_with_all_that_is_in_it(tmp_path):
    MEMORY.pipe({"/f/0.png": b"0", "/f/1.png": b"1", "/f/deep/2.png": b"2", "/f2/3.png": b"3"})
    fetch("memory://f", tmp_path / "f")
    MEMORY.rm("/f/1.png")
    assert {p.name for p in tmp_path.rglob("*.png")} == {"0.png", "1.png", "2.png"}
    fetch("memory://f", tmp_path / "f")
    found = {str(p.relative_to(tmp_path)): p.read_bytes() for p in tmp_path.rglob("*.png")}
    assert found == {"f/0.png": b"0", "f/deep/2.png": b"2"}


def test_what_is_not_there_or_comes_in_part_is_no_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        fetch("memory://none.mp4", tmp_path / "none.mp4")
    MEMORY.pipe("/a.mp4", b"four")
    with pytest.raises(TransferError, match="2 of 4 bytes came"):
        fetch("short://a.mp4", tmp_path / "a.mp4")
    assert not (tmp_path / "a.mp4").exists()


@pytest.fixture
def made(tmp_path: Path) -> list[Path]:
    """A folder of two files, and a file."""
    folder, file = tmp_path / "made/masks", tmp_path / "made/o.mp4"
    folder.mkdir(parents=True)
    for name in ("0.png", "1.png"):
        (folder / name).write_text(name)
    file.write_text("video")
    return [folder, file]


def test_what_is_stored_replaces_what_was_there(tmp_path, made):
    out = tmp_path / "out"
    MEMORY.pipe("/out/masks/9.png", b"of an earlier run")
    (out / "masks").mkdir(parents=True)
    (out / "masks/9.png").touch()
    for root in (Path("memory://out"), Path(f"file://{out}")):
        store([(each, root / each.name) for each in made])
        store([(each, root / each.name) for each in made])
    stored = {"/out/masks/0.png": b"0.png", "/out/masks/1.png": b"1.png", "/out/o.mp4": b"video"}
    assert MEMORY.cat(MEMORY.find("/out")) == stored
    files = {str(path.relative_to(tmp_path)): path for path in out.rglob("*") if path.is_file()}
    assert {f"/{name}": path.read_bytes() for name, path in files.items()} == stored
    assert exists("memory://out/o.mp4")
    assert not exists("memory://out/none.mp4")


def test_an_output_on_this_machine_may_go_with_others(tmp_path, made):
    store([(made[0], Path("memory://out/masks")), (made[1], tmp_path / "here/o.mp4")])
    assert (tmp_path / "here/o.mp4").read_text() == "video"
    assert MEMORY.exists("/out/masks/1.png")


@pytest.mark.parametrize("written", [0, 1, 2])
@pytest.mark.parametrize("protocol", ["disk", "bucket"])
def test_of_what_breaks_off_nothing_is_left(tmp_path, made, protocol, written):
    kind = {"disk": BreakingDisk, "bucket": BreakingBucket}[protocol]
    root = Path(f"{protocol}:/{tmp_path}/out")
    kind.left = written
    with pytest.raises(TransferError, match=r"ConnectionResetError: the line is cut"):
        store([(each, root / each.name) for each in made])
    system = fsspec.filesystem(protocol)
    assert not system.find(f"{tmp_path}/out")
    kind.left = 3
    store([(each, root / each.name) for each in made])
    assert len(system.find(f"{tmp_path}/out")) == 3


def test_files_get_their_names_when_all_are_there(tmp_path, made):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/o.mp4").write_text("old")
    BreakingDisk.left = 2
    with pytest.raises(TransferError):
        store([(each, Path(f"disk:/{tmp_path}/out") / each.name) for each in made[::-1]])
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["o.mp4"]
    assert (tmp_path / "out/o.mp4").read_text() == "old"
