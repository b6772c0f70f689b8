import io
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image as PILImage

from jointvos.errors import ConfigError, DatasetError, DatasetNotFound, SequenceIncomplete
from jointvos.training.data.augment import develop, shoot, training_region
from jointvos.training.data.layers import Layer, Mask, SceneFrame, center_of, render
from jointvos.training.data.packs import Still, VideoClip, load_pack, load_packs
from jointvos.training.data.scenes import disguise, moving_still, static_scene, video_scene
from jointvos.training.data.sources import open_data
from jointvos.training.data.synthesis import KINDS, MiniSequenceSynthesizer
from jointvos.training.recipes import RECIPES
from jointvos.training.train_config import Chances
from jointvos.types import Image

CROP = (96, 160)
RED, GREEN = (230, 10, 10), (20, 200, 40)


def _still(index: int, source: str, height: int = 150, width: int = 200) -> Still:
    """A red disc on green, the disc being the only object."""
    rng = np.random.default_rng(index)
    labels = np.zeros((height, width), np.uint8)
    center = (int(rng.integers(60, width - 60)), int(rng.integers(50, height - 50)))
    cv2.ellipse(labels, center, (32, 22), 30, 0, 360, 7, -1)
    image = np.full((height, width, 3), GREEN, np.uint8)
    image[labels > 0] = RED
    return Still(f"{source}/{index}", source, image, labels)


WHITE = [
    replace(_still(i, "bsds500"), image=np.full((150, 200, 3), 250, np.uint8)) for i in range(3)
]


def _clip(frames: int = 20) -> VideoClip:
    images, maps = [], []
    for t in range(frames):
        labels = np.zeros((120, 200), np.uint8)
        cv2.circle(labels, (40 + 6 * t, 60), 14, 1, -1)
        image = np.full((120, 200, 3), GREEN, np.uint8)
        image[labels > 0] = RED
        images.append(image)
        maps.append(labels)
    return VideoClip("disc", tuple(images), tuple(maps))


@pytest.fixture
def synthesizer() -> MiniSequenceSynthesizer:
    stills = [_still(i, source) for i, source in enumerate(["ccp", "feral_cat", "bsds500"])]
    return MiniSequenceSynthesizer([_clip()], stills, seed=5, procedural=10)


@pytest.mark.parametrize("kind", KINDS)
def test_shapes_ranges_and_a_visible_target(
    synthesizer: MiniSequenceSynthesizer, kind: str
) -> None:
    batch = synthesizer.batch(3, 6, {kind: 2.0}, CROP, 4)
    assert batch.images.shape == (6, 4, 3, *CROP)
    assert batch.images.dtype == torch.uint8
    assert batch.masks.shape == (6, 4, 1, *CROP)
    assert set(batch.masks.unique().tolist()) == {0.0, 1.0}
    shares = batch.masks.float().mean(dim=(2, 3, 4))
    assert shares[:, 0].min() > 0.003
    assert (shares > 0).float().mean() > 0.8


def test_size_and_length_may_change_between_batches(synthesizer: MiniSequenceSynthesizer) -> None:
    for size, crop_size, frames in [(2, (64, 112), 6), (1, (96, 160), 2)]:
        batch = synthesizer.batch(0, size, {"stills": 1.0, "video": 1.0}, crop_size, frames)
        assert batch.images.shape == (size, frames, 3, *crop_size)
        assert batch.masks.shape == (size, frames, 1, *crop_size)


def test_is_a_function_of_seed_and_step(synthesizer: MiniSequenceSynthesizer) -> None:
    mix = {"video": 1.0, "stills": 2.0, "people": 1.0, "static": 0.5}
    wanted = synthesizer.batch(11, 8, mix, CROP, 4)
    synthesizer.batch(12, 3, mix, CROP, 4)
    same = MiniSequenceSynthesizer(synthesizer.videos, synthesizer.stills, seed=5)
    again = same.batch(11, 8, dict(reversed(mix.items())), CROP, 4)
    assert torch.equal(wanted.images, again.images)
    assert torch.equal(wanted.masks, again.masks)
    other = MiniSequenceSynthesizer(synthesizer.videos, synthesizer.stills, seed=6)
    for different in (synthesizer.batch(12, 8, mix, CROP, 4), other.batch(11, 8, mix, CROP, 4)):
        assert not torch.equal(wanted.images, different.images)


