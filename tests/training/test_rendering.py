from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from jointvos.training.data import layers
from jointvos.training.data.augment import Fault, Shot, develop, draw_fault
from jointvos.training.data.layers import Layer, Waves
from jointvos.training.data.mini_sequences import MiniSequences
from jointvos.training.data.motion import Pose
from jointvos.training.data.packs import VideoClip
from jointvos.training.data.procedural import draw_stills, texture
from jointvos.training.data.rendering import DevicePictures, render_batch
from jointvos.training.data.synthesis import KINDS, MiniSequenceSynthesizer

CPU = torch.device("cpu")
CROP = (96, 160)
PLAIN = np.hstack([np.eye(3), np.zeros((3, 1))])


def _synthesizer(device: torch.device | None = None) -> MiniSequenceSynthesizer:
    rng = np.random.default_rng(0)
    stills = [replace(still, source="ccp") for still in draw_stills(4, rng)]
    stills += [replace(still, source="feral_cat") for still in draw_stills(4, rng)]
    stills += draw_stills(4, rng)
    image, images, maps = texture((150, 240), rng), [], []
    for t in range(16):
        labels = np.zeros(image.shape[:2], np.uint8)
        cv2.ellipse(labels, (60 + 6 * t, 70), (25, 18), 5 * t, 0, 360, 1, -1)
        images.append(np.where(labels[..., None] > 0, 255 - image, image))
        maps.append(labels)
    clip = VideoClip("ellipse", tuple(images), tuple(maps))
    data = MiniSequenceSynthesizer([clip], stills, seed=2, device=device)
    data.procedural = draw_stills(8, rng)  # fewer than its own
    return data


def _developed(shots: Sequence[Sequence[Shot]]) -> MiniSequences:
    drawn = [[develop(shot, CROP) for shot in sequence] for sequence in shots]
    images = np.stack([[image.transpose(2, 0, 1) for image, _ in row] for row in drawn])
    masks = np.stack([[mask[None] > 127 for _, mask in row] for row in drawn])
    return MiniSequences(torch.from_numpy(images), torch.from_numpy(masks).float())


def _differences(one: MiniSequences, other: MiniSequences) -> torch.Tensor:
    """Mean absolute difference in levels, [B,T]."""
    return (one.images.float() - other.images.float()).abs().mean(dim=(2, 3, 4))


def _overlaps(one: MiniSequences, other: MiniSequences) -> torch.Tensor:
    """IoU of the masks of more than 150 pixels, [N]."""
    both = (one.masks * other.masks).sum(dim=(2, 3, 4))
    either = (one.masks + other.masks).clamp(max=1).sum(dim=(2, 3, 4))
    return (both / either)[other.masks.sum(dim=(2, 3, 4)) > 150]


@pytest.fixture(scope="module")
def synthesizer() -> MiniSequenceSynthesizer:
    return _synthesizer()


@pytest.mark.parametrize("kind", KINDS)
def test_draws_what_opencv_draws(
    synthesizer: MiniSequenceSynthesizer, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layers, "CELL", 1)  # at small crops the waves are hardly longer than 8
    plan = synthesizer.plan(2000, 10, {kind: 1.0}, CROP, 4)
    plan = [[replace(shot, fault=None) for shot in sequence] for sequence in plan]
    drawn, wanted = render_batch(plan, CROP, DevicePictures(CPU)), _developed(plan)
    assert drawn.images.shape == (10, 4, 3, *CROP)
    assert drawn.images.dtype == torch.uint8
    assert drawn.masks.shape == (10, 4, 1, *CROP)
    assert set(drawn.masks.unique().tolist()) == {0.0, 1.0}
    assert _differences(drawn, wanted).max() < 1.5
    overlaps = _overlaps(drawn, wanted)
    assert len(overlaps) > 20
    assert overlaps.min() > 0.98


def _layer(pose: Pose, waves: Waves | None = None, **flags: bool) -> Layer:
    rng = np.random.default_rng(1)
    mask = np.zeros((70, 90), np.uint8)
    cv2.circle(mask, (45, 35), 25, 255, -1)
    pivot = np.array([45.0, 35.0])
    image = cv2.blur(texture((70, 90), rng), (3, 3))
    return Layer(np.asarray(image, np.uint8), mask, pose.to_source(pivot), waves, **flags)


