"""Plain pickles of NumPy arrays, as old checkpoints of Caffe-like networks are, without unpickling.

The opcodes are read as data by a machine that knows dicts, lists, tuples, texts, numbers and the
three calls that an array is written with. There is nothing in it that could call anything else.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from pickle import UnpicklingError
from pickletools import genops
from typing import Any

import numpy as np
import torch
from torch import Tensor

from jointvos.checkpoints.file_kind import listing
from jointvos.errors import IncompatibleWeights

MOST_OPCODES = 1_000_000
"""A network of some hundred arrays takes about ten thousand."""

NUMPY_TYPES = {"f2", "f4", "f8", "i4", "i8", "u1"}


@dataclass(frozen=True)
class _Global:
    """A name that the pickle refers to; it is never looked up."""

    name: str


@dataclass
class _Kind:
    """An array's dtype in the making."""

    code: str
    order: str = "<"


@dataclass
class _Array:
    """An array in the making."""

    tensor: Tensor | None = None


CALLS: Mapping[str, Callable[..., object]] = {
    "_codecs.encode": lambda text, coding: text.encode({"latin1": "latin1"}[coding]),
    "collections.OrderedDict": dict,
    "numpy.dtype": lambda code, *flags: _Kind(code),
    "numpy.core.multiarray._reconstruct": lambda kind, shape, code: _Array(),
    "numpy._core.multiarray._reconstruct": lambda kind, shape, code: _Array(),
}

_MARK = object()


@dataclass
class _Machine:
    """What is in the making, and how many bytes arrays may still take: no more than the file."""

    room: int
    stack: list[Any] = field(default_factory=list)
    memo: dict[int, Any] = field(default_factory=dict)

    def step(self, opcode: str, argument: Any) -> None:
        stack = self.stack
        match opcode:
            case "PROTO" | "FRAME" | "STOP":
                pass
            case "BININT" | "BININT1" | "BININT2" | "LONG1" | "BINFLOAT":
                stack.append(argument)
            case "BINSTRING" | "SHORT_BINSTRING" | "BINUNICODE" | "SHORT_BINUNICODE":
                stack.append(argument)
            case "BINBYTES" | "SHORT_BINBYTES" | "BINBYTES8":
                stack.append(argument)
            case "NONE" | "NEWTRUE" | "NEWFALSE":
                stack.append({"NONE": None, "NEWTRUE": True, "NEWFALSE": False}[opcode])
            case "EMPTY_DICT":
                stack.append({})
            case "EMPTY_LIST":
                stack.append([])
            case "EMPTY_TUPLE":
                stack.append(())
            case "MARK":
                stack.append(_MARK)
            case "POP":
                stack.pop()
            case "TUPLE":
                stack.append(tuple(self.since_mark()))
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                stack.append(tuple(self.last(int(opcode[-1]))))
            case "APPEND":
                self.extend(self.last(1))
            case "SETITEM":
                self.extend(self.last(2))
            case "APPENDS" | "SETITEMS":
                self.extend(self.since_mark())
            case "BINPUT" | "LONG_BINPUT":
                self.memo[argument] = stack[-1]
            case "MEMOIZE":
                self.memo[len(self.memo)] = stack[-1]
            case "BINGET" | "LONG_BINGET":
                stack.append(self.memo[argument])
            case "GLOBAL":
                stack.append(_Global(argument.replace(" ", ".", 1)))
            case "STACK_GLOBAL":
                stack.append(_Global(".".join(self.last(2))))
            case "REDUCE":
                stack.append(self.call(*self.last(2)))
            case "BUILD":
                self.build(*self.last(1))
            case _:
                raise IncompatibleWeights(f"it uses {opcode}")

    def last(self, count: int) -> list[Any]:
        if len(self.stack) < count:
            raise UnpicklingError("nothing is left")
        items = self.stack[-count:]
        del self.stack[-count:]
        return items

    def since_mark(self) -> list[Any]:
        at = max(i for i, item in enumerate(self.stack) if item is _MARK)
        items = self.stack[at + 1 :]
        del self.stack[at:]
        return items

    def extend(self, items: list[Any]) -> None:
        container = self.stack[-1]
        if isinstance(container, dict):
            container.update(zip(items[::2], items[1::2], strict=True))
        else:
            container.extend(items)

    def call(self, function: object, arguments: tuple[Any, ...]) -> object:
        name = function.name if isinstance(function, _Global) else "a value"
        if name not in CALLS:
            raise IncompatibleWeights(f"it calls {listing([name])}")
        return CALLS[name](*arguments)

    def build(self, state: Any) -> None:
        target = self.stack[-1]
        if isinstance(target, _Kind):
            target.order = state[1]
        elif isinstance(target, _Array):
            target.tensor = self.tensor(*state[1:])
        else:
            raise UnpicklingError("the state of something that is no array")

    def tensor(self, shape: tuple[int, ...], kind: _Kind, fortran: bool, data: Any) -> Tensor:
        if kind.code not in NUMPY_TYPES or kind.order not in ("<", "|", "="):
            raise UnpicklingError(f"arrays of {kind.order}{kind.code}")
        raw = data.encode("latin1") if isinstance(data, str) else data
        self.room -= len(raw)
        if self.room < 0:
            raise UnpicklingError("more data than the file has")
        values = np.frombuffer(raw, np.dtype(f"<{kind.code}"))
        values = values.reshape(shape, order="F" if fortran else "C")
        return torch.from_numpy(np.array(values, order="C"))


def read_arrays(path: Path) -> object:
    """What the pickle holds: a dict, with those of its values that are arrays as tensors.

    Raises:
        IncompatibleWeights: It does anything else than hold arrays.
        UnpicklingError: It is damaged; so do the other errors of `pytorch_file.MALFORMED`.
    """
    machine = _Machine(path.stat().st_size)
    try:
        with path.open("rb") as file:
            for count, (opcode, argument, _) in enumerate(genops(file)):
                if count > MOST_OPCODES:
                    raise UnpicklingError("too long")
                machine.step(opcode.name, argument)
    except IncompatibleWeights as error:
        raise IncompatibleWeights(
            f"{path} is no plain pickle of arrays, {error}; nothing in it was run, do not trust it"
        ) from error
    (content,) = machine.stack
    return _finished(content)


def _finished(value: object, depth: int = 2) -> object:
    """Tensors for arrays, in a dict and in the dicts that are its values."""
    if isinstance(value, dict) and depth:
        return {name: _finished(each, depth - 1) for name, each in value.items()}
    return value.tensor if isinstance(value, _Array) else value