def test_a_step_may_be_shared_out(synthesizer: MiniSequenceSynthesizer) -> None:
    mix = {"video": 1.0, "stills": 1.0}
    whole = synthesizer.batch(4, 8, mix, CROP, 3)
    parts = [synthesizer.batch(4, 4, mix, CROP, 3, first=first) for first in (0, 4)]
    assert torch.equal(whole.images, torch.cat([part.images for part in parts]))
    assert torch.equal(whole.masks, torch.cat([part.masks for part in parts]))


def _box(outside: int, inside: int) -> np.ndarray:
    labels = np.full((60, 90), outside, np.uint8)
    labels[20:40, 30:60] = inside
    return labels


@pytest.mark.parametrize("source", ["ccp", "feral_cat", "bsds500"])
@pytest.mark.parametrize(
    ("labels", "usable"),
    [
        pytest.param(_box(0, 0), False, id="empty"),
        pytest.param(_box(3, 3), False, id="one label everywhere"),
        pytest.param(_box(255, 255), False, id="void everywhere"),
        pytest.param(_box(0, 255), True, id="void only"),
        pytest.param(_box(255, 2), True, id="void around"),
        pytest.param(_box(0, 9).astype(np.uint16) * 7000, True, id="16 bits"),
        pytest.param(np.ones((1, 1), np.uint8), False, id="one pixel"),
        pytest.param(np.indices((60, 90)).sum(axis=0).astype(np.uint8) % 2, None, id="chequered"),
        pytest.param(np.eye(4, dtype=np.uint8), None, id="tiny"),
    ],
)
def test_odd_label_maps(source: str, labels: np.ndarray, usable: bool | None) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*labels.shape, 3), dtype=np.uint8)
    still = Still("odd", source, image, labels)
    rng = np.random.default_rng(2)
    drawn = [moving_still([still], [still], 3, 2000, rng) for _ in range(30)]
    drawn += [static_scene([], [still], 3, rng) for _ in range(30)]
    if usable is not None:
        assert any(drawn) == usable
    for frame in (frame for scene in drawn if scene for frame in scene):
        target = next(layer for layer in frame.layers if layer.is_target)
        assert target.mask is not None
        assert target.mask.any()
        assert np.isfinite(frame.box).all()


def test_company_in_a_clip_stays_behind_its_target() -> None:
    chances = Chances(company=1.0, disguised=0.0)
    clip = _clip()
    seen = 0
    for seed in range(12):
        rng = np.random.default_rng(seed)
        scene = video_scene([clip], WHITE, 4, rng, chances)
        assert scene is not None
        for frame in scene:
            image, mask = render(frame.layers, np.eye(3), frame.size)
            target = next(layer for layer in frame.layers if layer.is_target)
            np.testing.assert_array_equal(mask, target.mask)
            assert (image[mask > 0] == RED).all()
            seen += bool((image[mask == 0] > 200).all(axis=-1).any())
    assert seen > 12


def test_what_comes_late_is_missing_in_the_first_frame() -> None:
    chances = Chances(company=1.0, late=1.0)
    for seed in range(8):
        rng = np.random.default_rng(seed)
        scene = video_scene([_clip()], [_still(1, "x")], 4, rng, chances)
        assert scene is not None
        counts = [len(frame.layers) for frame in scene]
        assert counts[0] <= 2  # the image, and its target once more where somebody will come
        assert counts == sorted(counts)


