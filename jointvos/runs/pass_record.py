"""One pass of a session over frames: its results on disk, and where the session stood."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jointvos.checkpoints.state_file import load_state, save_state
from jointvos.errors import ConfigError, OutputError
from jointvos.runs.journal import Journal
from jointvos.types import FrameResult

if TYPE_CHECKING:
    from jointvos.inference import VideoSegmenter


class PassRecord:
    """Results of a session, journalled; a context manager that closes the journal.

    Args:
        folder: Where the files are.
        name: What they are called.
        probabilities: Whether the outputs need them.
        every: After how many frames the session's state is saved; None for never.
    """

    def __init__(
        self, folder: Path, name: str, *, probabilities: bool = False, every: int | None = None
    ) -> None:
        """Open the journal, or begin one.

        Raises:
            OutputError: It cannot be opened.
        """
        self._state = folder / f"{name}.state"
        self._probabilities = probabilities
        self._every = every
        self.journal = Journal(folder / f"{name}.results")

    def __enter__(self) -> "PassRecord":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.journal.close()

    def __len__(self) -> int:
        """Number of frames that are done."""
        return len(self.journal)

    def __iter__(self) -> Iterator[FrameResult]:
        """The results of the frames that are done now."""
        return iter(self.journal)

    def restore(self, session: "VideoSegmenter") -> None:
        """Bring the session to where it was saved last; later results are made again.

        Raises:
            OutputError: The files cannot be used.
        """
        state = self._saved()
        count = 0 if state is None else state["done"]
        if count > len(self.journal):  # the power was lost, and results with it
            count = 0
        self.journal.truncate(count)
        if state is not None and count:
            try:
                session.load_state_dict(state["session"])
            except ConfigError as error:
                raise self._unusable(str(error)) from error

    def append(self, result: FrameResult, session: "VideoSegmenter") -> None:
        """Keep a result, and now and then the session's state behind it.

        Raises:
            OutputError: The disk refuses.
        """
        self.journal.append(result, probabilities=self._probabilities)
        if self._every is not None and len(self.journal) % self._every == 0:
            self.save(session)

    def save(self, session: "VideoSegmenter") -> None:
        """Save the session's state behind the last result, in place of the one before.

        Raises:
            OutputError: The disk refuses.
        """
        self.journal.sync()
        save_state(self._state, {"done": len(self.journal), "session": session.state_dict()})

    def _saved(self) -> dict[str, Any] | None:
        """What was saved last, None if nothing was."""
        if not self._state.is_file():
            return None
        try:
            state = load_state(self._state)
        except ValueError as error:
            raise self._unusable("it is damaged") from error
        if not isinstance(state, dict) or not {"done", "session"} <= state.keys():
            raise self._unusable("it is not a saved run")
        return state

    def _unusable(self, reason: str) -> OutputError:
        return OutputError(
            f"{self._state} cannot be used: {reason}; delete {self._state.parent} to start over"
        )
