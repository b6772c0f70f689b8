"""Losses against numbers recorded from the authors' code, and by hand."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from jointvos.training.losses import cosine_loss, lovasz_loss, soft_iou_loss

TOLERANCE = 1e-6
"""Losses are below 1; both sides are single precision."""


@pytest.fixture(scope="module")
def reference() -> dict[str, Tensor]:
    with np.load(Path(__file__).parents[1] / "reference" / "loss.npz") as arrays:
        return {key: torch.from_numpy(arrays[key]) for key in arrays}


def lovasz_with_gradient(logits: Tensor, masks: Tensor) -> tuple[float, Tensor]:
    logits = logits.clone().requires_grad_()
    loss = lovasz_loss(logits.sigmoid(), masks)
    loss.backward()
    assert logits.grad is not None
    return float(loss.detach()), logits.grad


@pytest.mark.parametrize(
    "case",
    [
        pytest.param("lov0", id="three masks"),
        pytest.param("lov1", id="an empty mask"),
        pytest.param("lov2", id="a full mask"),
    ],
)
def test_lovasz_agrees_with_the_official_code(reference, case):
    loss, gradient = lovasz_with_gradient(reference[f"{case}_x"], reference[f"{case}_y"])
    assert abs(loss - float(reference[f"{case}_loss_batch"])) <= TOLERANCE
    assert float((gradient - reference[f"{case}_grad_batch"]).abs().max()) <= TOLERANCE
    assert float(gradient.abs().max()) > 100 * TOLERANCE


@pytest.mark.parametrize("case", ["lov0", "lov1"])
def test_lovasz_is_taken_over_the_whole_batch(reference, case):
    """The paper's average over frames is another number, and was recorded too."""
    logits, masks = reference[f"{case}_x"], reference[f"{case}_y"]
    each = [lovasz_loss(x.sigmoid(), y) for x, y in zip(logits, masks, strict=True)]
    mean = float(torch.stack(each).mean())
    assert abs(mean - float(reference[f"{case}_loss_img"])) <= TOLERANCE
    assert abs(mean - float(reference[f"{case}_loss_batch"])) > 5 * TOLERANCE


@pytest.mark.parametrize("case", ["pair", "swapped"])
def test_cosine_agrees_with_the_official_code(reference, case):
    # Recorded [frames, sequences, D, h, w]; the mean over both does not care which is first.
    names = [("cos_a", "cos_ga"), ("cos_b", "cos_gb")]
    (a, ga), (b, gb) = names if case == "pair" else names[::-1]
    first = reference[a].transpose(0, 1).clone().requires_grad_()
    second = reference[b].transpose(0, 1).clone().requires_grad_()
    loss = cosine_loss(first, second)
    loss.backward()
    assert abs(float(loss.detach()) - float(reference["cos_loss"])) <= TOLERANCE
    for ours, theirs in ((first.grad, reference[ga]), (second.grad, reference[gb])):
        assert float((ours - theirs.transpose(0, 1)).abs().max()) <= TOLERANCE
        assert float(theirs.abs().max()) > 10 * TOLERANCE


def test_encodings_are_not_pushed_beyond_orthogonal(reference):
    """Opposite ones, as leaky encodings can be, would leave nothing of their sum."""
    a = reference["cos_a"].transpose(0, 1).clone().requires_grad_()
    loss = cosine_loss(a, -reference["cos_a"].transpose(0, 1))
    loss.backward()
    assert float(loss.detach()) == 0
    assert not a.grad.any()


def test_cosine_of_single_pixels_is_another_number(reference):
    a, b = (
        reference[name].flatten(3).permute(0, 1, 3, 2).flatten(1, 2) for name in ("cos_a", "cos_b")
    )
    assert (
        abs(
            float(cosine_loss(a[..., None, None], b[..., None, None]))
            - float(reference["cos_loss"])
        )
        > 1e-3
    )


@pytest.mark.parametrize(
    ("probabilities", "masks", "expected"),
    [
        pytest.param([1.0, 0.0, 0.0, 1.0], [1.0, 0.0, 0.0, 1.0], 0.0, id="right"),
        pytest.param([0.0, 0.0, 0.0, 0.0], [1.0, 0.0, 0.0, 1.0], 1.0, id="all missed"),
        pytest.param([1.0, 1.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0], 0.5, id="one too many"),
    ],
)
def test_lovasz_of_hard_masks_is_one_minus_jaccard(probabilities, masks, expected):
    loss = lovasz_loss(torch.tensor(probabilities), torch.tensor(masks))
    assert float(loss) == pytest.approx(expected)


def test_soft_iou():
    masks = torch.zeros(1, 2, 1, 2, 2)
    masks[0, 0, 0, 0] = 1
    assert float(soft_iou_loss(masks, masks)) == 0
    # Frame 0: intersection 0, union 4, each plus 1; frame 1: nothing there, everything predicted.
    assert float(soft_iou_loss(1 - masks, masks)) == pytest.approx(1 - (1 / 5 + 1 / 5) / 2)
