"""Crops, target states, pasting and merging against numbers recorded from the authors' code."""

from dataclasses import replace

import numpy as np
import pytest
import synth
import torch
from torch import Tensor

from jointvos.ops import (
    SearchRegion,
    TargetState,
    crop_first_frame,
    crop_image,
    crop_mask,
    marginals,
    moments,
    paste,
    scale_of_size,
    search_region,
    soft_aggregate,
    state_of_mask,
    updated_state,
)

FIRST_CROP = (480, 832)
TWO_ULP = 2.4e-7
"""Of a probability near 1."""
PIXEL = 1e-4
"""Of 255. Crops are bit-equal on AVX2 and AVX-512 with the two threads of the recordings; the
resize rounds the last bits otherwise elsewhere, up to 4e-5."""
LOGIT = 1e-4  # positions, 300 pixels from the corner, may be off by 3e-5 pixels of a steep slope
"""Of 10; bit-equal as above, 1e-6 elsewhere."""


def difference(a: Tensor, b: Tensor) -> float:
    assert a.shape == b.shape
    return float((a - b).abs().max())


def unpacked(bits: Tensor, *shape: int) -> Tensor:
    return torch.from_numpy(np.unpackbits(bits.numpy())).view(shape).float()


@pytest.fixture(scope="module")
def reference(recorded) -> dict[str, Tensor]:
    return recorded("crop")


@pytest.fixture(scope="module")
def image(reference) -> Tensor:
    return reference["im"].permute(2, 0, 1)


@pytest.fixture(scope="module")
def crop(reference) -> tuple[int, int]:
    height, width = reference["osz"].tolist()
    return height, width


@pytest.fixture(scope="module")
def regions(reference, image, crop) -> list[SearchRegion]:
    height, width = image.shape[1:]
    return [
        search_region(center, scale, crop, (height, width))
        for center, scale in zip(reference["pos"], reference["scale"], strict=True)
    ]


def corners(region: SearchRegion) -> list[int]:
    """Top, left, bottom, right in pixels of the whole frame."""
    bottom, right = region.top + region.height, region.left + region.width
    return [x * region.step for x in (region.top, region.left, bottom, right)]


def test_regions(reference, regions):
    assert [corners(region) for region in regions] == reference["coords"].tolist()
    assert {region.step for region in regions} > {1}  # some cases decimate


@pytest.mark.parametrize("i", range(40))
def test_image_crop(reference, image, crop, regions, i):
    ours = crop_image(image, regions[i], crop)[:, ::6, ::6]
    assert difference(ours, reference["crops_s6"][i]) <= PIXEL


def test_a_shift_by_one_pixel_changes_every_crop(reference, image, crop, regions):
    for region, theirs in zip(regions, reference["crops_s6"], strict=True):
        shifted = replace(region, left=region.left + 1)
        assert difference(crop_image(image, shifted, crop)[:, ::6, ::6], theirs) > 1


def test_mask_crops_are_equal(reference, crop, regions):
    target = (reference["lab"] == 1).float()[None]
    ours = torch.cat([crop_mask(target, region, crop) for region in regions])
    assert torch.equal(ours, unpacked(reference["mask_crops"], 40, *crop))
    assert 0 < ours.mean() < 1


@pytest.fixture(scope="module")
def first_frame() -> Tensor:
    frames, _ = synth.clip(seed=3, n=1, n_obj=3)
    return torch.from_numpy(frames[0]).permute(2, 0, 1)


@pytest.mark.parametrize("i", range(6))
def test_first_frame(reference, first_frame, i):
    mask = unpacked(reference["init_masks_in"], 6, *first_frame.shape[1:])[i]
    state = state_of_mask(mask)
    x, y, width, height = reference["init_boxes"][i].tolist()
    assert state.size.tolist() == [height, width]
    assert state.center.tolist() == [y + (height - 1) / 2, x + (width - 1) / 2]

    scale = scale_of_size(state.size, FIRST_CROP, 5.0)
    assert float(scale) == pytest.approx(float(reference["init_scale"][i]), rel=1e-6)

    ours, mask_crop = crop_first_frame(first_frame, mask[None], state, scale, FIRST_CROP)
    assert difference(ours[:, ::24, ::24], reference["init_crop_s24"][i]) <= PIXEL
    assert torch.equal(mask_crop[0], unpacked(reference["init_mask_crop"], 6, *FIRST_CROP)[i])


