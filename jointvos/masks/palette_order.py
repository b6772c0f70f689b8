"""What the colors of a palette say about its indices: programs order palettes as they like."""

from pathlib import Path
from typing import TypeAlias

import numpy as np
from PIL import Image as PillowImage

from jointvos.errors import UnclearBackground
from jointvos.masks.palette import DAVIS_PALETTE, color_keys
from jointvos.types import LabelMap, object_ids

Looks: TypeAlias = dict[int, int | None]
"""Color of each index that occurs, and of 0, as 0xRRGGBB; None where it is transparent."""

_NEARLY_BLACK = 16
DAVIS_IDS = {key: i for i, key in enumerate(color_keys(DAVIS_PALETTE).tolist())}
"""IDs by the color that DAVIS and PASCAL VOC give them, 0xRRGGBB."""


def looks_of(image: PillowImage.Image, indices: LabelMap) -> Looks:
    """How the indices of an image of mode P look, void aside; {} if its palette lacks some."""
    palette = image.getpalette() or []
    given = image.info.get("transparency", b"")
    clear = {given} if isinstance(given, int) else {i for i, a in enumerate(given) if a < 128}
    present = [0, *object_ids(indices)]
    if 3 * present[-1] >= len(palette):
        return {}
    keys = color_keys(np.array(palette, dtype=np.uint8).reshape(-1, 3)).tolist()
    return {i: None if i in clear else keys[i] for i in present}


def refuse_order(image: PillowImage.Image, indices: LabelMap, path: Path) -> None:
    """Refuse indices whose background is certainly not 0, going by the palette.

    Raises:
        UnclearBackground: Index 0 is of another color than black, and a later one is black; or
            index 0 can be seen, and a later one is transparent.
    """
    looks = looks_of(image, indices)
    background = _background(looks)
    if background and 0 not in background:
        names = f"index {background[0]}"
        if len(background) > 1:
            names += f" (like {len(background) - 1} more)"
        share = np.isin(indices, background).mean()
        raise UnclearBackground(
            f"{path}: {names} of its palette is {_name(looks[background[0]])} "
            f"({100 * share:.2f} % of the mask) and index 0, which counts as background, is "
            f"{_name(looks[0])}; number the palette so that the background is 0"
        )


def palette_doubt(looks: Looks) -> str | None:
    """What is hardly meant although the indices can be used; None if nothing is."""
    background = _background(looks)
    objects = {i: key for i, key in looks.items() if i and key is not None}
    if later := [i for i in background if i]:
        return f"index {later[0]} of its palette is {_name(looks[later[0]])} like index 0"
    if set(objects.values()) <= DAVIS_IDS.keys() - {0}:
        pairs = [(i, DAVIS_IDS[key]) for i, key in objects.items()]
        wrong = [f"{i} has that of {shown}" for i, shown in pairs if i != shown]
        if wrong:
            return f"its colors are DAVIS colors, but of other ids: {', '.join(wrong[:4])}"
    if are_of_web_palette(looks):
        return f"its IDs {', '.join(map(str, objects))} are places in a web palette"
    for key in objects.values():
        same = [k for k in objects if objects[k] == key]
        if len(same) > 1 and key:
            return f"its IDs {' and '.join(map(str, same))} have the same color, {_name(key)}"
    return None


def are_of_web_palette(looks: Looks) -> bool:
    """Whether the IDs are places in the palette that Pillow makes by default."""
    objects = {i: key for i, key in looks.items() if i and key is not None}
    return bool(objects) and all(_is_web_safe(i, key) for i, key in objects.items())


def ids_by_colors(looks: Looks) -> dict[int, int]:
    """The ID for each index, going by the colors: as in an RGB image, one per color.

    What looks like background becomes 0; DAVIS colors are their IDs; others are numbered by
    falling 0xRRGGBB.
    """
    background = _background(looks)
    objects = {i: key for i, key in looks.items() if key is not None and i not in background}
    if set(objects.values()) <= DAVIS_IDS.keys() - {0}:
        ids = DAVIS_IDS
    else:
        ids = {key: n for n, key in enumerate(sorted(set(objects.values()), reverse=True), start=1)}
    return {i: ids[objects[i]] if i in objects else 0 for i in looks}


def _background(looks: Looks) -> list[int]:
    """Indices that look like background: transparent, else black, else nearly; [] if all do."""
    clear = [i for i, key in looks.items() if key is None]
    black = [i for i, key in looks.items() if key == 0]
    nearly = [i for i, key in looks.items() if key is not None and _is_black(key)]
    found = clear or black or nearly
    return found if len(found) < len(looks) else []


def _is_black(key: int) -> bool:
    return max(key >> 16, key >> 8 & 255, key & 255) < _NEARLY_BLACK


def _is_web_safe(index: int, key: int) -> bool:
    """Whether Pillow's web palette has that color there: steps of 51 behind ten blacks."""
    steps = [(key >> shift & 255) / 51 for shift in (16, 8, 0)]
    return index >= 10 and index == 10 + steps[0] + 6 * steps[1] + 36 * steps[2]


def _name(key: int | None) -> str:
    if key is None:
        return "transparent"
    return "black" if _is_black(key) else f"#{key:06x}"
