"""One sequence of a data set: its images and masks, read when they are asked for."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jointvos.datasets.reading import read_image, read_labels
from jointvos.errors import DatasetError, SequenceIncomplete
from jointvos.types import Image, LabelMap, object_pixels


@dataclass(frozen=True)
class VOSObject:
    """An object as a data set lists it.

    Attributes:
        id: Its value in the masks, 1-254.
        frames: Indices of the frames that are listed for it; it is given in the first of them.
        seen: Whether the training split has that category; None if unknown.
    """

    id: int
    frames: tuple[int, ...]
    seen: bool | None = None


@dataclass(frozen=True)
class VOSSequence:
    """Files of one sequence, in display order.

    Attributes:
        name: Name in the data set.
        frames: The images.
        masks: The true mask of each frame; None where the data set has none.
        single_object: Whether all that is not background counts as one object with ID 1.
        objects: The objects, if the data set lists them; else they are those of the first mask.
    """

    name: str
    frames: tuple[Path, ...]
    masks: tuple[Path | None, ...]
    single_object: bool = False
    objects: tuple[VOSObject, ...] = ()

    def __post_init__(self) -> None:
        if not self.frames or len(self.frames) != len(self.masks):
            raise SequenceIncomplete(
                f"sequence {self.name} has {len(self.frames)} frames and {len(self.masks)} "
                "entries for masks: expected as many of both, and at least one"
            )

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def wanted(self) -> tuple[int, ...]:
        """Indices of the frames whose result counts: those listed for an object, else all."""
        if not self.objects:
            return tuple(range(len(self)))
        return tuple(sorted({index for each in self.objects for index in each.frames}))

    @property
    def has_truth(self) -> bool:
        """Whether there is a mask that gives no object."""
        given = {each.frames[0] for each in self.objects} or {0}
        return any(self.masks[i] is not None for i in self.wanted if i not in given)

    def image(self, index: int) -> Image:
        """Image of a frame, RGB uint8 [Hv,Wv,3].

        Raises:
            DatasetError: The file is missing or damaged.
        """
        return read_image(self.frames[index])

    def labels(self, index: int) -> LabelMap:
        """True IDs of a frame, uint8 [Hv,Wv]; 255 is void.

        Raises:
            SequenceIncomplete: The frame has no mask.
            DatasetError: The file is damaged or holds no IDs.
        """
        path = self.masks[index]
        if path is None:
            raise SequenceIncomplete(
                f"sequence {self.name} has no mask for {self.frames[index].name}: expected one"
            )
        return read_labels(path, single_object=self.single_object)

    def annotation(self, index: int, known: Collection[int]) -> LabelMap | None:
        """The mask that a model gets with a frame, uint8 [Hv,Wv]: the IDs of objects new in it.

        Args:
            index: The frame.
            known: Objects of the masks of earlier frames.

        Returns:
            None if there are none.

        Raises:
            SequenceIncomplete: The mask of the first frame is missing.
            DatasetError: The file is damaged, or the first mask of a sequence holds no object.
        """
        if not self.objects:
            return self._first(index) if index == 0 else None
        new = [each.id for each in self.objects if each.id not in known and each.frames[0] <= index]
        if not new or self.masks[index] is None:
            return None
        labels = self.labels(index)
        annotated = np.where(np.isin(labels, new), labels, np.uint8(0))
        return annotated if annotated.any() else None

    def _first(self, index: int) -> LabelMap:
        labels = self.labels(index)
        if not object_pixels(labels).any():
            raise DatasetError(
                f"{self.masks[index]}, the first mask of sequence {self.name}, holds no object: "
                "expected IDs from 1 to 254"
            )
        return labels
