"""The command that installs models, lists them and checks them."""

import json
import os
import subprocess
import sys
from contextlib import redirect_stderr

import pytest
from terminal import Terminal

from jointvos.checkpoints.locate import bundled
from jointvos.checkpoints.registry import KNOWN
from jointvos.cli import weights
from jointvos.cli.console import Reporter
from jointvos.cli.weights import download_weights
from jointvos.errors import (
    ConfigError,
    IncompatibleWeights,
    OutputExists,
    WeightsError,
    WeightsNotFound,
)

Captured = pytest.CaptureFixture[str]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        pytest.param({}, "name a model, for example joint-davis", id="none"),
        pytest.param({"force": True}, "name a model", id="force-only"),
        pytest.param({"names": ["a", "b"], "source": "x"}, "one name, got a, b", id="two"),
        pytest.param({"names": ["A b"], "source": "x"}, "not a valid model name", id="bad-name"),
        pytest.param({"names": ["x"], "show": True}, "--list goes alone", id="list-name"),
        pytest.param({"verify": True, "show": True}, "--list goes alone", id="list-verify"),
        pytest.param({"verify": True, "source": "x"}, "--verify changes nothing", id="verify"),
    ],
)
def test_wrong_options_are_explained(options, said):
    with pytest.raises(ConfigError) as caught:
        download_weights(**options)  # type: ignore[arg-type]
    assert said in str(caught.value)


def test_the_path_is_on_stdout_and_the_rest_on_stderr(server, cache, capsys):
    download_weights(names=["mine"], source=f"{server.address}/good")
    out, err = capsys.readouterr()
    assert out == f"{cache / 'mine.safetensors'}\n"
    assert f"fetching good from 127.0.0.1:{server.port}" in err
    assert "SHA-256" in err


def test_quiet_says_nothing_but_the_path(tiny_file, tmp_path, capsys):
    folder = tmp_path / "elsewhere"
    download_weights(names=["mine"], source=str(tiny_file), folder=folder, quiet=True)
    assert capsys.readouterr() == (f"{folder / 'mine.safetensors'}\n", "")


def test_json_says_what_was_installed(tiny_file, cache, capsys):
    download_weights(names=["mine"], source=str(tiny_file), as_json=True)
    (model,) = json.loads(capsys.readouterr().out)["models"]
    assert model["name"] == "mine"
    assert model["path"] == str(cache / "mine.safetensors")
    assert model["sha256"] == model["published_sha256"]
    assert model["bytes"] == model["published_bytes"] == tiny_file.stat().st_size
    assert model["source"] == tiny_file.name


def test_several_names_are_installed_in_turn(capsys):
    download_weights(names=["joint-lite", "joint-lite"], offline=True)
    assert capsys.readouterr().out == f"{bundled()}\n" * 2
    with pytest.raises(WeightsError, match="nothing is downloaded offline"):
        download_weights(names=["joint-lite", "joint-davis"], offline=True)
    assert capsys.readouterr().out == f"{bundled()}\n"


def test_an_installed_model_is_kept_unless_forced(server, tiny_file, cache, capsys):
    model = cache / "mine.safetensors"
    model.write_bytes(b"old")
    with pytest.raises(OutputExists, match="replace it with `force=True`"):
        download_weights(names=["mine"], source=f"{server.address}/good")
    assert model.read_bytes() == b"old"
    download_weights(names=["mine"], source=f"{server.address}/good", force=True)
    assert model.read_bytes() == tiny_file.read_bytes()