def test_a_twin_in_a_clip_has_a_pose_from_another_frame_and_is_not_the_target() -> None:
    clip = _clip()
    labels = [np.zeros((120, 200), np.uint8) for _ in clip.labels]
    for t, each in enumerate(labels):
        cv2.circle(each, (40 + 6 * t, 60), 8 + t, 1, -1)
    images = [np.where(each[..., None] > 0, RED, GREEN).astype(np.uint8) for each in labels]
    clip = replace(clip, images=tuple(images), labels=tuple(labels))
    areas = np.array([np.count_nonzero(each) for each in labels])
    seen = 0
    for seed in range(12):
        rng = np.random.default_rng(seed)
        scene = video_scene([clip], (), 4, rng, Chances(video_twins=1.0, late=0.0))
        assert scene is not None
        shown = []
        for frame in scene:
            image, mask = render(frame.layers, np.eye(3), frame.size)
            target = next(layer for layer in frame.layers if layer.is_target)
            np.testing.assert_array_equal(mask, target.mask)
            shown.append(np.count_nonzero(mask))
        for twin in (layer for layer in scene[0].layers if layer.cut and not layer.is_target):
            own = np.argmin(np.abs(areas - np.count_nonzero(twin.mask > 127)))
            assert areas[own] not in shown
            seen += bool((image[mask == 0] @ (1, -1, 0) > 60).any())  # red beside the target
    assert seen > 6


def test_an_object_passes_before_the_target_of_a_clip() -> None:
    hidden = 0
    for seed in range(12):
        rng = np.random.default_rng(seed)
        scene = video_scene([_clip()], WHITE, 5, rng, Chances(company=0.0, video_occluded=1.0))
        assert scene is not None
        for t, frame in enumerate(scene):
            image, mask = render(frame.layers, np.eye(3), frame.size)
            whole = next(layer.mask for layer in frame.layers if layer.is_target)
            covered = (whole > 0) & (mask == 0)
            assert not (mask > 0)[whole == 0].any()
            assert t > 0 or not covered.any()
            assert (image[covered].min(axis=-1, initial=255) > 100).all()
            hidden += bool(covered.any())
    assert hidden > 6


def test_a_fast_target_is_blurred_along_its_way() -> None:
    blurred = 0
    for seed in range(12):
        rng = np.random.default_rng(seed)
        scene = video_scene([_clip()], (), 4, rng, Chances(fast=1.0))  # it moves to the right
        for shot in (scene and shoot(scene, CROP, rng)) or ():
            if shot.fault is None or shot.fault.kind != "drag":
                continue
            along = np.array([np.cos(shot.fault.heading), np.sin(shot.fault.heading)])
            way = shot.to_scene[:2, :2] @ along
            assert 3 <= shot.fault.strength <= 0.12 * CROP[0] + 1
            blurred += abs(way[1]) < 0.02 * abs(way[0])
    assert blurred > 24


def test_fast_cut_outs_go_farther() -> None:
    ways = {}
    for share in (0.0, 1.0):
        scenes = [
            moving_still(WHITE, WHITE, 5, 0, np.random.default_rng(seed), Chances(fast=share))
            for seed in range(40)
        ]
        centers = [[center_of(frame.box) for frame in scene] for scene in scenes if scene]
        ways[share] = np.abs(np.diff(centers, axis=1)).mean()
    assert ways[1.0] > 1.5 * ways[0.0]


def test_light_changes_gradually() -> None:
    rng = np.random.default_rng(3)
    scene = static_scene([_clip()], (), 5, rng)
    assert scene is not None
    steady, lit = (shoot(scene, CROP, rng, share) or () for share in (0.0, 1.0))
    assert [shot.gamma for shot in steady] == [1.0] * 5
    exponents = np.log([shot.gamma for shot in lit])
    np.testing.assert_allclose(exponents, exponents[-1] * np.linspace(0, 1, 5), atol=1e-12)
    assert exponents[-1] != 0
    gray = Layer(np.full((*CROP, 3), 128, np.uint8), None, np.eye(3))
    shot = replace(lit[0], layers=(gray,), to_scene=np.eye(3), colors=PLAIN, fault=None)
    assert develop(shot, CROP)[0].max() == 128
    assert develop(replace(shot, gamma=2.0), CROP)[0].max() == 64


