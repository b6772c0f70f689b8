"""What changes in a session as plain values: to be saved, and to go on from to the bit.

Everything is stored, also what could be derived again: running sums depend on the order in which
they were made.
"""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import torch
from torch import Tensor

from jointvos.config import InferenceConfig
from jointvos.inference.memory_bank import MemoryBank, Template
from jointvos.inference.object_tracker import ObjectTracker
from jointvos.model import EncodedTemplate, JointNet, TargetModel, TemplateKeys
from jointvos.ops import TargetState

CPU = torch.device("cpu")

TRACKER: dict[str, Any] = {
    "object_id": int,
    "frame_number": int,
    "paused": bool,
    "state": TargetState,
    "area": float,
    "cells": Tensor | None,
    "given": TargetState,
    "scale": Tensor,
    "base_size": Tensor,
}
TRACKER_ON_DEVICE: dict[str, Any] = {
    "target_model": TargetModel | None,
    "encoded": tuple[EncodedTemplate, ...],
    "keys": TemplateKeys | None,
}
BANK: dict[str, Any] = {
    "size": int,
    "weights": Tensor,
    "corrections": list[int],
    "learned": list[int],
    "newest": int | None,
}
BANK_ON_DEVICE: dict[str, Any] = {"templates": list[Template]}
"""What changes in trackers and banks: attributes and their types."""


class Packer:
    """From values to plain ones: tensors on the CPU, numbers, lists, tuples and dictionaries.

    A tensor that is met twice is one tensor afterwards too.
    """

    def __init__(self) -> None:
        self._seen: dict[int, Tensor] = {}

    def pack(self, value: object) -> object:
        """The plain value; dataclasses become dictionaries."""
        if isinstance(value, Tensor):
            if id(value) not in self._seen:
                self._seen[id(value)] = value.detach().to(CPU, copy=True)
            return self._seen[id(value)]
        if is_dataclass(value):
            return {field.name: self.pack(getattr(value, field.name)) for field in fields(value)}
        if isinstance(value, list | tuple):
            return type(value)(self.pack(each) for each in value)
        assert value is None or isinstance(value, bool | int | float | str), type(value)
        return value


class Unpacker:
    """The inverse of `Packer`; tensors go to the device."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._seen: dict[int, Tensor] = {}

    def unpack(self, hint: Any, plain: Any) -> Any:
        """The value that is annotated with `hint`."""
        if get_origin(hint) in (Union, UnionType):
            if plain is None:
                return None
            (hint,) = (each for each in get_args(hint) if each is not type(None))
        if hint is Tensor:
            if id(plain) not in self._seen:
                self._seen[id(plain)] = plain.to(self.device)
            return self._seen[id(plain)]
        if isinstance(hint, type) and is_dataclass(hint):
            hints = get_type_hints(hint)
            return hint(**{name: self.unpack(hints[name], each) for name, each in plain.items()})
        if get_origin(hint) in (list, tuple):
            inner = get_args(hint)[0]
            return get_origin(hint)(self.unpack(inner, each) for each in plain)
        return plain


def pack_tracker(tracker: ObjectTracker) -> dict[str, object]:
    """Everything of an object but the network and the configuration."""
    pack = Packer().pack
    own = {name: pack(getattr(tracker, name)) for name in (*TRACKER, *TRACKER_ON_DEVICE)}
    bank = {name: pack(getattr(tracker.bank, name)) for name in (*BANK, *BANK_ON_DEVICE)}
    return {**own, "bank": bank}


def unpack_tracker(
    net: JointNet, config: InferenceConfig, plain: Mapping[str, Any], device: torch.device
) -> ObjectTracker:
    """The object that was packed."""
    here, there = Unpacker(CPU), Unpacker(device)
    tracker = ObjectTracker(
        net, config, plain["object_id"], here.unpack(TargetState, plain["given"])
    )
    _fill(tracker, TRACKER, plain, here)
    _fill(tracker, TRACKER_ON_DEVICE, plain, there)
    first = there.unpack(Template, plain["bank"]["templates"][0])
    tracker.bank = MemoryBank(first, config)
    _fill(tracker.bank, BANK, plain["bank"], here)
    _fill(tracker.bank, BANK_ON_DEVICE, plain["bank"], there)
    return tracker


def _fill(
    target: object, hints: Mapping[str, Any], plain: Mapping[str, Any], unpacker: Unpacker
) -> None:
    for name, hint in hints.items():
        setattr(target, name, unpacker.unpack(hint, plain[name]))
