"""The authors' checkpoints: honest ones come in, everything else stays out and runs nothing."""

import hashlib
import json
import os
import pickle
import sys
import types
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hostile_pickles import Call
from safetensors import safe_open
from torch import Tensor

import jointvos
from jointvos.checkpoints import load_model
from jointvos.checkpoints.convert import EXPECTED, convert, convert_official
from jointvos.checkpoints.load import fill, skeleton
from jointvos.checkpoints.pytorch_file import read_official
from jointvos.config import MODELS
from jointvos.errors import IncompatibleWeights, WeightsError

REFERENCE = Path(__file__).parents[1] / "reference"
TINY = [REFERENCE / f"tiny_official_format_{kind}.pth.tar" for kind in ("zip", "legacy")]
FOREIGN = [
    ("ltr.admin.model_constructor", "NetConstructor"),
    ("ltr.admin.settings", "Settings"),
    ("ltr.admin.local", "EnvironmentSettings"),
    ("ltr.admin.stats", "AverageMeter"),
    ("ltr.admin.stats", "StatValue"),
]


@pytest.fixture
def foreign(monkeypatch: pytest.MonkeyPatch) -> dict[str, type]:
    """Classes like those of the authors' training code, under the names of its modules."""
    made = {}
    for module in {"ltr", "ltr.admin", *(module for module, _ in FOREIGN)}:
        monkeypatch.setitem(sys.modules, module, types.ModuleType(module))
    for module, name in FOREIGN:
        made[name] = type(name, (), {"__module__": module})
        setattr(sys.modules[module], name, made[name])  # gone with the module
    return made


def official(net: dict[str, Tensor], classes: dict[str, type]) -> dict[str, Any]:
    """The layout of the authors' checkpoints."""

    def filled(name: str, **values: object) -> object:
        made = classes[name]()
        made.__dict__.update(values)
        return made

    meter = filled("AverageMeter", avg=np.float64(0.5), history=[np.float32(1)], count=3)
    settings = filled("Settings", env=filled("EnvironmentSettings", workspace="w"), use_gpu=True)
    return {
        "epoch": 90,
        "actor_type": "SegActor",
        "net_type": "JOINTNet",
        "net": OrderedDict(net),
        "net_info": None,
        "constructor": filled("NetConstructor", fun_name="f", fun_module="ltr.m", kwds={"a": 1}),
        "optimizer": {"state": {0: {"step": 3, "exp_avg": torch.ones(2)}}, "param_groups": []},
        "stats": OrderedDict(Loss=meter, Rate=filled("StatValue", val=0.1)),
        "settings": settings,
    }


@pytest.fixture(scope="module")
def whole() -> dict[str, Tensor]:
    """Every tensor of an official network, of its size, with random values."""
    table = json.loads((REFERENCE / "keys.json").read_text())
    generator = torch.Generator().manual_seed(0)
    return {
        name: torch.rand(shape, generator=generator)
        if kind == "float32"
        else torch.zeros(shape, dtype=torch.int64)
        for name, shape, kind in table
    }


def say(path: Path) -> str:
    with pytest.raises(IncompatibleWeights) as caught:
        read_official(path, EXPECTED)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    assert "weights_only" not in message
    assert "safe_globals" not in message
    return message


