"""One palette PNG per frame."""

import os
import shutil
from pathlib import Path

from jointvos.errors import EncodeError, OutputError, OutputExists
from jointvos.media.masks import write_mask_png
from jointvos.media.png_mark import is_marked
from jointvos.media.sinks import StagedSink
from jointvos.types import Frame, FrameResult


class PngSequenceSink(StagedSink):
    """A folder with `<frame.name>.png` per frame: ids as indices, in DAVIS colours."""

    def __init__(
        self, directory: Path, *, overwrite: bool = False, source: Path | None = None
    ) -> None:
        """Check that the folder can be written; see `StagedSink`.

        With `overwrite` the whole folder is replaced, but only if jointvos has written all of it.
        """
        super().__init__(Path(os.path.realpath(directory)), overwrite=overwrite, source=source)

    def write(self, frame: Frame, result: FrameResult) -> None:
        """Add one file.

        Raises:
            EncodeError: It cannot be stored.
        """
        if not self._wrote:
            try:
                self._staging.mkdir()
            except OSError as error:
                raise EncodeError(f"{self.path} cannot be made: {error.strerror}") from error
            self._wrote = True
        write_mask_png(self._staging / f"{frame.name}.png", result.labels)

    def abort(self) -> None:
        """Leave nothing behind; does nothing after `commit`."""
        shutil.rmtree(self._staging, ignore_errors=True)

    def _complete(self) -> None:
        """Every file is complete when it is written."""

    def _put_in_place(self) -> None:
        if not self.path.exists():
            self._staging.rename(self.path)
            return
        old = self._staging.with_name(self._staging.name + ".old")
        self.path.rename(old)
        try:
            self._staging.rename(self.path)
        except OSError:
            old.rename(self.path)
            raise
        shutil.rmtree(old)

    def _refuse_existing(self) -> None:
        if not self.path.exists():
            return
        if not self.path.is_dir():
            raise OutputError(f"{self.path} is a file, expected the name of a folder")
        entries = sorted(self.path.iterdir())
        foreign = next((entry for entry in entries if not _is_ours(entry)), None)
        if foreign is not None:  # no OutputExists, for permission to overwrite would not help
            raise OutputError(
                f"{self.path} holds {foreign.name}, which jointvos did not write; "
                "choose another folder or move it away"
            )
        if entries and not self._overwrite:
            raise OutputExists(
                f"{self.path} exists and is not empty; choose another name or allow overwriting"
            )


def _is_ours(path: Path) -> bool:
    try:
        return path.is_file() and is_marked(path)
    except OSError:  # what cannot be read cannot be known
        return False
