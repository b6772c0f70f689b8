"""What the server cuts out of a frame for the tools of the page."""

from collections.abc import Mapping
from typing import Any

from jointvos.errors import ConfigError, MaskError
from jointvos.masks import Box, Clicks, Region, cut_strokes, similar_region
from jointvos.media.reading import FrameFinder
from jointvos.types import LabelMap

_LEAST_SIDE = 8

MASK, INSIDE, OUTSIDE, OTHERS = 1, 2, 3, 4
"""What pixels are for `strokes`: of the object so far, under strokes inside and outside of it, and
of other objects."""


class Cutter:
    """Finds regions in the frames of a video, bool [Hv,Wv]."""

    def __init__(self, frames: FrameFinder) -> None:
        """Take frames from there."""
        self._frames = frames

    def box(self, index: int, request: Mapping[str, Any]) -> Region:
        """What stands out in a box: x, y, width and height.

        Raises:
            ConfigError: The request lacks something.
            MaskError: The box is no use, or nothing stands out in it.
        """
        box = Box(*_numbers(request, "x", "y", "width", "height"))
        info = self._frames.info
        inside = box.x + box.width <= info.width and box.y + box.height <= info.height
        if min(box.x, box.y) < 0 or not inside or min(box.width, box.height) < _LEAST_SIDE:
            raise MaskError(
                f"draw a larger box; it needs at least {_LEAST_SIDE}x{_LEAST_SIDE} pixels"
            )
        if (box.width, box.height) == (info.width, info.height):
            raise MaskError("draw a smaller box; it needs some background around the object")
        try:
            return box.cut(self._frames.at(index).image)
        except MaskError:
            raise MaskError(
                "nothing in the box stands out from what is around it; paint it instead"
            ) from None

    def strokes(self, index: int, drawn: LabelMap) -> Region:
        """What strokes make of an object; see `MASK`.

        Raises:
            MaskError: There is nothing to begin with.
        """
        outside = (drawn == OUTSIDE) | (drawn == OTHERS)
        image = self._frames.at(index).image
        return cut_strokes(image, drawn == MASK, drawn == INSIDE, outside)

    def points(self, index: int, request: Mapping[str, Any]) -> Region:
        """The object around points: lists of x and y that are `inside` and `outside` of it.

        Raises:
            ConfigError: The request lacks something.
            MaskError: A point is outside of the frame, or nothing around them stands out.
        """
        try:
            inside, outside = (
                tuple((int(x), int(y)) for x, y in request[name]) for name in ("inside", "outside")
            )
        except (TypeError, KeyError, ValueError):
            raise ConfigError("expected points inside and outside") from None
        info = self._frames.info
        if not all(0 <= x < info.width and 0 <= y < info.height for x, y in inside + outside):
            raise MaskError("click inside of the frame")
        if not inside:
            raise MaskError("click on the object first")
        try:
            return Clicks(inside, outside).cut(self._frames.at(index).image)
        except MaskError:
            raise MaskError(
                "nothing around the points stands out; add points, or draw a box around the object"
            ) from None

    def similar(self, index: int, request: Mapping[str, Any]) -> Region:
        """The connected pixels of a color like that at x and y, up to a tolerance.

        Raises:
            ConfigError: The request lacks something, or is outside of the frame.
        """
        x, y, tolerance = _numbers(request, "x", "y", "tolerance")
        info = self._frames.info
        if not (0 <= x < info.width and 0 <= y < info.height and 0 <= tolerance <= 255):
            raise ConfigError(f"{x},{y} with tolerance {tolerance} is outside of the frame")
        return similar_region(self._frames.at(index).image, x, y, tolerance)


def _numbers(request: Mapping[str, Any], *names: str) -> list[int]:
    try:
        return [int(request[name]) for name in names]
    except (TypeError, KeyError, ValueError):
        raise ConfigError(f"expected {', '.join(names)} as numbers") from None
