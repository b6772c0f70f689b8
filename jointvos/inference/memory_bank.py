"""Memory bank of one object (Sec. 3.5): templates, which one goes, how much each weighs.

The first template is never evicted; of the others the oldest goes. The paper says nothing of
template weights; the rule is its code's: a new template weighs as much as the previous one
divided by (1 - decay), all are normalised, and the first keeps a least share.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from jointvos.config import InferenceConfig
from jointvos.model import MaskEncodings


@dataclass(frozen=True)
class Template:
    """A past frame of an object, encoded once when it is stored.

    Attributes:
        transduction: Head of the transduction branch, [1,C,h,w]; None without that branch.
        induction: Head of the induction branch, [1,C,h,w]; None without that branch.
        encodings: Of the mask, [1,1,D,h,w] each.
    """

    transduction: Tensor | None
    induction: Tensor | None
    encodings: MaskEncodings


class MemoryBank:
    """Up to `memory_size` templates of one object, slot 0 the first frame's."""

    def __init__(self, first: Template, config: InferenceConfig) -> None:
        self.size = config.memory_size
        self.decay = config.template_decay
        self.first_weight = config.first_template_weight
        self.templates = [first]
        self.weights = torch.ones(1)
        self._newest: int | None = None

    def __len__(self) -> int:
        return len(self.templates)

    def add(self, template: Template) -> int:
        """Store a template, in place of the oldest but the first if the bank is full.

        Returns:
            The slot; nothing is stored and 0 returned when there is room for the first only.
        """
        if self.size == 1:
            return 0
        slot = 1 if self._newest is None else self._newest + 1
        if slot == self.size:
            slot = 1
        if slot == len(self.templates):
            self.templates.append(template)
            self.weights = torch.cat((self.weights, torch.zeros(1)))
        else:
            self.templates[slot] = template
        self._reweigh(slot)
        self._newest = slot
        return slot

    def _reweigh(self, slot: int) -> None:
        weights = self.weights
        if self._newest is None:
            weights = weights / (1 - self.decay)
            weights[slot] = self.decay
        else:
            weights = weights.clone()
            weights[slot] = weights[self._newest] / (1 - self.decay)
        weights = weights / weights.sum()
        if weights[0] < self.first_weight:
            weights = weights / (self.first_weight + weights[1:].sum())
            weights[0] = self.first_weight
        self.weights = weights

    @property
    def transduction(self) -> Tensor:
        """Features of all templates for the transduction branch, [1,N,C,h,w]."""
        return stack([t.transduction for t in self.templates])

    @property
    def induction(self) -> Tensor:
        """Features of all templates for the induction branch, [1,N,C,h,w]."""
        return stack([t.induction for t in self.templates])

    @property
    def encodings(self) -> MaskEncodings:
        """Encodings of all templates, [1,N,D,h,w] each."""

        def all_of(name: str) -> Tensor | None:
            parts = [getattr(t.encodings, name) for t in self.templates]
            return None if parts[0] is None else torch.cat(parts, dim=1)

        return MaskEncodings(all_of("transduction"), all_of("induction"), all_of("importance"))


def stack(parts: list[Tensor | None]) -> Tensor:
    """Join [1,C,h,w] along a new template axis."""
    return torch.stack([part for part in parts if part is not None], dim=1)
