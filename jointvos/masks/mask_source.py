"""What is behind the FILE of a mask: an image, a file of another tool, or a folder of either."""

import csv
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jointvos.errors import MaskError, MaskReadError, os_errors_as, os_reason
from jointvos.files.close_names import did_you_mean
from jointvos.files.images import SUFFIXES, by_name, images_in
from jointvos.frame_range import Bound
from jointvos.masks.formats import (
    Entry,
    Objects,
    Shape,
    is_annotation,
    is_annotation_file,
    objects_of,
    read_entries,
)
from jointvos.masks.mask_size import check_size
from jointvos.types import VideoInfo, object_ids

_log = logging.getLogger("jointvos.masks")

ReadImage = Callable[[Path, VideoInfo], Objects]
"""Reads an image of IDs, in the size of the video."""


@dataclass(frozen=True, eq=False)
class Found:
    """The mask of one frame, not read yet.

    Attributes:
        path: Where it is, for messages; for one of several in a file with `#IMAGE` behind.
        place: Its frame; None for the first of the range.
        read: Reads its objects.
        is_image: Whether it is an image file of IDs.
    """

    path: Path
    place: Bound | None
    read: Callable[[], Objects]
    is_image: bool = False


class MaskSource:
    """Finds masks for a video."""

    def __init__(self, info: VideoInfo, read_image: ReadImage) -> None:
        """Take note of the video; `read_image` reads images."""
        self._info = info
        self._read_image = read_image
        self._frames: Mapping[str, int] | None = None

    def find(self, path: Path, image: str | None, place: Bound | None) -> list[Found]:
        """The masks in a file or folder.

        Args:
            path: The file or folder.
            image: Which image of the file is meant; None for all.
            place: The frame that was named; None if none was.

        Raises:
            MaskError: It cannot be used, or nobody can tell which frames its masks are for.
        """
        require_mask(path)
        with os_errors_as(MaskReadError):
            is_folder = path.is_dir()
            is_file_of_tool = is_annotation(path)
        if is_file_of_tool:
            return self._of_entries(path, image, place)
        if not is_folder:
            return [self._of_file(path, place)]
        if place is not None:
            raise MaskReadError(f"{place.text}={path}: {path} is a folder; expected a file")
        return self._in_folder(path)

    def _of_file(self, path: Path, place: Bound | None) -> Found:
        return Found(path, place, lambda: self._read_image(path, self._info), is_image=True)

    def _of_entries(self, path: Path, image: str | None, place: Bound | None) -> list[Found]:
        entries, is_video = read_entries(path, self._info), self._info.is_video
        if not entries:
            raise MaskReadError(f"{path} holds no masks")
        if image is not None:
            entry = _called(image, entries, path)
            return [self._of_entry(entry, path, place, f"#{image}")]
        if len(entries) == 1:
            return [self._of_entry(entries[0], path, place or self._its_frame(entries[0]))]
        if place is not None:
            raise MaskError(
                f"`mask` {place.text}={path}: it holds {len(entries)} images ({_listed(entries)})",
                hint=f"name one of them, `masks=[{f'{place.text}={path}#IMAGE'!r}]`",
            )
        placed = {entry: frame for entry in entries if (frame := self._frame_of(entry)) is not None}
        missing = len(entries) - len(placed)
        if not placed or len(set(placed.values())) < len(placed) or (missing and is_video):
            why = f"are not those of images in {self._info.path}"
            if is_video:
                why = "do not say which frames they are"
            raise MaskError(
                f"{path} holds {len(entries)} images ({_listed(entries)}), and their names {why}",
                hint=f"name one of them, `masks=[{f'{path}#IMAGE'!r}]`",
            )
        if missing:
            _log.warning("%s: %d of its images are not in %s", path, missing, self._info.path)
        return [
            self._of_entry(entry, path, Bound(str(frame), frame=frame), f"#{entry}")
            for entry, frame in placed.items()
        ]

    def _of_entry(self, entry: Entry, path: Path, place: Bound | None, behind: str = "") -> Found:
        named = Path(f"{path}{behind}")

        def read() -> Objects:
            check_size(entry.size, named, self._info)
            return objects_of(entry, named)

        return Found(named, place, read)

    def _its_frame(self, entry: Entry) -> Bound | None:
        """The frame of the only entry, if the input is a folder that has an image of its name."""
        frame = None if self._info.is_video else self._frame_of(entry)
        return None if frame is None else Bound(entry.stem, frame=frame)

    def _frame_of(self, entry: Entry) -> int | None:
        """The frame that an entry says that it is for."""
        if not self._info.is_video:
            return self._names().get(entry.stem)
        return _last_number(entry.stem) if entry.frame is None else entry.frame

    def _names(self) -> Mapping[str, int]:
        """Frames of an image sequence, by the stems of its images."""
        if self._frames is None:
            self._frames = {name: index for index, name in enumerate(self._info.names)}
        return self._frames

    def _in_folder(self, folder: Path) -> list[Found]:
        """Masks of frames, or a file or a sub-folder for each object."""
        with os_errors_as(MaskReadError):
            inside = [each for each in folder.iterdir() if not each.name.startswith(".")]
            folders = sorted((each for each in inside if each.is_dir()), key=by_name)
        files = _mask_files(inside)
        if _is_of_segment_anything(folder):
            return [
                self._of_object(self._of_file(each, None), str(i))
                for i, each in enumerate(images_in(folder), start=1)
            ]
        images = [each for each in files if not is_annotation_file(each)]
        frames = [each for each in files if self._number(each) is not None]
        if frames:
            # Images beside files of a tool are what was annotated.
            by_tool = [each for each in frames if is_annotation_file(each)]
            return [self._of_frame(each) for each in by_tool or images_in(folder)]
        if folders and not images:
            return [found for each in folders for found in self._of_object_folder(each)]
        for each in images_in(folder):
            if _last_number(each.stem) is not None:
                self._require_frame(each)
        return [self._of_object(self._of_file(each, None), each.stem) for each in images]

    def _of_object_folder(self, folder: Path) -> list[Found]:
        with os_errors_as(MaskReadError):
            files = _mask_files(list(folder.iterdir()))
        if not files:
            raise MaskReadError(f"{folder} holds no masks")
        return [self._of_object(self._of_frame(each), folder.name) for each in files]

    def _of_object(self, found: Found, name: str) -> Found:
        """A mask of one object, which has the name of its file or folder."""

        def read() -> list[Shape]:
            objects = found.read()
            if isinstance(objects, list):
                return [each.called(name) for each in objects]
            ids = object_ids(objects)
            if len(ids) != 1:
                raise MaskError(
                    f"{found.path}: it holds the IDs {', '.join(map(str, ids[:8]))}, expected one "
                    "object in a folder with a file per object; masks of frames are called "
                    "<frame>.png"
                )
            return [Shape(np.asarray(objects == ids[0]), name)]

        return Found(found.path, found.place, read)

    def _of_frame(self, path: Path) -> Found:
        number = self._require_frame(path)
        place = Bound(path.stem, frame=number)
        if not is_annotation_file(path):
            return self._of_file(path, place)
        entries = read_entries(path, self._info)
        if len(entries) != 1:
            raise MaskError(
                f"{path} holds {len(entries)} images, expected one in a folder of <frame> files"
            )
        return self._of_entry(entries[0], path, place)

    def _number(self, path: Path) -> int | None:
        """The frame that a file is named after."""
        if not self._info.is_video:
            return self._names().get(path.stem)
        return int(path.stem) if path.stem.isascii() and path.stem.isdecimal() else None

    def _require_frame(self, path: Path) -> int:
        number = self._number(path)
        if number is None and self._info.is_video:
            raise MaskError(
                f"{path}: its name is not a frame number such as 00012.png",
                hint="rename it, or pass it as `masks=['FRAME=FILE']`, or if it is one object of "
                "several, as `masks=['ID:FILE']`",
            )
        if number is None:
            raise MaskError(
                f"{path}: {self._info.path} holds no image called {path.stem}",
                hint="rename it, or if it is one object of several, pass it as `masks=['ID:FILE']`",
            )
        return number


