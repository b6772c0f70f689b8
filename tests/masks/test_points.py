from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from jointvos.errors import ConfigError, JointVOSError, MaskError
from jointvos.masks import Clicks, Point, clicks_of, read_prompts, write_mask_png
from jointvos.types import Frame, VideoInfo

EXAMPLES = Path(__file__).parents[2] / "examples"
RATE = Fraction(24)
INFO = VideoInfo(Path("clip.mp4"), 320, 240, RATE, 1 / RATE)
ROWS, COLUMNS = np.mgrid[:240, :320]
DISC = np.hypot(COLUMNS - 150, ROWS - 110) < 40
BOX = (abs(COLUMNS - 260) < 30) & (abs(ROWS - 180) < 25)


def things() -> np.ndarray:
    """A bright disc with a dark bar in it and a blue box on a dark, noisy ground, RGB."""
    image = np.random.default_rng(0).integers(20, 60, (240, 320, 3), dtype=np.uint8)
    image[DISC] = (230, 200, 40)
    image[BOX] = (40, 60, 220)
    return image


def points(*texts: str) -> list[Point]:
    return [Point.parse(text, "`point`") for text in texts]


def overlap(found: np.ndarray, wanted: np.ndarray) -> float:
    """Intersection over union."""
    return float((found & wanted).sum() / (found | wanted).sum())


def test_a_point_becomes_a_mask_the_same_every_time():
    image = things()
    (clicks,) = clicks_of(points("150,110"), [])
    found = clicks.cut(image)
    assert overlap(found, DISC) > 0.95
    assert np.array_equal(found, clicks.cut(image))


def test_points_without_id_are_of_one_object_and_others_of_theirs(tmp_path):
    labels = np.zeros((240, 320), dtype=np.uint8)
    labels[5:15, 5:25] = 3
    write_mask_png(tmp_path / "m.png", labels)
    cuts = clicks_of(points("150,90", "260,180=9", "150,125"), [])
    prompts = read_prompts([str(tmp_path / "m.png")], INFO, cuts=cuts)
    assert prompts.ids == (3, 9, 10)
    found = prompts.at(Frame(0, 0, 0.0, things(), "00000"))
    assert overlap(found == 10, DISC) > 0.95
    assert overlap(found == 9, BOX) > 0.95
    assert np.array_equal(found == 3, labels == 3)


def test_points_outside_take_away():
    image = np.random.default_rng(0).integers(20, 60, (240, 320, 3), dtype=np.uint8)
    left, right = (np.hypot(COLUMNS - x, ROWS - 110) < 35 for x in (120, 180))
    image[left | right] = (230, 200, 40)
    assert overlap(Clicks(((120, 110),)).cut(image), left | right) > 0.9
    (clicks,) = clicks_of(points("120,110"), points("180,110"))
    assert overlap(clicks.cut(image), left) > 0.9


@pytest.mark.parametrize(("place", "i"), [((187, 295), 1), ((734, 244), 2), ((677, 231), 2)])
def test_fish_of_the_example(place, i):
    with av.open(str(EXAMPLES / "crossing.mp4")) as container:
        image = next(container.decode(video=0)).to_ndarray(format="rgb24")
    with Image.open(EXAMPLES / "crossing_first.png") as picture:
        truth = np.asarray(picture) == i
    assert overlap(Clicks((place,)).cut(image), truth) > 0.8


@pytest.mark.parametrize(
    ("inside", "outside", "says"),
    [
        (["1"], [], "`point` is '1', expected x,y or x,y=id"),
        (["-1,2"], [], "expected x,y"),
        (["1,2="], [], "'' is not an ID"),
        (["1,2=0"], [], "'0' is not an ID"),
        (["320,2"], [], r"320,2 is outside of clip\.mp4, which is 320x240"),
        (["1,2"], ["5,240"], r"5,240 is outside of"),
        (["1,2=4"], [], "another object has the ID 4, too"),
        ([], ["1,2"], "`no_point` 1,2 needs a `point`"),
        (["1,2"], ["1,2=7"], "object 7 has no `point`"),
        (["1,2"], ["1,2"], "1,2 is given as inside and as outside"),
        (["1,2=1", "1,2=2"], [], "1,2 is given as inside and as outside"),
    ],
)
def test_points_that_do_not_fit(tmp_path, inside, outside, says):
    write_mask_png(tmp_path / "m.png", np.full((240, 320), 4, np.uint8))

    def read() -> None:
        cuts = clicks_of(points(*inside), points(*outside))
        read_prompts([str(tmp_path / "m.png")], INFO, cuts=cuts)

    with pytest.raises(JointVOSError, match=says) as caught:
        read()
    assert isinstance(caught.value, ConfigError | MaskError)


@pytest.mark.parametrize("shade", [0, 90])
def test_a_point_around_which_nothing_stands_out(shade):
    flat = np.full((60, 80, 3), shade, dtype=np.uint8)
    with pytest.raises(MaskError, match="`point` 40,25: nothing around it stands out"):
        Clicks(((40, 25),)).cut(flat)
