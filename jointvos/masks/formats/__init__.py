"""Masks as other tools save them; `READERS` and `JSON_READERS` say what reads what."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from jointvos.errors import MaskError, MaskReadError, os_errors_as
from jointvos.masks.formats.arrays import read_npy, read_npz
from jointvos.masks.formats.coco import is_coco, read_coco
from jointvos.masks.formats.cvat import is_cvat, read_cvat
from jointvos.masks.formats.entry import BROKEN, Entry, Objects, Shape, reason
from jointvos.masks.formats.label_studio import is_label_studio, read_label_studio
from jointvos.masks.formats.labelme import is_labelme, read_labelme
from jointvos.masks.formats.svg import read_svg
from jointvos.masks.formats.yolo import SIDE_FILES, read_yolo
from jointvos.types import VideoInfo

__all__ = [
    "Entry",
    "Objects",
    "Shape",
    "is_annotation",
    "is_annotation_file",
    "objects_of",
    "read_entries",
]

READERS: Mapping[str, Callable[[Path, VideoInfo], list[Entry]]] = {
    ".npy": read_npy,
    ".npz": read_npz,
    ".txt": read_yolo,
    ".svg": read_svg,
    ".json": lambda path, info: _read_json(path),
}
"""By suffix; all other files are images."""

JSON_READERS: Mapping[str, tuple[Callable[[object], bool], Callable[[Any, Path], list[Entry]]]] = {
    "labelme": (is_labelme, read_labelme),
    "Label Studio": (is_label_studio, read_label_studio),
    "COCO": (is_coco, read_coco),
}
"""By kind: what knows its content, and what reads it."""

OTHERS: Mapping[str, str] = {
    ".zip": "unpack it and give the folder or file inside",
    ".svgz": "save it as plain .svg",
    ".xml": "export CVAT's 'Segmentation mask 1.1' or 'COCO 1.0' instead",
}
"""What to do about kinds that are not read, by suffix."""

_LARGEST = 512 << 20


def is_annotation(path: Path) -> bool:
    """Whether a file or folder is read, or refused, here: it is no image or folder of masks."""
    return is_annotation_file(path) or path.suffix.lower() in OTHERS or is_cvat(path)


def is_annotation_file(path: Path) -> bool:
    """Whether the name is that of a file that is read here."""
    return path.suffix.lower() in READERS and path.name not in SIDE_FILES


def read_entries(path: Path, info: VideoInfo) -> list[Entry]:
    """What a file holds, an entry per image; masks are decoded when they are asked for.

    Args:
        path: A file or folder that `is_annotation` accepts.
        info: The video that the masks are for.

    Raises:
        MaskReadError: It is missing, damaged, too large, or of an unknown kind.
    """
    with os_errors_as(MaskReadError), _as_ours(path):
        if is_cvat(path):
            return read_cvat(path)
        if advice := OTHERS.get(path.suffix.lower()):
            raise MaskReadError(f"{path}: {path.suffix} is not read", hint=advice)
        if (bytes := path.stat().st_size) > _LARGEST:
            raise MaskReadError(
                f"{path} has {bytes >> 20} MiB, expected at most {_LARGEST >> 20}; "
                "export only the images of this video"
            )
        return READERS[path.suffix.lower()](path, info)


def objects_of(entry: Entry, path: Path) -> Objects:
    """Decode the masks of an entry of a file.

    Raises:
        MaskError: They are damaged, or no masks.
    """
    with os_errors_as(MaskReadError), _as_ours(path):
        return entry.read()


def _read_json(path: Path) -> list[Entry]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise MaskReadError(f"{path} is no JSON: {reason(error)}") from error
    for kind, (knows, read) in JSON_READERS.items():
        if knows(content):
            try:
                return read(content, path)
            except BROKEN as error:
                if isinstance(error, MaskError):
                    raise
                raise MaskReadError(f"{path}: broken {kind} JSON, {reason(error)}") from error
    raise MaskReadError(
        f"{path} is JSON, but none of {', '.join(JSON_READERS)}; export one of these, or PNG"
    )


@contextmanager
def _as_ours(path: Path) -> Iterator[None]:
    """Raise what is wrong with the content as an error of ours."""
    try:
        with np.errstate(over="raise", invalid="raise"):
            yield
    except MaskError:
        raise
    except OSError:
        raise
    except BROKEN as error:
        raise MaskReadError(f"{path}: {reason(error)}") from error
