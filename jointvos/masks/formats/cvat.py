"""CVAT "segmentation mask 1.1" (PASCAL VOC): a folder with labelmap.txt.

`SegmentationObject` has a color per object and `SegmentationClass` one per label; where only the
latter is there, all that has a label is one object.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from jointvos.errors import MaskReadError
from jointvos.files.images import IMAGE_ERRORS, image_reason, images_in, open_image
from jointvos.masks.formats.entry import Entry, Shape
from jointvos.masks.id_change import LARGEST_ID
from jointvos.masks.palette import color_keys
from jointvos.masks.palette_order import DAVIS_IDS

LABEL_MAP = "labelmap.txt"
_CLASSES, _OBJECTS = "SegmentationClass", "SegmentationObject"
_Keys = NDArray[np.uint32]


def is_cvat(folder: Path) -> bool:
    return (folder / LABEL_MAP).is_file()


def read_cvat(folder: Path) -> list[Entry]:
    """An entry per image of the folder.

    Raises:
        BROKEN: labelmap.txt is damaged.
        MaskReadError: There are no images.
    """
    names = _names(folder / LABEL_MAP)
    held = {name: folder / name for name in (_OBJECTS, _CLASSES) if (folder / name).is_dir()}
    if not held:
        raise MaskReadError(f"{folder} has {LABEL_MAP}, but no folder {_CLASSES}")
    of_objects = {each.stem: each for each in images_in(held[_OBJECTS])} if _OBJECTS in held else {}
    of_classes = {each.stem: each for each in images_in(held[_CLASSES])} if _CLASSES in held else {}
    return [
        _entry(of_objects.get(stem), of_classes.get(stem), names)
        for stem in {**of_objects, **of_classes}
    ]


def _entry(of_objects: Path | None, of_classes: Path | None, names: dict[int, str]) -> Entry:
    path = of_objects or of_classes
    assert path is not None
    try:
        with open_image(path) as image:
            size = image.size
    except IMAGE_ERRORS as error:
        raise MaskReadError(f"{path}: {image_reason(error)}") from error

    def read() -> list[Shape]:
        objects = None if of_objects is None else _keys(of_objects)
        classes = None if of_classes is None else _keys(of_classes)
        if objects is None:
            assert classes is not None
            assert of_classes is not None
            return _of_labels(classes, names, of_classes)
        return [_of_object(objects == key, classes, names) for key in _present(objects)]

    return Entry(size, read, image=path.name)


def _of_object(mask: NDArray[np.bool_], classes: _Keys | None, names: dict[int, str]) -> Shape:
    """An object with the label that most of its pixels have."""
    if classes is None:
        return Shape(mask, name="object")
    keys, counts = np.unique(classes[mask], return_counts=True)
    return Shape(mask, name=names.get(int(keys[counts.argmax()]), "object"))


def _of_labels(classes: _Keys, names: dict[int, str], path: Path) -> list[Shape]:
    """All of a label as one object, whose ID is its place in the list."""
    shapes = []
    for key in _present(classes):
        if key not in names:
            known = ", ".join(f"{name} #{key:06x}" for key, name in list(names.items())[:8])
            raise MaskReadError(
                f"{path} has the color #{key:06x}, which {LABEL_MAP} does not list ({known})"
            )
        shapes.append(Shape(classes == key, name=names[key], key=names[key]))
    return shapes


def _names(path: Path) -> dict[int, str]:
    """Labels by color, 0xRRGGBB, in the order of lines such as "car:51,221,255::"."""
    names = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        name, colors = line.rsplit(":", 3)[:2] if line.count(":") >= 3 else line.split(":")[:2]
        red, green, blue = (int(value) for value in colors.split(","))
        if not 0 <= min(red, green, blue) <= max(red, green, blue) < 256:
            raise ValueError(f"{LABEL_MAP} has the color {colors}, expected 0 to 255")
        names[red << 16 | green << 8 | blue] = name
    return names


def _keys(path: Path) -> _Keys:
    """0xRRGGBB per pixel, uint32 [H,W]."""
    try:
        with open_image(path) as image:
            return color_keys(np.asarray(image.convert("RGB")))
    except IMAGE_ERRORS as error:
        raise MaskReadError(f"{path}: {image_reason(error)}") from error


def _present(keys: _Keys) -> list[int]:
    """The colors of objects in the order of PASCAL VOC, then others; black is background."""
    found = [int(key) for key in np.unique(keys) if key]
    found.sort(key=lambda key: (DAVIS_IDS.get(key, LARGEST_ID), key))
    if len(found) > LARGEST_ID:
        raise ValueError(f"it has {len(found)} colors, expected at most {LARGEST_ID}")
    return found
