"""YOLO polygons: a .txt file per image, a line per object, "class x y x y ...", in shares."""

import ast
import re
from pathlib import Path

import numpy as np

from jointvos.errors import MaskReadError
from jointvos.masks.formats.entry import Entry, Shape
from jointvos.masks.formats.polygon import fill_polygon
from jointvos.types import VideoInfo

SIDE_FILES = ("classes.txt", "obj.names", "data.yaml", "dataset.yaml")
"""Files beside it, or up to two folders above, that list the classes."""

_ITEM = re.compile(r"\s*(?:-|(\d+):)\s*(.+?)\s*$")


def read_yolo(path: Path, info: VideoInfo) -> list[Entry]:
    """The objects of the image that has the name of the file.

    Raises:
        BROKEN: The file is damaged.
        MaskReadError: A line is no polygon.
    """
    lines = path.read_text(encoding="utf-8").splitlines()
    size = (info.width, info.height)

    def read() -> list[Shape]:
        names = _names(path.absolute().parent)
        numbered = enumerate(lines, start=1)
        return [
            _shape(f"{path}, line {i}", each, info, names) for i, each in numbered if each.strip()
        ]

    return [Entry(size, read, image=path.stem)]


def _shape(where: str, line: str, info: VideoInfo, names: dict[int, str]) -> Shape:
    first, *numbers = line.split()
    try:
        number, shares = int(first), np.array([float(each) for each in numbers])
    except ValueError:
        raise MaskReadError(f"{where}: expected 'class x y x y ...' in numbers") from None
    if len(shares) == 4:
        x, y, width, height = shares * (info.width, info.height, info.width, info.height)
        corner = f"{x - width / 2:.0f},{y - height / 2:.0f}"
        raise MaskReadError(
            f"{where} is a box, not a polygon",
            hint=f"give it as `boxes=['{corner},{width:.0f},{height:.0f}']`",
        )
    if len(shares) % 2:
        raise MaskReadError(
            f"{where} has {len(shares)} numbers after the class, expected pairs of x and y; "
            "save it without confidence and track ID"
        )
    if not ((shares >= 0) & (shares <= 1)).all():
        raise MaskReadError(f"{where}: {shares.max():g} is no share of the image, from 0 to 1")
    corners = shares.reshape(-1, 2) * (info.width, info.height)
    mask = fill_polygon(corners, (info.width, info.height))
    return Shape(mask, name=names.get(number, f"class {number}"))


def _names(folder: Path) -> dict[int, str]:
    """Names of the classes, {} if no file lists them."""
    for place in (folder, *folder.parents[:2]):
        for name in SIDE_FILES:
            if (place / name).is_file():
                text = (place / name).read_text(encoding="utf-8")
                if name.endswith(".yaml"):
                    return _of_yaml(text)
                return dict(enumerate(map(str.strip, text.splitlines())))
    return {}


def _of_yaml(text: str) -> dict[int, str]:
    """`names` of a data set's YAML, as a list or a mapping, on one line or on many."""
    before, found, after = text.partition("names:")
    if not found or (before and not before.endswith("\n")):
        return {}
    first, *rest = after.splitlines() or [""]
    if first.strip().startswith(("[", "{")):
        inline = re.match(r"\s*(\[.*?\]|\{.*?\})", after, re.DOTALL)
        listed = ast.literal_eval(inline[1]) if inline else {}
        return dict(listed if isinstance(listed, dict) else enumerate(listed))
    names: dict[int, str] = {}
    for line in rest:
        if not (item := _ITEM.match(line)):
            break
        names[len(names) if item[1] is None else int(item[1])] = item[2].strip("'\"")
    return names
