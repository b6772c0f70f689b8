"""The template encoder (Eqs. 2-3) at linear cost: what a new template changes, and no more.

Every position of every template attends to all positions of all templates. Keys and queries are
unit vectors, so a similarity s divided by tau lies within +-1/tau and ``exp((s - 1) / tau)``
within [exp(-2/tau), 1]: sums of these weights, and of features so weighted, add up in float32
without a running maximum. A template that comes adds its share to the sums of the others, one
that goes takes its share back; in between they are kept as averages and their weights' sums.
Queries and keys being the same vectors, both directions of a pair of templates share one matrix
of weights: of N^2 blocks of attention a new template computes N matrices and 2N - 1 products.

Sums for every pair of templates would make going exact and free, but hold N times as much: 1.3 GB
for an object of joint-r50 with 20 templates instead of 64 MB. Taking back leaves rounding behind,
which stays bounded: sums live as long as their template, and those that outlive many others (the
first template's) are summed anew after `MOST_TAKEN_BACK`. The weight of a position for itself is
1 and never leaves, so that no sum of weights can cancel to nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement

import torch
from torch import Tensor, baddbmm

from jointvos.model.carriers import EncodedTemplate

MOST_TAKEN_BACK = 20
"""Shares that may be taken back from a template's sums before they are summed anew."""


def weights_between(queries: Tensor, keys: Tensor, scale: float) -> Tensor:
    """``exp((s - 1) / tau)`` of every pair; queries [O,L,K], keys [O,S,K], unit length; [O,L,S]."""
    offset = queries.new_full((1, 1, 1), -scale)
    return baddbmm(offset, queries, keys.mT, alpha=scale).exp_()


def tokens_of(features: Tensor) -> Tensor:
    """A map [O,C,h,w] as tokens [O,h*w,C], row by row, in fp32; a view if channels come last."""
    return features.permute(0, 2, 3, 1).flatten(1, 2).float()


@dataclass
class _Row:
    """One template while its sums change.

    Attributes:
        tokens: Of its map, [O,h*w,C].
        keys: phi of these, unit length, [O,h*w,K].
        attended: Sum of weighted tokens of all templates, [O,h*w,C].
        total: Sum of the weights, [O,h*w].
        comes: Whether the sums of the others lack its share.
        starts: Whether its own sums begin at zero.
    """

    tokens: Tensor
    keys: Tensor
    attended: Tensor
    total: Tensor
    comes: bool
    starts: bool

    def add(self, weights: Tensor, tokens: Tensor, sign: int) -> None:
        """Add the share of a template, or take it back; weights [O,h*w,h*w]."""
        self.attended = baddbmm(self.attended, weights, tokens, alpha=sign)
        self.total = self.total + sign * weights.sum(dim=2)

    def lacks(self, other: "_Row") -> bool:
        return self.starts or other.comes


def renew(
    before: Sequence[EncodedTemplate],
    features: Sequence[Tensor],
    project: Callable[[Tensor], Tensor],
    scale: float,
    taken_back: Sequence[int] | None = None,
) -> tuple[EncodedTemplate, ...]:
    """Templates of these maps, made from those of before, which are not changed.

    They are told apart by the identity of their maps: those that went are taken back, those that
    came are added. `taken_back` is what `count_taken_back` says, or said of the same change.

    Shapes: features [O,C,h,w] each; `project` makes unit keys [O,h*w,K] of tokens [O,h*w,C].
    """
    counts = count_taken_back(before, features) if taken_back is None else taken_back
    known, gone = _stayed_and_gone(before, features)
    rows = [
        _begin(one, known.get(id(one)), project, anew=bool(gone) and count == 0)
        for one, count in zip(features, counts, strict=True)
    ]
    for one in gone:
        tokens = tokens_of(one.features)
        keys = project(tokens)
        for row in rows:
            if not row.starts:
                row.add(weights_between(row.keys, keys, scale), tokens, -1)
    for a, b in combinations_with_replacement(rows, 2):
        if not (a.lacks(b) or b.lacks(a)):
            continue
        weights = weights_between(a.keys, b.keys, scale)
        if a.lacks(b):
            a.add(weights, b.tokens, 1)
        if a is not b and b.lacks(a):
            b.add(weights.mT, a.tokens, 1)
    return tuple(
        EncodedTemplate(
            one,
            (row.attended / row.total[..., None]).to(_kept_in(one)),
            row.total,
            count,
        )
        for one, row, count in zip(features, rows, counts, strict=True)
    )


def count_taken_back(before: Sequence[EncodedTemplate], features: Sequence[Tensor]) -> list[int]:
    """`EncodedTemplate.taken_back` of the templates of these maps, made from those of before.

    It is 0 of those that come, and where sums are made anew: after `MOST_TAKEN_BACK`, and of all
    where no fewer went than stayed.

    Shapes: features [O,C,h,w] each.
    """
    known, gone = _stayed_and_gone(before, features)
    counts = [known[id(one)].taken_back + len(gone) if id(one) in known else 0 for one in features]
    most = MOST_TAKEN_BACK if len(gone) < len(known) or not gone else 0
    return [count if count <= most else 0 for count in counts]


def _stayed_and_gone(
    before: Sequence[EncodedTemplate], features: Sequence[Tensor]
) -> tuple[dict[int, EncodedTemplate], list[EncodedTemplate]]:
    """Those whose maps are still there, by the map's identity, and the others."""
    wanted = {id(one) for one in features}
    known = {id(one.features): one for one in before if id(one.features) in wanted}
    return known, [one for one in before if id(one.features) not in known]


def _begin(
    features: Tensor,
    known: EncodedTemplate | None,
    project: Callable[[Tensor], Tensor],
    *,
    anew: bool,
) -> _Row:
    """A row with the sums it had, or with none."""
    tokens = tokens_of(features)
    keys = project(tokens)
    if known is None or anew:
        empty = tokens.new_zeros(tokens.shape)
        return _Row(tokens, keys, empty, empty.new_zeros(empty.shape[:2]), known is None, True)
    attended = known.attended * known.total[..., None]
    return _Row(tokens, keys, attended, known.total, False, False)


def _kept_in(features: Tensor) -> torch.dtype:
    """What averages are kept in: as precise as the map, but bf16 has too few digits."""
    return torch.float16 if features.dtype == torch.float16 else torch.float32
