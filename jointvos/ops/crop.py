"""Search regions: cut from a frame, and logits pasted back; all objects of a frame at once.

A region keeps the aspect of the crop and may stick out of the frame along one axis
('inside_major'): it is shrunk until one axis fits, moved inside, and centered where it still
overflows. Regions are whole pixels; a frame much larger than the crop is decimated first.

Where a region is follows from tensors and stays in tensors, so that no device is waited for. Crops
and pasted frames therefore have sizes that do not depend on it: each of their pixels is looked up
where it comes from, first its row, then its column.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from jointvos.ops.target import Pair, TargetState, precise

OUTSIDE = -100.0
"""Logit of pixels that the search region does not cover."""


@dataclass(frozen=True)
class SearchRegion:
    """Rectangles of the (decimated) frame, one per object; they may lie partly outside.

    Attributes:
        start: First row and column, int64 [O,2].
        size: Rows and columns, int64 [O,2].
        step: Decimation: every `step`-th pixel of the frame is looked at, int64 [O].
        offset: First row and column that the decimation keeps, int64 [O,2].
    """

    start: Tensor
    size: Tensor
    step: Tensor
    offset: Tensor


@dataclass(frozen=True)
class _Taps:
    """Along one axis: which two pixels make a pixel of the result, and how much the second weighs.

    Attributes:
        first: int64 [O,n].
        second: int64 [O,n].
        weight: float32 [O,n].
    """

    first: Tensor
    second: Tensor
    weight: Tensor

    def shifted(self, start: Tensor) -> "_Taps":
        """Taps of the pixels from `start` [O] on, half as many; beyond the ends the last ones."""
        count = self.first.shape[1]
        where = start[:, None] + torch.arange(count // 2, device=start.device)
        where = where.clamp(0, count - 1)
        return _Taps(*(each.gather(1, where) for each in (self.first, self.second, self.weight)))


def search_region(center: Tensor, scale: Tensor, crop: Pair, frame: Pair) -> SearchRegion:
    """Regions around `center` (y, x) at `scale` frame pixels per crop pixel.

    They are shrunk until one axis fits into the frame, and moved inside.

    Args:
        center: In frame pixels, [O,2].
        scale: [O].
        crop: Height and width of the crop.
        frame: Height and width of the frame.
    """
    region = _unlimited_region(center, _within_frame(scale, crop, frame).trunc(), crop)
    start = [
        _moved_inside(region.start[:, i], region.size[:, i], _limit(region, i, frame))
        for i in (0, 1)
    ]
    return SearchRegion(torch.stack(start, 1), region.size, region.step, region.offset)


def _within_frame(scale: Tensor, crop: Pair, frame: Pair) -> Tensor:
    """Extent [O,2] of regions, shrunk until one axis fits into the frame."""
    extent = [scale * side for side in crop]
    shrink = torch.minimum(extent[0] / frame[0], extent[1] / frame[1]).clamp_min(1.0)
    return torch.stack(extent, 1) / shrink[:, None]


def _unlimited_region(center: Tensor, extent: Tensor, crop: Pair) -> SearchRegion:
    smallest = torch.minimum(extent[:, 0] / crop[0], extent[:, 1] / crop[1])
    step = (smallest - 0.1).long().clamp_min(1)[:, None]
    center = center.long()
    offset = center % step
    center = (center - offset) // step
    size = (extent / step).round().long().clamp_min(2)
    return SearchRegion(center - (size - 1) // 2, size, step[:, 0], offset)


def _limit(region: SearchRegion, axis: int, frame: Pair) -> Tensor:
    """Rows or columns of the decimated frame, [O]."""
    return -((region.offset[:, axis] - frame[axis]) // region.step)


def _moved_inside(start: Tensor, length: Tensor, limit: Tensor) -> Tensor:
    start = start + (-start).clamp_min(0) - (start + length - limit).clamp_min(0)
    overflow = ((-start).clamp_min(0) + (start + length - limit).clamp_min(0)) // 2
    return torch.where(overflow > 0, -overflow, start)


def _taps(position: Tensor, last: int | Tensor) -> _Taps:
    """Bilinear interpolation at positions [O,n] of an axis up to a `last` pixel, [O,1]."""
    position = position.clamp_min(0)
    first = position.long().clamp(max=last)
    return _Taps(first, (first + 1).clamp(max=last), position - first)


def _crop_taps(region: SearchRegion, axis: int, count: int, frame: Pair) -> _Taps:
    """Which pixels of the frame make the `count` rows or columns of a crop; borders repeat."""
    length = region.size[:, axis, None]
    middle = torch.arange(count, device=length.device) + 0.5
    taps = _taps(length.float() / count * middle - 0.5, length - 1)

    def in_frame(place: Tensor) -> Tensor:
        last = (_limit(region, axis, frame) - 1)[:, None]
        place = torch.minimum((region.start[:, axis, None] + place).clamp_min(0), last)
        return place * region.step[:, None] + region.offset[:, axis, None]

    return _Taps(in_frame(taps.first), in_frame(taps.second), taps.weight)


def _nearest(region: SearchRegion, axis: int, count: int, frame: Pair) -> tuple[Tensor, Tensor]:
    """Which row or column of the frame each of a crop is, [O,count], and whether it lies inside."""
    length = region.size[:, axis, None]
    place = (torch.arange(count, device=length.device) * (length.float() / count)).long()
    place = region.start[:, axis, None] + torch.minimum(place, length - 1)
    limit = _limit(region, axis, frame)[:, None]
    inside = (place >= 0) & (place < limit)
    place = torch.minimum(place.clamp_min(0), limit - 1)
    return place * region.step[:, None] + region.offset[:, axis, None], inside


def _looked_up(image: Tensor, rows: _Taps, columns: _Taps) -> Tensor:
    """Bilinear pixels [O,C,h,w] of an image [C,Hv,Wv]."""
    count = (len(image), *rows.first.shape, columns.first.shape[1])
    lines = [image[:, taps] for taps in (rows.first, rows.second)]  # [C,O,h,Wv], still narrow
    corners = [
        [line.gather(3, taps[:, None].expand(count)).float() for line in lines]
        for taps in (columns.first, columns.second)
    ]
    left, right = (torch.lerp(a, b, rows.weight[:, :, None]) for a, b in corners)
    return torch.lerp(left, right, columns.weight[:, None]).transpose(0, 1)


def crop_image(image: Tensor, region: SearchRegion, size: Pair) -> Tensor:
    """Bilinear crops [O,3,*size], float, of a frame [3,Hv,Wv]; borders are replicated."""
    frame = (image.shape[1], image.shape[2])
    rows, columns = (_crop_taps(region, i, size[i], frame) for i in (0, 1))
    return _looked_up(image, rows, columns)


def crop_mask(masks: Tensor, region: SearchRegion, size: Pair) -> Tensor:
    """Nearest-neighbor crops [O,1,*size] of masks or probabilities [O,Hv,Wv]; zero outside."""
    frame = (masks.shape[1], masks.shape[2])
    (rows, above), (columns, beside) = (_nearest(region, i, size[i], frame) for i in (0, 1))
    inside = above[:, :, None] & beside[:, None]
    return (_picked(masks, rows, columns) * inside)[:, None]


def _picked(masks: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Pixels [O,h,w] of [O,Hv,Wv], by row [O,h] and column [O,w]."""
    own = torch.arange(len(masks), device=masks.device)[:, None]
    lines = masks[own, rows]
    return lines.gather(2, columns[:, None].expand(*rows.shape, columns.shape[1]))


