"""Memory bank (Sec. 3.5): templates, which one goes, how much each weighs.

The first template is never evicted; of the learned ones the oldest goes. The paper says nothing
of template weights; the rule is its code's: a new template weighs as much as the previous one
divided by (1 - decay), all are normalized, and the first keeps a least share. Corrections, which
neither knows, are treated like the first template.
"""

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor

from jointvos.config import InferenceConfig
from jointvos.errors import ConfigError
from jointvos.inference.state import loaded, loaded_tensor
from jointvos.inference.trees import rows_of
from jointvos.model import MaskEncodings

MOST_PERMANENT_WEIGHT = 0.75
"""The least shares of several permanent templates sum to no more, so that learning goes on."""


@dataclass(frozen=True)
class Template:
    """A past frame of the objects of a group, encoded once when it is stored.

    Attributes:
        transduction: Head of the transduction branch, [O,C,h,w]; None without that branch.
        induction: Head of the induction branch, [O,C,h,w]; None without that branch.
        encodings: Of the masks, [O,1,D,h,w] each.
    """

    transduction: Tensor | None
    induction: Tensor | None
    encodings: MaskEncodings


class MemoryBank:
    """Templates of a group of objects, slot 0 the first frame's.

    What the user gave is permanent: the first template and the corrections, which each keep the
    same least share of the weights. Learned templates get what the permanent ones leave of
    `memory_size`, at least one slot (none if it is 1); the oldest makes room. When corrections and
    first template alone fill `memory_size` (or are two), the oldest correction makes room for the
    next, so that a bank never holds more than `memory_size` + 1 templates.

    Tensors are replaced, never changed in place, so that copies may share them.

    Args:
        first: The first frame's template; None for a bank that a saved state is loaded into.
        config: Size and weights.

    Attributes:
        size: `memory_size`; smaller after `shrink`.
        templates: By slot.
        weights: By slot, float32 [N] on the CPU.
        corrections: Slots of the corrections, oldest first.
        learned: Slots of the other templates but the first, oldest first.
        newest: Slot of the last one that was learned.
    """

    def __init__(self, first: Template | None, config: InferenceConfig) -> None:
        self.size = config.memory_size
        self.most_permanent = max(config.memory_size, 2)
        self.grid = (config.crop_size[0] // 16, config.crop_size[1] // 16)
        self.decay = config.template_decay
        self.first_weight = config.first_template_weight
        self.templates = [] if first is None else [first]
        self.weights = torch.ones(len(self.templates))
        self.corrections: list[int] = []
        self.learned: list[int] = []
        self.newest: int | None = None

    def __len__(self) -> int:
        return len(self.templates)

    def copy(self) -> "MemoryBank":
        """One that changes on its own."""
        other = copy(self)
        for name in ("templates", "corrections", "learned"):
            setattr(other, name, list(getattr(self, name)))
        return other

    def part(self, rows: list[int]) -> "MemoryBank":
        """The bank of some of the objects, with copies of what it holds of them."""
        other = self.copy()
        other.templates = rows_of(self.templates, rows)
        return other

    def state_dict(self) -> dict[str, Any]:
        """All that changes in a bank; the tensors are its own, not copies."""
        return {
            "size": self.size,
            "weights": self.weights,
            "corrections": list(self.corrections),
            "learned": list(self.learned),
            "newest": self.newest,
            "templates": [
                {**vars(each), "encodings": dict(vars(each.encodings))} for each in self.templates
            ],
        }

    def load_state_dict(self, state: Mapping[str, Any], objects: int, device: torch.device) -> None:
        """Become the bank of so many objects that `state` comes from, on the device.

        Raises:
            ConfigError: It is no state of a bank, or one whose parts do not fit each other.
        """
        self.size = loaded(state, "size", int)
        self.corrections = list(loaded(state, "corrections", list))
        self.learned = list(loaded(state, "learned", list))
        self.newest = loaded(state, "newest", int | None)
        self.templates = [
            _template(each, (objects, self.grid), device)
            for each in loaded(state, "templates", list)
        ]
        slots = [0, *self.corrections, *self.learned]
        if sorted(slots) != list(range(len(self.templates))):
            raise ConfigError(
                f"the saved bank has {len(self.templates)} templates, but the slots {slots}"
            )
        self.weights = loaded_tensor(state, "weights", len(slots))

    def add(self, template: Template, *, permanent: bool = False) -> int:
        """Store a template, in place of an older one if the bank is full.

        Returns:
            The slot; nothing is stored and 0 returned when there is no room for learned ones.
        """
        permanents = 1 + len(self.corrections) + permanent
        room = self._room(permanents)
        if permanent and permanents > self.most_permanent:
            slot = self.corrections.pop(0)
        elif not permanent and room == 0:
            return 0
        elif len(self.learned) + (not permanent) > room:
            slot = self.learned.pop(0)
        else:
            slot = len(self.templates)
        if slot == len(self.templates):
            self.templates.append(template)
            self.weights = torch.cat((self.weights, torch.zeros(1)))
        else:
            self.templates[slot] = template
        (self.corrections if permanent else self.learned).append(slot)
        self._reweigh(slot, permanent)
        if not permanent:
            self.newest = slot
        return slot

    def shrink(self, size: int) -> None:
        """Let go of the oldest learned templates, as if `memory_size` had been smaller."""
        self.size = size
        room = self._room(1 + len(self.corrections))
        self._keep(self.learned[max(len(self.learned) - room, 0) :])

    def forget(self) -> None:
        """Let go of all that was learned."""
        self._keep([])

    def _room(self, permanents: int) -> int:
        """Slots for learned templates beside so many permanent ones."""
        return max(self.size - permanents, min(self.size - 1, 1))

    def _keep(self, learned: list[int]) -> None:
        if len(learned) == len(self.learned):
            return
        kept = sorted((0, *self.corrections, *learned))
        place = {slot: i for i, slot in enumerate(kept)}
        self.templates = [self.templates[slot] for slot in kept]
        self.corrections = [place[slot] for slot in self.corrections]
        self.learned = [place[slot] for slot in learned]
        self.newest = self.learned[-1] if learned else None
        self.weights = self._shared_out(self.weights[kept])

    def _reweigh(self, slot: int, permanent: bool) -> None:
        weights = self.weights.clone()
        if permanent:
            weights[slot] = weights[0]
        elif self.newest is None:
            weights = weights / (1 - self.decay)
            weights[slot] = self.decay
        else:
            weights[slot] = weights[self.newest] / (1 - self.decay)
        self.weights = self._shared_out(weights)

    def _shared_out(self, weights: Tensor) -> Tensor:
        """Normalized, and every permanent template raised to its least share."""
        weights = weights / weights.sum()
        permanent = torch.zeros(len(weights), dtype=torch.bool)
        permanent[[0, *self.corrections]] = True
        share = max(self.first_weight, MOST_PERMANENT_WEIGHT) / int(permanent.sum())
        share = min(self.first_weight, share)
        poor = permanent & (weights < share)
        if poor.any():
            weights = weights / (share * int(poor.sum()) + weights[~poor].sum())
            weights[poor] = share
        return weights

    @property
    def order(self) -> list[int]:
        """The slots in the order in which their templates came: a correction ends what was learned.

        So a new template is the last, whichever makes room for it.
        """
        return [0, *self.corrections, *self.learned]

    @property
    def in_order(self) -> list[Template]:
        """The templates in the order in which they came."""
        return [self.templates[slot] for slot in self.order]

    @property
    def transduction(self) -> list[Tensor]:
        """Their features for the transduction branch, [O,C,h,w] each."""
        return [t.transduction for t in self.in_order if t.transduction is not None]

    @property
    def induction(self) -> Tensor:
        """Their features for the induction branch, [O,N,C,h,w]."""
        return stack([t.induction for t in self.in_order])

    @property
    def encodings(self) -> MaskEncodings:
        """Their encodings, [O,N,D,h,w] each."""
        return joined([t.encodings for t in self.in_order])


def _template(
    state: Mapping[str, Any], shape: tuple[int, tuple[int, int]], device: torch.device
) -> Template:
    objects, grid = shape

    def part(of: Mapping[str, Any], name: str, *inner: int | None) -> Tensor | None:
        if loaded(of, name, Tensor | None) is None:
            return None
        return loaded_tensor(of, name, objects, *inner, *grid, device=device)

    masks = loaded(state, "encodings", dict)
    encodings = (part(masks, each.name, 1, None) for each in fields(MaskEncodings))
    return Template(
        part(state, "transduction", None),
        part(state, "induction", None),
        MaskEncodings(*encodings),
    )


def stack(parts: list[Tensor | None]) -> Tensor:
    """Join [O,C,h,w] along a new template axis."""
    return torch.stack([part for part in parts if part is not None], dim=1)


def joined(encodings: Sequence[MaskEncodings]) -> MaskEncodings:
    """Encodings [O,1,D,h,w] of templates as those of all, [O,N,D,h,w] each."""

    def all_of(name: str) -> Tensor | None:
        parts = [getattr(each, name) for each in encodings]
        return None if parts[0] is None else torch.cat(parts, dim=1)

    return MaskEncodings(all_of("transduction"), all_of("induction"), all_of("importance"))