CENTRE, CORNER = np.array([80.0, 48.0]), np.array([10.0, 90.0])
WAVES = Waves(
    np.array([[0.06, 0.02], [0.0, 0.08]]), np.array([1.0, 2.0]), np.array([[3.0, -2.0], [1.0, 4.0]])
)
WHOLE = _layer(Pose(CENTRE, 2.0), is_target=True)
CUT = replace(WHOLE, cut=True)
COVER = _layer(Pose(CENTRE + 20, 1.5), cut=True)
BACKDROP = replace(_layer(Pose(CENTRE, 1.2, angle=0.3)), mask=None)


@pytest.mark.parametrize(
    "stack",
    [
        pytest.param([WHOLE], id="enlarged"),
        pytest.param([_layer(Pose(CORNER, 1.3, 0.7, 0.2, 0.3), is_target=True)], id="beyond"),
        pytest.param([_layer(Pose(CENTRE, 1.5, tilt=(0.004, -0.003)), is_target=True)], id="tilt"),
        pytest.param([_layer(Pose(CENTRE, 1.5), WAVES, is_target=True)], id="waves"),
        pytest.param([BACKDROP, CUT], id="cut"),
        pytest.param([BACKDROP, CUT, COVER], id="covered in part"),
        pytest.param([BACKDROP, COVER, CUT], id="before another"),
        pytest.param([BACKDROP, CUT, replace(CUT, is_target=False)], id="covered"),
    ],
)
def test_draws_layers_as_opencv_does(stack: list[Layer], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layers, "CELL", 1)
    # Among shots of other numbers of layers and sizes, and twice: what is kept changes nothing.
    shot = Shot(tuple(stack), np.eye(3), PLAIN)
    neighbour = Shot(
        (replace(BACKDROP, image=texture((40, 130), np.random.default_rng(3))),), np.eye(3), PLAIN
    )
    plan, pictures = [[neighbour, shot], [shot, neighbour]], DevicePictures(CPU)
    wanted = _developed(plan)
    for _ in range(2):
        drawn = render_batch(plan, CROP, pictures)
        assert _differences(drawn, wanted).max() < 0.6
        assert (drawn.masks - wanted.masks).abs().sum() <= 0.02 * wanted.masks.sum()


NOISE = np.random.default_rng(0).normal(0, 9, CROP).astype(np.int16)
SHARP = Layer(
    np.asarray(cv2.add(WHOLE.image, NOISE.clip(0)[:70, :90, None].repeat(3, 2).astype(np.uint8))),
    None,
    np.diag([0.5, 0.7, 1.0]),
)


@pytest.mark.parametrize(
    ("fault", "allowed"),
    [
        pytest.param(Fault("smear", 5, heading=0.4), 0.6, id="smear"),
        pytest.param(Fault("smear", 4, heading=2.0), 0.6, id="smear of an even length"),
        pytest.param(Fault("blur", 1.4), 0.6, id="blur"),
        pytest.param(Fault("jpeg", 15), 1.5, id="jpeg 15"),
        pytest.param(Fault("jpeg", 59), 1.5, id="jpeg 59"),
        pytest.param(Fault("noise", 9, grain=NOISE), 0.6, id="noise"),
    ],
)
def test_faults_are_opencvs(fault: Fault, allowed: float) -> None:
    shot = Shot((SHARP,), np.eye(3), PLAIN, fault)
    longest = replace(shot, fault=Fault("smear", 9, heading=1.0))  # shares the convolution
    plan = [[shot, replace(shot, fault=None), longest]]
    drawn, wanted = render_batch(plan, CROP, DevicePictures(CPU)), _developed(plan)
    differences = _differences(drawn, wanted)[0]
    effect = (wanted.images[0, 0].float() - wanted.images[0, 1].float()).abs().mean()
    assert differences[0] < allowed
    assert effect > 2 * differences[0]
    assert differences[1:].max() < 0.6


