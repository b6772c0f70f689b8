"""Safetensors files as such: read whole, written whole, and compared with what a network needs."""

from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from jointvos.checkpoints.file_kind import SAFETENSORS, kind_of, listing, refuse
from jointvos.errors import IncompatibleWeights
from jointvos.files.whole_file import whole_file


def read_tensors(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    """The header's notes and the tensors of a safetensors file, in memory of their own.

    They are read, not mapped: once, straight to where they stay. A mapped network would change
    under a session when its file is overwritten, and end the process when it is cut off.

    Raises:
        WeightsError: The file cannot be read.
        IncompatibleWeights: It is damaged, or something else.
    """
    if (kind := kind_of(path)) != SAFETENSORS:
        raise refuse(path, kind, "a model of jointvos")
    try:
        with safe_open(path, framework="pt", device="cpu", backend="pread") as file:
            return file.metadata() or {}, file.get_tensors()
    except (SafetensorError, OSError) as error:
        raise IncompatibleWeights(
            f"{path} is damaged or cut off ({first_line(error)}); download or install it again"
        ) from error


def write_tensors(state: Mapping[str, Tensor], path: Path, notes: Mapping[str, str]) -> None:
    """Write a safetensors file, which appears (or is replaced) only when it is complete.

    Raises:
        OutputError: The file cannot be written.
    """
    with whole_file(path) as partial:
        partial.write_bytes(save(dict(state), dict(notes)))


def compare(expected: Mapping[str, Tensor], found: Mapping[str, Tensor], problem: str) -> None:
    """Names, shapes and kinds of two state dicts must be the same.

    Raises:
        IncompatibleWeights: They are not; the message begins with `problem`.
    """
    faults = []
    if missing := [name for name in expected if name not in found]:
        faults.append(f"missing {listing(missing)}")
    if unexpected := [name for name in found if name not in expected]:
        faults.append(f"unexpected {listing(unexpected)}")
    if faults:
        raise IncompatibleWeights(f"{problem}: {'; '.join(faults)}")
    wrong = [
        f"{name} is {list(found[name].shape)}, expected {list(tensor.shape)}"
        for name, tensor in expected.items()
        if found[name].shape != tensor.shape
    ]
    if wrong:
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise IncompatibleWeights(f"{problem}: {'; '.join(wrong[:3])}{more}")
    if odd := [name for name in expected if not found[name].is_floating_point()]:
        raise IncompatibleWeights(f"{problem}: no floating-point values in {listing(odd)}")


def is_finite(tensor: Tensor) -> bool:
    """A finite sum needs finite terms and is six times as fast; it may overflow, so look again."""
    return bool(tensor.sum().isfinite()) or bool(tensor.isfinite().all())


def first_line(error: Exception) -> str:
    """What another library said, on one line."""
    return (str(error).splitlines() or [type(error).__name__])[0]
