"""One PNG of IDs per frame."""

from pathlib import Path

import numpy as np

from jointvos.files.staged_folder import StagedFolder
from jointvos.masks.mask_file import write_mask_png
from jointvos.types import Frame, FrameResult


class PngSequenceSink(StagedFolder):
    """A folder with `<frame.name>.png` per frame: IDs as indices, in DAVIS colors.

    Label maps of uint16 become 16 bit gray instead, for a palette ends at 255.
    """

    def __init__(
        self,
        directory: Path,
        *,
        overwrite: bool = False,
        source: Path | None = None,
        wide: bool = False,
    ) -> None:
        """Check that the folder can be written; see `StagedSink`.

        Args:
            directory: Where the folder will stand.
            overwrite: Whether it may replace what is there.
            source: The input, which is never overwritten.
            wide: Whether all are written with 16 bit, as an ID above 254 is to come.

        Raises:
            OutputError: It cannot be written there.
        """
        super().__init__(directory, overwrite=overwrite, source=source)
        self._wide = wide

    def _write(self, folder: Path, frame: Frame, result: FrameResult) -> None:
        labels = result.labels.astype(np.uint16) if self._wide else result.labels
        write_mask_png(folder / f"{frame.name}.png", labels)
