"""Training against numbers recorded from the authors' code: crops, one whole step, Eq. 10.

Recorded tensors have the frames first and the sequences second.
"""

from copy import deepcopy
from dataclasses import dataclass

import cv2
import numpy as np
import pytest
import synth
import torch
import torch.nn.functional as F
from torch import Tensor

from jointvos.checkpoints.convert import our_name
from jointvos.config import MODELS
from jointvos.model.transduction import Transduction
from jointvos.training.data.training_crop import cut, grayed, training_region, turned
from jointvos.training.losses import cosine_loss, lovasz_loss
from jointvos.training.unroll import Unrolled, unroll

CROP = (60, 104)
FRAME = (160, 285)


def unpacked(bits: Tensor, *shape: int) -> np.ndarray:
    return np.unpackbits(bits.numpy())[: np.prod(shape)].reshape(shape)


def difference(a: Tensor, b: Tensor) -> float:
    assert a.shape == b.shape
    return float((a - b).abs().max())


# Crops; recordings are of 8-bit images and must be equal


@pytest.fixture(scope="module")
def crops(recorded) -> dict[str, Tensor]:
    return recorded("training_crop")


@pytest.fixture(scope="module")
def cut_out(crops) -> list[tuple[np.ndarray, np.ndarray]]:
    """Our crops of the recorded regions, and the masks'."""
    image, mask = crops["im"].numpy(), unpacked(crops["mask"], *FRAME)
    return [cut(image, mask, tuple(box), CROP) for box in crops["crop_boxes"].tolist()]


@pytest.mark.parametrize("i", range(24))
def test_regions(crops, i):
    ours = training_region(tuple(crops["boxes"][i].tolist()), CROP, FRAME)
    assert list(ours) == crops["crop_boxes"][i].tolist()


def test_some_regions_lose_their_last_row_or_column(crops):
    x, y, width, height = crops["crop_boxes"].T
    reaching = (x + width >= FRAME[1]) | (y + height >= FRAME[0])
    assert 4 < int(reaching.sum()) < 24


@pytest.mark.parametrize("i", range(24))
def test_crops_are_equal(crops, cut_out, i):
    image, mask = cut_out[i]
    np.testing.assert_array_equal(image[::2, ::2], crops["crops_s2"][i].numpy())
    np.testing.assert_array_equal(mask, unpacked(crops["mask_crops"], 24, *CROP)[i])


@pytest.mark.parametrize("i", range(4))
def test_turned_crops_are_equal(crops, cut_out, i):
    image, mask = turned(*cut_out[i], *crops["affine_params"][i].tolist())
    np.testing.assert_array_equal(image[::2, ::2], crops["affine_images_s2"][i].numpy())
    np.testing.assert_array_equal(mask, unpacked(crops["affine_masks"], 4, *CROP)[i])
    assert (image != cut_out[i][0]).any()


def test_gray_is_equal(crops):
    gray = grayed(crops["im"].numpy())
    for channel in range(3):
        np.testing.assert_array_equal(gray[::3, ::3, channel], crops["gray_s3"].numpy())


# One step of the first stage: 2 sequences of 1 + 3 frames, 240x416, the backbone frozen

FAULTY = {
    "transformer.feature_adjustor.0.weight": "heads.weight",
    "transformer.encoder.self_attn.WK.weight": "transduction.phi.weight",
    "transformer.encoder.self_attn.WK.bias": "transduction.phi.bias",
}
"""Recorded with a fault of torch 2.15 and not compared: on the CPU the gradient of instance norm
is wrong where the incoming gradient of a 4-dimensional input has the channels last. That code's
layout meets the fault (by 40 % of the first norm), ours does not; see the test at the end."""

LOGIT = 3e-4
"""Of 13; we differ by 3e-5."""
ENCODING = 1e-4
"""Of 7; we differ by 1.3e-5."""
LOVASZ_100 = 6e-3
"""Of 65; we differ by 2e-4."""
COSINE = 1e-6
GRADIENT = 3e-4
"""Relative, of norms and largest values; we differ by 3e-5."""


