"""The folder beside a video that holds all work on it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from threading import RLock
from typing import Literal

import numpy as np

from jointvos.errors import ConfigError, MaskError, OutputError, os_errors_as
from jointvos.files.lock import alone
from jointvos.files.sequences import title_of
from jointvos.files.whole_file import remove_partials, shortened, whole_file
from jointvos.masks import read_mask, write_mask_png
from jointvos.media.reading import FrameFinder
from jointvos.paint.followed import Followed, Way
from jointvos.paint.keys import Keys
from jointvos.paint.project_file import PaintedObject, ProjectFile
from jointvos.types import VOID, FrameResult, LabelMap, object_ids

_FILE = "project.json"
LARGEST_ID = VOID - 1
_STEPS: dict[Way, int] = {"forward": 1, "backward": -1}


class Project:
    """Masks that were painted, what following made of them, and the objects' names.

    It lies beside the video, or beside the images if a pattern names them. In the folder are
    `project.json`, `masks/NAME.png` for every frame that was painted, with the objects that were
    painted in it, and `followed/`. The folder `masks` can be given to `SegmentJob` as its masks.
    Everything is on the disk as soon as a method returns. May be used from several threads.

    Attributes:
        folder: `NAME.jointvos`, beside the video.
        masks: The folder of painted masks.
        followed: Results of following.
        done: The last frame forward and the lowest backward up to which all results from the first
            mask on fit the masks; None where there are none.
    """

    def __init__(self, frames: FrameFinder) -> None:
        """Open the project of a video, or begin one.

        Raises:
            ConfigError: It is open already, or belongs to another video.
            MaskError: A mask that was put there is damaged or has too large IDs.
            OutputError: The folder cannot be made, used or understood.
        """
        self._frames = frames
        self.done: dict[Way, int | None] = {"forward": None, "backward": None}
        self._lock = RLock()
        source = frames.source
        self.folder = source.resolve().parent / shortened(title_of(source), ".jointvos")
        self.masks = self.folder / "masks"
        with os_errors_as(OutputError):
            self.masks.mkdir(parents=True, exist_ok=True)
        self._hold = alone(self.folder / "lock", self._refuse_second)
        with os_errors_as(OutputError):
            self._hold.__enter__()
        try:
            for folder in (self.folder, self.masks):
                remove_partials(folder)
            self._read()
            self.followed = Followed(self.folder / "followed")
            self._renew_keys()
        except BaseException:
            self._hold.__exit__(None, None, None)
            raise

    def __enter__(self) -> "Project":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Let others open the project."""
        with self._lock:
            self.followed.close()
            self._hold.__exit__(None, None, None)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the video."""
        return self._frames.info.height, self._frames.info.width

    @property
    def objects(self) -> list[PaintedObject]:
        """All objects, in the order of the page's list."""
        return self._file.objects

    def names(self) -> dict[int, str]:
        """The names that the user has given, by ID."""
        number = PaintedObject.called_by_number
        return {each.id: each.name for each in self.objects if each.name != number(each.id).name}

    def rename(self, names: Mapping[int, str]) -> None:
        """Give names to objects that nobody has named yet.

        Raises:
            OutputError: The disk refuses.
        """
        with self._lock:
            names = {**names, **self.names()}
            self.set_objects(
                [replace(each, name=names.get(each.id, each.name)) for each in self.objects]
            )

    @property
    def first(self) -> int | None:
        """The first frame that has a mask to follow."""
        return self._keys.first

    def name(self, index: int) -> str:
        """Stem of the files of a frame."""
        return self._frames.name(index)

    def painted(self) -> list[int]:
        """The frames that have a mask to follow, rising."""
        with self._lock:
            return sorted(index for index in self._file.given if self._path(index).exists())

    def given_ids(self, index: int) -> tuple[int, ...]:
        """The objects that were painted in a frame, also those that were erased from it."""
        return self._file.given.get(index, ())

    def given(self, index: int) -> LabelMap | None:
        """The mask to follow from a frame on: the objects painted in it, uint8 [Hv,Wv].

        Raises:
            MaskError: It was damaged from outside.
        """
        with self._lock:
            if index not in self._file.given or not self._path(index).exists():
                return None
            return read_mask(self._path(index), self._frames.info)

    def labels(self, index: int) -> LabelMap:
        """What a frame shows: what was painted in it above what following has found.

        Raises:
            MaskError: A mask was damaged from outside.
        """
        with self._lock:
            found = self.followed.labels(index)
            shown = np.zeros(self.size, dtype=np.uint8)
            if found is not None and found.shape == shown.shape:
                known = [each.id for each in self.objects if each.id not in self.given_ids(index)]
                shown = np.where(np.isin(found, known), found, 0).astype(np.uint8)
            given = self.given(index)
            if given is not None:
                shown[given > 0] = given[given > 0]
            return shown

    def paint(self, index: int, labels: LabelMap, given: Iterable[int]) -> None:
        """Keep what was painted in a frame.

        Args:
            index: The frame.
            labels: All objects as the frame shows them, uint8 [Hv,Wv].
            given: The objects that were painted; the others are left to following. Objects that
                were not known are added to the list.

        Raises:
            MaskError: The size is not the video's, or there are IDs that no object can have.
            OutputError: The disk refuses.
        """
        if labels.shape != self.size:
            raise MaskError(f"the mask is {labels.shape[::-1]}, expected {self.size[::-1]}")
        ids = tuple(sorted(set(given)))
        largest = max(int(labels.max()), *ids, 0)
        if largest > LARGEST_ID or min(ids, default=1) < 1:
            raise MaskError(f"the mask has the ID {largest}, expected 1 to {LARGEST_ID}")
        with self._lock:
            self._add_objects(ids)
            mask = np.where(np.isin(labels, ids), labels, 0).astype(np.uint8)
            found = self.followed.labels(index)
            if mask.any() or (found is not None and np.isin(found, ids).any()):
                self._file.given[index] = ids
            else:
                self._file.given.pop(index, None)
            self._store(index, mask)

    def clear(self, index: int) -> None:
        """Take back what was painted in a frame.

        Raises:
            OutputError: The disk refuses.
        """
        with self._lock:
            if index not in self._file.given:
                return
            del self._file.given[index]
            self._store(index, np.zeros(self.size, dtype=np.uint8))

    def set_objects(self, objects: Sequence[PaintedObject]) -> None:
        """Change names, order and visibility, and add objects.

        Raises:
            ConfigError: An ID is out of range, occurs twice, or is missing.
            OutputError: The disk refuses.
        """
        ids = [each.id for each in objects]
        if len(set(ids)) < len(ids) or not all(1 <= i <= LARGEST_ID for i in ids):
            raise ConfigError(f"objects need different IDs from 1 to {LARGEST_ID}, not {ids}")
        with self._lock:
            if missing := {each.id for each in self.objects} - set(ids):
                raise ConfigError(f"the list lacks the object {min(missing)}")
            self._file.objects = list(objects)
            self._write()

    def remove_object(self, object_id: int) -> None:
        """Remove an object from the list and from all masks.

        Raises:
            OutputError: The disk refuses.
        """
        with self._lock:
            self._file.objects = [each for each in self.objects if each.id != object_id]
            touched = [index for index, ids in self._file.given.items() if object_id in ids]
            for index in touched:
                rest = [i for i in self._file.given[index] if i != object_id]
                if rest:
                    self.paint(index, self.labels(index), rest)
                else:
                    self.clear(index)
            self._write()

    def key(self, index: int) -> str:
        """What the result of a frame depends on, as long as there is a mask."""
        with self._lock:
            return self._keys.of(index)

    def key_and_given(self, index: int) -> tuple[str, LabelMap | None]:
        """The key of a frame and the mask that is given for it, as they are at one moment.

        Raises:
            MaskError: The mask was damaged from outside, or there is none any more.
        """
        with self._lock:
            if self.first is None:
                raise MaskError("nothing left to follow")
            return self.key(index), self.given(index)

    def fits(self, index: int) -> bool:
        """Whether there is a result for a frame that fits the masks as they are."""
        with self._lock:
            frame = self.followed.frames.get(index)
            return frame is not None and self.first is not None and frame.key == self.key(index)

    def keep(self, result: FrameResult, way: Way, key: str) -> bool:
        """Keep the result of the next frame of a pass; False if it no longer fits the masks.

        Args:
            result: Without probabilities.
            way: Which pass.
            key: What `key` gave when the mask of the frame was read.

        Raises:
            OutputError: The disk refuses.
        """
        with self._lock:
            if self.first is None or self.key(result.index) != key:
                return False
            self.followed.append(result, way, key, self.given_ids(result.index))
            self._extend_done()
            return True

    @property
    def direction(self) -> Literal["forward", "both"]:
        """How `segment` has to go to find the same."""
        first = self.first
        return "both" if first and any(f < first for f in list(self.followed.frames)) else "forward"

    def made_by(self, session: str) -> None:
        """Say which model, run in which way, results come from; those of another no longer fit.

        Raises:
            OutputError: The disk refuses.
        """
        with self._lock:
            if self._file.session != session:
                self._file.session = session
                self._write()
                self._renew_keys()

    def _store(self, index: int, mask: LabelMap) -> None:
        """Write the mask of a frame, or remove it if there is nothing in it, and the list."""
        path = self._path(index)
        if mask.any():
            # First, for a mask that the list lacks is found again, but not the other way round.
            with whole_file(path) as partial:
                write_mask_png(partial, mask)
            self._write()
        else:
            self._write()
            with os_errors_as(OutputError):
                path.unlink(missing_ok=True)
        self._renew_keys()

    def _renew_keys(self) -> None:
        """See which results fit, after a change of the masks."""
        with os_errors_as(OutputError):
            self._keys = Keys(
                self._file.session, {index: self._path(index) for index in self.painted()}
            )
        self.done = {"forward": None, "backward": None}
        self._extend_done()

    def _extend_done(self) -> None:
        first = self.first
        for way, step in _STEPS.items():
            last = self.done[way]
            following = first if last is None else last + step
            while following is not None and self.fits(following):
                self.done[way] = following
                following += step

    def _path(self, index: int) -> Path:
        return self.masks / f"{self._frames.name(index)}.png"

    def _add_objects(self, ids: Iterable[int]) -> None:
        known = {each.id for each in self.objects}
        new = sorted(set(ids) - known)
        self._file.objects += [PaintedObject.called_by_number(i) for i in new]

    def _refuse_second(self) -> None:
        raise ConfigError(
            f"{self.folder} is open in another jointvos paint; use that page, or end it first"
        )

    def _read(self) -> None:
        self._file = ProjectFile.read(self.folder / _FILE, self._frames.source, self._frames.info)
        given = self._file.given
        for mask in sorted(self.masks.glob("*.png")):
            index = self._frames.index(mask.stem)
            if index is not None and index not in given:
                ids = object_ids(read_mask(mask, self._frames.info))
                if max(ids, default=0) > LARGEST_ID:
                    raise MaskError(f"{mask} holds the ID {max(ids)}, expected 1 to {LARGEST_ID}")
                given[index] = tuple(ids)
        self._add_objects(i for ids in given.values() for i in ids)
        self._write()

    def _write(self) -> None:
        self._file.write(self.folder / _FILE)
