"""The authors' checkpoints into our model files, without running anything that they contain.

Such a file is a pickled dict of the network's tensors ("net") and much else, objects of the
authors' own classes included. Two locks keep code out: before anything is built the pickle is
listed, and a name outside the short list of the official format ends it there; then torch reads
it with its restricted unpickler, which is given empty stand-ins for those classes.
"""

import hashlib
import io
import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from pickle import UnpicklingError
from pickletools import genops

import torch
from torch import Tensor

from jointvos.checkpoints.content import CHECKPOINT, LEGACY_TORCH, kind_of, listing, refuse
from jointvos.checkpoints.load import fill, save_model, skeleton
from jointvos.checkpoints.official import convert_official
from jointvos.checkpoints.registry import KNOWN, SUFFIX, check_name
from jointvos.config import MODELS
from jointvos.errors import ConfigError, IncompatibleWeights, OutputError

PRESET = "joint-r50"
EXPECTED = "a checkpoint of the official JOINT network"

TENSORS = {
    "collections.OrderedDict",
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


def read_official(path: Path) -> dict[str, Tensor]:
    """The network's tensors in a checkpoint of the authors, under their names, on the CPU.

    Raises:
        WeightsError: The file cannot be read.
        IncompatibleWeights: It is damaged, something else, or refers to anything foreign.
    """
    if (kind := kind_of(path)) != CHECKPOINT:
        raise refuse(path, kind, EXPECTED)
    with _malformed_as_error(path):
        names = _names_in(path)
        if strange := sorted(names - TENSORS - INERT):
            raise IncompatibleWeights(
                f"{path} refers to {listing(strange)}, which {EXPECTED} never does; nothing in it "
                "was run, do not trust it"
            )
        with torch.serialization.safe_globals([(_Inert, name) for name in INERT]):
            content = torch.load(path, map_location="cpu", weights_only=True)
    net = content.get("net") if isinstance(content, dict) else None
    if not isinstance(net, dict) or not net:
        raise IncompatibleWeights(f"{path} has no network under the key 'net'; expected {EXPECTED}")
    for name, tensor in net.items():
        if not isinstance(name, str) or not isinstance(tensor, Tensor):
            raise IncompatibleWeights(f"{path} has {str(name)[:80]!r} under 'net', no tensor")
        # A tensor of zero stride may claim any size: copying it would fill the memory.
        if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
            raise IncompatibleWeights(f"{path}: {name[:80]!r} is larger than its data")
    return net


def convert(path: Path, name: str, destination: Path) -> Path:
    """Install a checkpoint of the authors as a model; on any error nothing changes.

    Args:
        path: The checkpoint.
        name: What to install it as.
        destination: Folder that gets `name`.safetensors, replacing one that is there.

    Returns:
        The file written.

    Raises:
        ConfigError: The name will not do.
        WeightsError: The checkpoint cannot be read.
        IncompatibleWeights: It is not a whole official network.
        OutputError: The model cannot be written.
    """
    known = KNOWN.get(check_name(name))
    if known is not None and known.preset != PRESET:
        raise ConfigError(f"{name!r} is the name of {known.description}; choose another")
    config = MODELS[PRESET]
    if known is not None:
        config = replace(config, inference=known.inference)
    try:
        state = convert_official(read_official(path))
    except IncompatibleWeights as error:
        prefix = "" if str(path) in str(error) else f"{path}: "
        raise IncompatibleWeights(f"{prefix}{error}") from error
    net = fill(skeleton(config), state, path)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    target = destination / f"{name}{SUFFIX}"
    try:
        destination.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{destination} cannot be made: {error.strerror}") from error
    notes = {"source": path.name, "source_sha256": digest, "preset": PRESET}
    save_model(net, target, metadata=notes | {"date": datetime.now(UTC).date().isoformat()})
    return target


@contextmanager
def _malformed_as_error(path: Path) -> Iterator[None]:
    try:
        yield
    except IncompatibleWeights:
        raise
    except MALFORMED as error:
        # torch's own message is left out: it advises to read the file without protection.
        raise IncompatibleWeights(
            f"{path} is damaged, cut off or hostile ({type(error).__name__}); expected {EXPECTED}"
        ) from error


def _names_in(path: Path) -> set[str]:
    """Every global name that the pickles of a checkpoint refer to; nothing is looked up."""
    with path.open("rb") as file:
        head = file.read(LARGEST_PICKLE)
    if head.startswith(LEGACY_TORCH):
        content = io.BytesIO(head)
        # Magic number, protocol, machine, the object, its storages; raw data follows.
        return set[str]().union(*(_globals(content) for _ in range(5)))
    with zipfile.ZipFile(path) as archive:
        if any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist()):
            raise IncompatibleWeights(f"{path} is a compressed archive; expected {EXPECTED}")
        names = [name for name in archive.namelist() if PurePosixPath(name).name == "data.pkl"]
        if len(names) != 1:
            raise IncompatibleWeights(f"{path} is a zip archive; expected {EXPECTED}")
        with archive.open(names[0]) as file:
            return _globals(io.BytesIO(file.read(LARGEST_PICKLE)))


def _globals(content: io.BytesIO) -> set[str]:
    names = set()
    texts = ["", ""]
    for opcode, argument, _ in genops(content):
        if opcode.name in ("GLOBAL", "INST"):
            names.add(str(argument).replace(" ", ".", 1))
        elif opcode.name == "STACK_GLOBAL":
            names.add(".".join(texts))
        elif isinstance(argument, str):
            texts = [texts[-1], argument]
    return names
