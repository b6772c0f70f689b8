"""Label Studio's JSON and JSON-MIN: brushes, polygons, rectangles and ellipses."""

import logging
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jointvos.errors import MaskReadError
from jointvos.masks.formats.entry import Entry, Shape
from jointvos.masks.formats.polygon import fill_ellipse, fill_polygon, fill_rectangle

_log = logging.getLogger("jointvos.masks")

_UPLOAD = re.compile(r"^[0-9a-f]{8}-")
"""What Label Studio puts in front of the names of files that are uploaded to it."""

_MOST_PIXELS = 1 << 28


def is_label_studio(content: object) -> bool:
    if isinstance(content, dict):
        return "data" in content and "annotations" in content
    return isinstance(content, list) and any(
        isinstance(task, dict) and ("annotations" in task or _regions_of_min(task))
        for task in content
    )


def read_label_studio(content: Any, path: Path) -> list[Entry]:
    """An entry per task that has masks.

    Raises:
        BROKEN: The file is damaged.
        MaskReadError: A task is a video.
    """
    entries = []
    for task in content if isinstance(content, list) else [content]:
        regions = _regions(task, path)
        if not any(map(_has_area, regions)):
            continue
        sizes = {(int(e["original_width"]), int(e["original_height"])) for e in regions}
        if len(sizes) > 1:
            raise ValueError(f"task {task.get('id')} has images of several sizes")
        (size,) = sizes
        entries.append(_entry(regions, size, _image(task), task.get("id")))
    return entries


def _entry(regions: list[Any], size: tuple[int, int], image: str, number: int | None) -> Entry:
    # The label of a region may be a region of its own with the same ID.
    labels = {each.get("id"): label for each in regions if (label := _label(each))}

    def read() -> list[Shape]:
        seen, shapes = set(), []
        for each in filter(_has_area, regions):
            if each.get("id") is not None and each["id"] in seen:
                continue
            seen.add(each.get("id"))
            label = _label(each) or labels.get(each.get("id"), "")
            shapes.append(Shape(_mask(each, size), name=label or "object"))
        return shapes

    return Entry(size, read, image, number)


def _regions(task: Any, path: Path) -> list[Any]:
    """Regions with their geometry at the top level, as JSON-MIN has them."""
    if "annotations" not in task:
        return _regions_of_min(task)
    done = [each for each in task["annotations"] if not each.get("was_cancelled")]
    if len(done) > 1:
        _log.warning(
            "%s: task %s has %d annotations; the first is taken", path, task.get("id"), len(done)
        )
    regions = done[0]["result"] if done else []
    if any(each.get("type") == "videorectangle" for each in regions):
        raise MaskReadError(f"{path}: task {task.get('id')} has boxes in a video, expected masks")
    sized = [each for each in regions if "original_width" in each]
    return [{**each, **each["value"]} for each in sized]


def _regions_of_min(task: Any) -> list[Any]:
    lists = [value for value in task.values() if isinstance(value, list)]
    regions = [each for value in lists for each in value if isinstance(each, dict)]
    return [each for each in regions if "original_width" in each]


def _image(task: Any) -> str:
    """Name of the image as it was before it was uploaded."""
    data = task.get("data") or {key: task[key] for key in ("image", "img") if key in task}
    names = [value for value in data.values() if isinstance(value, str)]
    name = task.get("file_upload") or (names[0] if names else "")
    return _UPLOAD.sub("", str(name).split("?")[0].rsplit("/", 1)[-1])


def _label(region: Any) -> str:
    for key, value in region.items():
        if key.endswith("labels") and isinstance(value, list) and value:
            return str(value[0])
    return ""


def _has_area(region: Any) -> bool:
    return any(key in region for key in ("rle", "points", "radiusX", "width"))


def _mask(region: Any, size: tuple[int, int]) -> NDArray[np.bool_]:
    """Lengths are percent of the image."""
    if "rle" in region:
        return _brush(region["rle"], size)
    percent = np.array(size) / 100
    if "points" in region:
        return fill_polygon(np.asarray(region["points"], dtype=np.float64) * percent, size)
    corner = np.array([region["x"], region["y"]]) * percent
    turned = float(region.get("rotation") or 0)
    if "radiusX" in region:
        radii = np.array([region["radiusX"], region["radiusY"]]) * percent
        return fill_ellipse(corner.tolist(), radii.tolist(), size, turned)
    sides = np.array([region["width"], region["height"]]) * percent
    return fill_rectangle(corner.tolist(), sides.tolist(), size, turned)


def _brush(data: Any, size: tuple[int, int]) -> NDArray[np.bool_]:
    """Bytes of a bit stream: runs of the values of an RGBA image, of which alpha is the mask.

    A head says how many values there are (32 bits), how many bits one has (5), and how many bits
    tell the length of a run in each of four classes (4 each). A run is a flag, whether all its
    values are equal, its class (2), its length less one, and its value or values.
    """
    bits = "".join(f"{byte:08b}" for byte in bytes(data))
    at = 0

    def take(count: int) -> int:
        nonlocal at
        if at + count > len(bits):
            raise ValueError("the run lengths of a brush end too early")
        at += count
        return int(bits[at - count : at], 2)

    total, word = take(32), take(5) + 1
    if total != 4 * size[0] * size[1] or total > _MOST_PIXELS:
        raise ValueError(f"a brush has {total // 4} pixels, expected {size[0]}x{size[1]}")
    lengths = [take(4) + 1 for _ in range(4)]
    values = np.zeros(total, dtype=np.uint8)
    done = 0
    while done < total:
        same = take(1)
        run = take(lengths[take(2)]) + 1
        if done + run > total:
            raise ValueError("the run lengths of a brush are longer than its image")
        values[done : done + run] = take(word) if same else [take(word) for _ in range(run)]
        done += run
    return np.asarray(values.reshape(size[1], size[0], 4)[..., 3] > 127)
