"""Which IDs of given masks are followed, and under which names."""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from jointvos.errors import ConfigError
from jointvos.types import VOID, LabelMap, label_type, object_ids

LARGEST_ID = 65535
_PAIR = re.compile(r"([0-9]+):([0-9]+)")


@dataclass(frozen=True)
class IdChange:
    """What is done to the IDs of masks; by default nothing.

    Attributes:
        keep: Ids as they are in the files, or names of objects; all others become background. None
            keeps all.
        rename: New IDs of those that are kept; two IDs with one new ID become one object.
    """

    keep: frozenset[int | str] | None = None
    rename: Mapping[int, int] = field(default_factory=dict)

    @classmethod
    def parse(cls, objects: str | None, remap: str | None) -> "IdChange":
        """Read "1,3" or "fish,3", and "2:1,5:3".

        Raises:
            ConfigError: They have another form, or an ID is out of range or given twice.
        """
        keep, rename = None, {}
        if objects is not None:
            keep = frozenset(_id_or_name(part.strip()) for part in objects.split(","))
        for part in remap.split(",") if remap is not None else ():
            match = _PAIR.fullmatch(part.strip())
            if match is None:
                raise ConfigError(f"`remap` is {remap!r}, expected old:new IDs such as 2:1,5:3")
            old, new = (parse_id(text, "`remap`") for text in match.groups())
            if old in rename:
                raise ConfigError(f"`remap` is {remap!r}, which gives {old} two new IDs")
            rename[old] = new
        return cls(keep, rename)

    @property
    def does_something(self) -> bool:
        """Whether IDs are changed at all."""
        return self != IdChange()

    def of_ids(self, names: Mapping[int, str]) -> "IdChange":
        """The same with IDs in place of names; all objects of a name are kept.

        Raises:
            ConfigError: No object has such a name.
        """
        keep = set[int | str]()
        for wanted in self.keep or ():
            ids = [i for i, name in names.items() if name == wanted]
            if isinstance(wanted, str) and not ids:
                known = ", ".join(dict.fromkeys(names.values()))
                has = f"the names in the masks are {known}" if known else "the masks hold no names"
                raise ConfigError(f"`objects` names {wanted!r}, but {has}")
            keep.update(ids or [wanted])
        return replace(self, keep=None if self.keep is None else frozenset(keep))

    def check(self, known: Collection[int]) -> None:
        """Compare with the IDs that the masks hold.

        Raises:
            ConfigError: An ID is named that no mask holds, or that is not kept.
        """
        holds = f"the masks hold {', '.join(map(str, sorted(known))) or 'none'}"
        for wanted in sorted(self.keep or (), key=str):
            if wanted not in known:
                raise ConfigError(f"`objects` names {wanted}, but {holds}")
        for old in sorted(self.rename):
            if old not in known:
                raise ConfigError(f"`remap` names {old}, but {holds}")
            if self.keep is not None and old not in self.keep:
                raise ConfigError(
                    f"`remap` names {old}, which `objects` leaves out", hint="add it there"
                )

    def kept(self, ids: Iterable[int]) -> list[int]:
        """Those of these IDs that do not become background."""
        return [i for i in ids if self.keep is None or i in self.keep]

    def __call__(self, labels: LabelMap) -> LabelMap:
        """The labels with the change, in the type that their new IDs need."""
        ids = self.kept(object_ids(labels))
        new = [self.rename.get(i, i) for i in ids]
        dtype = label_type(new)
        table = np.zeros(np.iinfo(labels.dtype).max + 1, dtype=dtype)
        table[ids] = new
        if labels.dtype == np.uint8 and dtype is np.uint8:
            table[VOID] = VOID
        return table[labels]

    def names(self, names: Mapping[int, str]) -> dict[int, str]:
        """What the objects are called, by their new IDs."""
        new: dict[int, str] = {}
        for i in self.kept(names):
            new.setdefault(self.rename.get(i, i), names[i])
        return new


def _id_or_name(text: str) -> int | str:
    return parse_id(text, "`objects`") if not text or text[0] in "-0123456789" else text


def parse_id(text: str, option: str) -> int:
    """An object's ID.

    Raises:
        ConfigError: It is no number from 1 to 65535.
    """
    text = text.strip()
    if not (text.isascii() and text.isdecimal() and 0 < int(text) <= LARGEST_ID):
        raise ConfigError(
            f"{option}: {text!r} is not an ID; expected a number from 1 to {LARGEST_ID}"
        )
    return int(text)
