"""Files that were made to do harm, or just went wrong, through the two doors of the package.

The table follows a corpus of such files; every one is made here, byte by byte. Nothing may run,
nothing may be installed, an old model stays, and one line says what the matter is.
"""

import builtins
import hashlib
import io
import json
import os
import pickle
import struct
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hostile_pickles import Call, codings, dicts, pairs, roomy
from misbehaving import QUOTA, Listener

from jointvos.checkpoints import install, load_model
from jointvos.checkpoints.convert import convert
from jointvos.checkpoints.pytorch_file import read_state_dict
from jointvos.checkpoints.safetensors_file import compare, is_finite, read_tensors
from jointvos.errors import IncompatibleWeights, WeightsError

WEIGHT = (np.arange(54, dtype=np.float32) / 54).reshape(2, 3, 3, 3)
STATE = {"conv.weight": WEIGHT, "conv.bias": np.zeros(2, np.float32)}


def torch_zip(content: bytes, **members: bytes) -> bytes:
    """A checkpoint in torch's archive format around a pickle."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in {"data.pkl": content, "version": b"3\n", "byteorder": b"little"}.items():
            archive.writestr(f"archive/{name}", data)
        for name, data in members.items():
            archive.writestr(f"archive/data/{name.removeprefix('_')}", data)
    return buffer.getvalue()


CALLS: dict[str, Callable[[Path], Call]] = {
    "system": lambda canary: Call(os.system, f"touch '{canary}'"),
    "exec": lambda canary: Call(builtins.exec, f"open({str(canary)!r}, 'w').close()"),
    "check_call": lambda canary: Call(subprocess.check_call, ["touch", str(canary)]),
    "bytearray": lambda _: Call(bytearray, 2**40),
    "getattr": lambda _: Call(getattr, "", "upper"),
}


def in_a_zip(call: Call) -> bytes:
    return torch_zip(pickle.dumps({"state_dict": {}, "x": call}, 2))


def in_the_older_container(call: Call) -> bytes:
    parts = [0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}, call, []]
    return b"".join(pickle.dumps(part, 2) for part in parts)


def payload(canary: Path) -> bytes:
    return pickle.dumps(CALLS["system"](canary), 2)


def legacy_tar(canary: Path) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name in ("storages", "tensors", "pickle", "sys_info"):
            content = payload(canary) if name == "storages" else pickle.dumps({}, 2)
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def bomb(canary: Path) -> bytes:
    size = (2**40).to_bytes(6, "little")
    return torch_zip(
        b"\x80\x02}(X\x01\x00\x00\x00xcbuiltins\nbytearray\n(\x8a\x06" + size + b"tRu."
    )


def nested(canary: Path) -> bytes:
    return torch_zip(b"\x80\x02})" + 1_000_000 * b"\x85" + b"Ns.")


def safetensors(
    state: dict[str, np.ndarray], tweak: Callable[[dict[str, Any]], object] | None = None
) -> bytes:
    header: dict[str, Any] = {}
    content = b""
    for name, array in state.items():
        data = array.astype("<f4").tobytes()
        offsets = [len(content), len(content) + len(data)]
        header[name] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": offsets}
        content += data
    if tweak:
        tweak(header)
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + content


def truncated(canary: Path) -> bytes:
    return safetensors(STATE)[:-50]


def header_length(canary: Path) -> bytes:
    return struct.pack("<Q", 1 << 62) + b"{}"


def overlap(canary: Path) -> bytes:
    return safetensors(STATE, lambda header: header["conv.bias"].update(data_offsets=[0, 8]))


def hole(canary: Path) -> bytes:
    return safetensors(STATE, lambda header: header.pop("conv.bias"))


def page(canary: Path) -> bytes:
    return QUOTA.encode()


def nothing(canary: Path) -> bytes:
    return b""


def plain_pickle_with_a_call(canary: Path) -> bytes:
    return pickle.dumps({"conv1.weight": WEIGHT, "x": CALLS["system"](canary)}, 4)


OFFICIAL = (
    "is a PyTorch checkpoint; expected a model of jointvos; install it with "
    "`jointvos.checkpoints.install(NAME"
)
OURS = "is a safetensors file; expected a checkpoint of the official JOINT network; use a jointvos"
DAMAGED = "is damaged or cut off"


@pytest.mark.parametrize(
    ("make", "loaded", "converted"),
    [
        *(
            pytest.param(
                lambda canary, held=held, call=call: held(call(canary)),
                OFFICIAL,
                f"{name}'",
                id=f"{name} {held.__name__}",
            )
            for held in (in_a_zip, in_the_older_container)
            for name, call in CALLS.items()
        ),
        pytest.param(bomb, OFFICIAL, "bytearray'", id="bomb"),
        pytest.param(nested, OFFICIAL, "is damaged, cut off or hostile", id="nested"),
        pytest.param(legacy_tar, "is a tar archive", "is a tar archive", id="tar"),
        pytest.param(payload, "is a Python pickle", "is a Python pickle", id="renamed"),
        pytest.param(
            plain_pickle_with_a_call, "is a Python pickle", "is a Python pickle", id="plain"
        ),
        pytest.param(truncated, DAMAGED, OURS, id="st-truncated"),
        pytest.param(header_length, DAMAGED, OURS, id="st-header-length"),
        pytest.param(overlap, DAMAGED, OURS, id="st-overlap"),
        pytest.param(hole, DAMAGED, OURS, id="st-hole"),
        pytest.param(page, "is a web page, not a model", "is a web page, not a model", id="html"),
        pytest.param(nothing, "is empty", "is empty", id="empty"),
    ],
)
def test_harm_stays_out(make, loaded, converted, tmp_path, cache, tiny_file):
    """As a model, by its path or installed; as a backbone; and as a checkpoint of the authors."""
    canary, path = tmp_path / "canary", tmp_path / "file.safetensors"
    old = install("mine", Listener(), source=str(tiny_file))
    path.write_bytes(make(canary))
    before = {found for found in tmp_path.rglob("*") if found.is_file()}
    messages = []
    for read in (
        load_model,
        lambda path: convert(path, "joint-davis", tmp_path / "made.safetensors"),
        lambda path: install("mine", Listener(), source=str(path), force=True),
        lambda path: install("mask-rcnn-r50-backbone", Listener(), source=str(path)),
    ):
        with pytest.raises(IncompatibleWeights) as caught:
            read(path)
        assert caught.value.exit_code == 5
        messages.append(str(caught.value))
    assert loaded in messages[0]
    assert converted in messages[1]
    assert loaded in messages[2] or converted in messages[2]
    for message in messages:
        assert str(path) in message
        assert "\n" not in message
        assert "weights_only" not in message
        assert "safe_globals" not in message
    assert not canary.exists()
    new = {found for found in tmp_path.rglob("*") if found.is_file()} - before
    assert {found.name for found in new} == {".mask-rcnn-r50-backbone.lock"}
    assert old.read_bytes() == tiny_file.read_bytes()


@pytest.mark.parametrize("name", ["system", "exec", "check_call"])
def test_the_calls_would_do_harm(name, tmp_path):
    pickle.loads(pickle.dumps(CALLS[name](tmp_path / "canary")))
    assert (tmp_path / "canary").exists()


@pytest.mark.slow
def test_bombs_stay_small(tmp_path):
    """In a process of its own, which may take little more than torch itself does."""
    bombs = []
    for make in (bomb, header_length, dicts, pairs, codings, roomy):
        bombs.append(tmp_path / f"{make.__name__}.safetensors")
        bombs[-1].write_bytes(make(tmp_path))
    run = subprocess.run(
        [sys.executable, "-c", MEASURE, *bombs],
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    grown_kb = [int(line) for line in run.stdout.split()]
    assert len(grown_kb) == 12
    assert max(grown_kb) < 50_000


MEASURE = """
import resource, sys
from pathlib import Path
from jointvos.checkpoints.load import load_model
from jointvos.checkpoints.pytorch_file import read_state_dict
from jointvos.errors import IncompatibleWeights

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