@pytest.mark.skipif(
    torch.backends.cpu.get_cpu_capability() != "AVX512",
    reason="torch's resize rounds by instruction set; the recordings were made with AVX-512",
)
def test_crops_are_equal_to_the_bit_where_they_were_recorded(
    reference, image, crop, regions, first_frame
):
    threads = torch.get_num_threads()
    torch.set_num_threads(2)  # as recorded; the rounding depends on it too
    try:
        later = [crop_image(image, region, crop)[:, ::6, ::6] for region in regions]
        masks = unpacked(reference["init_masks_in"], 6, *first_frame.shape[1:])
        first = []
        for mask in masks:
            state = state_of_mask(mask)
            scale = scale_of_size(state.size, FIRST_CROP, 5.0)
            crops = crop_first_frame(first_frame, mask[None], state, scale, FIRST_CROP)
            first.append(crops[0][:, ::24, ::24])
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(torch.stack(later), reference["crops_s6"])
    assert torch.equal(torch.stack(first), reference["init_crop_s24"])


def test_the_displacement_of_the_first_crop_is_visible(reference, first_frame):
    """Case 0 is displaced by recorded pixels; the path of later frames would cut otherwise."""
    assert reference["init_shift"][0].tolist() == [-29, -164]
    mask = unpacked(reference["init_masks_in"], 6, *first_frame.shape[1:])[0]
    state = state_of_mask(mask)
    scale = scale_of_size(state.size, FIRST_CROP, 5.0)
    height, width = first_frame.shape[1:]
    region = search_region(state.center, scale, FIRST_CROP, (height, width))
    later = crop_image(first_frame, region, FIRST_CROP)[:, ::24, ::24]
    assert difference(later, reference["init_crop_s24"][0]) > 10


def test_target_state(reference):
    """The third mask is too faint, so the state before it stays; it was recorded with this one."""
    before = TargetState(torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0]))
    rows = moments(marginals(reference["state_in"]), reference["state_in"].shape[1:])
    assert float(rows[2, 0]) < 100 < float(rows[1, 0])
    for row, center, size in zip(rows, reference["state_pos"], reference["state_sz"], strict=True):
        state = updated_state(row, before, min_area=100.0)
        # Recorded from single-precision sums over 25 680 pixels.
        assert difference(state.center, center) <= 1e-3
        assert difference(state.size, size) <= 1e-3


@pytest.mark.parametrize("i", range(6))
def test_paste(reference, i):
    top, left, height, width = (int(x) for x in reference["paste_rows"][i].tolist())
    theirs = reference["paste_out"][i]
    logits = reference["paste_in"][i, 0]
    frame = (theirs.shape[0], theirs.shape[1])
    region = SearchRegion(top, left, height, width)
    assert difference(paste(logits, region, frame), theirs) <= LOGIT
    assert difference(paste(logits, replace(region, left=left + 1), frame), theirs) > 1


@pytest.fixture(scope="module")
def merged(recorded) -> dict[str, Tensor]:
    return recorded("aggregation")


@pytest.mark.parametrize("objects", [1, 2, 3, 4, 5])
def test_soft_aggregation(merged, objects):
    scores, theirs = merged[f"scores_{objects}"], merged[f"prob_{objects}"]
    ours = soft_aggregate(scores)
    assert torch.equal(ours.argmax(0).to(torch.uint8), merged[f"label_{objects}"])
    assert difference(ours[1:], theirs) <= TWO_ULP
    assert difference(scores.sigmoid(), theirs) > 0.1  # merging does something


def test_an_object_that_appears_while_another_is_followed(merged):
    ids = torch.tensor([0, 3, 7], dtype=torch.uint8)
    given = (merged["mix_gt"].float() - 0.5) * 200
    ours = soft_aggregate(torch.stack((merged["mix_scores"], given)))
    assert torch.equal(ids[ours.argmax(0)], merged["mix_label"])
    assert difference(ours[1:], merged["mix_prob"]) <= TWO_ULP
