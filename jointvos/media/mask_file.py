"""One mask as a file."""

from jointvos.media.masks import write_mask_png
from jointvos.media.sinks import StagedFile
from jointvos.types import Frame, FrameResult, LabelMap


class MaskFile(StagedFile):
    """A PNG with the ids of one frame, as `write_mask_png` makes it."""

    def save(self, labels: LabelMap) -> None:
        """Write the ids, [Hv,Wv], and give the file its name.

        Raises:
            OutputError: That cannot be done; nothing is left behind then.
        """
        try:
            self._wrote = True
            write_mask_png(self._staging, labels)
            self.finish()
        finally:
            self.abort()

    def write(self, frame: Frame, result: FrameResult) -> None:
        """Take the ids of a frame.

        Raises:
            EncodeError: They cannot be stored.
        """
        self._wrote = True
        write_mask_png(self._staging, result.labels)

    def abort(self) -> None:
        """Leave nothing behind; does nothing after `commit`."""
        self._staging.unlink(missing_ok=True)

    def _complete(self) -> None:
        """The file is complete when it is written."""
