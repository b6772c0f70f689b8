"""What is kept of a video's results for the record: little, however long it is."""

from jointvos.batch.record import ObjectSummary
from jointvos.types import FrameResult

_POINTS = 60
"""Areas of an object that are kept, at most twice as many while they are collected."""


class Summary:
    """Areas of all objects, every so many frames, and how often each was lost."""

    def __init__(self) -> None:
        """Begin before the first frame."""
        self._frames, self._every = 0, 1
        self._areas: list[dict[int, int]] = []
        self._lost: dict[int, int] = {}

    def add(self, result: FrameResult) -> None:
        """Take the next frame into account."""
        for state in result.objects:
            self._lost[state.id] = self._lost.get(state.id, 0) + (state.area == 0)
        if self._frames % self._every == 0:
            self._areas.append({state.id: state.area for state in result.objects})
            if len(self._areas) == 2 * _POINTS:
                del self._areas[1::2]
                self._every *= 2
        self._frames += 1

    def objects(self) -> tuple[ObjectSummary, ...]:
        """The objects so far, by ID."""
        return tuple(
            ObjectSummary(i, self._lost[i], tuple(areas.get(i) for areas in self._areas))
            for i in sorted(self._lost)
        )
