"""States of a session on disk, from which following goes on behind a correction."""

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jointvos.errors import OutputError, os_errors_as
from jointvos.files.whole_file import whole_file
from jointvos.media.reading import CutDetector
from jointvos.paint.followed import Way

if TYPE_CHECKING:
    from jointvos.inference import VideoSegmenter

_MOST = 8
"""States of a pass that are kept: the later, the closer together."""


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
        self, way: Way, frame: int, session: "VideoSegmenter", detector: CutDetector | None
    ) -> None:
        """Keep the state of a session behind a frame, and drop one where there are many.

        Raises:
            OutputError: The disk refuses.
        """
        import torch

        path = self._folder / f"{way}-{frame:05d}.pt"
        content = {
            "session": session.state_dict(),
            "detector": None if detector is None else detector.state(),
        }
        with whole_file(path) as partial:
            try:
                torch.save(content, partial)
            except RuntimeError as error:  # torch has errors of its own for a full disk
                raise OutputError(f"{path} cannot be written: {error}") from error
        frames = sorted(self.frames(way), key=lambda each: abs(each - frame), reverse=True)
        if len(frames) > _MOST:
            # That whose absence costs the least, for how far back it lies.
            gaps = [
                abs(frames[i + 1] - frames[i - 1]) / (abs(frames[i] - frame) + 1)
                for i in range(1, len(frames) - 1)
            ]
            self._drop(way, frames[1 + gaps.index(min(gaps))])

    def restore(
        self, way: Way, frame: int, session: "VideoSegmenter", detector: CutDetector | None
    ) -> bool:
        """Bring a session to where it was behind a frame; False if that cannot be done."""
        from pickle import UnpicklingError

        import torch

        path = self._folder / f"{way}-{frame:05d}.pt"
        try:
            content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
            session.load_state_dict(content["session"])
            if detector is not None and content["detector"] is not None:
                detector.restore(content["detector"])
        except (
            RuntimeError,
            ValueError,
            KeyError,
            EOFError,
            OSError,
            UnpicklingError,
        ):
            with suppress(OSError):  # damaged, or of another model; frames are gone through again
                path.unlink()
            return False
        return True

    def frames(self, way: Way) -> list[int]:
        """The frames behind which there is a state, rising."""
        names = [path.stem.rpartition("-")[2] for path in self._folder.glob(f"{way}-*.pt")]
        return sorted(int(name) for name in names if name.isdecimal())

    def drop_from(self, way: Way, frame: int) -> None:
        """Drop the states behind a frame and later ones of the pass."""
        for each in self.frames(way):
            if (each >= frame) if way == "forward" else (each <= frame):
                self._drop(way, each)

    def _drop(self, way: Way, frame: int) -> None:
        with suppress(OSError):
            (self._folder / f"{way}-{frame:05d}.pt").unlink()