@dataclass(frozen=True)
class Step:
    out: Unrolled
    segmentation: Tensor
    cosine: Tensor
    gradients: dict[str, Tensor | None]
    """By our names."""

    def gradient(self, official: str) -> Tensor | None:
        """Under an official name; None if there is no such parameter or it is frozen."""
        if official == "target_model.feature_extractor.0.weight":
            heads = self.gradients["heads.weight"]
            return None if heads is None else heads[512:]
        ours = our_name(official)
        return None if ours is None else self.gradients[ours]


@pytest.fixture(scope="module")
def reference(recorded) -> dict[str, Tensor]:
    return recorded("training_forward")


@pytest.fixture(scope="module")
def sequences() -> tuple[Tensor, Tensor]:
    """Images [2,4,3,240,416] and masks [2,4,1,240,416] of object 1 of two clips."""
    images, masks = [], []
    for seed in (7, 123):
        frames, labels = synth.clip(seed=seed, n=4)
        images.append([cv2.resize(x, (416, 240), interpolation=cv2.INTER_AREA) for x in frames])
        masks.append(
            [
                cv2.resize(x, (416, 240), interpolation=cv2.INTER_NEAREST)
                for x in (labels == 1).astype(np.uint8)
            ]
        )
    pictures = torch.from_numpy(np.array(images)).permute(0, 1, 4, 2, 3).float()
    return pictures, torch.from_numpy(np.array(masks))[:, :, None].float()


@pytest.fixture(scope="module")
def step(official_net, sequences) -> Step:
    net = deepcopy(official_net).train().requires_grad_(True)
    net.backbone.requires_grad_(False)
    images, masks = sequences
    out = unroll(net, images, masks[:, :1], initial_steps=5, update_steps=2)
    segmentation = lovasz_loss(out.logits.sigmoid(), masks[:, 1:])
    cosine = cosine_loss(out.encodings.transduction, out.encodings.induction)
    (100 * segmentation + cosine).backward()
    gradients = {name: parameter.grad for name, parameter in net.named_parameters()}
    return Step(out, segmentation.detach(), cosine.detach(), gradients)


@pytest.fixture(scope="module")
def norms(reference) -> dict[str, float]:
    """Recorded norm of the gradient of every parameter, nan where it has none."""
    names = bytes(reference["gradient_names"].tolist()).decode().split("\n")
    return dict(zip(names, reference["gradient_norms"].tolist(), strict=True))


def test_the_pictures_are_the_recorded_ones(reference, sequences):
    images, masks = sequences
    sampled = images.permute(1, 0, 3, 4, 2)[:, :, ::8, ::8]
    np.testing.assert_array_equal(sampled.numpy(), reference["images_s8"].numpy())
    expected = unpacked(reference["masks"], 4, 2, 240, 416)
    np.testing.assert_array_equal(masks[:, :, 0].transpose(0, 1).numpy(), expected)


def test_logits(step, reference):
    logits = step.out.logits.detach()[:, :, 0].transpose(0, 1)
    assert difference(logits[..., ::4, ::4], reference["logits_s4"]) <= LOGIT
    assert abs(float(logits.mean() - reference["logits_mean"])) <= LOGIT
    assert difference(logits[1:, ..., ::4, ::4], reference["logits_s4"][:-1]) > 100 * LOGIT


@pytest.mark.parametrize(
    ("name", "recording"), [("induction", "E_ind_c2"), ("transduction", "E_tra_c2")]
)
def test_encodings_of_given_and_predicted_masks(step, reference, name, recording):
    encodings = getattr(step.out.encodings, name).detach().transpose(0, 1)
    assert difference(encodings[:, :, ::2], reference[recording]) <= ENCODING
    assert difference(encodings[1:, :, ::2], reference[recording][:-1]) > 100 * ENCODING


def test_losses(step, reference):
    assert abs(100 * float(step.segmentation) - float(reference["lovasz_100"])) <= LOVASZ_100
    assert abs(float(step.cosine) - float(reference["cosine"])) <= COSINE


