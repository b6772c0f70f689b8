"""States of a session on disk, from which following goes on behind a correction."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from jointvos.checkpoints.state_file import load_state, save_state
from jointvos.errors import OutputError, os_errors_as
from jointvos.media.reading import CutDetector
from jointvos.paint.followed import Way

if TYPE_CHECKING:
    from jointvos.inference import VideoSegmenter

_MOST = 8
"""States of a pass that are kept: the later, the closer together."""


@dataclass(frozen=True, order=True)
class Snapshot:
    """A state behind a frame, made from the masks that the frame's key says."""

    frame: int
    key: str
    way: Way


class Snapshots:
    """States of sessions behind some of the frames that they have seen."""

    def __init__(self, folder: Path) -> None:
        """Use a folder, which is made if it is missing.

        Raises:
            OutputError: It cannot be made.
        """
        self._folder = folder
        with os_errors_as(OutputError):
            folder.mkdir(exist_ok=True)

    def save(
        self, snapshot: Snapshot, session: "VideoSegmenter", detector: CutDetector | None
    ) -> None:
        """Keep the state of a session behind a frame, and drop one where there are many.

        Raises:
            OutputError: The disk refuses.
        """
        seen = None if detector is None else detector.state()
        save_state(self._path(snapshot), {"session": session.state_dict(), "detector": seen})
        self._thin_out(snapshot)

    def restore(
        self, snapshot: Snapshot, session: "VideoSegmenter", detector: CutDetector | None
    ) -> bool:
        """Bring a session to where it was behind a frame; False if that cannot be done."""
        path = self._path(snapshot)
        try:
            content = load_state(path)
            session.load_state_dict(content["session"])
            if detector is not None and content["detector"] is not None:
                detector.restore(content["detector"])
        except (RuntimeError, ValueError, KeyError):
            with suppress(OSError):  # damaged, or of another model; frames are gone through again
                path.unlink()
            return False
        return True

    def all(self, way: Way) -> list[Snapshot]:
        """What there is of a pass."""
        names = [path.stem.split("-") for path in self._folder.glob(f"{way}-*-*.pt")]
        return [
            Snapshot(int(name[1]), name[2], way)
            for name in names
            if len(name) == 3 and name[1].isdecimal()
        ]

    def _thin_out(self, newest: Snapshot) -> None:
        """Drop the state whose absence costs the least, for how far back it lies."""
        kept = sorted(self.all(newest.way), key=lambda each: abs(each.frame - newest.frame))
        if len(kept) <= _MOST:
            return
        costs = [
            abs(kept[i + 1].frame - kept[i - 1].frame) / (abs(kept[i].frame - newest.frame) + 1)
            for i in range(1, len(kept) - 1)
        ]
        with suppress(OSError):
            self._path(kept[1 + costs.index(min(costs))]).unlink()

    def _path(self, snapshot: Snapshot) -> Path:
        return self._folder / f"{snapshot.way}-{snapshot.frame:05d}-{snapshot.key}.pt"