def test_a_dragged_target_is_the_same_on_both_ways_and_its_mask_follows() -> None:
    stack = (BACKDROP, replace(CUT, is_target=True))
    shot = Shot(stack, np.eye(3), PLAIN)
    dragged = replace(shot, fault=Fault("drag", 9, heading=0.3))
    plan = [[shot, dragged]]
    drawn, wanted = render_batch(plan, CROP, DevicePictures(CPU)), _developed(plan)
    assert _differences(drawn, wanted).max() < 0.6
    assert (drawn.masks - wanted.masks).abs().sum() <= 0.02 * wanted.masks.sum()
    still, moved = wanted.masks[0, :, 0] > 0.5
    assert (still ^ moved).sum() > 10
    changed = (wanted.images[0, 0].int() - wanted.images[0, 1].int()).abs().sum(0) > 0
    around = torch.nn.functional.max_pool2d((still | moved)[None].float(), 13, 1, 6)[0] > 0
    assert not changed[~around].any()  # nothing moves but the target


def test_every_fault_occurs() -> None:
    rng = np.random.default_rng(0)
    faults = [draw_fault((32, 48), rng) for _ in range(400)]
    assert {fault.kind for fault in faults if fault} == {"smear", "blur", "jpeg", "noise", "drag"}
    assert 0.5 < faults.count(None) / len(faults) < 0.7


def test_colours_change_and_stay_in_range() -> None:
    rng = np.random.default_rng(0)
    changes = [
        np.hstack([rng.normal(0, 0.6, (3, 3)), rng.uniform(-50, 300, (3, 1))]) for _ in range(4)
    ]
    plan = [[Shot((WHOLE,), np.eye(3), change) for change in changes]]
    assert _differences(render_batch(plan, CROP, DevicePictures(CPU)), _developed(plan)).max() < 0.6


def test_is_a_function_of_seed_and_step(
    synthesizer: MiniSequenceSynthesizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = synthesizer
    monkeypatch.setattr(data, "_pictures", DevicePictures(CPU))
    mix = dict.fromkeys(KINDS, 1.0)
    whole = data.batch(9, 4, mix, CROP, 3)
    data.batch(8, 2, mix, CROP, 3)
    again = data.batch(9, 4, mix, CROP, 3)
    assert torch.equal(whole.images, again.images)
    assert torch.equal(whole.masks, again.masks)
    for first in (0, 2):  # company may change the rounding
        part = data.batch(9, 2, mix, CROP, 3, first=first)
        images, masks = (x[first : first + 2] for x in (whole.images, whole.masks))
        assert (part.images.int() - images.int()).abs().float().mean() < 0.05
        assert (part.masks - masks).abs().mean() < 1e-3
    assert not torch.equal(whole.images, data.batch(10, 4, mix, CROP, 3).images)


def test_copies_are_kept_as_long_as_the_originals_live() -> None:
    pictures = DevicePictures(CPU, budget=100)
    kept, large = np.full((5, 6), 1, np.uint8), np.full((30, 40), 2, np.uint8)
    first, again = (pictures.fetch([kept, large, kept]) for _ in range(2))
    assert first.keys() == again.keys() == {id(kept), id(large)}
    assert first[id(kept)] is again[id(kept)]
    assert first[id(large)] is not again[id(large)]  # beyond the budget
    for level in range(50):  # new arrays where old ones were
        passing = np.full((4, 5, 3), level, np.uint8)
        assert pictures.fetch([passing])[id(passing)].unique().tolist() == [level]
        del passing
    assert pictures.fetch([kept])[id(kept)] is first[id(kept)]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_draws_the_same_on_cuda(synthesizer: MiniSequenceSynthesizer) -> None:
    device = torch.device("cuda")
    mix = dict.fromkeys(KINDS, 1.0)
    wanted = synthesizer.batch(2000, 16, mix, CROP, 4)
    data = _synthesizer(device)
    drawn = data.batch(2000, 16, mix, CROP, 4)
    assert drawn.images.device.type == drawn.masks.device.type == "cuda"
    assert torch.equal(drawn.images, data.batch(2000, 16, mix, CROP, 4).images)
    drawn = drawn.to("cpu")
    assert _differences(drawn, wanted).mean() < 1.0
    assert _overlaps(drawn, wanted).mean() > 0.99
