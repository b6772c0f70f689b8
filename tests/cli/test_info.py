import json
import sys
from importlib import metadata
from pathlib import Path

import pytest

import jointvos
from jointvos.cli import info as command
from jointvos.cli.info import info

Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOINTVOS_CACHE", str(tmp_path / "cache"))


def test_everything_a_bug_report_needs_is_said(capsys, tmp_path):
    info()
    out = capsys.readouterr().out
    said = dict(line.split(":", 1) for line in out.splitlines())
    assert list(said) == [
        "jointvos",
        "python",
        "platform",
        "torch",
        "cuda",
        "devices",
        "pyav",
        "ffmpeg",
        "encoders",
        "hwaccels",
        "packages",
        "cache",
        "models",
        "variables",
    ]
    assert said["jointvos"].strip() == jointvos.__version__
    assert said["torch"].strip().startswith(metadata.version("torch").partition("+")[0])
    assert "libx264" in said["encoders"]
    assert f"safetensors {metadata.version('safetensors')}" in said["packages"]
    assert said["cache"].strip() == str(tmp_path / "cache")
    assert "joint-lite 5.0 MB" in said["models"]
    assert said["variables"].strip() == "JOINTVOS_CACHE"


def test_json_says_the_same(capsys):
    info(as_json=True)
    found = json.loads(capsys.readouterr().out)
    assert found["jointvos"] == jointvos.__version__
    assert found["devices"]["cpu"]
    assert found["encoders"]["ffv1"] is True


def test_values_of_variables_are_not_shown(capsys, monkeypatch):
    monkeypatch.setenv("JOINTVOS_MIRROR", "https://me:secret@models.example")
    info()
    out = capsys.readouterr().out
    assert "JOINTVOS_CACHE, JOINTVOS_MIRROR" in out
    assert "secret" not in out


def test_what_is_missing_is_said(capsys, monkeypatch):
    monkeypatch.setattr(command, "ENCODERS", ("libx264", "libnothing"))
    monkeypatch.setattr(command, "PACKAGES", ("numpy", "nothing-like-it"))
    monkeypatch.setitem(sys.modules, "torch", None)
    info()
    out = capsys.readouterr().out
    assert "libx264; without libnothing" in out
    assert "nothing-like-it missing" in out
    assert "cannot be used: import of torch halted" in out
    assert "devices" not in out
