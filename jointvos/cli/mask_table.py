"""The objects of a mask as lines for people or as records for programs."""

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jointvos.masks import MaskCheck, MaskedObject

HEADER = f"{'id':>5}  {'color':7}  {'area':>9}  {'share':>7}  box (x,y width x height)"


def object_line(each: "MaskedObject", pixels: int) -> str:
    """One object, in the columns of `HEADER`; `pixels` are those of the whole mask."""
    x, y, width, height = each.box
    share = f"{100 * each.area / pixels:.2f} %"
    name = f"  {each.name}" if each.name else ""
    return (
        f"{each.id:>5}  {color(each):7}  {each.area:>6} px  {share:>7}  "
        f"{x},{y} {width}x{height}{name}"
    )


def as_json(check: "MaskCheck") -> str:
    """All that was found out, as one object."""
    return json.dumps(
        {
            "mask": str(check.path),
            "usable": check.refused is None,
            "refused": None if check.refused is None else str(check.refused),
            "doubts": list(check.doubts),
            "mending": check.mending or None,
            "objects": [
                {
                    "id": each.id,
                    "name": each.name or None,
                    "color": color(each),
                    "area": each.area,
                    "share": round(each.area / check.labels.size, 6),
                    "box": list(each.box),
                }
                for each in check.objects
                if check.labels is not None
            ],
        }
    )


def color(each: "MaskedObject") -> str:
    """As #rrggbb."""
    return f"#{bytes(each.color).hex()}"