def test_the_same_parameters_have_gradients(step, norms):
    assert len(norms) == 316
    for name, norm in norms.items():
        if name not in FAULTY:
            assert (step.gradient(name) is None) == np.isnan(norm), name
    compared = {our_name(name) for name, norm in norms.items() if not np.isnan(norm)}
    with_gradient = {name for name, grad in step.gradients.items() if grad is not None}
    assert with_gradient == (compared - {None}) | set(FAULTY.values())


def test_norms_of_all_gradients(step, norms):
    compared = 0
    for name, norm in norms.items():
        if name in FAULTY or np.isnan(norm):
            continue
        assert float(step.gradient(name).norm()) == pytest.approx(norm, rel=GRADIENT), name
        compared += 1
    assert compared == 150


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("target_model.filter_optimizer.residual_module.filter_reg", id="lambda"),
        pytest.param("transformer.decoder.cross_attn.WK.bias", id="psi"),
        pytest.param("label_encoder.samp_w_pred.weight", id="W"),
        pytest.param("label_encoder.label_pred_tm.0.weight", id="E_ind"),
        pytest.param("label_encoder.label_pred_tr.0.weight", id="E_tra"),
        pytest.param("decoder.project.conv2.weight", id="logits"),
        pytest.param("decoder.TSE.layer4.transform.0.bias", id="first level"),
    ],
)
def test_gradients(step, reference, name):
    theirs = reference[f"gradient:{name}"]
    ours = step.gradient(name)
    if ours.shape != theirs.shape:
        ours = ours[:, ::4]  # as recorded
    assert difference(ours, theirs) <= GRADIENT * float(theirs.abs().max())


@pytest.mark.parametrize(("B", "N"), [(1, 1), (2, 1), (1, 3), (2, 3)])
def test_gradient_of_the_self_attention(B, N):
    """What the recordings cannot say: single precision against the formulas in double."""
    torch.manual_seed(0)
    single = Transduction(MODELS["joint-r50"])
    double = Transduction(MODELS["joint-r50"]).double()
    double.load_state_dict(single.state_dict())
    features = torch.randn(B, N, 512, 6, 8)
    weights = torch.randn(B, N * 48, 512)

    ours = features.clone().requires_grad_()
    (single.self_attend(ours) * weights).sum().backward()

    exact = features.double().requires_grad_()
    tokens = exact.permute(0, 1, 3, 4, 2).reshape(B, N * 48, 512)
    keys = F.normalize(double.phi(tokens), dim=-1)
    tokens = tokens + torch.softmax(30 * keys @ keys.transpose(1, 2), dim=-1) @ tokens
    maps = tokens.view(B * N, 48, 512)
    centerd = maps - maps.mean(1, keepdim=True)
    maps = centerd / (centerd.square().mean(1, keepdim=True) + 1e-5).sqrt()
    (maps.view(B, N * 48, 512) * weights).sum().backward()

    pairs = [(ours.grad, exact.grad), (single.phi.weight.grad, double.phi.weight.grad)]
    for a, b in pairs:  # we differ by 1e-5 of the largest
        assert difference(a.double(), b) <= 1e-4 * float(b.abs().max())


# Eq. 10 as printed


@pytest.mark.parametrize("case", ["lov0", "lov1", "lov2"])
def test_lovasz_loss_per_frame(recorded, case):
    reference = recorded("loss")
    logits = reference[f"{case}_x"].clone().requires_grad_()
    loss = lovasz_loss(logits.sigmoid(), reference[f"{case}_y"], per_frame=True)
    loss.backward()
    assert abs(float(loss.detach()) - float(reference[f"{case}_loss_img"])) <= 1e-6
    assert difference(logits.grad, reference[f"{case}_grad_img"]) <= 1e-6
    whole = float(lovasz_loss(logits.detach().sigmoid(), reference[f"{case}_y"]))
    assert (abs(whole - float(loss.detach())) > 5e-6) == (case != "lov2")
