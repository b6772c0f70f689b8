"""IDs for objects that files know by name, and label maps of shapes that may overlap."""

import logging
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from jointvos.errors import ConfigError, MaskError
from jointvos.masks.formats import Shape
from jointvos.masks.id_change import LARGEST_ID
from jointvos.types import LabelMap, label_type

_NUMBER = re.compile(r"0*[1-9][0-9]{0,4}")

_log = logging.getLogger("jointvos.masks")


class Numbering:
    """Gives out IDs, the same for one name in all masks of a run.

    A name that is a number is the ID itself. Others get the next free ID when they are met first.

    Attributes:
        names: Names of objects by ID, as far as there are any.
    """

    def __init__(self) -> None:
        self.names: dict[int, str] = {}
        self._taken: set[int] = set()
        self._ids: dict[tuple[str, int], int] = {}
        self._several: dict[str, Path] = {}
        self._masks_with: Counter[str] = Counter()

    def take(self, ids: Iterable[int]) -> None:
        """Note IDs that a mask holds."""
        self._taken |= set(ids)

    def paint(self, shapes: Sequence[Shape], path: Path, object_id: int | None = None) -> LabelMap:
        """The shapes of a mask with their IDs, uint8 or uint16 [H,W].

        Where objects overlap, the smaller one is in front.

        Args:
            shapes: One or more, of one size.
            path: The file, for errors.
            object_id: The ID that its only object gets; None to number all.

        Raises:
            ConfigError: There is an ID for the only object, but there are more.
            MaskError: It cannot be told which of several objects of one name is which.
        """
        if object_id is None:
            ids = self._number(shapes, path)
        else:
            ids = self._of_only(shapes, path, object_id)
        self.take(ids)
        for i, shape in zip(ids, shapes, strict=True):
            if shape.name and not _is_id(shape.name):
                self.names.setdefault(i, shape.name)
        return self._paint(shapes, ids, path)

    def _number(self, shapes: Sequence[Shape], path: Path) -> list[int]:
        self.take(i for shape in shapes if (i := _own_id(shape)) is not None)
        seen: Counter[str] = Counter()
        ids = []
        for shape in shapes:
            own = _own_id(shape)
            if own is None and shape.key:
                own = self._of_name(shape.key, 0)
            elif own is None:
                own = self._of_name(shape.name, seen[shape.name])
                seen[shape.name] += 1
            ids.append(own)
        self._require_clear(seen, path)
        return ids

    def _of_name(self, name: str, place: int) -> int:
        if (name, place) not in self._ids:
            free = max(self._taken, default=0) + 1
            self._ids[name, place] = free
            self._taken.add(free)
        return self._ids[name, place]

    def _require_clear(self, seen: Counter[str], path: Path) -> None:
        """Refuse a name in several masks that more than one object has in one of them."""
        for name, count in seen.items():
            self._masks_with[name] += 1
            if count > 1:
                self._several.setdefault(name, path)
            if name in self._several and self._masks_with[name] > 1:
                raise MaskError(
                    f"{self._several[name]} has several objects called {name}, so it is "
                    "unclear which is which in other masks",
                    hint="give each its own name or number, or pass one mask alone, "
                    "`masks=['FILE#IMAGE']`",
                )

    @staticmethod
    def _of_only(shapes: Sequence[Shape], path: Path, object_id: int) -> list[int]:
        objects = {shape.id or shape.key or (place,) for place, shape in enumerate(shapes)}
        if len(objects) > 1:
            raise ConfigError(
                f"`mask` {object_id}:{path}: it holds {len(objects)} objects, expected one",
                hint=f"leave out {object_id}: and change IDs with `remap`",
            )
        return [object_id] * len(shapes)

    def _paint(self, shapes: Sequence[Shape], ids: Sequence[int], path: Path) -> LabelMap:
        labels: LabelMap = np.zeros(shapes[0].shape, dtype=label_type(ids))
        areas = Counter[int]()
        for i, shape in zip(ids, shapes, strict=True):
            areas[i] += shape.area
        for i, shape in sorted(zip(ids, shapes, strict=True), key=lambda pair: -areas[pair[0]]):
            shape.paint(labels, i)
        if gone := sorted(set(areas) - set(np.unique(labels).tolist())):
            which = ", ".join(f"{i} {self.names.get(i, '')}".rstrip() for i in gone)
            _log.warning("%s: object %s has no visible pixels; left out", path, which)
        return labels


def _own_id(shape: Shape) -> int | None:
    """The ID that a file gives, as such or as a name."""
    if shape.id is None and shape.key in ("", shape.name) and _is_id(shape.name):
        return int(shape.name)
    return shape.id


def _is_id(name: str) -> bool:
    return bool(_NUMBER.fullmatch(name)) and int(name) <= LARGEST_ID