class TestList:
    def test_it_is_a_table(self, tiny_file, capsys):
        download_weights(names=["mine"], source=str(tiny_file))
        capsys.readouterr()
        download_weights(show=True)
        out, err = capsys.readouterr()
        heads, *rows = [line.split() for line in out.splitlines()]
        assert heads[:3] == ["NAME", "INSTALLED", "SIZE"]
        assert [row[0] for row in rows] == [
            "mine",
            "joint-lite",
            "joint-ytvos",
            "joint-davis",
            "imagenet-lite0",
            "imagenet-lite2",
            "mask-rcnn-r50-backbone",
            "imagenet-r50",
        ]
        assert [row[1] for row in rows] == ["yes", "yes", "no", "no", "no", "no", "no", "no"]
        assert "J&F 83.5 on DAVIS 2017 val" in out
        assert "non-commercial research use" in out
        assert out.splitlines()[7].endswith("  none is stated with the file")
        assert "models are installed in" in err

    def test_json_has_the_hashes_that_are_known(self, cache, capsys):
        download_weights(show=True, as_json=True)
        listed = json.loads(capsys.readouterr().out)
        assert listed["folder"] == str(cache)
        models = {model["name"]: model for model in listed["models"]}
        assert models.keys() == KNOWN.keys()
        assert models["joint-lite"]["sha256"] == KNOWN["joint-lite"].sha256
        assert models["joint-davis"]["path"] is models["joint-davis"]["published_sha256"] is None
        assert models["imagenet-r50"]["published_sha256"].startswith("0676ba61")
        assert models["imagenet-r50"]["kind"] == "backbone"


class TestVerify:
    def test_what_is_as_it_was_is_ok(self, tiny_file, cache, capsys):
        download_weights(names=["mine"], source=str(tiny_file))
        (cache / "by-hand.safetensors").write_bytes(tiny_file.read_bytes())
        capsys.readouterr()
        download_weights(verify=True)
        rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
        states = {row[0]: row[1] for row in rows}
        assert states == {"by-hand": "unrecorded", "mine": "ok", "joint-lite": "ok"}
        assert rows[0][2] == rows[1][2]
        download_weights(names=["mine"], verify=True, as_json=True)
        (model,) = json.loads(capsys.readouterr().out)["models"]
        assert model["state"] == "ok"
        assert model["sha256"] == model["expected"] == rows[1][2]

    def test_what_has_changed_is_named_at_the_end(self, tiny_file, cache, capsys):
        download_weights(names=["mine"], source=str(tiny_file))
        path = cache / "mine.safetensors"
        time_ns, content = path.stat().st_mtime_ns, bytearray(path.read_bytes())
        content[-1] ^= 1
        path.write_bytes(content)
        os.utime(path, ns=(time_ns, time_ns))
        capsys.readouterr()
        with pytest.raises(IncompatibleWeights, match=r"mine; .* mine --from FILE --force"):
            download_weights(verify=True)
        assert "mine\tchanged\t" in capsys.readouterr().out

    def test_what_is_not_there_is_said(self):
        with pytest.raises(WeightsNotFound, match="joint-davis not installed in"):
            download_weights(names=["joint-davis"], verify=True)


def test_without_a_terminal_progress_is_a_line_now_and_then(capsys):
    now = [100.0]
    lines = weights._Lines(Reporter(), lambda: now[0])
    for done in range(50_000_000, 170_000_000, 10_000_000):
        lines.progress(done, 160_000_000)
        now[0] += 4
    lines.progress(170_000_000, None)
    assert capsys.readouterr().err.splitlines() == [
        "80.0 of 160.0 MB, 2.5 MB/s, about 32 s left",
        "110.0 of 160.0 MB, 2.5 MB/s, about 20 s left",
        "140.0 of 160.0 MB, 2.5 MB/s, about 8 s left",
        "170.0 MB, 2.5 MB/s",
    ]


def test_a_terminal_gets_a_bar(server, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    with redirect_stderr(Terminal()) as shown:
        download_weights(names=["mine"], source=f"{server.address}/good")
    err = shown.getvalue()
    assert "MB" in err
    assert "left" in err
    assert "fetching good" in err


@pytest.mark.parametrize(
    "options", ["show=True", "verify=True", "names=['joint-lite'], offline=True"]
)
def test_what_needs_no_torch_does_not_load_it(options):
    code = (
        "import sys; from jointvos.cli.weights import download_weights;"
        f"download_weights({options}); sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, capture_output=True)
