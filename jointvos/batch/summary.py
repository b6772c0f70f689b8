"""What is kept of a video's results for record and report: little, however long it is."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from jointvos.batch.record import ObjectSummary
from jointvos.masks import draw_overlay
from jointvos.masks.grab_cut import shrunk
from jointvos.types import Frame, FrameResult

_POINTS = 60
"""Areas of an object that are kept, at most twice as many while they are collected."""
_THUMBNAIL = 144, 96
"""Most columns and rows of a thumbnail."""


class Summary:
    """Areas of all objects, every so many frames, how often each was lost, and one small frame."""

    def __init__(self) -> None:
        """Begin before the first frame."""
        self._frames, self._every = 0, 1
        self._areas: list[dict[int, int]] = []
        self._lost: dict[int, int] = {}
        self._small: NDArray[np.uint8] | None = None

    def add(self, frame: Frame, result: FrameResult) -> None:
        """Take the next frame into account."""
        # Frame 1, 2, 4, 8 and so on: whatever the length, one of the second half remains.
        if (self._frames + 1).bit_count() == 1:
            height, width = result.labels.shape
            scale = min(_THUMBNAIL[0] / width, _THUMBNAIL[1] / height)
            self._small = shrunk(draw_overlay(frame.image, result.labels), scale)
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

    def thumbnail(self) -> bytes | None:
        """A frame of the second half with its objects marked, as JPEG; None without frames."""
        if self._small is None:
            return None
        file = io.BytesIO()
        Image.fromarray(self._small).save(file, "JPEG", quality=70)
        return file.getvalue()
