"""Tensors inside dataclasses, dictionaries, lists and tuples: a change to all of them at once."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor

Tree = TypeVar("Tree")


def mapped(change: Callable[[Tensor], Tensor], tree: Tree) -> Tree:
    """A tree of the same form with every tensor changed, once; everything else is kept."""
    changed: dict[int, Tensor] = {}

    def walk(part: Any) -> Any:
        if isinstance(part, Tensor):
            if id(part) not in changed:
                changed[id(part)] = change(part)
            return changed[id(part)]
        if is_dataclass(part) and not isinstance(part, type):
            return type(part)(**{f.name: walk(getattr(part, f.name)) for f in fields(part)})
        if isinstance(part, Mapping):
            return {name: walk(each) for name, each in part.items()}
        return type(part)(map(walk, part)) if isinstance(part, list | tuple) else part

    return walk(tree)  # type: ignore[no-any-return]


def tensors(tree: Any) -> Iterator[Tensor]:
    """The tensors of a tree, in its order."""
    if isinstance(tree, Tensor):
        yield tree
    elif is_dataclass(tree) and not isinstance(tree, type):
        for field in fields(tree):
            yield from tensors(getattr(tree, field.name))
    elif isinstance(tree, Mapping):
        for each in tree.values():
            yield from tensors(each)
    elif isinstance(tree, list | tuple):
        for each in tree:
            yield from tensors(each)


def distinct(tree: Any) -> list[Tensor]:
    """The tensors of a tree, each once."""
    return list({id(each): each for each in tensors(tree)}.values())


def rows_of(tree: Tree, rows: list[int]) -> Tree:
    """Copies of these rows of all tensors, [O,...] each."""
    return mapped(lambda x: x.index_select(0, torch.tensor(rows).to(x.device)), tree)


def on_cpu(tree: Tree) -> Tree:
    """Copies of all tensors on the CPU."""
    return mapped(lambda x: x.detach().to("cpu", copy=True), tree)
