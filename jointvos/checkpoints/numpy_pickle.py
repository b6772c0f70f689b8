"""Plain pickles of NumPy arrays, as old checkpoints of Caffe-like networks are.

A pickle can call whatever it names. Here it finds nothing but stand-ins, which keep what they are
told and copy nothing.
"""

from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from pickle import Unpickler, UnpicklingError
from pickletools import genops
from typing import Any

import numpy as np
import torch
from torch import Tensor

from jointvos.checkpoints.file_kind import listing
from jointvos.errors import IncompatibleWeights

MOST_STEPS = 50_000
"""A network of some hundred arrays takes ten thousand. A step builds an object of fixed size or
copies bytes of the file; but nesting much deeper than this overflows the C stack."""
MOST_BYTES = 1 << 30

NUMPY_TYPES = ("f2", "f4", "f8", "i4", "i8", "u1")


def read_arrays(path: Path, expected: str) -> object:
    """What a plain pickle holds, with an `Array` for each array.

    Raises:
        IncompatibleWeights: It is too large, or refers to anything but arrays.
        UnpicklingError: It is damaged; so do the other errors of `pytorch_file.MALFORMED`.
    """
    if (size := path.stat().st_size) > MOST_BYTES:
        raise IncompatibleWeights(
            f"{path} is a pickle of {size} bytes; expected {expected}, at most {MOST_BYTES} bytes"
        )
    content = path.read_bytes()
    _check_memory(content)
    try:
        return _Unpickler(BytesIO(content), encoding="latin1").load()  # as Python 2's bytes are
    except _Foreign as error:
        raise IncompatibleWeights(
            f"{path} refers to {listing([str(error)])}, which a plain pickle of arrays never does; "
            "nothing in it was run, do not trust it"
        ) from error


def _check_memory(content: bytes) -> None:
    """Refuse what would take an unpickler much more memory than the pickle itself takes."""
    for count, (opcode, argument, _) in enumerate(genops(content)):
        # As many values as the highest number says find room at once.
        if count > MOST_STEPS or ("PUT" in opcode.name and (argument or 0) > MOST_STEPS):
            raise UnpicklingError("too much")


class _Foreign(Exception):
    """A name that has no stand-in."""


class _Unpickler(Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (full := f"{module}.{name}") not in STAND_INS:
            raise _Foreign(full)
        return STAND_INS[full]


class Array:
    """An array as the pickle tells of it; nothing is copied."""

    def __init__(self, *arguments: object) -> None:
        self.state: Any = None

    def __setstate__(self, state: object) -> None:
        self.state = state

    @property
    def nbytes(self) -> int:
        """Bytes that a tensor of it takes."""
        return len(self.state[-1])

    def tensor(self) -> Tensor:
        """Its values in memory of their own."""
        _, shape, kind, fortran, data = self.state
        if kind.code not in NUMPY_TYPES or kind.order not in ("<", "|", "="):
            raise UnpicklingError("an array of another kind")
        raw = data.encode("latin1") if isinstance(data, str) else data
        values = np.frombuffer(raw, f"<{kind.code}").reshape(shape, order="F" if fortran else "C")
        return torch.from_numpy(np.array(values, order="C"))


class _Kind:
    """An array's dtype."""

    def __init__(self, code: str, *flags: object) -> None:
        self.code, self.order = code, "<"

    def __setstate__(self, state: Any) -> None:
        self.order = state[1]


def _dict(pairs: Any = ()) -> dict[Any, object]:
    """One of these pairs; they are taken, as giving them again and again would fill the memory."""
    made = dict(pairs)
    if made:
        pairs.clear()
    return made


def _text(text: str, coding: str) -> str:
    """Bytes, left as the text that they are written as: a copy each time would fill the memory."""
    if coding != "latin1":
        raise UnpicklingError(coding)
    return text


STAND_INS: Mapping[str, Callable[..., object]] = {
    "_codecs.encode": _text,
    "collections.OrderedDict": _dict,
    "numpy.dtype": _Kind,
    "numpy.ndarray": Array,
    "numpy.core.multiarray._reconstruct": Array,
    "numpy._core.multiarray._reconstruct": Array,
}
"""What a pickle of arrays may refer to, and what it gets instead."""


def as_tensors(values: Mapping[Any, object], most_bytes: int) -> dict[Any, object]:
    """The same with tensors for arrays, which together take no more than so many bytes.

    Raises:
        UnpicklingError: They would take more; other errors as for `read_arrays`.
    """
    arrays = {id(value): value for value in values.values() if isinstance(value, Array)}
    if sum(array.nbytes for array in arrays.values()) > most_bytes:
        raise UnpicklingError("more data than the file has")
    tensors = {key: array.tensor() for key, array in arrays.items()}
    return {name: tensors.get(id(value), value) for name, value in values.items()}
