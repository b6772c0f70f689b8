"""Properties of regions and crops; agreement with recorded crops is under tests/parity."""

import pytest
import torch
from torch import Tensor

from jointvos.ops import (
    SearchRegion,
    TargetState,
    crop_first_frame,
    crop_image,
    crop_mask,
    paste,
    scale_of_size,
    search_region,
)

CROP = (48, 80)


def region_of(center: tuple[float, float], scale: float, frame: tuple[int, int]) -> SearchRegion:
    return search_region(torch.tensor([center]), torch.tensor([scale]), CROP, frame)


def rectangle(region: SearchRegion) -> tuple[int, int, int, int]:
    """Top, left, height, width."""
    return (*region.start[0].tolist(), *region.size[0].tolist())


def picture(height: int, width: int) -> Tensor:
    """Smooth, so that resizing there and back loses little."""
    y, x = torch.linspace(0, 3, height)[:, None], torch.linspace(0, 5, width)
    return torch.stack((torch.sin(y + x), torch.cos(y * x / 3), torch.sin(y - x))) * 100 + 120


@pytest.mark.parametrize("scale", [0.4, 0.9, 1.0, 1.6])
def test_pasting_what_was_cut_recovers_the_picture(scale):
    image = picture(120, 214)
    region = region_of((60.0, 100.0), scale, (120, 214))
    back = paste(crop_image(image, region, CROP)[:, 0], region, (120, 214))[0]
    _, _, height, width = rectangle(region)
    covered = back > -100
    # Sides are rounded down where pasted: up to two rows and columns less than the region.
    rows, columns = int(covered.any(1).sum()), int(covered.any(0).sum())
    assert height - 2 <= rows <= height + 1
    assert width - 2 <= columns <= width + 1
    assert float((back - image[0])[covered].abs().max()) < 12  # of 200: a pixel of displacement
    assert (back[~covered] == -100).all()


@pytest.mark.parametrize(
    ("center", "scale", "step"),
    [
        pytest.param((100.0, 150.0), 0.37, 1, id="enlarged"),
        pytest.param((120.5, 200.25), 1.7, 1, id="reduced"),
        pytest.param((130.0, 201.0), 3.3, 3, id="decimated"),
        pytest.param((3.0, 425.0), 2.9, 2, id="at a corner"),
    ],
)
def test_an_exact_paste_goes_back_to_where_it_was_cut(center, scale, step):
    frame = (240, 428)
    y, x = torch.arange(240.0)[:, None], torch.arange(428.0)
    places = torch.stack((y.expand(frame), x.expand(frame), torch.zeros(frame)))
    region = region_of(center, scale, frame)
    assert int(region.step) == step
    back = torch.stack(
        [
            paste(each, region, frame, exact=True)[0]
            for each in crop_image(places, region, CROP)[0, :2, None]
        ]
    )
    covered = back[0] > -100
    for axis in (0, 1):
        assert abs(int(covered.any(1 - axis).sum()) - int(region.size[0, axis]) * step) <= step
    inner = torch.nonzero(covered)
    margin = 2 + 2 * scale  # where borders are repeated
    far = ((inner > inner.min(0)[0] + margin) & (inner < inner.max(0)[0] - margin)).all(1)
    rows, columns = inner[far].T
    assert float((back[:, rows, columns] - places[:2, rows, columns]).abs().max()) < 0.01


@pytest.mark.parametrize("center", [(0.0, 0.0), (121.0, 202.0), (239.0, 399.0)])
def test_an_exact_paste_of_the_whole_frame_covers_it(center):
    """Also what lies before the first pixel that the decimation keeps."""
    frame = (240, 400)
    region = region_of(center, 50.0, frame)
    assert int(region.step) > 1
    assert (paste(torch.ones(1, *CROP), region, frame, exact=True) == 1).all()


def test_unit_scale_copies_pixels():
    image = picture(120, 214)
    region = region_of((60.0, 100.0), 1.0, (120, 214))
    top, left, height, width = rectangle(region)
    assert (height, width, int(region.step)) == (*CROP, 1)
    rows, columns = slice(top, top + height), slice(left, left + width)
    assert torch.equal(crop_image(image, region, CROP)[0], image[:, rows, columns])
    # Of an even length the middle lies between pixels; rounding it down, as the paper's code
    # does, puts what is pasted one row and one column before the place that it was cut from.
    back = paste(image[:1, rows, columns], region, (120, 214))[0]
    back = back.roll((1, 1), dims=(0, 1))
    assert torch.equal(back[rows, columns], image[0, rows, columns])


