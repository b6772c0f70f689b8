"""From a name to an installed file, and what is kept of it."""

import errno
import hashlib
import json
import os
import shutil
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from pathlib import Path

import misbehaving
import pytest
from misbehaving import Listener, Server, Visit
from werkzeug import Response

import jointvos.checkpoints
from jointvos.checkpoints import install, installing, load_model
from jointvos.checkpoints.locate import bundled, place
from jointvos.checkpoints.record import check_fully, read_record, record_path
from jointvos.checkpoints.registry import KNOWN, KnownModel
from jointvos.errors import (
    ConfigError,
    IncompatibleWeights,
    JointVOSError,
    OutputExists,
    WeightsError,
    WeightsNotFound,
)
from jointvos.web import RETRY, Patience

WEIGHTS = Path(__file__).parents[2] / "weights"
FullDisk = Callable[[int], AbstractContextManager[None]]
QUICK = Patience(connect_s=2, stall_s=1.5, retry=RETRY.new(total=1, backoff_max=0.05))


@pytest.fixture
def known(server: Server, monkeypatch: pytest.MonkeyPatch) -> KnownModel:
    """A published model of which nothing is known beforehand; converting it is copying it."""
    model = replace(
        KNOWN["joint-davis"],
        name="joint-test",
        file="test.pth.tar",
        addresses=(f"{server.address}/first", f"{server.address}/good"),
        page="https://example.org/page",
    )
    monkeypatch.setitem(KNOWN, model.name, model)
    monkeypatch.setattr(
        installing, "_convert", lambda published, name, made: shutil.copyfile(published, made)
    )
    return model


@pytest.fixture
def have(listener):
    """Install, with little patience."""
    return partial(install, watch=listener, patience=QUICK)


@pytest.fixture
def refused(have):
    """What is said when it cannot be installed."""

    def refuse(kind: type[JointVOSError], name: str, **options) -> str:
        with pytest.raises(kind) as caught:
            have(name, **options)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    return refuse


def test_a_model_from_an_address_is_installed_with_its_record(server, listener, cache, have):
    source = server.address.replace("//", "//me:secret@") + "/good?token=1"
    path = have("mine", source=source)
    assert path == cache / "mine.safetensors"
    assert path.read_bytes() == server.content
    assert load_model("mine").config.name == "tiny"
    record = read_record(path)
    assert record.published.file == "good"
    assert record.published.source == f"{server.address}/good"
    assert record.published.sha256 == hashlib.sha256(server.content).hexdigest()
    assert record.installed.sha256 == record.published.sha256
    assert record.published.sha256 in "\n".join(listener.notes)
    left = {str(found.relative_to(cache)) for found in cache.rglob("*") if found.is_file()}
    assert left == {"mine.safetensors", "mine.installed.json", "downloads/.mine.lock"}


def test_a_local_model_is_installed_and_stays_where_it_was(tiny_file, cache, have):
    path = have("mine", source=str(tiny_file), offline=True)
    assert path.read_bytes() == tiny_file.read_bytes()
    record = read_record(path)
    assert record.published.source == tiny_file.name


@pytest.mark.parametrize(
    ("behavior", "said"),
    [
        pytest.param("cut_always", "the connection was cut, 2 times in a row", id="cut"),
        pytest.param(
            "stalled_always", "the server has stalled", id="stalled", marks=pytest.mark.slow
        ),
        pytest.param("busy_always", "429 Too Many Requests", id="busy"),
        pytest.param("missing", "404 Not Found", id="missing"),
        pytest.param("empty", "an empty file", id="empty"),
        pytest.param("page", "a web page ('Welcome to the hotel')", id="html"),
        pytest.param("quota", "Google Drive's download quota", id="quota"),
        pytest.param("half", "file from 127.0.0.1", id="half"),
        pytest.param("without_length_and_cut", "is damaged or cut off", id="cut-unseen"),
    ],
)
def test_whatever_goes_wrong_the_old_file_stays(behavior, said, server, cache, tiny_file, have):
    path = have("mine", source=str(tiny_file))
    before = path.read_bytes(), record_path(path).read_bytes()
    server.behaviors["/file"] = getattr(misbehaving, behavior)
    with pytest.raises(WeightsError) as caught:
        have("mine", source=f"{server.address}/file", force=True)
    assert caught.value.exit_code == 5
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert (path.read_bytes(), record_path(path).read_bytes()) == before
    load_model("mine")
    # Only what can be continued is kept.
    kept = list(cache.glob("downloads/mine/*.part"))
    assert len(kept) == (behavior == "cut_always")


