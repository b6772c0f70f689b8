"""Mini-sequences of real videos: which frames, which videos, in which folders."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image as PILImage

from jointvos.errors import ConfigError, DatasetError, DatasetNotFound, SequenceIncomplete
from jointvos.training.data.segments import SegmentSampler, any_frames, causal_frames, roll
from jointvos.training.data.training_crop import grayed, jittered, training_crop, training_region
from jointvos.training.data.vos_data import SegmentVideo, held_out, open_training_videos

CROP = (48, 80)
LENGTH = 12
SIZE = (60, 100)


def write_video(
    pictures: Path, masks: Path, *, hidden: tuple[int, ...] = (), ground=(20, 160, 40)
) -> None:
    """Object 1, red, walks right and is gone in some frames; object 2 is a speck of 9 pixels."""
    pictures.mkdir(parents=True)
    masks.mkdir(parents=True)
    for t in range(LENGTH):
        labels = np.zeros(SIZE, np.uint8)
        labels[5:8, 5:8] = 2
        labels[50:, 90:] = 255
        if t not in hidden:
            cv2.circle(labels, (30 + 4 * t, 30), 9, 1, -1)
        image = np.full((*SIZE, 3), ground, np.uint8)
        image[labels == 1] = 220, 20, 20
        image[:, :3] = 0
        PILImage.fromarray(image).save(pictures / f"{t:05d}.jpg", quality=95)
        picture = PILImage.fromarray(labels, "L").convert("P")
        picture.putdata(labels.ravel().tolist())
        picture.save(masks / f"{t:05d}.png")


def write_ytvos(root: Path, *names: str, **options: tuple[int, ...]) -> Path:
    for name in names:
        write_video(root / "JPEGImages" / name, root / "Annotations" / name, **options)
    return root


def write_davis(root: Path, *names: str) -> Path:
    for name in names:
        write_video(root / "JPEGImages/480p" / name, root / "Annotations/480p" / name)
    (root / "ImageSets/2017").mkdir(parents=True)
    (root / "ImageSets/2017/train.txt").write_text("\n".join(names))
    return root


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> tuple[SegmentVideo, ...]:
    root = write_ytvos(tmp_path_factory.mktemp("ytvos"), "bear", "cat")
    return open_training_videos(root).train


@pytest.fixture(scope="module")
def sampler(videos: tuple[SegmentVideo, ...]) -> SegmentSampler:
    return SegmentSampler({"ytvos": videos, "davis": videos[:1]}, seed=3)


# Which frames


PICKS = [pytest.param(causal_frames, id="causal"), pytest.param(any_frames, id="any")]


@pytest.mark.parametrize("pick", PICKS)
def test_only_frames_in_which_the_object_is_visible(pick: Callable[..., list[int]]) -> None:
    rng = np.random.default_rng(0)
    for _ in range(300):
        visible = rng.random(40) < 0.4
        if np.count_nonzero(visible) > 8:
            chosen = pick(visible, 4, 15, rng)
            assert len(chosen) == 4
            assert visible[chosen].all()


def test_the_first_frame_is_the_earliest_and_others_may_repeat() -> None:
    rng = np.random.default_rng(0)
    drawn = [causal_frames(np.ones(30, bool), 4, 10, rng) for _ in range(2000)]
    assert {first for first, *_ in drawn} == set(range(27))  # not the last T - 1
    offsets = [t - first for first, *others in drawn for t in others]
    assert min(offsets) == 1
    assert max(offsets) == 9
    assert all(others == sorted(others) for _, *others in drawn)
    assert any(len(set(others)) < 3 for _, *others in drawn)
    firsts = np.bincount([first for first, *_ in drawn], minlength=27)
    assert firsts.min() > 2000 / 27 / 2  # uniform


def test_any_frame_may_be_first_and_none_repeats() -> None:
    rng = np.random.default_rng(0)
    drawn = [any_frames(np.ones(30, bool), 4, 10, rng) for _ in range(2000)]
    assert all(len(set(chosen)) == 4 for chosen in drawn)
    assert max(max(chosen) - min(chosen) for chosen in drawn) == 9
    assert all(others == sorted(others) for _, *others in drawn)
    places = np.bincount([sorted(chosen).index(chosen[0]) for chosen in drawn])
    assert places.min() > 400
    assert set(np.concatenate(drawn)) == set(range(30))


def test_the_window_grows_over_gaps() -> None:
    visible = np.zeros(100, bool)
    visible[::10] = True
    rng = np.random.default_rng(0)
    for _ in range(50):
        first, *others = causal_frames(visible, 4, 3, rng)  # 3, 8, 13 frames
        assert set(others) == {first + 10}
        assert np.ptp(any_frames(visible, 4, 3, rng)) in (30, 40)  # from 33 frames on


# Batches


def test_shapes_ranges_and_a_visible_object(sampler: SegmentSampler) -> None:
    batch = sampler.batch(0, 6, {"ytvos": 6.0, "davis": 1.0}, CROP, 4)
    assert batch.images.shape == (6, 4, 3, *CROP)
    assert batch.images.dtype == torch.uint8
    assert batch.masks.shape == (6, 4, 1, *CROP)
    assert set(batch.masks.unique().tolist()) == {0.0, 1.0}
    assert batch.masks[:, 0].flatten(1).any(1).all()


def test_is_a_function_of_seed_and_step(sampler: SegmentSampler, videos) -> None:
    mix = {"ytvos": 6.0, "davis": 1.0}
    wanted = sampler.batch(7, 4, mix, CROP, 4)
    sampler.batch(8, 1, mix, CROP, 4)
    sets = {"davis": videos[:1], "ytvos": videos}
    again = SegmentSampler(sets, seed=3).batch(7, 4, dict(reversed(mix.items())), CROP, 4)
    assert torch.equal(wanted.images, again.images)
    assert torch.equal(wanted.masks, again.masks)
    part = sampler.batch(7, 2, mix, CROP, 4, first=2)
    assert torch.equal(wanted.images[2:], part.images)
    other = SegmentSampler(sets, seed=4)
    for different in (sampler.batch(8, 4, mix, CROP, 4), other.batch(7, 4, mix, CROP, 4)):
        assert not torch.equal(wanted.images, different.images)


def is_gray(images: torch.Tensor) -> torch.Tensor:
    """Which of the images [B,T,3,H,W] have no colors, [B,T]."""
    return (images.amax(2) - images.amin(2)).flatten(2).amax(2) == 0


def test_masks_lie_on_the_object(sampler: SegmentSampler) -> None:
    batch = sampler.batch(1, 12, {"ytvos": 1.0}, (96, 160), 4)
    colored = ~is_gray(batch.images)
    assert colored.sum() > 32
    red, green = batch.images[:, :, 0][colored].float(), batch.images[:, :, 1][colored].float()
    looks_red = red > green + 30
    truth = batch.masks[:, :, 0][colored] > 0
    overlap = (looks_red & truth).sum() / (looks_red | truth).sum()
    assert overlap > 0.9  # JPEG and two interpolations blur the edge


def test_data_sets_are_drawn_from_six_to_one(videos, tmp_path) -> None:
    root = write_ytvos(tmp_path, "blue", ground=(20, 40, 160))
    sets = {"ytvos": videos, "davis": open_training_videos(root).train}
    images = SegmentSampler(sets).batch(0, 350, {"ytvos": 6.0, "davis": 1.0}, CROP, 2).images
    means = images[:, 0].float().mean(dim=(-2, -1))
    assert abs(int((means[:, 2] > means[:, 1]).sum()) - 50) < 26  # 4 standard deviations


def test_the_later_frames_share_a_roll(sampler: SegmentSampler) -> None:
    gray = is_gray(sampler.batch(0, 300, {"ytvos": 1.0}, CROP, 4).images)
    first, later = gray[:, 0], gray[:, 1:]
    assert (later == later[:, :1]).all()
    pairs = set(zip(first.tolist(), later[:, 0].tolist(), strict=True))
    assert {(False, False), (True, False), (False, True)} <= pairs  # the first is rolled apart
    image = np.arange(6, dtype=np.uint8).reshape(1, 2, 3)
    mask = np.array([[0, 1]], np.uint8)
    rng = np.random.default_rng(0)
    flipped = 0
    for _ in range(400):
        change = roll(rng)
        (one, of_one), (other, _) = change(image, mask), change(image, mask)
        np.testing.assert_array_equal(one, other)
        flipped += int(of_one[0, 0])
        assert (one[0, 0].sum() > one[0, 1].sum()) == of_one[0, 0]
    assert abs(flipped - 200) < 40


@pytest.mark.parametrize(
    ("mix", "error", "message"),
    [
        pytest.param({"ytvos": -1.0}, ConfigError, "weights", id="negative"),
        pytest.param({"ytvos": 0.0}, ConfigError, "weights", id="nothing"),
        pytest.param({"ytvos": float("nan")}, ConfigError, "weights", id="nan"),
        pytest.param({}, ConfigError, "weights", id="empty"),
        pytest.param({"ytvos": 1.0, "vipseg": 1.0}, DatasetError, "'vipseg'", id="unknown"),
    ],
)
def test_refuses_a_bad_mix(sampler, mix, error, message) -> None:
    with pytest.raises(error, match=message):
        sampler.batch(0, 1, mix, CROP, 4)


def test_needs_more_than_twice_as_many_visible_frames(tmp_path: Path) -> None:
    root = write_ytvos(tmp_path, "short", hidden=(0, 1, 2))  # 9 of 12 are left
    sampler = SegmentSampler({"ytvos": open_training_videos(root).train})
    sampler.batch(0, 1, {"ytvos": 1.0}, CROP, 4)
    with pytest.raises(DatasetError, match="more than 10 annotated"):
        sampler.batch(0, 1, {"ytvos": 1.0}, CROP, 5)


# Crops


def test_jitter_keeps_size_and_place_on_average() -> None:
    rng = np.random.default_rng(0)
    for first, spread, reach in ((True, 0.25, (3.0, 3.0)), (False, 0.5, (5.5, 4.5))):
        boxes = np.array([jittered((50, 60, 20, 40), rng, first=first) for _ in range(20000)])
        sides = boxes[:, 2:]
        assert np.log(sides / (20, 40)).mean(0) == pytest.approx(0, abs=0.02)
        assert np.log(sides).std(0) == pytest.approx(spread, rel=0.03)
        moved = boxes[:, :2] + sides / 2 - (60, 80)
        share = moved / np.sqrt(sides.prod(1, keepdims=True)) / reach
        assert np.abs(share).max(0) == pytest.approx(0.5, abs=0.01)
        assert share.mean(0) == pytest.approx(0, abs=0.01)


def test_the_region_has_25_times_the_area_and_lies_inside() -> None:
    left, top, width, height = training_region((50.0, 60.0, 20.0, 40.0), (480, 832), (500, 900))
    assert width * height == pytest.approx(25 * 20 * 40, rel=0.02)
    assert width / height == pytest.approx(832 / 480, rel=0.02)
    assert (left, top) == (0, round(80 - height / 2))


def test_a_crop_of_a_single_pixel() -> None:
    mask = np.zeros((50, 70), np.uint8)
    mask[49, 69] = 1
    image = np.zeros((50, 70, 3), np.uint8)
    for seed in range(50):
        rng = np.random.default_rng(seed)
        crop, target = training_crop(image, mask, CROP, rng, first=True)
        assert crop.shape == (*CROP, 3)
        assert target.shape == CROP


def test_gray_exchanges_red_and_blue() -> None:
    red = np.zeros((1, 1, 3), np.uint8)
    red[..., 0] = 255
    assert grayed(red).tolist() == [[[29, 29, 29]]]  # 0.114; red would count 0.299


# Folders


def test_objects_and_areas(videos: tuple[SegmentVideo, ...]) -> None:
    assert [video.name for video in videos] == ["bear", "cat"]
    for video in videos:
        assert sorted(video.areas) == [1, 2]  # not the void
        assert video.visible(1).all()
        assert video.areas[2].tolist() == [9] * LENGTH
        assert not video.visible(2).any()
        image, mask = video.read(3, 1)
        assert image.shape == (*SIZE, 3)
        assert int(mask.sum()) == video.areas[1][3]


def test_pictures_without_a_mask_are_left_out(tmp_path: Path) -> None:
    root = write_ytvos(tmp_path / "train", "bear")
    for t in range(1, LENGTH, 2):
        (root / f"Annotations/bear/{t:05d}.png").unlink()
    found = open_training_videos(tmp_path)
    assert found.kind == "ytvos"
    frames = found.train[0].sequence.frames
    assert [path.stem for path in frames] == [f"{t:05d}" for t in range(0, LENGTH, 2)]


def test_davis(tmp_path: Path) -> None:
    found = open_training_videos(write_davis(tmp_path, "dog", "cow"))
    assert found.kind == "davis"
    assert [video.name for video in found.train] == ["dog", "cow"]
    assert found.validation == ()


def test_the_same_videos_are_always_held_out() -> None:
    names = [f"{i:010x}" for i in range(3471)]
    chosen = held_out(names)
    assert len(chosen) == 300
    assert chosen == held_out(reversed(names))
    digest = hashlib.sha256("\n".join(chosen).encode()).hexdigest()
    assert digest == "a9305187aa68e6ad76ec561fa3492a1a2d1c4504660c32777a375aef91ad461b"
    assert len(held_out(names[:347])) == 30
    assert held_out(["a", "b"]) == []


def test_held_out_videos_are_not_trained_on(tmp_path: Path) -> None:
    names = [f"v{i:02d}" for i in range(12)]
    found = open_training_videos(write_ytvos(tmp_path, *names))
    train, validation = ([v.name for v in part] for part in (found.train, found.validation))
    assert validation == held_out(names)
    assert len(validation) == 1
    assert sorted(train + validation) == names


def test_lists_are_obeyed(tmp_path: Path) -> None:
    root = write_ytvos(tmp_path / "data", "a", "b", "c")
    train, val = tmp_path / "train.txt", tmp_path / "val.txt"
    train.write_text("c\na\n")
    val.write_text("b\n")

    def names(**lists: Path) -> tuple[list[str], list[str]]:
        found = open_training_videos(root, **lists)
        return [v.name for v in found.train], [v.name for v in found.validation]

    assert names() == (["a", "b", "c"], [])
    assert names(train_list=train, val_list=val) == (["c", "a"], ["b"])
    assert names(train_list=train) == (["c", "a"], [])
    assert names(val_list=val) == (["a", "c"], ["b"])


@pytest.mark.parametrize(
    ("train", "val", "error", "message"),
    [
        pytest.param("a\nb", "b", DatasetError, "both list b", id="overlap"),
        pytest.param("a\nz", None, DatasetError, "lists z", id="unknown"),
        pytest.param("y\nz", None, DatasetError, "lists y and 1 more", id="several unknown"),
        pytest.param("", None, DatasetError, "empty", id="empty"),
        pytest.param(None, "a\nb", DatasetError, "left to train on", id="nothing left"),
    ],
)
def test_refuses_bad_lists(tmp_path: Path, train, val, error, message) -> None:
    root = write_ytvos(tmp_path / "data", "a", "b")
    lists = {}
    for key, text in (("train_list", train), ("val_list", val)):
        if text is not None:
            lists[key] = tmp_path / f"{key}.txt"
            lists[key].write_text(text)
    with pytest.raises(error, match=message) as caught:
        open_training_videos(root, **lists)
    assert "\n" not in str(caught.value)


def lose_picture(root: Path) -> None:
    (root / "JPEGImages/bear/00003.jpg").unlink()


def lose_masks(root: Path) -> None:
    for path in (root / "Annotations/bear").iterdir():
        path.unlink()


def damage_mask(root: Path) -> None:
    (root / "Annotations/bear/00003.png").write_bytes(b"no image")


def color_mask(root: Path) -> None:
    PILImage.new("RGB", SIZE[::-1]).save(root / "Annotations/bear/00003.png")


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        pytest.param(lose_picture, SequenceIncomplete, "no image for 00003", id="lost image"),
        pytest.param(lose_masks, SequenceIncomplete, "holds no masks", id="lost masks"),
        pytest.param(damage_mask, DatasetError, r"00003\.png cannot be read", id="damaged"),
        pytest.param(color_mask, DatasetError, "kind RGB", id="colors"),
    ],
)
def test_refuses_damaged_videos(tmp_path: Path, change, error, message) -> None:
    root = write_ytvos(tmp_path, "bear")
    change(root)
    with pytest.raises(error, match=message) as caught:
        open_training_videos(root)
    assert "\n" not in str(caught.value)


def test_refuses_a_mask_of_another_size(tmp_path: Path) -> None:
    root = write_ytvos(tmp_path, "bear")
    for path in (root / "JPEGImages/bear").iterdir():
        PILImage.new("RGB", (50, 40)).save(path)
    sampler = SegmentSampler({"ytvos": open_training_videos(root).train})
    with pytest.raises(DatasetError, match="50x40 but its mask 100x60"):
        sampler.batch(0, 1, {"ytvos": 1.0}, CROP, 4)


def test_refuses_what_is_no_data_set(tmp_path: Path) -> None:
    with pytest.raises(DatasetNotFound, match="no training videos"):
        open_training_videos(tmp_path)
    (tmp_path / "JPEGImages").mkdir()
    (tmp_path / "Annotations").mkdir()
    with pytest.raises(DatasetError, match="folder per video"):
        open_training_videos(tmp_path)
    (tmp_path / "JPEGImages/480p").mkdir()
    with pytest.raises(DatasetNotFound, match=r"train\.txt is missing"):
        open_training_videos(tmp_path)
    with pytest.raises(DatasetNotFound, match="no such list"):
        open_training_videos(write_ytvos(tmp_path / "b", "a"), val_list=tmp_path / "none.txt")
