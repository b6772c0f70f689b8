"""One palette PNG per frame."""

from pathlib import Path

from jointvos.media.folders import StagedFolder
from jointvos.media.masks import write_mask_png
from jointvos.types import Frame, FrameResult


class PngSequenceSink(StagedFolder):
    """A folder with `<frame.name>.png` per frame: ids as indices, in DAVIS colours."""

    def _write(self, folder: Path, frame: Frame, result: FrameResult) -> None:
        write_mask_png(folder / f"{frame.name}.png", result.labels)