class TestKnownModels:
    def test_the_next_address_helps_and_the_first_sight_is_recorded(
        self, known, server, listener, have
    ):
        server.behaviors["/first"] = misbehaving.quota
        path = have(known.name)
        record = read_record(path)
        assert record.published.source == known.addresses[1]
        assert record.published.size == len(server.content)
        said = "\n".join(listener.notes)
        assert "its license: the authors state none" in said
        assert record.published.sha256 in said
        assert f"no hash of it is published; this one is kept in {record_path(path)}" in said

    def test_when_nothing_helps_the_manual_way_is_told(self, known, server, refused):
        server.behaviors["/first"] = server.behaviors["/good"] = misbehaving.quota
        message = refused(WeightsError, known.name)
        assert "test.pth.tar cannot be fetched: 127.0.0.1" in message
        assert message.count("download quota for this file is used up") == 1
        assert "open https://example.org/page with a browser" in message
        assert "install('joint-test', source=FILE)`" in message

    def test_a_later_download_must_be_the_one_first_seen(self, known, server, have, refused):
        path = have(known.name)
        old, first = server.content, read_record(path)
        have(known.name, force=True)
        server.content = old[:-1] + bytes([old[-1] ^ 1])
        message = refused(IncompatibleWeights, known.name, force=True)
        assert first.published.sha256 in message
        assert hashlib.sha256(server.content).hexdigest() in message
        assert f"delete {record_path(path)}" in message
        assert path.read_bytes() == old
        assert list(path.parent.glob("downloads/*/*")) == []
        record_path(path).unlink()
        have(known.name, force=True)
        assert path.read_bytes() == server.content

    def test_files_brought_by_hand_are_held_to_it_too(self, known, tmp_path, have, refused):
        have(known.name)
        other = tmp_path / "other"
        other.write_bytes(b"something else")
        options = {"source": str(other), "force": True}
        assert "when it was first seen" in refused(IncompatibleWeights, known.name, **options)
        assert other.exists()

    def test_a_hash_that_is_known_wins(
        self, known, server, listener, cache, monkeypatch, have, refused
    ):
        path = have(known.name)
        before, right = path.read_bytes(), hashlib.sha256(server.content).hexdigest()
        monkeypatch.setitem(KNOWN, known.name, replace(known, sha256=64 * "0"))
        message = refused(IncompatibleWeights, known.name, force=True)
        assert f"SHA-256 {right}, expected {64 * '0'}" in message
        assert path.read_bytes() == before
        monkeypatch.setitem(KNOWN, known.name, replace(known, sha256=right))
        record_path(path).write_text(record_path(path).read_text().replace(right, 64 * "1"))
        listener.notes.clear()
        have(known.name, force=True)
        assert "no hash of it is published" not in "\n".join(listener.notes)

    def test_a_size_that_is_known_is_checked_before_the_transfer(
        self, known, listener, monkeypatch, refused
    ):
        monkeypatch.setitem(KNOWN, known.name, replace(known, size=17))
        assert "the file has 17;" in refused(WeightsError, known.name)
        assert listener.steps == []

    def test_mirrors_replace_the_published_addresses(self, known, server, monkeypatch, have):
        mirrors = f"{server.address}/empty/ {server.address}/models"
        monkeypatch.setenv("JOINTVOS_MIRROR", mirrors)
        server.behaviors["/models/test.pth.tar"] = misbehaving.good
        have(known.name)
        paths = [seen[0] for seen in server.seen]
        assert paths == ["/empty/test.pth.tar", "/models/test.pth.tar"]

    def test_offline_says_what_to_bring_and_where_it_goes(
        self, known, server, cache, tiny_file, have, refused
    ):
        message = refused(WeightsError, known.name, offline=True)
        assert f"{cache / 'joint-test.safetensors'} is missing" in message
        assert "fetch https://example.org/page elsewhere" in message
        assert "install('joint-test', source=FILE)`" in message
        path = have(known.name, offline=True, source=str(tiny_file))
        assert have(known.name, offline=True) == path
        assert server.seen == []

    def test_what_is_there_is_not_fetched_again(
        self, known, server, listener, tiny_file, have, refused
    ):
        path = have(known.name)
        requests = len(server.seen)
        assert have(known.name) == path
        assert len(server.seen) == requests
        assert f"{path} is installed already" in listener.notes
        assert "replace it with `force=True`" in refused(
            OutputExists, known.name, source=str(tiny_file)
        )

    def test_another_folder_will_do(self, known, tmp_path, cache, have):
        path = have(known.name, folder=tmp_path / "a" / "b")
        assert path == tmp_path / "a" / "b" / "joint-test.safetensors"
        assert list(cache.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "source", "kind", "said"),
    [
        pytest.param("../x", None, ConfigError, "not a valid model name", id="name"),
        pytest.param(
            "joint-davs", None, WeightsNotFound, "expected one of joint-ytvos", id="unknown"
        ),
        pytest.param("joint-lite", "x", ConfigError, "choose another", id="bundled"),
        pytest.param("mine", "ftp://a/b", ConfigError, "an http or https URL", id="scheme"),
        pytest.param("mine", "/absent", WeightsNotFound, "/absent is not a file", id="absent"),
        pytest.param("mine", "/", WeightsNotFound, "/ is not a file", id="folder"),
    ],
)
def test_what_makes_no_sense_is_refused_first(name, source, kind, said, tmp_path, refused):
    assert said in refused(kind, name, source=source)
    assert not (tmp_path / "cache").exists()