def require_mask(path: Path) -> None:
    """See that a file or folder is there.

    Raises:
        MaskReadError: It is missing.
    """
    with os_errors_as(MaskReadError):
        try:
            path.lstat()
        except FileNotFoundError as error:
            hint = did_you_mean(path, _may_be_mask)
            raise MaskReadError(os_reason(error), hint=hint) from error
        except ValueError:  # no name of a file, which opening it tells
            pass


def _may_be_mask(path: Path) -> bool:
    return path.is_dir() or path.suffix.lower() in SUFFIXES or is_annotation_file(path)


def _mask_files(inside: Sequence[Path]) -> list[Path]:
    """Images and files of tools."""
    found = [
        each
        for each in inside
        if not each.name.startswith(".")
        and (each.suffix.lower() in SUFFIXES or is_annotation_file(each))
    ]
    return sorted(found, key=by_name)


def _is_of_segment_anything(folder: Path) -> bool:
    """Whether the numbers of files are those of objects, as its script amg.py saves them."""
    listed = folder / "metadata.csv"
    if not listed.is_file():
        return False
    with os_errors_as(MaskReadError), listed.open(newline="", errors="replace") as file:
        return next(csv.reader(file), [])[:2] == ["id", "area"]


def _last_number(stem: str) -> int | None:
    """The number at the end of a name such as frame_000012."""
    digits = stem[len(stem.rstrip("0123456789")) :]
    return int(digits) if 0 < len(digits) < 10 else None


def _called(image: str, entries: Sequence[Entry], path: Path) -> Entry:
    found = [entry for entry in entries if entry.is_called(image)]
    if len(found) == 1:
        return found[0]
    count = "several images" if found else "no image"
    raise MaskError(
        f"{path} has {count} called {image} with masks; expected one of {_listed(entries)}"
    )


def _listed(entries: Sequence[Entry]) -> str:
    more = f" and {len(entries) - 4} more" if len(entries) > 4 else ""
    return ", ".join(map(str, entries[:4])) + more