def crop_first_frame(
    image: Tensor, masks: Tensor, state: TargetState, scale: Tensor, crop: Pair
) -> tuple[Tensor, Tensor]:
    """Crops of objects' first frame, which the paper's code takes on another path.

    A patch of twice the crop's extent around the rounded center is resized first; the crop is
    then cut from it, displaced by whole crop pixels so that it stays inside the frame.

    Shapes: image [3,Hv,Wv], masks [O,Hv,Wv]; result [O,3,*crop], [O,1,*crop].
    """
    frame, double = (image.shape[1], image.shape[2]), (2 * crop[0], 2 * crop[1])
    extent = _within_frame(scale, crop, frame)
    inner_scale = (extent[:, 0] / crop[0] * (extent[:, 1] / crop[1])).sqrt()
    first = state.center - (extent - 1) / 2
    last = state.center + extent / 2 + 1
    beyond = torch.stack([(last[:, i] - frame[i]).clamp_min(0) for i in (0, 1)], 1)
    shift = (-((-first).clamp_min(0) - beyond) / inner_scale[:, None]).long()
    whole = torch.stack([inner_scale * 2 * side for side in crop], 1)
    patch = _unlimited_region(state.center.round(), whole, double)
    start = [crop[i] // 2 - shift[:, i] for i in (0, 1)]
    rows, columns = (_crop_taps(patch, i, double[i], frame).shifted(start[i]) for i in (0, 1))
    picked, inside = [], []
    for i in (0, 1):
        place, there = _nearest(patch, i, double[i], frame)
        where = start[i][:, None] + torch.arange(crop[i], device=place.device)
        where = where.clamp(0, double[i] - 1)
        picked.append(place.gather(1, where))
        inside.append(there.gather(1, where))
    covered = inside[0][:, :, None] & inside[1][:, None]
    return _looked_up(image, rows, columns), (_picked(masks, *picked) * covered)[:, None]


def paste(logits: Tensor, region: SearchRegion, frame: Pair, *, exact: bool = False) -> Tensor:
    """Logits of crops, [O,H,W], in the whole frame, [O,Hv,Wv]; `OUTSIDE` elsewhere.

    Args:
        logits: Of the crops.
        region: Where these come from.
        frame: Height and width.
        exact: Whether they go back to where the crop took its pixels. If not, place and size are
            whole pixels as in the paper's code, which is up to a pixel off, in 4K several.
    """
    crop = (logits.shape[1], logits.shape[2])
    taps_of = _exact_taps if exact else _whole_pixel_taps
    (rows, above), (columns, beside) = (taps_of(region, i, crop, frame) for i in (0, 1))
    own = torch.arange(len(logits), device=logits.device)[:, None]
    lines = torch.lerp(logits[own, rows.first], logits[own, rows.second], rows.weight[:, :, None])
    left, right = (
        lines.gather(2, taps[:, None].expand(len(logits), *frame))
        for taps in (columns.first, columns.second)
    )
    whole = torch.lerp(left, right, columns.weight[:, None])
    return torch.where(above[:, :, None] & beside[:, None], whole, OUTSIDE)


def _exact_taps(region: SearchRegion, axis: int, crop: Pair, frame: Pair) -> tuple[_Taps, Tensor]:
    """Which pixels of a crop make those of the frame, and which of them it covers, bool [O,n]."""
    start, size = (each[:, axis, None] for each in (region.start, region.size))
    place = torch.arange(frame[axis], device=start.device) - region.offset[:, axis, None]
    # In pixels of the decimated frame, whose first and last stand for those around them, too.
    place = (place / region.step[:, None]).clamp_min(0)
    place = torch.minimum(place, _limit(region, axis, frame)[:, None] - 1) - start + 0.5
    return _taps(place * crop[axis] / size - 0.5, crop[axis] - 1), (place >= 0) & (place < size)


def _whole_pixel_taps(
    region: SearchRegion, axis: int, crop: Pair, frame: Pair
) -> tuple[_Taps, Tensor]:
    """The same with the place and the size of a crop in whole pixels, one scale for both axes."""
    extent = region.size * region.step[:, None]
    ratio = [extent[:, i].float() / crop[i] for i in (0, 1)]
    scale = precise((ratio[0] * ratio[1]).sqrt())
    length = (crop[axis] * scale).long()
    # The middle between two pixels is rounded towards the frame's corner, as in the paper's code.
    first = 2 * region.start[:, axis] * region.step + extent[:, axis] - 1 - length
    first = torch.div(first, 2, rounding_mode="trunc")
    place = torch.arange(frame[axis], device=first.device) - first[:, None]
    taps = _taps((place + 0.5) * (1 / scale).float()[:, None] - 0.5, crop[axis] - 1)
    return taps, (place >= 0) & (place < length[:, None])
