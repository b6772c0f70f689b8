"""Which ids of given masks are followed, and under which names."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import numpy as np

from jointvos.errors import ConfigError
from jointvos.types import VOID, LabelMap, label_type, object_ids

LARGEST_ID = 65535
_PAIR = re.compile(r"([0-9]+):([0-9]+)")


@dataclass(frozen=True)
class IdChange:
    """What is done to the ids of masks; by default nothing.

    Attributes:
        keep: Ids as they are in the files; all others become background. None keeps all.
        rename: New ids of those that are kept; two ids with one new id become one object.
    """

    keep: frozenset[int] | None = None
    rename: Mapping[int, int] = field(default_factory=dict)

    @classmethod
    def parse(cls, objects: str | None, remap: str | None) -> "IdChange":
        """Read "1,3" and "2:1,5:3".

        Raises:
            ConfigError: They have another form, or an id is out of range or given twice.
        """
        keep, rename = None, {}
        if objects is not None:
            keep = frozenset(parse_id(part, "`objects`") for part in objects.split(","))
        for part in remap.split(",") if remap is not None else ():
            match = _PAIR.fullmatch(part.strip())
            if match is None:
                raise ConfigError(f"`remap` is {remap!r}, expected old:new ids such as 2:1,5:3")
            old, new = (parse_id(text, "`remap`") for text in match.groups())
            if old in rename:
                raise ConfigError(f"`remap` is {remap!r}, which gives {old} two new ids")
            rename[old] = new
        return cls(keep, rename)

    @property
    def does_something(self) -> bool:
        """Whether ids are changed at all."""
        return self != IdChange()

    def check(self, known: Collection[int]) -> None:
        """Compare with the ids that the masks hold.

        Raises:
            ConfigError: An id is named that no mask holds, or that is not kept.
        """
        holds = f"the masks hold {', '.join(map(str, sorted(known))) or 'none'}"
        for wanted in sorted(self.keep or ()):
            if wanted not in known:
                raise ConfigError(f"`objects` names {wanted}, but {holds}")
        for old in sorted(self.rename):
            if old not in known:
                raise ConfigError(f"`remap` names {old}, but {holds}")
            if self.keep is not None and old not in self.keep:
                raise ConfigError(
                    f"`remap` names {old}, which `objects` leaves out", hint="add it there"
                )

    def __call__(self, labels: LabelMap) -> LabelMap:
        """The labels with the change, in the type that their new ids need."""
        ids = [i for i in object_ids(labels) if self.keep is None or i in self.keep]
        new = [self.rename.get(i, i) for i in ids]
        dtype = label_type(new)
        table = np.zeros(np.iinfo(labels.dtype).max + 1, dtype=dtype)
        table[ids] = new
        if labels.dtype == np.uint8 and dtype is np.uint8:
            table[VOID] = VOID
        return table[labels]


def parse_id(text: str, option: str) -> int:
    """An object's id.

    Raises:
        ConfigError: It is no number from 1 to 65535.
    """
    text = text.strip()
    if not (text.isascii() and text.isdecimal() and 0 < int(text) <= LARGEST_ID):
        raise ConfigError(f"{option}: {text!r} is no id; expected a number from 1 to {LARGEST_ID}")
    return int(text)