def test_changing_light_is_more_than_flicker() -> None:
    scene = static_scene([_clip()], (), 5, np.random.default_rng(3))
    assert scene is not None
    changes = {}
    for share in (0.0, 1.0):
        drawn = [shoot(scene, CROP, np.random.default_rng(seed), share) for seed in range(40)]
        gains = [[shot.colors[:, :3].sum() for shot in shots] for shots in drawn if shots]
        changes[share] = np.abs(np.log([each[-1] / each[0] for each in gains])).mean()
    assert changes[1.0] > 1.5 * changes[0.0]


def test_a_recipe_says_how_hard_scenes_are_made(tmp_path: Path) -> None:
    chances = Chances(twins=0.0, lit=1.0)
    source = open_data(
        replace(RECIPES["joint-lite"], chances=chances), [_write_folder(tmp_path, _members())]
    )
    assert isinstance(source.data, MiniSequenceSynthesizer)
    assert source.data.chances == chances


def test_disguise_has_the_colors_of_the_other() -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(90, 150, (60, 80, 3), np.uint8)
    like = (np.array([200, 60, 120]) + rng.normal(0, 9, (50, 70, 3))).astype(np.uint8)
    mask = np.zeros((60, 80), np.uint8)
    mask[10:50, 20:60] = 255
    worn = disguise(image, mask, like, np.full((50, 70), 255, np.uint8))
    inside = worn[mask > 0].astype(float)
    np.testing.assert_allclose(inside.mean(0), like.reshape(-1, 3).mean(0), atol=1)
    np.testing.assert_allclose(inside.std(0), like.reshape(-1, 3).std(0), rtol=0.1)


def test_a_camouflaged_target_is_before_its_own_colors() -> None:
    still = _still(0, "bsds500")
    distances = {}
    for share in (0.0, 1.0):
        distances[share] = []
        for seed in range(20):
            rng = np.random.default_rng(seed)
            scene = moving_still([still], [still], 2, 0, rng, Chances(camouflaged=share))
            if scene is None or len(scene[0].layers) < 2:
                continue
            backdrop, target = scene[0].layers[0], scene[0].layers[-1]
            own = target.image[target.mask > 0].mean(0) if target.is_target else None
            if own is not None:
                distances[share].append(np.abs(backdrop.image.mean((0, 1)) - own).max())
    assert len(distances[1.0]) > 3
    assert max(distances[1.0]) < 0.3 * min(distances[0.0]), distances  # what saturates is left


Scene = Callable[[np.random.Generator], list[SceneFrame] | None]
PLAIN = np.hstack([np.eye(3), np.zeros((3, 1))])
BLANK = Still(
    "blank", "bsds500", np.full((150, 200, 3), GREEN, np.uint8), np.zeros((150, 200), np.uint8)
)
ALONE = Chances(camouflaged=0.0, twins=0.0)