@pytest.mark.parametrize("path", [pytest.param(path, id=path.name[21:-8]) for path in TINY])
class TestRecordedCheckpoints:
    def test_tensors_are_read_without_the_authors_classes(self, path):
        state = read_official(path, EXPECTED)
        assert len(state) == 16
        assert state["feature_extractor.bn1.running_var"].shape == (64,)
        assert state["feature_extractor.bn1.num_batches_tracked"].dtype == torch.int64
        assert not any(name.startswith("ltr") for name in sys.modules)
        names = [kind[1] for kind in torch.serialization.get_safe_globals() if type(kind) is tuple]
        assert not any(name.startswith(("ltr", "numpy")) for name in names)

    def test_too_few_tensors_are_refused_and_nothing_is_left(self, path, tmp_path):
        with pytest.raises(IncompatibleWeights, match=r"pth\.tar: transformer.*missing") as caught:
            convert(path, "joint-davis", tmp_path / "made.safetensors")
        assert "\n" not in str(caught.value)
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("part", range(1, 20))
    def test_truncated_ones_are_refused(self, path, part, tmp_path):
        content = path.read_bytes()
        cut = tmp_path / "cut.pth.tar"
        cut.write_bytes(content[: len(content) * part // 20])
        assert "damaged, cut off or hostile" in say(cut)


def test_both_containers_hold_the_same():
    first, second = (read_official(path, EXPECTED) for path in TINY)
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_the_older_home_of_numpy_scalars_is_known(tmp_path):
    content = TINY[1].read_bytes()
    older = content.replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n")
    assert older != content
    path = tmp_path / "old.pth.tar"
    path.write_bytes(older)
    assert len(read_official(path, EXPECTED)) == 16


@pytest.mark.parametrize(
    "zipped",
    [pytest.param(True, id="zip"), pytest.param(False, id="legacy", marks=pytest.mark.slow)],
)
def test_a_whole_checkpoint_becomes_a_model(zipped, tmp_path, foreign, whole):
    path = tmp_path / "JOINT_davis.pth.tar"
    torch.save(official(whole, foreign), path, _use_new_zipfile_serialization=zipped)
    made = tmp_path / "models" / "made.safetensors"
    made.parent.mkdir()
    convert(path, "joint-davis", made)
    assert list(made.parent.iterdir()) == [made]
    net = load_model(made)
    assert net.config.name == "joint-r50"
    assert net.config.inference == "davis"
    transduction, induction = net.heads.weight.split(512)
    assert torch.equal(transduction, whole["transformer.feature_adjustor.0.weight"])
    assert torch.equal(induction, whole["target_model.feature_extractor.0.weight"])
    assert torch.equal(net.backbone.conv1.weight, whole["feature_extractor.conv1.weight"].flip(1))
    with safe_open(made, framework="pt") as file:
        notes = file.metadata()
    assert notes["source"] == "JOINT_davis.pth.tar"
    assert notes["source_sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert notes["preset"] == "joint-r50"
    assert notes["license"] == "the authors state none"
    assert len(notes["date"]) == 10


BIAS = "decoder.project.conv1.bias"
HEAD = "transformer.feature_adjustor.0.weight"


@pytest.mark.parametrize(
    ("name", "tensor", "said"),
    [
        pytest.param(BIAS, torch.full((32,), float("nan")), "NaN or infinite", id="nan"),
        pytest.param(BIAS, torch.zeros(31), "is [31], expected [32]", id="shape"),
        pytest.param(BIAS, None, "missing 'decoder.upsample1.bias'", id="missing"),
        pytest.param(
            "feature_extractor.layer5.weight",
            torch.zeros(1),
            "unexpected 'backbone.layer5.weight'",
            id="unexpected",
        ),
        pytest.param("mystery", torch.zeros(1), "unknown tensor 'mystery'", id="unknown"),
        pytest.param(HEAD, None, "feature_adjustor.0.weight missing", id="head-missing"),
        pytest.param(HEAD, torch.zeros(3), "the heads are [3] and [512", id="head-shape"),
        pytest.param(
            "feature_extractor.conv1.weight",
            torch.zeros(64),
            "backbone.conv1.weight is [64], expected [64, 3, 7, 7]",
            id="stem-shape",
        ),
    ],
)
def test_networks_that_do_not_fit_are_refused(name, tensor, said, whole):
    state = {key: value for key, value in whole.items() if key != name}
    if tensor is not None:
        state[name] = tensor
    with pytest.raises(IncompatibleWeights) as caught:
        fill(skeleton(MODELS["joint-r50"]), convert_official(state), Path("x.pth"))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_names_in_newer_pickle_protocols_are_seen(tmp_path):
    path = tmp_path / "evil.pth.tar"
    torch.save({"net": {}, "x": Call(os.system, "true")}, path, pickle_protocol=4)
    assert "system'" in say(path)


@pytest.mark.parametrize("place", range(5))
def test_payloads_are_found_in_every_part_of_the_legacy_container(place, tmp_path):
    canary = tmp_path / "canary"
    path = tmp_path / "evil.pth.tar"
    parts: list[object] = [0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}, {"net": {}}, []]
    parts[place] = Call(os.system, f"touch '{canary}'")
    path.write_bytes(b"".join(pickle.dumps(part, 2) for part in parts))
    assert ("system'" if place else "a Python pickle") in say(path)
    assert not canary.exists()


def test_foreign_classes_beside_the_known_ones_are_refused(tmp_path, foreign):
    made = {}
    for name in ("Alpha", "Beta", "Delta", "Gamma"):
        made[name] = type(name, (), {"__module__": "ltr.admin.settings"})
        setattr(sys.modules["ltr.admin.settings"], name, made[name])
    path = tmp_path / "more.pth.tar"
    torch.save({"net": {}, "x": [kind() for kind in made.values()]}, path)
    message = say(path)
    assert "'ltr.admin.settings.Alpha', 'ltr.admin.settings.Beta'" in message
    assert "and 1 more" in message


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param({"w": torch.zeros(2)}, "no network under 'net'", id="plain-state"),
        pytest.param({"net": {}}, "no network under 'net'", id="empty"),
        pytest.param([1, 2], "no network under 'net'", id="list"),
        pytest.param({"net": {"a": 1}}, "'a' under 'net', no tensor", id="number"),
        pytest.param({"net": {3: torch.zeros(1)}}, "type int under 'net'", id="key"),
        pytest.param(
            {"net": {"a": torch.zeros(1).expand(10**6, 10**6)}}, "larger than its data", id="bomb"
        ),
    ],
)
def test_other_layouts_are_refused(content, said, tmp_path):
    path = tmp_path / "other.pth.tar"
    torch.save(content, path)
    assert said in say(path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(
            b"\x10" + bytes(7) + b'{"a":1}', "use a jointvos model directly", id="safetensors"
        ),
        pytest.param(b"PK\x03\x04 and no more", "damaged, cut off", id="no-zip"),
    ],
)
def test_other_files_are_called_by_their_kind(content, said, tmp_path):
    path = tmp_path / "file.pth.tar"
    path.write_bytes(content)
    assert said in say(path)


