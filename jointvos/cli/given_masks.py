"""The masks that `segment` is given: read, described, and the one from boxes saved."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from jointvos.cli.console import Reporter, plural
from jointvos.cli.mask_table import object_line
from jointvos.cli.outputs import default_name
from jointvos.errors import ConfigError, OutputExists

if TYPE_CHECKING:
    from jointvos.media import Box, IdChange, MaskFile, MaskPrompts
    from jointvos.types import Frame, LabelMap, VideoInfo


_DESCRIBED = 4
"""Masks of a run that are described one by one."""


@dataclass(frozen=True)
class GivenMasks:
    """What the options say about masks.

    Attributes:
        masks: Files, FRAME=FILE, or folders.
        boxes: Objects to cut out of the first frame.
        change: What is done to the ids of the masks.
        first_mask: Where the mask made from boxes is saved.
        overwrite: Whether it may replace a file.
    """

    masks: tuple[str, ...]
    boxes: "tuple[Box, ...]"
    change: "IdChange"
    first_mask: Path
    overwrite: bool = False

    @classmethod
    def parse(
        cls,
        source: Path,
        masks: Sequence[str] | None,
        boxes: Sequence[str] | None,
        objects: str | None,
        remap: str | None,
        overwrite: bool,
    ) -> "GivenMasks":
        """Check the options for themselves.

        Raises:
            ConfigError: There is neither a mask nor a box, or an option has a wrong form.
        """
        from jointvos.media import Box, IdChange

        if not masks and not boxes:
            raise ConfigError("nothing to follow: give --mask FILE or --box X,Y,W,H")
        return cls(
            tuple(masks or ()),
            tuple(Box.parse(box) for box in boxes or ()),
            IdChange.parse(objects, remap),
            default_name(source, "_first_mask.png"),
            overwrite,
        )

    def paths(self) -> list[Path]:
        """The files and folders that are read."""
        from jointvos.media import mask_path

        return [mask_path(text) for text in self.masks]

    def check(self) -> None:
        """Refuse early what cannot be written.

        Raises:
            OutputError: The mask from boxes cannot be saved where it should stand.
        """
        if self.boxes:
            self._file()

    def read(self, info: "VideoInfo", start: str | None, end: str | None) -> "MaskPrompts":
        """All masks; see `media.read_prompts`.

        Raises:
            MaskError: One of them cannot be used.
            ConfigError: A frame or an id that is named is not there.
        """
        from jointvos.media import read_prompts

        return read_prompts(
            self.masks, info, start=start, end=end, boxes=self.boxes, change=self.change
        )

    def describe(self, prompts: "MaskPrompts", info: "VideoInfo", reporter: Reporter) -> None:
        """Say what is in the masks, and what is most likely not meant so."""
        from jointvos.media import examine_labels

        for prompt in prompts.given[:_DESCRIBED]:
            check = examine_labels(prompt.labels, prompt.path)
            reporter.note(f"{prompt}:")
            for each in check.objects:
                reporter.note(object_line(each, info.width * info.height))
            for doubt in check.doubts:
                reporter.warn(f"{prompt.path}: {doubt}; {check.advice(info.path)}")
        if len(prompts.given) > _DESCRIBED:
            reporter.note(f"and {plural(len(prompts.given) - _DESCRIBED, 'more mask')}")
        for box in prompts.boxes:
            reporter.note(f"--box {box}: object {box.id}")

    def save_first(self, reporter: Reporter, frame: "Frame", labels: "LabelMap | None") -> None:
        """Save what is given for the first frame, if boxes are part of it.

        Raises:
            OutputError: It cannot be saved.
        """
        if not self.boxes or labels is None:
            return
        self._file().save(labels)
        what = plural(len(self.boxes), "box").replace("boxs", "boxes")
        reporter.note(f"{what} cut out of frame {frame.index}: {self.first_mask}")

    def _file(self) -> "MaskFile":
        from jointvos.media import MaskFile

        try:
            return MaskFile(self.first_mask, overwrite=self.overwrite)
        except OutputExists as error:
            raise OutputExists(f"{str(error).split(';')[0]}; use -f to replace it") from error
