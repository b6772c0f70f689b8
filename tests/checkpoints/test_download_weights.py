"""The command that installs models."""

import subprocess
import sys
from pathlib import Path

import pytest

import jointvos.checkpoints.convert as conversion
from jointvos.cli.weights import download_weights
from jointvos.errors import ConfigError, IncompatibleWeights, OutputExists

TINY = Path(__file__).parents[1] / "reference" / "tiny_official_format_zip.pth.tar"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        pytest.param({}, "with a browser, then run `jointvos download-weights --from", id="none"),
        pytest.param({"name": "joint-davis"}, "not built in yet", id="name-only"),
        pytest.param({"source": TINY}, "--from needs --name", id="no-name"),
        pytest.param({"source": TINY, "name": "A b"}, "no name for a model", id="bad-name"),
        pytest.param({"show": True, "name": "x"}, "--list goes alone", id="both"),
    ],
)
def test_wrong_options_are_explained(options: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        download_weights(**options)  # type: ignore[arg-type]
    assert said in str(caught.value)


def test_the_list_is_on_stdout_and_the_rest_on_stderr(
    cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (cache / "joint-davis.safetensors").touch()
    download_weights(show=True)
    out, err = capsys.readouterr()
    assert out.splitlines()[0] == f"joint-davis\t{cache / 'joint-davis.safetensors'}"
    assert "not installed: joint-ytvos" in err
    assert str(cache) in err


def test_an_installed_model_is_kept_unless_forced(
    cache: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = cache / "joint-davis.safetensors"
    model.write_bytes(b"old")
    with pytest.raises(OutputExists, match="replace it with --force"):
        download_weights(source=TINY, name="joint-davis")
    with pytest.raises(IncompatibleWeights, match="missing"):
        download_weights(source=TINY, name="joint-davis", force=True)
    assert model.read_bytes() == b"old"
    assert [path.name for path in cache.iterdir()] == [model.name]

    monkeypatch.setattr(conversion, "read_official", lambda path: {})
    monkeypatch.setattr(conversion, "convert_official", lambda state: state)
    monkeypatch.setattr(conversion, "fill", lambda net, state, path: net)
    monkeypatch.setattr(
        conversion, "save_model", lambda net, path, metadata: path.write_bytes(b"new")
    )
    capsys.readouterr()
    download_weights(source=TINY, name="joint-davis", force=True)
    assert model.read_bytes() == b"new"
    assert capsys.readouterr().out == f"{model}\n"


def test_importing_the_command_leaves_torch_alone() -> None:
    code = "import sys, jointvos.cli.weights; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
