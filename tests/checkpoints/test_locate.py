"""Where models are looked for, and which is taken."""

import hashlib
from pathlib import Path

import pytest

import jointvos.checkpoints.locate as locate
from jointvos.checkpoints import find_weights, installed
from jointvos.checkpoints.registry import KNOWN
from jointvos.config import INFERENCE, MODELS
from jointvos.errors import ConfigError, WeightsNotFound


def put(folder: Path, name: str) -> Path:
    path = folder / f"{name}.safetensors"
    path.touch()
    return path


def test_the_bundled_folders_are_the_package_and_the_checkout():
    package, checkout = locate.BUNDLED_FOLDERS
    assert (package / "locate.py").is_file()
    assert checkout.name == "weights"
    assert (checkout.parent / "jointvos").is_dir()


def test_the_package_wins_over_the_checkout_and_the_cache_over_both(bundle, cache):
    checkout = put(bundle / "weights", "joint-lite")
    assert installed() == {"joint-lite": checkout}
    package = put(bundle / "package", "joint-lite")
    assert find_weights("joint-lite") == package
    own = put(cache, "joint-lite")
    assert find_weights("joint-lite") == own


def test_the_best_model_is_taken_by_default(bundle, cache):
    for name in ("joint-lite", "mine", "another", "joint-davis", "joint-ytvos"):
        expected = put(cache, name)
        if name == "another":
            assert list(installed()) == ["another", "mine", "joint-lite"]
        elif name != "mine":
            assert find_weights() == expected
    (cache / ".joint-best.safetensors.7.partial").touch()
    assert list(installed()) == ["joint-ytvos", "joint-davis", "another", "mine", "joint-lite"]


def test_the_variable_comes_before_the_best(bundle, cache, monkeypatch):
    best, other = put(cache, "joint-ytvos"), put(cache, "mine")
    monkeypatch.setenv("JOINTVOS_MODEL", "mine")
    assert find_weights() == other
    assert find_weights("joint-ytvos") == best
    monkeypatch.setenv("JOINTVOS_MODEL", str(best))
    assert find_weights() == best
    monkeypatch.setenv("JOINTVOS_MODEL", "gone")
    with pytest.raises(WeightsNotFound, match="'gone'"):
        find_weights()


def test_existing_files_are_taken_whatever_their_name(bundle, monkeypatch):
    file = bundle / "odd.name"
    file.touch()
    assert find_weights(str(file)) == file
    monkeypatch.setenv("HOME", str(bundle))
    assert find_weights("~/odd.name") == file


@pytest.mark.parametrize(
    ("wanted", "said", "remedy"),
    [
        pytest.param(
            "joint-davis",
            "no model 'joint-davis'",
            "install('joint-davis')`",
            id="known",
        ),
        pytest.param("imagenet-r50", "no model 'imagenet-r50'", "is a backbone", id="backbone"),
        pytest.param(
            "yours",
            "no model 'yours' is installed",
            "install(NAME)` fetches",
            id="unknown",
        ),
        pytest.param(
            "a/b.safetensors",
            "b.safetensors does not exist",
            "install(NAME)` fetches",
            id="text",
        ),
        pytest.param(
            Path("joint-davis"), "joint-davis does not exist", "'joint-davis')`", id="path"
        ),
        pytest.param(Path("/"), "/ is a folder", "install(NAME)` fetches", id="folder"),
    ],
)
def test_what_is_missing_is_named_with_what_is_there(wanted, said, remedy, bundle, cache):
    put(cache, "mine")
    with pytest.raises(WeightsNotFound) as caught:
        find_weights(wanted)
    message = str(caught.value)
    assert said in message
    assert "installed: mine;" in message
    assert remedy in message


def test_a_model_of_an_earlier_version_is_named_with_its_successor(bundle):
    with pytest.raises(WeightsNotFound, match=r"joint-small was replaced by joint-lite.*`model="):
        find_weights("joint-small")


def test_no_model_at_all_is_said(bundle):
    with pytest.raises(WeightsNotFound, match=r"no model is installed in .*cache.*joint-davis'\)`"):
        find_weights()


def test_backbones_are_no_models(bundle, cache):
    path = locate.place("imagenet-r50", cache)
    path.parent.mkdir()
    path.touch()
    assert installed() == {}
    assert locate.installed_backbones() == {"imagenet-r50": path}


@pytest.mark.parametrize(
    ("platform", "variables", "expected"),
    [
        pytest.param("linux", {"JOINTVOS_CACHE": "/c", "XDG_CACHE_HOME": "/x"}, "/c", id="own"),
        pytest.param("linux", {"XDG_CACHE_HOME": "/x"}, "/x/jointvos", id="xdg"),
        pytest.param("linux", {}, "/home/me/.cache/jointvos", id="linux"),
        pytest.param("darwin", {}, "/home/me/Library/Caches/jointvos", id="mac"),
        pytest.param("win32", {"LOCALAPPDATA": "/local"}, "/local/jointvos", id="windows"),
    ],
)
def test_the_cache_folder_follows_the_platform(platform, variables, expected, monkeypatch):
    for name in ("JOINTVOS_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in ({"HOME": "/home/me"} | variables).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(locate.sys, "platform", platform)
    assert locate.cache_folder() == Path(expected)


@pytest.mark.parametrize("name", ["", "-x", ".x", "A", "a/b", "a b", "ä", "x.safetensors", "a\n"])
def test_bad_names_are_refused(name):
    with pytest.raises(ConfigError, match="not a valid model name"):
        locate.place(name, Path())


def test_known_models_name_presets_that_exist():
    for name, model in KNOWN.items():
        assert model.name == name
        assert locate.place(name, Path("c")).parent == Path(
            "c" if model.kind == "model" else "c/backbones"
        )
        assert model.preset in MODELS
        assert (model.inference in INFERENCE) == (model.kind == "model")
        assert all(address.startswith("https://") for address in model.addresses)
        assert model.page.startswith("https://") or not model.addresses


def test_the_bundled_model_is_the_one_that_is_pinned():
    """A new file needs its size and hash in the registry, else it is refused."""
    known, path = KNOWN[locate.BUNDLED], locate.bundled()
    assert path is not None
    assert path.stat().st_size == known.size
    assert hashlib.sha256(path.read_bytes()).hexdigest() == known.installed_sha256 == known.sha256
