"""Tensors out of PyTorch checkpoints, without running anything that they contain.

Such a file is a pickle, and a pickle can call any function. Two locks keep code out: before
anything is built the pickle is listed, and a name outside the short list of what checkpoints of
networks hold ends it there; then torch reads it with its restricted unpickler, which is given
empty stand-ins for the classes of the authors' training code.
"""

import io
import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from pickle import UnpicklingError
from pickletools import genops

import torch
from torch import Tensor

from jointvos.checkpoints.file_kind import (
    CHECKPOINT,
    LEGACY_TORCH,
    PICKLE,
    kind_of,
    listing,
    refuse,
)
from jointvos.checkpoints.numpy_pickle import as_tensors, read_arrays
from jointvos.errors import IncompatibleWeights

TENSORS = {
    "collections.OrderedDict",
    "torch._utils._rebuild_parameter",
    "torch._utils._rebuild_tensor_v2",
    "torch.FloatStorage",
    "torch.DoubleStorage",
    "torch.LongStorage",
    "_codecs.encode",
}
"""Names that torch's restricted unpickler knows itself."""

INERT = {
    "ltr.admin.local.EnvironmentSettings",
    "ltr.admin.model_constructor.NetConstructor",
    "ltr.admin.settings.Settings",
    "ltr.admin.stats.AverageMeter",
    "ltr.admin.stats.StatValue",
    "numpy.dtype",
    "numpy.core.multiarray.scalar",
    "numpy._core.multiarray.scalar",
}
"""Names that become `_Inert`: bookkeeping of the authors' training."""

LARGEST_PICKLE = 4 << 20
"""Bytes that are listed; the official one, without its tensors, has about a tenth of that."""

MOST_TUPLES = 50_000
"""A tensor takes five. Nested much more deeply than this they overflow the C stack."""

WRAPPERS = ("model", "state_dict", "net")
"""Names under which checkpoints of other projects keep the network's tensors."""

MALFORMED = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    UnpicklingError,
    ValueError,
    struct.error,
    zipfile.BadZipFile,
)
"""What unpicklers and archive readers raise on damaged or hostile bytes."""


class _Inert:
    """Takes whatever the pickle says of an object, and keeps nothing."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        pass


def read_official(path: Path, expected: str) -> dict[str, Tensor]:
    """The network's tensors in a checkpoint of the authors, under their names, on the CPU.

    Raises:
        WeightsError: The file cannot be read.
        IncompatibleWeights: It is damaged, something else, or refers to anything foreign.
    """
    if (kind := kind_of(path)) != CHECKPOINT:
        raise refuse(path, kind, expected)
    content = _read_checkpoint(path, expected)
    net = content.get("net") if isinstance(content, dict) else None
    return _tensors(net, path, "under 'net'", expected)


def read_state_dict(path: Path, expected: str) -> dict[str, Tensor]:
    """The tensors of a checkpoint that is a state dict, or holds one under a usual name.

    A plain pickle of NumPy arrays will do as well; bookkeeping beside the tensors is left out.

    Raises:
        WeightsError: The file cannot be read.
        IncompatibleWeights: It is damaged, something else, or refers to anything foreign.
    """
    kind = kind_of(path)
    if kind == PICKLE:
        with _malformed_as_error(path, expected):
            content = read_arrays(path, expected)
    elif kind == CHECKPOINT:
        content = _read_checkpoint(path, expected)
    else:
        raise refuse(path, kind, expected)
    if isinstance(content, dict):
        inner = next((content[name] for name in WRAPPERS if name in content), content)
        content = inner if isinstance(inner, dict) else content
        content = {name: value for name, value in content.items() if type(value) is not _Inert}
        with _malformed_as_error(path, expected):
            content = as_tensors(content, path.stat().st_size)
    return _tensors(content, path, "in it", expected)


def _read_checkpoint(path: Path, expected: str) -> object:
    """What a checkpoint holds, after both locks."""
    with _malformed_as_error(path, expected):
        names = _names_in(path, expected)
        if strange := sorted(names - TENSORS - INERT):
            raise IncompatibleWeights(
                f"{path} refers to {listing(strange)}, which {expected} never does; nothing in it "
                "was run, do not trust it"
            )
        with torch.serialization.safe_globals([(_Inert, name) for name in INERT]):
            return torch.load(path, map_location="cpu", weights_only=True)


def _tensors(net: object, path: Path, place: str, expected: str) -> dict[str, Tensor]:
    """A dict of names and tensors, and nothing but that."""
    if not isinstance(net, dict) or not net:
        raise IncompatibleWeights(f"{path} has no network {place}; expected {expected}")
    for name, tensor in net.items():
        if not isinstance(name, str):
            raise IncompatibleWeights(
                f"{path} has a key of type {type(name).__name__} {place}, expected tensors by name"
            )
        if not isinstance(tensor, Tensor):
            raise IncompatibleWeights(f"{path} has {name[:80]!r} {place}, no tensor")
        # A tensor of zero stride may claim any size: copying it would fill the memory.
        if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
            raise IncompatibleWeights(f"{path}: {name[:80]!r} is larger than its data")
    return net


@contextmanager
def _malformed_as_error(path: Path, expected: str) -> Iterator[None]:
    try:
        yield
    except IncompatibleWeights:
        raise
    except MALFORMED as error:
        # torch's own message is left out: it advises to read the file without protection.
        raise IncompatibleWeights(
            f"{path} is damaged, cut off or hostile ({type(error).__name__}); expected {expected}"
        ) from error


def _names_in(path: Path, expected: str) -> set[str]:
    """Every global name that the pickles of a checkpoint refer to; nothing is looked up."""
    with path.open("rb") as file:
        head = file.read(LARGEST_PICKLE)
    if head.startswith(LEGACY_TORCH):
        content = io.BytesIO(head)
        # Magic number, protocol, machine, the object, its storages; raw data follows.
        return set[str]().union(*(_globals(content) for _ in range(5)))
    with zipfile.ZipFile(path) as archive:
        if any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist()):
            raise IncompatibleWeights(f"{path} is a compressed archive; expected {expected}")
        names = [name for name in archive.namelist() if PurePosixPath(name).name == "data.pkl"]
        if len(names) != 1:
            raise IncompatibleWeights(f"{path} is a zip archive; expected {expected}")
        with archive.open(names[0]) as file:
            return _globals(io.BytesIO(file.read(LARGEST_PICKLE)))


def _globals(content: io.BytesIO) -> set[str]:
    names = set()
    texts, tuples = ["", ""], 0
    for opcode, argument, _ in genops(content):
        tuples += opcode.name.startswith("TUPLE")
        if tuples > MOST_TUPLES:
            raise UnpicklingError("too many tuples")
        if opcode.name in ("GLOBAL", "INST"):
            names.add(str(argument).replace(" ", ".", 1))
        elif opcode.name == "STACK_GLOBAL":
            names.add(".".join(texts))
        elif isinstance(argument, str):
            texts = [texts[-1], argument]
    return names
