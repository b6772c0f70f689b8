"""One sequence of a data set: its pictures and masks, read when they are asked for."""

from dataclasses import dataclass
from pathlib import Path

from jointvos.datasets.reading import read_image, read_labels
from jointvos.errors import SequenceIncomplete
from jointvos.types import Image, LabelMap


@dataclass(frozen=True)
class VOSSequence:
    """Files of one sequence, in display order.

    Attributes:
        name: Name in the data set.
        frames: The pictures.
        masks: The true mask of each frame; None where the data set has none.
        single_object: Whether all that is not background counts as one object with id 1.
    """

    name: str
    frames: tuple[Path, ...]
    masks: tuple[Path | None, ...]
    single_object: bool = False

    def __post_init__(self) -> None:
        if not self.frames or len(self.frames) != len(self.masks):
            raise SequenceIncomplete(
                f"sequence {self.name} has {len(self.frames)} frames and {len(self.masks)} "
                "entries for masks: expected as many of both, and at least one"
            )

    def __len__(self) -> int:
        return len(self.frames)

    def image(self, index: int) -> Image:
        """Picture of a frame, RGB uint8 [Hv,Wv,3].

        Raises:
            DatasetError: The file is missing or damaged.
        """
        return read_image(self.frames[index])

    def labels(self, index: int) -> LabelMap:
        """True ids of a frame, uint8 [Hv,Wv]; 255 is void.

        Raises:
            SequenceIncomplete: The frame has no mask.
            DatasetError: The file is damaged or holds no ids.
        """
        path = self.masks[index]
        if path is None:
            raise SequenceIncomplete(
                f"sequence {self.name} has no mask for {self.frames[index].name}: expected one"
            )
        return read_labels(path, single_object=self.single_object)
