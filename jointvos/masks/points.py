"""First masks from points: the region around them that GrabCut finds again and again.

How large an object is, points do not tell. So GrabCut starts from circles of growing radius around
them, in a small copy of the image, and the cut that stays the same from one circle to the next is
taken, the larger of two that do; then it is refined in the image itself.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from jointvos.errors import ConfigError, MaskError
from jointvos.masks.grab_cut import Region, resized, run_grab_cut, shrunk
from jointvos.masks.id_change import parse_id
from jointvos.types import Image, VideoInfo

_FORM = re.compile(r"([0-9]+),([0-9]+)(?:=(.*))?")
_GUESSED_SIDE = 160
"""Longest side of the copy in which the size is guessed."""

_LONGEST_SIDE = 640
"""That of the copy in which the object is cut out."""

_RADII = np.geomspace(0.04, 0.45, 6)
"""Of the circles, in shares of the longest side."""

_ROUNDS = 2
_Place = tuple[int, int]


@dataclass(frozen=True)
class Point:
    """A pixel of the first frame, upright.

    Attributes:
        x: Column.
        y: Row.
        id: The object's ID; None if it was not given.
    """

    x: int
    y: int
    id: int | None = None

    @classmethod
    def parse(cls, text: str, option: str) -> "Point":
        """Read "x,y" or "x,y=id"; `option` is what it was given as.

        Raises:
            ConfigError: It has another form.
        """
        match = _FORM.fullmatch(text.replace(" ", ""))
        if match is None:
            raise ConfigError(f"{option} is {text!r}, expected x,y or x,y=id")
        object_id = None if match[3] is None else parse_id(match[3], option)
        return cls(int(match[1]), int(match[2]), object_id)


@dataclass(frozen=True)
class Clicks:
    """The points of one object.

    Attributes:
        inside: Points in it, x and y; one or more.
        outside: Points that are not.
        id: Its ID; None for the next free one.
    """

    inside: tuple[_Place, ...]
    outside: tuple[_Place, ...] = ()
    id: int | None = None
    option: ClassVar[str] = "`point`"

    def __str__(self) -> str:
        inside = " ".join(f"{x},{y}" for x, y in self.inside)
        outside = "".join(f" `no_point` {x},{y}" for x, y in self.outside)
        return inside + outside

    def check(self, info: VideoInfo) -> None:
        """Compare with the size of the video.

        Raises:
            MaskError: A point is not inside.
        """
        for x, y in self.inside + self.outside:
            if x >= info.width or y >= info.height:
                raise MaskError(
                    f"`point` {x},{y} is outside of {info.path}, which is "
                    f"{info.width}x{info.height}; x counts from 0 at the left, y from 0 at the top"
                )

    def cut(self, image: Image) -> Region:
        """The pixels of the object, bool [Hv,Wv]; the same every time.

        Raises:
            MaskError: Nothing around the points stands out.
        """
        small, inside, outside = _scaled(image, self.inside, self.outside, _GUESSED_SIDE)
        guess = _guess(small, inside, outside)
        if guess is not None:
            larger, inside, outside = _scaled(image, self.inside, self.outside, _LONGEST_SIDE)
            found = _refined(larger, resized(guess, larger.shape), inside, outside)
            mask = resized(found, image.shape)
            if mask.any() and _stands_out(larger, found):
                return mask
        raise MaskError(
            f"{self.option} {self}: nothing around it stands out; give more points, a box or a mask"
        )


def clicks_of(points: Sequence[Point], no_points: Sequence[Point]) -> list[Clicks]:
    """The points by object: those without ID are all of one, apart from the others.

    A point outside holds for all objects unless it has the ID of one; points in one object are
    outside of the others.

    Raises:
        ConfigError: A point is outside of an object that has no point inside.
    """
    ids = list(dict.fromkeys(point.id for point in points))
    for point in no_points:
        if point.id is not None and point.id not in ids:
            raise ConfigError(
                f"`no_point` {point.x},{point.y}={point.id}: object {point.id} has no `point`"
            )
        if not ids:
            raise ConfigError(f"`no_point` {point.x},{point.y} needs a `point` in the object")
    found = []
    for i in ids:
        inside = tuple((p.x, p.y) for p in points if p.id == i)
        outside = tuple((p.x, p.y) for p in no_points if p.id in (None, i))
        outside += tuple((p.x, p.y) for p in points if p.id != i)
        if both := set(inside) & set(outside):
            x, y = min(both)
            raise ConfigError(f"the point {x},{y} is given as inside and as outside")
        found.append(Clicks(inside, outside, i))
    return found


def _scaled(
    image: Image, inside: Sequence[_Place], outside: Sequence[_Place], longest: int
) -> tuple[Image, list[_Place], list[_Place]]:
    """The image at most so large, and the points in it."""
    height, width = image.shape[:2]
    small = shrunk(image, longest / max(height, width))
    high, wide = small.shape[:2]
    moved = [
        [(int((x + 0.5) * wide / width), int((y + 0.5) * high / height)) for x, y in places]
        for places in (inside, outside)
    ]
    return small, moved[0], moved[1]


def _guess(image: Image, inside: list[_Place], outside: list[_Place]) -> Region | None:
    """The cut that stays most the same while the circle grows; None if there is none."""
    away = _distance(image.shape, inside)
    cuts: list[Region] = []
    for radius in _RADII * max(image.shape[:2]):
        state = np.full(image.shape[:2], cv2.GC_BGD, dtype=np.uint8)
        state[away < 2 * radius] = cv2.GC_PR_BGD
        state[away < radius] = cv2.GC_PR_FGD
        state[away <= max(2, radius / 6)] = cv2.GC_FGD
        cut = _cut(image, state, inside, outside)
        if cut is not None:
            cuts.append(cut)
    steady = [0.0] * len(cuts)
    for i in range(1, len(cuts)):
        union = np.count_nonzero(cuts[i - 1] | cuts[i])
        same = np.count_nonzero(cuts[i - 1] & cuts[i]) / union
        steady[i - 1], steady[i] = max(steady[i - 1], same), max(steady[i], same)
    if not cuts:
        return None
    worth = [same * np.sqrt(np.count_nonzero(cut)) for same, cut in zip(steady, cuts, strict=True)]
    return cuts[int(np.argmax(worth))]


def _refined(image: Image, guess: Region, inside: list[_Place], outside: list[_Place]) -> Region:
    """The guess with the edges that a larger image has."""
    reach = 1 + int(np.sqrt(np.count_nonzero(guess)) / 4)
    near = cv2.distanceTransform((~guess).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5) < reach
    state = np.where(near, cv2.GC_PR_BGD, cv2.GC_BGD).astype(np.uint8)
    state[guess] = cv2.GC_PR_FGD
    found = _cut(image, state, inside, outside)
    return guess if found is None else found


def _stands_out(image: Image, mask: Region) -> bool:
    """Whether colors change more along the outline of a mask than elsewhere."""
    kernel = np.ones((3, 3), dtype=np.uint8)
    change = cv2.morphologyEx(image, cv2.MORPH_GRADIENT, kernel).max(axis=2)
    outline = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_GRADIENT, kernel) > 0
    return bool(outline.any() and change[outline].mean() > change.mean())


def _cut(
    image: Image, state: NDArray[np.uint8], inside: list[_Place], outside: list[_Place]
) -> Region | None:
    """The parts with points of what GrabCut finds, None for all and for nothing."""
    away = _distance(image.shape, inside)
    if outside:
        # What lies around a point outside is, too, as far as it is much nearer than one inside.
        from_outside = _distance(image.shape, outside)
        state[(from_outside < away) & (state == cv2.GC_PR_FGD)] = cv2.GC_PR_BGD
        state[2 * from_outside < away] = cv2.GC_BGD
    state[away <= max(1, round(max(image.shape[:2]) / 100))] = cv2.GC_FGD
    if not np.any(state == cv2.GC_BGD):
        return None
    found = run_grab_cut(image, state, _ROUNDS)
    _, parts = cv2.connectedComponents(found.astype(np.uint8))
    kept = {int(parts[y, x]) for x, y in inside} - {0}
    mask = np.isin(parts, list(kept))
    return mask if kept and not mask.all() else None


def _distance(shape: tuple[int, ...], places: list[_Place]) -> NDArray[np.float64]:
    """From each pixel to the nearest of the places."""
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    nearest = np.min([np.hypot(columns - x, rows - y) for x, y in places], axis=0)
    return np.asarray(nearest, dtype=np.float64)
