"""What results depend on: the masks that were given so far, and the model."""

import hashlib
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from pathlib import Path


class Keys:
    """Keys of results for the masks as they are now.

    The result of a frame fits if it was made with the key that the frame has now: then no mask on
    which it depends has changed, or what has changed was taken back.

    Attributes:
        first: The first frame with a mask, None if there is none.
    """

    def __init__(self, session: str, masks: Mapping[int, Path]) -> None:
        """Read the masks.

        Args:
            session: Which model, run in which way.
            masks: The files by their frames, in rising order.

        Raises:
            OSError: One cannot be read.
        """
        self._frames: Sequence[int] = list(masks)
        self._chain: list[str] = []
        last = session
        for frame, path in masks.items():
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            last = hashlib.sha256(f"{last} {frame} {content}".encode()).hexdigest()[:16]
            self._chain.append(last)
        self.first = self._frames[0] if self._frames else None

    def of(self, index: int) -> str:
        """The key of a frame: of all masks up to it, or of the first one before that.

        Raises:
            IndexError: There is no mask.
        """
        return self._chain[max(0, bisect_right(self._frames, index) - 1)]