def test_the_bundled_model_is_always_there(have):
    assert have("joint-lite", offline=True) == bundled()


def test_a_package_without_its_model_is_said(bundle, refused):
    assert "ships with jointvos" in refused(WeightsNotFound, "joint-lite")


class TestStorage:
    def test_a_cache_that_cannot_be_written_is_said(self, server, tmp_path, refused):
        (tmp_path / "file").touch()
        source = f"{server.address}/good"
        message = refused(WeightsError, "mine", source=source, folder=tmp_path / "file" / "cache")
        assert "cannot be written: Not a directory" in message
        assert "`folder` or JOINTVOS_CACHE" in message
        assert server.seen == []

    def test_a_full_disk_leaves_the_old_file(self, server, tiny_file, full_disk, have, refused):
        path = have("mine", source=str(tiny_file))
        with full_disk(1000):
            message = refused(WeightsError, "mine", source=f"{server.address}/good", force=True)
        assert "cannot be written: File too large" in message
        assert path.read_bytes() == tiny_file.read_bytes()

    @pytest.mark.parametrize("ends_at", [1, 2, 3, 4])
    def test_an_end_between_the_last_steps_leaves_something_that_loads(
        self, ends_at, known, server, audited, have
    ):
        """Record without installed file, the file, the record: each is one replacement."""
        path = have(known.name)
        record_path(path).unlink()
        server.content += b"a new version"
        steps = iter(range(1, 99))

        def interrupt(*_: object) -> None:
            if next(steps) == ends_at:
                raise KeyboardInterrupt

        audited["os.rename"] = interrupt
        if ends_at == 4:
            have(known.name, force=True)
        else:
            with pytest.raises(KeyboardInterrupt):
                have(known.name, force=True)
        audited.clear()
        assert path.read_bytes().endswith(b"a new version") == (ends_at > 2)
        record = read_record(path)
        assert (record is not None and record.installed is not None) == (ends_at == 4)
        assert check_fully("x", path).state == ("ok" if ends_at == 4 else "unrecorded")

    @pytest.mark.parametrize("code", [errno.ENOLCK, errno.ENOSYS])
    def test_without_locks_two_at_once_spoil_nothing(
        self, code, known, server, cache, audited, have
    ):
        def no_locks(*_: object) -> None:
            raise OSError(code, os.strerror(code))

        audited["fcntl.flock"] = no_locks
        both = threading.Barrier(2)

        def together(visit: Visit) -> Response:
            if visit.number <= 2:
                both.wait(10)
            return misbehaving.good(visit)

        server.behaviors["/first"] = together
        ends: list[object] = []

        def run() -> None:
            try:
                ends.append(have(known.name, watch=Listener()))
            except WeightsError as error:
                ends.append(str(error))

        threads = [threading.Thread(target=run) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        path = place(known.name, cache)
        assert path in ends
        assert path.read_bytes() == server.content
        assert check_fully(known.name, path).state == "ok"


def test_what_messages_advise_works(tiny_file, cache):
    assert load_model(jointvos.checkpoints.install("mine", source=str(tiny_file)))


class TestLaterLooks:
    @pytest.fixture
    def path(self, tiny_file, have) -> Path:
        return have("mine", source=str(tiny_file))

    def test_another_size_is_seen_when_it_is_loaded(self, path):
        with path.open("ab") as file:
            file.write(b"x")
        with pytest.raises(IncompatibleWeights, match="not the file that was installed") as caught:
            load_model("mine")
        assert "install('mine', source=FILE, force=True)`" in str(caught.value)

    def test_another_content_is_seen_when_its_time_tells(self, path):
        content = bytearray(path.read_bytes())
        content[-1] ^= 1
        path.write_bytes(content)
        with pytest.raises(IncompatibleWeights, match="not the file that was installed"):
            load_model("mine")

    def test_another_content_under_the_same_time_is_left_to_verify(self, path):
        time_ns, content = path.stat().st_mtime_ns, bytearray(path.read_bytes())
        content[-1] ^= 1
        path.write_bytes(content)
        os.utime(path, ns=(time_ns, time_ns))
        load_model("mine")
        assert check_fully("mine", path).state == "changed"

    def test_a_copied_cache_is_as_good(self, path):
        os.utime(path, ns=(1, 1))
        load_model("mine")
        assert check_fully("mine", path).state == "ok"
        record = read_record(path)
        assert record.installed.mtime_ns == 1

    def test_the_bundled_model_is_hashed_every_time(self, bundle):
        original = WEIGHTS / "joint-lite.safetensors"
        copy = bundle / "package" / original.name
        content = bytearray(original.read_bytes())
        copy.write_bytes(content)
        load_model("joint-lite")
        content[-1] ^= 1
        copy.write_bytes(content)
        with pytest.raises(IncompatibleWeights, match="install jointvos again"):
            load_model("joint-lite")

    @pytest.mark.parametrize(
        "spoil",
        [
            pytest.param(lambda text: text[:50], id="cut"),
            pytest.param(lambda text: "[]", id="list"),
            pytest.param(lambda text: json.dumps(json.loads(text) | {"published": {}}), id="hole"),
        ],
    )
    def test_a_damaged_record_is_said(self, spoil, path):
        text = record_path(path).read_text()
        record_path(path).write_text(spoil(text))  # type: ignore[operator]
        with pytest.raises(WeightsError, match=r"mine\.installed\.json is damaged; delete it"):
            load_model("mine")