@pytest.mark.parametrize(
    ("center", "scale"),
    [
        pytest.param((5.0, 5.0), 1.0, id="top left"),
        pytest.param((119.0, 213.0), 1.0, id="bottom right"),
        pytest.param((-80.0, 400.0), 0.5, id="outside"),
        pytest.param((60.0, 100.0), 50.0, id="huge"),
    ],
)
def test_at_least_one_axis_lies_inside(center, scale):
    frame = (120, 214)
    region = region_of(center, scale, frame)
    inside = [
        start >= 0 and start + length <= limit
        for start, length, limit in zip(region.start[0], region.size[0], frame, strict=True)
    ]
    assert any(inside)
    assert crop_image(picture(*frame), region, CROP).shape == (1, 3, *CROP)


def test_outside_the_frame_pixels_repeat_and_masks_are_empty():
    region = SearchRegion(
        start=torch.tensor([[-6, -10]]),
        size=torch.tensor([[12, 20]]),
        step=torch.tensor([1]),
        offset=torch.tensor([[0, 0]]),
    )
    image, mask = picture(30, 40), torch.ones(1, 30, 40)
    (crop,) = crop_image(image, region, (12, 20))
    assert torch.equal(crop[:, 0, 0], image[:, 0, 0])
    assert torch.equal(crop[:, 6:, 10:], image[:, :6, :10])
    (cut,) = crop_mask(mask, region, (12, 20))
    assert (cut[0, 6:, 10:] == 1).all()
    assert float(cut.sum()) == 6 * 10


def test_large_frames_are_decimated():
    frame = (960, 1712)
    region = region_of((480.0, 850.0), 6.0, frame)
    assert region.step.tolist() == [5]
    assert region.offset.tolist() == [[0, 0]]
    top, left, height, width = rectangle(region)
    (crop,) = crop_image(picture(*frame), region, CROP)
    smooth = picture(*frame)[:, top * 5 : (top + height) * 5, left * 5 : (left + width) * 5]
    assert float(crop[0].mean()) == pytest.approx(float(smooth[0].mean()), abs=2)


def test_objects_together_are_cut_and_pasted_as_each_alone():
    image, frame = picture(240, 428), (240, 428)
    center = torch.tensor([[60.0, 100.0], [5.0, 420.0], [200.0, 250.0], [120.0, 200.0]])
    scale = torch.tensor([0.5, 1.3, 3.7, 50.0])
    masks = torch.stack([image[i % 3] > 120 for i in range(4)]).float()
    together = search_region(center, scale, CROP, frame)
    assert len(set(together.step.tolist())) > 1
    crops, cut = crop_image(image, together, CROP), crop_mask(masks, together, CROP)
    back = paste(crops[:, 0], together, frame)
    for i in range(4):
        alone = search_region(center[i : i + 1], scale[i : i + 1], CROP, frame)
        assert rectangle(alone) == (*together.start[i].tolist(), *together.size[i].tolist())
        assert torch.equal(crop_image(image, alone, CROP)[0], crops[i])
        assert torch.equal(crop_mask(masks[i : i + 1], alone, CROP)[0], cut[i])
        assert torch.equal(paste(crops[i : i + 1, 0], alone, frame)[0], back[i])


def test_the_first_crop_shows_the_target_in_its_middle():
    image = torch.zeros(3, 120, 214)
    mask = torch.zeros(1, 120, 214)
    image[:, 50:60, 100:116], mask[:, 50:60, 100:116] = 200, 1
    state = TargetState(torch.tensor([[54.5, 107.5]]), torch.tensor([[10.0, 16.0]]))
    scale = scale_of_size(state.size, CROP, 5.0)
    (crop,), (cut,) = crop_first_frame(image, mask, state, scale, CROP)
    assert crop.shape == (3, *CROP)
    assert set(cut.unique().tolist()) == {0.0, 1.0}
    ys, xs = torch.nonzero(cut[0], as_tuple=True)
    assert float(ys.float().mean()) == pytest.approx(23.5, abs=1)
    assert float(xs.float().mean()) == pytest.approx(39.5, abs=1)
    assert float(cut.sum()) == pytest.approx(160 / float(scale) ** 2, rel=0.1)
    assert float(crop[0][cut[0] > 0].mean()) > 180 > 20 > float(crop[0, 0].mean())


def test_the_first_crop_stays_inside_the_frame():
    mask = torch.zeros(1, 120, 214)
    mask[:, 2:14, 3:19] = 1
    image = picture(120, 214)
    image[:, 0], image[:, :, 0] = 0, 0  # would repeat if the crop stuck out
    state = TargetState(torch.tensor([[7.5, 10.5]]), torch.tensor([[12.0, 16.0]]))
    scale = scale_of_size(state.size, CROP, 5.0)
    (crop,), (cut,) = crop_first_frame(image, mask, state, scale, CROP)
    assert (crop[0, 4] > 0).any()
    assert (crop[0, 4] != crop[0, 0]).any()
    ys, _ = torch.nonzero(cut[0], as_tuple=True)
    assert int(ys.min()) < 4  # displaced: the target sits at the top, not in the middle
