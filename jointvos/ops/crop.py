"""Search regions: cut from a frame, and logits pasted back.

A region keeps the aspect of the crop and may stick out of the frame along one axis
('inside_major'): it is shrunk until one axis fits, moved inside, and centerd where it still
overflows. Regions are whole pixels; a frame much larger than the crop is decimated first.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from jointvos.ops.target import Pair, TargetState

OUTSIDE = -100.0
"""Logit of pixels that the search region does not cover."""


@dataclass(frozen=True)
class SearchRegion:
    """A rectangle of the (decimated) frame, in its pixels; may lie partly outside.

    Attributes:
        top: First row.
        left: First column.
        height: Rows.
        width: Columns.
        step: Decimation: every `step`-th pixel of the frame is looked at.
        offset: First row and column that the decimation keeps.
    """

    top: int
    left: int
    height: int
    width: int
    step: int = 1
    offset: Pair = (0, 0)


def search_region(center: Tensor, scale: Tensor, crop: Pair, frame: Pair) -> SearchRegion:
    """Region around `center` (y, x) at `scale` frame pixels per crop pixel.

    It is shrunk until one axis fits into the frame, and moved inside.

    Args:
        center: In frame pixels, [2].
        scale: Scalar.
        crop: Height and width of the crop.
        frame: Height and width of the frame.
    """
    out, image = torch.tensor(crop).float(), torch.tensor(frame).float()
    extent = scale * out
    shrink = (extent / image).min().clamp_min(1.0)
    extent = (extent / shrink).trunc()
    region = _unlimited_region(center, extent, crop)
    limits = [
        -(-(frame[axis] - region.offset[axis]) // region.step) for axis in (0, 1)
    ]  # rows and columns that are left of the frame
    top = _moved_inside(region.top, region.height, limits[0])
    left = _moved_inside(region.left, region.width, limits[1])
    return SearchRegion(top, left, region.height, region.width, region.step, region.offset)


def _unlimited_region(center: Tensor, extent: Tensor, crop: Pair) -> SearchRegion:
    out = torch.tensor(crop).float()
    step = max(int((extent / out).min() - 0.1), 1)
    y, x = int(center[0]), int(center[1])
    offset = (y % step, x % step)
    if step > 1:
        y, x = (y - offset[0]) // step, (x - offset[1]) // step
    height, width = (max(int(n), 2) for n in (extent / step).round())
    return SearchRegion(y - (height - 1) // 2, x - (width - 1) // 2, height, width, step, offset)


def _moved_inside(start: int, length: int, limit: int) -> int:
    start += max(-start, 0) - max(start + length - limit, 0)
    overflow = (max(-start, 0) + max(start + length - limit, 0)) // 2
    return -overflow if overflow > 0 else start


def _cut(image: Tensor, region: SearchRegion, replicate: bool) -> Tensor:
    """Pixels of a region of [C,Hv,Wv]; outside: the nearest pixel, or zero."""
    if region.step > 1:
        image = image[:, region.offset[0] :: region.step, region.offset[1] :: region.step]
    rows = torch.arange(region.top, region.top + region.height, device=image.device)
    columns = torch.arange(region.left, region.left + region.width, device=image.device)
    last_row, last_column = image.shape[1] - 1, image.shape[2] - 1
    patch = image.index_select(1, rows.clamp(0, last_row))
    patch = patch.index_select(2, columns.clamp(0, last_column)).float()
    if not replicate:
        inside_rows = (rows >= 0) & (rows <= last_row)
        inside_columns = (columns >= 0) & (columns <= last_column)
        patch = patch * (inside_rows[:, None] & inside_columns)
    return patch


def _resize(patch: Tensor, size: Pair, mode: str) -> Tensor:
    if patch.shape[-2:] == size:
        return patch
    corners = False if mode == "bilinear" else None
    return F.interpolate(patch[None], size, mode=mode, align_corners=corners)[0]


def crop_image(image: Tensor, region: SearchRegion, size: Pair) -> Tensor:
    """Bilinear crop [3,*size], float, of a frame [3,Hv,Wv]; borders are replicated."""
    return _resize(_cut(image, region, replicate=True), size, "bilinear")


def crop_mask(mask: Tensor, region: SearchRegion, size: Pair) -> Tensor:
    """Nearest-neighbor crop [1,*size] of a mask or probability [1,Hv,Wv]; zero outside."""
    return _resize(_cut(mask, region, replicate=False), size, "nearest")


def crop_first_frame(
    image: Tensor, mask: Tensor, state: TargetState, scale: Tensor, crop: Pair
) -> tuple[Tensor, Tensor]:
    """Crops of an object's first frame, which the paper's code takes on another path.

    A patch of twice the crop's extent around the rounded center is resized first; the crop is
    then cut from it, displaced by whole crop pixels so that it stays inside the frame.

    Shapes: image [3,Hv,Wv], mask [1,Hv,Wv]; result [3,*crop], [1,*crop].
    """
    out, frame = torch.tensor(crop).float(), torch.tensor(image.shape[-2:]).float()
    extent = scale * out
    extent = extent / (extent / frame).min().clamp_min(1.0)
    inner_scale = (extent / out).prod().sqrt()
    first = state.center - (extent - 1) / 2
    last = state.center + extent / 2 + 1
    shift = -((-first).clamp_min(0) - (last - frame).clamp_min(0)) / inner_scale
    double = (2 * crop[0], 2 * crop[1])
    patch = _unlimited_region(state.center.round(), inner_scale * 2 * out, double)
    inner = SearchRegion(
        crop[0] // 2 - int(shift[0]), crop[1] // 2 - int(shift[1]), crop[0], crop[1]
    )
    images = _resize(_cut(image, patch, replicate=True), double, "bilinear")
    masks = _resize(_cut(mask, patch, replicate=False), double, "nearest")
    return _cut(images, inner, replicate=True), _cut(masks, inner, replicate=True)


def paste(logits: Tensor, region: SearchRegion, frame: Pair) -> Tensor:
    """Logits of a crop, [1,H,W], in the whole frame, [Hv,Wv]; `OUTSIDE` elsewhere."""
    crop = torch.tensor(logits.shape[-2:]).float()
    extent = torch.tensor([region.height, region.width]).float() * region.step
    scale = float((extent / crop).prod().sqrt())
    scaled = F.interpolate(
        logits[None], scale_factor=(scale, scale), mode="bilinear", align_corners=False
    )[0, 0]
    height, width = scaled.shape
    first = (region.top * region.step, region.left * region.step)
    center = [f + (int(e) - 1) / 2 for f, e in zip(first, extent, strict=True)]
    top, left = int(center[0] - 0.5 * height), int(center[1] - 0.5 * width)
    whole = logits.new_full(frame, OUTSIDE)
    y0, y1 = max(top, 0), min(top + height, frame[0])
    x0, x1 = max(left, 0), min(left + width, frame[1])
    if y1 > y0 and x1 > x0:
        whole[y0:y1, x0:x1] = scaled[y0 - top : y1 - top, x0 - left : x1 - left]
    return whole
