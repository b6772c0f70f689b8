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
"""Of 255: the recordings were made by torch's resize, which adds up in another order."""
LOGIT = 1e-4
"""Of 10: positions, 300 pixels from the corner, may be off by 3e-5 pixels of a steep slope."""


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
def regions(reference, image, crop) -> SearchRegion:
    height, width = image.shape[1:]
    return search_region(reference["pos"], reference["scale"], crop, (height, width))


def shifted(region: SearchRegion) -> SearchRegion:
    """By one pixel to the right."""
    return replace(region, start=region.start + torch.tensor([0, 1]))


def test_regions(reference, regions):
    """Top, left, bottom, right in pixels of the whole frame."""
    corners = torch.cat((regions.start, regions.start + regions.size), 1) * regions.step[:, None]
    assert corners.tolist() == reference["coords"].tolist()
    assert set(regions.step.tolist()) > {1}  # some cases decimate


def test_image_crops(reference, image, crop, regions):
    ours = crop_image(image, regions, crop)[:, :, ::6, ::6]
    assert difference(ours, reference["crops_s6"]) <= PIXEL


def test_a_shift_by_one_pixel_changes_every_crop(reference, image, crop, regions):
    ours = crop_image(image, shifted(regions), crop)[:, :, ::6, ::6]
    for one, theirs in zip(ours, reference["crops_s6"], strict=True):
        assert difference(one, theirs) > 1


def test_mask_crops_are_equal(reference, crop, regions):
    target = (reference["lab"] == 1).float().expand(40, -1, -1)
    ours = crop_mask(target, regions, crop)[:, 0]
    assert torch.equal(ours, unpacked(reference["mask_crops"], 40, *crop))
    assert 0 < ours.mean() < 1


@pytest.fixture(scope="module")
def first_frame() -> Tensor:
    frames, _ = synth.clip(seed=3, n=1, n_obj=3)
    return torch.from_numpy(frames[0]).permute(2, 0, 1)


def test_first_frames(reference, first_frame):
    """Six objects at once."""
    masks = unpacked(reference["init_masks_in"], 6, *first_frame.shape[1:])
    states = [state_of_mask(mask) for mask in masks]
    for state, box in zip(states, reference["init_boxes"].tolist(), strict=True):
        x, y, width, height = box
        assert state.size.tolist() == [[height, width]]
        assert state.center.tolist() == [[y + (height - 1) / 2, x + (width - 1) / 2]]

    state = TargetState(*(torch.cat([getattr(s, f) for s in states]) for f in ("center", "size")))
    scale = scale_of_size(state.size, FIRST_CROP, 5.0)
    torch.testing.assert_close(scale, reference["init_scale"].float(), rtol=1e-6, atol=0)

    ours, cut = crop_first_frame(first_frame, masks, state, scale, FIRST_CROP)
    assert difference(ours[:, :, ::24, ::24], reference["init_crop_s24"]) <= PIXEL
    assert torch.equal(cut[:, 0], unpacked(reference["init_mask_crop"], 6, *FIRST_CROP))


def test_the_displacement_of_the_first_crop_is_visible(reference, first_frame):
    """Case 0 is displaced by recorded pixels; the path of later frames would cut otherwise."""
    assert reference["init_shift"][0].tolist() == [-29, -164]
    mask = unpacked(reference["init_masks_in"], 6, *first_frame.shape[1:])[0]
    state = state_of_mask(mask)
    scale = scale_of_size(state.size, FIRST_CROP, 5.0)
    height, width = first_frame.shape[1:]
    region = search_region(state.center, scale, FIRST_CROP, (height, width))
    later = crop_image(first_frame, region, FIRST_CROP)[0, :, ::24, ::24]
    assert difference(later, reference["init_crop_s24"][0]) > 10


def test_target_state(reference):
    """The third mask is too faint, so the state before it stays; it was recorded with this one."""
    before = TargetState(torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0, 4.0]]))
    rows = moments(marginals(reference["state_in"]), reference["state_in"].shape[1:])
    assert float(rows[2, 0]) < 100 < float(rows[1, 0])
    state = updated_state(rows, before, least=100.0)
    # Recorded from single-precision sums over 25 680 pixels.
    assert difference(state.center, reference["state_pos"]) <= 1e-3
    assert difference(state.size, reference["state_sz"]) <= 1e-3


def test_paste(reference):
    rectangles = reference["paste_rows"].long()
    region = SearchRegion(
        start=rectangles[:, :2],
        size=rectangles[:, 2:],
        step=torch.ones(6, dtype=torch.int64),
        offset=torch.zeros(6, 2, dtype=torch.int64),
    )
    logits, theirs = reference["paste_in"][:, 0, 0], reference["paste_out"]
    frame = (theirs.shape[1], theirs.shape[2])
    assert difference(paste(logits, region, frame), theirs) <= LOGIT
    for one, other in zip(paste(logits, shifted(region), frame), theirs, strict=True):
        assert difference(one, other) > 1


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