@pytest.mark.parametrize(
    "draw",
    [
        pytest.param(lambda rng: video_scene([_clip()], (), 4, rng), id="video"),
        pytest.param(
            lambda rng: moving_still([_still(0, "bsds500")], [BLANK], 4, 0, rng, ALONE), id="stills"
        ),
        pytest.param(
            lambda rng: moving_still([_still(1, "ccp")], [BLANK], 4, 0, rng, ALONE), id="people"
        ),
        pytest.param(
            lambda rng: static_scene([_clip()], [_still(2, "feral_cat")], 4, rng), id="static"
        ),
    ],
)
def test_mask_lies_on_the_target(draw: Scene) -> None:
    # Nothing is red but the target, and what spoils colors and edges is left out: the red pixels
    # must be the mask.
    drawn: list[tuple[Image, Mask]] = []
    rng = np.random.default_rng(1)
    while len(drawn) < 48:
        scene = draw(rng)
        for shot in (scene and shoot(scene, CROP, rng)) or ():
            drawn.append(develop(replace(shot, colors=PLAIN, fault=None), CROP))
    images = torch.from_numpy(np.stack([image for image, _ in drawn])).float()
    masks = torch.from_numpy(np.stack([mask for _, mask in drawn])) > 127
    looks_red = images[..., 0] > 1.15 * images[..., 1]
    seen = masks.sum(dim=(1, 2)) > 150
    overlap = (looks_red & masks).sum(dim=(1, 2)) / (looks_red | masks).sum(dim=(1, 2))
    assert seen.float().mean() > 0.8
    assert overlap[seen].min() > 0.9
    assert overlap[seen].mean() > 0.95
    shifted = masks.roll(2, dims=-1)
    off = (looks_red & shifted).sum(dim=(1, 2)) / (looks_red | shifted).sum(dim=(1, 2))
    assert off[seen].mean() < overlap[seen].mean() - 0.05


def test_training_region_contains_the_first_target_and_at_least_one_side_fits() -> None:
    rng = np.random.default_rng(0)
    box = np.array([20.0, 30.0, 70.0, 90.0])
    for _ in range(200):
        to_scene = training_region(box, (120, 160), CROP, rng, first=True)
        pitch = np.diag(to_scene)[:2]
        low = to_scene[:2, 2] + 0.5 - 0.5 * pitch
        high = low + pitch * CROP[::-1]
        assert (low <= box[:2] + 1e-6).all()
        assert (high >= box[2:] - 1e-6).all()
        assert ((high - low) <= np.array([160, 120]) + 1e-6).any()
        assert pitch[0] == pytest.approx(pitch[1])


@pytest.mark.parametrize(
    ("mix", "error"),
    [
        pytest.param({"videos": 1.0}, ConfigError, id="unknown"),
        pytest.param({"video": 0.0}, ConfigError, id="nothing"),
        pytest.param({"video": -1.0, "stills": 2.0}, ConfigError, id="negative"),
        pytest.param({"stills": 1.0}, DatasetError, id="no stills"),
    ],
)
def test_a_mix_that_cannot_be(mix: Mapping[str, float], error: type[Exception]) -> None:
    data = MiniSequenceSynthesizer([_clip()], [])
    with pytest.raises(error, match="mix"):
        data.batch(0, 1, mix, CROP, 4)


def test_kinds_without_images_are_left_out_of_a_mix() -> None:
    data = MiniSequenceSynthesizer([_clip()], [], seed=1)
    assert data.kinds == ("video", "static", "procedural")
    mixed = data.batch(0, 3, {"video": 1.0, "stills": 1.0, "people": 9.0}, CROP, 4)
    alone = data.batch(0, 3, {"video": 1.0}, CROP, 4)
    assert torch.equal(mixed.images, alone.images)


# Packs


def _encoded(picture: np.ndarray, kind: str, mode: str | None = None) -> bytes:
    stream = io.BytesIO()
    image = PILImage.fromarray(picture)
    if mode == "P":
        image.putpalette([(7 * i) % 256 for i in range(768)])
    image.save(stream, kind, **({"lossless": True} if kind == "WEBP" else {}))
    return stream.getvalue()


def _members() -> dict[str, bytes]:
    still = _still(0, "ccp")
    picture = _encoded(still.image, "WEBP")
    clip = _clip(3)
    files = {
        "stills_x/ccp/b.webp": picture,
        "stills_x/ccp/b.png": _encoded(still.labels, "PNG", "P"),
        "photos_x/pumavos_chair/f0.webp": picture,
        "photos_x/pumavos_chair/f0.png": _encoded(still.labels, "PNG"),
    }
    for t in range(3):
        files[f"davis_x/disc/{t:05d}.webp"] = _encoded(clip.images[t], "WEBP")
        files[f"davis_x/disc/{t:05d}.png"] = _encoded(clip.labels[t] > 0, "PNG")
    return files


