"""labelme JSON (also AnyLabeling's): a file per image, a list of shapes.

Polygons, rectangles, circles and masks are read. Shapes of one label and `group_id` are one object.
"""

import base64
import logging
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jointvos.files.images import IMAGE_ERRORS, open_image
from jointvos.masks.formats.entry import Entry, Shape
from jointvos.masks.formats.polygon import fill_ellipse, fill_polygon, fill_rectangle

_log = logging.getLogger("jointvos.masks")

_NOT_OBJECTS = ("_background_", "__ignore__")
_WITHOUT_AREA = ("point", "points", "line", "linestrip")


def is_labelme(content: object) -> bool:
    return isinstance(content, dict) and "shapes" in content


def read_labelme(content: Any, path: Path) -> list[Entry]:
    """The only image of a file.

    Raises:
        BROKEN: The file is damaged.
    """
    size = (int(content["imageWidth"]), int(content["imageHeight"]))

    def read() -> list[Shape]:
        found = []
        for number, each in enumerate(content["shapes"]):
            label, kind = str(each["label"]), each.get("shape_type", "polygon")
            if label in _NOT_OBJECTS:
                continue
            if kind in _WITHOUT_AREA:
                _log.warning("%s: shape %d (%s) is a %s, left out", path, number, label, kind)
                continue
            group = each.get("group_id")
            key = "" if group is None else f"{label} {group}"
            found.append(Shape(_mask(each, kind, size), name=label, key=key))
        return found

    return [Entry(size, read, image=str(content.get("imagePath") or ""))]


def _mask(shape: Any, kind: str, size: tuple[int, int]) -> NDArray[np.bool_]:
    points = np.asarray(shape["points"], dtype=np.float64)
    if kind in ("polygon", "rotation"):
        return fill_polygon(points, size)
    if kind == "circle":
        center, edge = points
        radius = float(np.hypot(*(edge - center)))
        return fill_ellipse(center.tolist(), (radius, radius), size)
    if kind == "rectangle":
        low, high = points.min(axis=0), points.max(axis=0)
        return fill_rectangle(low.tolist(), (high - low).tolist(), size)
    if kind == "mask":
        return _pasted(shape["mask"], points[0], size)
    raise ValueError(f"a shape is a {kind}, expected polygon, rectangle, circle or mask")


def _pasted(encoded: str, corner: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.bool_]:
    """A PNG as text, placed with its first pixel at the corner."""
    try:
        with open_image(BytesIO(base64.b64decode(encoded, validate=True))) as image:
            if image.width > size[0] or image.height > size[1]:
                raise ValueError(f"a mask is {image.width}x{image.height}, larger than the image")
            part = np.asarray(image.convert("L")) > 0
    except IMAGE_ERRORS as error:
        raise ValueError(f"the PNG of a mask is damaged: {error}") from error
    mask = np.zeros(size[::-1], dtype=np.bool_)
    x, y = np.clip(np.rint(corner), 0, size).astype(int)
    room = mask[y : y + part.shape[0], x : x + part.shape[1]]
    room[:] = part[: room.shape[0], : room.shape[1]]
    return mask