for path in sys.argv[1:]:
    for read in (load_model, lambda path: read_state_dict(path, "x")):
        before = peak()
        try:
            read(Path(path))
        except IncompatibleWeights:
            print(peak() - before)
"""


def foreign() -> bytes:
    """Tensors, and beside them objects of classes that are not installed."""

    def text(value: str) -> bytes:
        return b"X" + struct.pack("<I", len(value)) + value.encode()

    def number(value: int) -> bytes:
        return b"J" + struct.pack("<i", value)

    out = [b"\x80\x02}("]
    for index, (name, array) in enumerate(STATE.items()):
        strides = [stride // 4 for stride in array.strides]
        out += [
            text(name),
            b"ctorch._utils\n_rebuild_tensor_v2\n((",
            text("storage"),
            b"ctorch\nFloatStorage\n",
            text(str(index)),
            text("cpu"),
            number(array.size),
            b"tQ",
            number(0),
            b"(" + b"".join(number(side) for side in array.shape) + b"t",
            b"(" + b"".join(number(stride) for stride in strides) + b"t",
            b"\x89ccollections\nOrderedDict\n)RtR",
        ]
    out += [
        text("settings") + b"cltr.admin.settings\nSettings\n)\x81}(" + text("device"),
        text("cuda") + b"ub",
        text("stats") + b"cltr.admin.stats\nAverageMeter\n)\x81}(" + text("avg"),
        b"G" + struct.pack(">d", 0.5) + b"ubu.",
    ]
    data = {f"_{index}": array.tobytes() for index, array in enumerate(STATE.values())}
    return torch_zip(b"".join(out), **data)


def test_honest_tensors_beside_foreign_classes_are_read(tmp_path):
    path = tmp_path / "foreign.pth.tar"
    path.write_bytes(foreign())
    found = read_state_dict(path, "x")
    assert {name: list(tensor.shape) for name, tensor in found.items()} == {
        "conv.weight": [2, 3, 3, 3],
        "conv.bias": [2],
    }
    assert torch.equal(found["conv.weight"], torch.from_numpy(WEIGHT))
    assert not any(name.startswith("ltr") for name in sys.modules)


class TestWellFormedSafetensors:
    """What the format allows and a network does not."""

    @pytest.fixture
    def expected(self) -> dict[str, torch.Tensor]:
        return {name: torch.from_numpy(array) for name, array in STATE.items()}

    def read(self, path: Path, state: dict[str, np.ndarray]) -> dict[str, torch.Tensor]:
        path.write_bytes(safetensors(state))
        return read_tensors(path)[1]

    def test_a_good_one_is_read(self, expected, tmp_path):
        found = self.read(tmp_path / "good.safetensors", STATE)
        compare(expected, found, "x")
        assert all(torch.equal(found[name], expected[name]) for name in expected)

    def test_other_shapes_are_named(self, expected, tmp_path):
        other = {**STATE, "conv.weight": np.zeros((2, 3, 5, 5), np.float32)}
        with pytest.raises(
            IncompatibleWeights, match=r"conv.weight is \[2, 3, 5, 5\], expected \[2, 3, 3, 3\]"
        ):
            compare(expected, self.read(tmp_path / "a.safetensors", other), "x")

    def test_missing_tensors_are_named(self, expected, tmp_path):
        found = self.read(tmp_path / "a.safetensors", {"conv.bias": STATE["conv.bias"]})
        with pytest.raises(IncompatibleWeights, match=r"missing 'conv\.weight'"):
            compare(expected, found, "x")

    def test_nan_and_infinity_are_seen(self, tmp_path):
        bad = {**STATE, "conv.bias": np.array([np.nan, np.inf], np.float32)}
        found = self.read(tmp_path / "a.safetensors", bad)
        assert [name for name in found if not is_finite(found[name])] == ["conv.bias"]

    def test_a_flipped_bit_is_seen_where_the_hash_is_known(
        self, tmp_path, cache, tiny_file, monkeypatch
    ):
        old = install("mine", Listener(), source=str(tiny_file))
        content = bytearray(tiny_file.read_bytes())
        content[-1] ^= 1
        assert hashlib.sha256(content).digest() != hashlib.sha256(old.read_bytes()).digest()
        old.write_bytes(content)
        with pytest.raises(WeightsError, match="its size or SHA-256 differs"):
            load_model("mine")