def _write_tar(path: Path, files: Mapping[str, bytes]) -> Path:
    with tarfile.open(path, "w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def _write_folder(path: Path, files: Mapping[str, bytes]) -> Path:
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path


@pytest.mark.parametrize("write", [_write_tar, _write_folder], ids=["tar", "folder"])
def test_loads_sets_and_sequences(
    tmp_path: Path, write: Callable[[Path, Mapping[str, bytes]], Path]
) -> None:
    pack = load_pack(write(tmp_path / "pack", _members()))
    assert [clip.name for clip in pack.videos] == ["disc", "pumavos_chair"]
    assert [still.source for still in pack.stills] == ["ccp"]
    np.testing.assert_array_equal(pack.stills[0].labels, _still(0, "ccp").labels)
    np.testing.assert_array_equal(pack.stills[0].image, _still(0, "ccp").image)
    for t in range(3):
        np.testing.assert_array_equal(pack.videos[0].labels[t], _clip(3).labels[t])
        np.testing.assert_array_equal(pack.videos[0].images[t], _clip(3).images[t])


def test_loads_davis_folders_and_adds_packs_up(tmp_path: Path) -> None:
    clip = _clip(2)
    files = {}
    for t in range(2):
        files[f"JPEGImages/480p/disc/{t:05d}.jpg"] = _encoded(clip.images[t], "JPEG")
        files[f"Annotations/480p/disc/{t:05d}.png"] = _encoded(clip.labels[t], "PNG", "P")
    folder = _write_folder(tmp_path / "photos_of_davis", files)
    pack = load_packs([folder, _write_tar(tmp_path / "x.tar", _members())])
    assert [clip.name for clip in pack.videos] == ["disc", "disc", "pumavos_chair"]
    np.testing.assert_array_equal(pack.videos[0].labels[1], clip.labels[1])
    assert len(pack.stills) == 1


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        pytest.param({"stills_x/ccp/b.png": None}, SequenceIncomplete, "no label map", id="lone"),
        pytest.param({"stills_x/ccp/b.webp": b"no"}, DatasetError, "damaged", id="picture"),
        pytest.param({"stills_x/ccp/b.webp": b""}, DatasetError, "damaged", id="empty image"),
        pytest.param({"stills_x/ccp/b.png": b"no"}, DatasetError, "damaged", id="labels"),
        pytest.param(
            {"stills_x/ccp/b.png": _encoded(np.zeros((4, 5), np.uint8), "PNG")},
            DatasetError,
            "200x150",
            id="sizes",
        ),
        pytest.param(
            {"stills_x/ccp/b.png": _encoded(np.zeros((150, 200, 3), np.uint8), "PNG")},
            DatasetError,
            "mode RGB",
            id="colors",
        ),
    ],
)
def test_says_what_is_wrong_with_a_pack(
    tmp_path: Path, changes: Mapping[str, bytes | None], error: type[Exception], message: str
) -> None:
    files = {name: data for name, data in (_members() | changes).items() if data is not None}
    with pytest.raises(error, match=message) as caught:
        load_pack(_write_tar(tmp_path / "pack.tar", files))
    assert "\n" not in str(caught.value)


def test_refuses_what_is_no_pack(tmp_path: Path) -> None:
    with pytest.raises(DatasetNotFound, match=r"nowhere\.tar"):
        load_pack(tmp_path / "nowhere.tar")
    (tmp_path / "text.tar").write_text("this is no tar")
    with pytest.raises(DatasetError, match=r"text\.tar: not a readable tar"):
        load_pack(tmp_path / "text.tar")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="no training images"):
        load_pack(tmp_path / "empty")