@pytest.mark.parametrize(
    ("member", "how", "said"),
    [
        pytest.param("a/photo.jpg", zipfile.ZIP_STORED, "is a zip archive", id="other"),
        pytest.param("a/data.pkl", zipfile.ZIP_DEFLATED, "a compressed archive", id="bomb"),
        pytest.param("a/data.pkl", zipfile.ZIP_STORED, "damaged, cut off", id="endless"),
    ],
)
def test_other_archives_are_refused(member, how, said, tmp_path):
    path = tmp_path / "archive.pth.tar"
    with zipfile.ZipFile(path, "w", how) as archive:
        archive.writestr(member, b"\x80\x02" + b"]0" * 10_000)
    assert said in say(path)


def test_files_that_cannot_be_read_are_named(tmp_path):
    with pytest.raises(WeightsError, match="cannot be read: No such file"):
        read_official(tmp_path / "absent.pth", EXPECTED)
    with pytest.raises(WeightsError, match="cannot be read: Is a directory"):
        read_official(tmp_path, EXPECTED)


def test_nothing_in_the_package_unpickles_freely():
    package = Path(jointvos.__file__).parent
    sources = {path: path.read_text() for path in package.rglob("*.py")}
    assert any("weights_only=True" in text for text in sources.values())
    ours = package / "training" / "data" / "feed.py"  # what it reads it has pickled itself
    assert "pickle.dumps(item" in sources.pop(ours)
    for path, text in sources.items():
        for banned in ("weights_only=False", "pickle.load", "import pickle\n"):
            assert banned not in text, f"{path}: {banned}"
        assert text.count("Unpickler)") == text.count("def find_class("), path
        assert text.count("torch.load(") == text.count("weights_only=True"), path
