"""Carriers that cross the borders between files, sessions and the command line; no torch.

Coordinates are video pixels after rotation, y before x; times are seconds of the source.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

Image: TypeAlias = NDArray[np.uint8]
"""RGB image, uint8 [Hv,Wv,3]."""

DeepImage: TypeAlias = NDArray[np.uint16 | np.float32]
"""RGB image in full depth, [Hv,Wv,3]: codes as in the source, 65535 being white, or linear
light (Rec. 709 primaries, 1.0 is white) as float32."""

Hdr: TypeAlias = Literal["pq", "hlg"]
"""How HDR is coded: SMPTE ST 2084 (HDR10, Dolby Vision) or ITU-R BT.2100 hybrid log-gamma."""

LabelMap: TypeAlias = NDArray[np.uint8 | np.uint16]
"""Object IDs per pixel, [Hv,Wv]; 0 is background.

uint8: 1 to 254 are objects, 255 is void, which occurs in given masks only. uint16, used as soon as
there is an ID above 254: 1 to 65535 are objects, 255 too, and there is no void.
"""

VOID = 255
"""What is not to be learned from nor judged, in masks of uint8."""


def object_pixels(labels: LabelMap) -> NDArray[np.bool_]:
    """Where there is an object, bool [Hv,Wv]: neither background nor void."""
    if labels.dtype == np.uint8:
        return np.asarray((labels > 0) & (labels < VOID))
    return np.asarray(labels > 0)


def object_ids(labels: LabelMap) -> list[int]:
    """The IDs that occur, rising, without background and void."""
    if labels.dtype != np.uint8:
        return [int(i) for i in np.unique(labels) if i]
    counts = np.bincount(labels.ravel(), minlength=256)
    counts[[0, VOID]] = 0
    return np.flatnonzero(counts).tolist()


def label_type(ids: Iterable[int]) -> type[np.uint8] | type[np.uint16]:
    """The type of label maps that can carry these ids: uint8 up to 254, else uint16."""
    return np.uint8 if max(ids, default=0) < VOID else np.uint16


@dataclass(frozen=True)
class Mastering:
    """What HDR was mastered for (SMPTE ST 2086, CTA-861.3).

    Attributes:
        display: x and y of red, green, blue and white, then highest and lowest luminance in nits;
            None if it is not known.
        light: Highest luminance of a pixel and of a frame's mean in nits (MaxCLL, MaxFALL); None if
            they are not known.
    """

    display: tuple[float, ...] | None = None
    light: tuple[int, int] | None = None


@dataclass(frozen=True)
class VideoInfo:
    """What is known of a source before its first frame is decoded.

    Attributes:
        path: The file or folder.
        width: Columns after rotation.
        height: Rows after rotation.
        frame_rate: Nominal frames per second; a sequence of images has 24 unless told.
        time_base: Seconds per unit of `Frame.pts`.
        frame_count: Number of frames if the container tells, else None; an estimate.
        sample_aspect_ratio: Width of a pixel divided by its height, after rotation.
        is_video: False for a folder of images.
        has_audio: Whether there is sound.
        color_tags: Matrix, primaries and transfer by their numbers in ITU-T H.273; 2 is unknown.
        first_pts: `Frame.pts` of the source's first frame, from which times are counted.
        begins_anywhere: Whether the times of such files begin anywhere, as in MPEG-TS, which means
            nothing; outputs begin at 0.
        hdr: How `Frame.deep` is coded (with BT.2020 primaries) if the source is HDR; `Frame.image`
            is SDR then, and `color_tags` are those of SDR.
        mastering: What HDR was mastered for, if it tells and `hdr` is known.
        timecode: hh:mm:ss:ff or hh:mm:ss;ff of the first image of a sequence, if it tells.
        names: `Frame.name` of every image of a sequence; none for videos.
    """

    path: Path
    width: int
    height: int
    frame_rate: Fraction
    time_base: Fraction
    frame_count: int | None = None
    sample_aspect_ratio: Fraction = Fraction(1)
    is_video: bool = True
    has_audio: bool = False
    color_tags: tuple[int, int, int] = (2, 2, 2)
    first_pts: int = 0
    begins_anywhere: bool = False
    hdr: Hdr | None = None
    mastering: Mastering | None = None
    timecode: str | None = None
    names: tuple[str, ...] = ()

    def shift(self, first: "Frame") -> int:
        """By how much `Frame.pts` is less in outputs that begin with a frame.

        They keep the source's times, or begin at 0 if the frame is not the source's first, is
        before 0, or times begin anywhere.
        """
        return first.pts if first.index > 0 or first.pts < 0 or self.begins_anywhere else 0


@dataclass(frozen=True, eq=False)
class Frame:
    """One decoded image.

    Attributes:
        index: Position in display order, from 0, counted in the source.
        pts: Presentation time in units of the source's time base.
        time_s: Presentation time in seconds.
        image: RGB, uint8 [Hv,Wv,3].
        name: Stem under which per-frame files are written ("00000", or the image's own stem).
        deep: Makes the image in the depth of the source; None where that is 8 bit.
    """

    index: int
    pts: int
    time_s: float
    image: Image
    name: str
    deep: Callable[[], DeepImage] | None = None


@dataclass(frozen=True)
class ObjectState:
    """What the session says of one object in one frame.

    Attributes:
        id: The user's ID, 1 to 65535.
        area: Pixels carrying the ID.
        box: Tight box (x, y, width, height) of those pixels; None when there are none.
        center: Center of mass (x, y) of those pixels; None when there are none.
        mean_probability: Mean probability of the object over those pixels; None when none.
        paused: Whether the object has not been seen again with certainty since a cut; nothing is
            learned of it until then.
    """

    id: int
    area: int
    box: tuple[int, int, int, int] | None
    center: tuple[float, float] | None
    mean_probability: float | None
    paused: bool = False

    @classmethod
    def of(
        cls,
        object_id: int,
        mask: NDArray[np.bool_],
        probability: NDArray[np.floating],
        *,
        paused: bool = False,
    ) -> "ObjectState":
        """State of an object that has these pixels [Hv,Wv] with these probabilities [Hv,Wv]."""
        rows, columns = mask.sum(axis=1), mask.sum(axis=0)
        certainty = float(probability[mask].sum(dtype=np.float64))
        return cls.of_sums(object_id, rows, columns, certainty, paused=paused)

    @classmethod
    def of_sums(
        cls,
        object_id: int,
        rows: NDArray[np.number],
        columns: NDArray[np.number],
        certainty: float,
        *,
        paused: bool = False,
    ) -> "ObjectState":
        """State from an object's pixels per row [Hv] and column [Wv] and their certainty's sum."""
        area = int(rows.sum())
        if not area:
            return cls(object_id, 0, None, None, None, paused)
        (left, right), (top, bottom) = (np.flatnonzero(n)[[0, -1]] for n in (columns, rows))
        cx, cy = (float(np.arange(len(n)) @ n) / area for n in (columns, rows))
        return cls(
            id=object_id,
            area=area,
            box=(int(left), int(top), int(right - left) + 1, int(bottom - top) + 1),
            center=(cx, cy),
            mean_probability=certainty / area,
            paused=paused,
        )


@dataclass(frozen=True, eq=False)
class FrameResult:
    """The segmentation of one frame.

    Attributes:
        index: Index of the frame.
        labels: Ids per pixel, uint8 or uint16 [Hv,Wv]; 0 is background, void does not occur.
        objects: One state per object known so far, in the order in which they appeared.
        probabilities: float32 [1+O,Hv,Wv], background first, sums to 1; only when asked for.
        cut: Whether the frame begins a new shot and the session minds cuts.
        overlay: RGB, uint8 [Hv,Wv,3]: the image with its objects tinted and outlined; only when
            asked for.
    """

    index: int
    labels: LabelMap
    objects: tuple[ObjectState, ...]
    probabilities: NDArray[np.float32] | None = None
    cut: bool = False
    overlay: Image | None = None


class FrameSource(Protocol):
    """Frames in display order; a context manager that closes what it opened."""

    info: VideoInfo

    def __iter__(self) -> Iterator[Frame]: ...
    def stop(self) -> None:
        """End the wait of a thread for a frame that may be long in coming."""

    def __enter__(self) -> "FrameSource": ...
    def __exit__(self, *exc_info: object) -> None: ...
