from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from jointvos.media.reading import CutDetector, VideoReader, with_cuts
from jointvos.types import Frame, Image

HEIGHT, WIDTH = 180, 320
EXAMPLES = Path(__file__).parents[2] / "examples"

Scene = Callable[[int], Image]


def world(seed: int, tint: tuple[float, float, float]) -> Image:
    """A large image with structure at all scales, like places have."""
    rng = np.random.default_rng(seed)
    picture = np.zeros((600, 1400), np.float32)
    for cells in (4, 9, 20, 45):
        coarse = rng.random((cells, 2 * cells)).astype(np.float32)
        picture += cv2.resize(coarse, (1400, 600), interpolation=cv2.INTER_CUBIC) / cells**0.4
    picture = (picture - picture.min()) / (picture.max() - picture.min())
    return np.asarray(picture[..., None] * np.array(tint, np.float32) * 255, dtype=np.uint8)


STREET = world(1, (0.9, 0.7, 0.5))
FOREST = world(2, (0.4, 0.8, 0.3))
NIGHT = world(3, (0.2, 0.25, 0.5))


def view(place: Image, x: float, y: float = 100, zoom: float = 1.0) -> Image:
    matrix = np.array([[1 / zoom, 0, x], [0, 1 / zoom, y]], np.float32)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(place, matrix, (WIDTH, HEIGHT), flags=flags), dtype=np.uint8)


def still(place: Image) -> Scene:
    return lambda t: view(place, 300)


def pan(place: Image, speed: float) -> Scene:
    """So many pixels a frame, there and back; 32 is a tenth of the frame."""
    return lambda t: view(place, abs((t * speed) % 1800 - 900))


def shaking(place: Image) -> Scene:
    rng = np.random.default_rng(0)
    places = rng.normal((300, 100), 12, (60, 2))
    return lambda t: view(place, *places[t])


def zoom(place: Image) -> Scene:
    return lambda t: view(place, 300, zoom=1.05**t)


def noisy(place: Image, sigma: float) -> Scene:
    def picture(t: int) -> Image:
        noise = np.random.default_rng(t).normal(0, sigma, (HEIGHT, WIDTH, 3))
        return np.clip(view(place, 300) + noise, 0, 255).astype(np.uint8)

    return picture


def lit(scene: Scene, light: Callable[[int], float]) -> Scene:
    """The scene with so much of its light, and more than 1 as if into the lens."""

    def picture(t: int) -> Image:
        share = light(t)
        image = scene(t).astype(np.float32)
        return np.clip(image * min(share, 1) + 255 * max(0, share - 1), 0, 255).astype(np.uint8)

    return picture


def object_passes(t: int) -> Image:
    """Something large and near comes through, and covers half of the frame."""
    image = view(STREET, 300).copy()
    left = -160 + 24 * t
    image[20:, max(0, left) : max(0, left + 160)] = (30, 30, 160)
    return image


def mix(one: Scene, other: Scene, begin: int, length: int) -> Scene:
    """From one to the other by and by, at once with a length of 0."""

    def picture(t: int) -> Image:
        share = float(np.clip((t - begin + 1) / (length + 1), 0, 1))
        return np.asarray(one(t) * (1 - share) + other(t) * share, dtype=np.uint8)

    return picture


def cuts(scene: Scene, frames: int = 40) -> list[int]:
    detector = CutDetector()
    return [t for t in range(frames) if detector.is_cut(scene(t))]


@pytest.mark.parametrize(
    "scene",
    [
        pytest.param(still(STREET), id="still"),
        pytest.param(pan(STREET, 8), id="pan"),
        pytest.param(pan(FOREST, 40), id="whip pan, 40 pixels of 320"),
        pytest.param(shaking(STREET), id="shaking"),
        pytest.param(zoom(FOREST), id="zoom"),
        pytest.param(noisy(STREET, 30), id="noise"),
        pytest.param(lambda t: noisy(NIGHT, 200)(t), id="nothing but noise"),
        pytest.param(object_passes, id="something passes near"),
        pytest.param(lit(pan(STREET, 5), lambda t: 1.6 if t == 20 else 1), id="flash"),
        pytest.param(lit(pan(STREET, 5), lambda t: 2 if t in (20, 21) else 1), id="white frames"),
        pytest.param(lit(pan(FOREST, 5), lambda t: 1.4 if t % 9 == 0 else 1), id="strobe"),
        pytest.param(lit(pan(STREET, 3), lambda t: 0.45 if t > 20 else 1), id="light goes out"),
        pytest.param(lit(pan(STREET, 3), lambda t: max(0, 1 - t / 30)), id="fade to black"),
        pytest.param(lit(pan(STREET, 3), lambda t: min(1, t / 30)), id="fade in"),
        pytest.param(
            lit(pan(STREET, 3), lambda t: min(1, abs(t - 20) / 12)), id="to black and back"
        ),
        pytest.param(mix(pan(STREET, 3), pan(FOREST, 3), 10, 20), id="dissolve"),
        pytest.param(lambda t: np.full((HEIGHT, WIDTH, 3), 5 * t, np.uint8), id="blank"),
    ],
)
def test_one_shot_has_no_cut(scene):
    assert cuts(scene) == []


@pytest.mark.parametrize(
    ("one", "other", "late"),
    [
        pytest.param(still(STREET), still(FOREST), 0, id="still"),
        pytest.param(pan(STREET, 5), pan(FOREST, 5), 0, id="moving"),
        pytest.param(pan(STREET, 25), pan(FOREST, 25), 0, id="fast"),
        pytest.param(still(STREET), still(NIGHT), 0, id="into the dark"),
        pytest.param(shaking(NIGHT), shaking(FOREST), 2, id="into the light"),
        pytest.param(noisy(STREET, 20), noisy(FOREST, 20), 0, id="noisy"),
    ],
)
def test_a_cut_is_found_once(one, other, late):
    (found,) = cuts(mix(one, other, 20, 0))
    assert 20 <= found <= 20 + late


def test_every_cut_is_found():
    places = [pan(STREET, 4), pan(FOREST, 4), pan(NIGHT, 4)]
    found = cuts(lambda t: places[t // 10 % 3](t), 60)
    assert len(found) == 5
    assert all(0 <= f - t <= 2 for f, t in zip(found, range(10, 60, 10), strict=True))


def test_another_place_behind_black_is_a_cut():
    scene = lit(mix(pan(STREET, 3), pan(FOREST, 3), 20, 0), lambda t: min(1, abs(t - 20) / 10))
    assert len(cuts(scene)) == 1


@pytest.mark.parametrize("size", [(1, 1), (2, 300), (300, 2)], ids=str)
def test_any_size_will_do(size):
    still_noise = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    assert cuts(lambda t: still_noise) == []


def test_frames_carry_the_flag():
    pictures = [view(STREET, 300)] * 3 + [view(FOREST, 300)] * 2
    frames = [Frame(i, i, i / 25, picture, str(i)) for i, picture in enumerate(pictures)]
    assert [cut for _, cut in with_cuts(frames, CutDetector())] == [0, 0, 0, 1, 0]
    assert [cut for _, cut in with_cuts(frames, None)] == [False] * 5
    assert [frame for frame, _ in with_cuts(frames, None)] == frames


def shots(path: Path) -> Iterator[int]:
    with VideoReader(path) as video:
        for frame, cut in with_cuts(video, CutDetector()):
            if cut:
                yield frame.index


def test_the_example_is_one_shot():
    path = EXAMPLES / "crossing.mp4"
    if not path.exists():
        pytest.skip("there is no example")
    assert list(shots(path)) == []
