"""The figures of YouTube-VOS: J and F apart for categories that training has seen and has not.

An object is scored in the frames that the data set lists for it, but for the one in which it is
given. Scores are averaged per object, then over the objects of a group. The benchmark's server
does not publish its code; this is its published definition with the boundary tolerance of DAVIS.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from jointvos.errors import DatasetError
from jointvos.metrics.davis import ObjectScore


@dataclass(frozen=True)
class YouTubeVOSScore:
    """Means over the objects of each group, as fractions; None for a group without objects.

    Attributes:
        j_seen: Region similarity of objects whose category the training split has.
        f_seen: Contour accuracy of these.
        j_unseen: Region similarity of the others.
        f_unseen: Contour accuracy of the others.
    """

    j_seen: float | None
    f_seen: float | None
    j_unseen: float | None
    f_unseen: float | None

    @property
    def overall(self) -> float:
        """G, the mean of the four; of two if there is only one group."""
        four = (self.j_seen, self.f_seen, self.j_unseen, self.f_unseen)
        return float(np.mean([figure for figure in four if figure is not None]))


def aggregate_seen(objects: Iterable[ObjectScore]) -> YouTubeVOSScore:
    """Mean per group over objects of any sequences.

    Raises:
        DatasetError: There is no object, or of one it is not known whether it was seen.
    """
    groups: dict[bool, list[ObjectScore]] = {True: [], False: []}
    for each in objects:
        if each.seen is None:
            raise DatasetError(
                f"it is not known whether training has seen object {each.object_id} of sequence "
                f"{each.sequence}: expected its category in the data set's meta.json"
            )
        groups[each.seen].append(each)
    if not groups[True] and not groups[False]:
        raise DatasetError("no scores to average: expected at least one object")

    def means(group: list[ObjectScore]) -> tuple[float | None, float | None]:
        if not group:
            return None, None
        return (
            float(np.mean([each.j.mean() for each in group])),
            float(np.mean([each.f.mean() for each in group])),
        )

    return YouTubeVOSScore(*means(groups[True]), *means(groups[False]))
