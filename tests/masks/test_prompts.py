from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from clips import scene
from PIL import Image

from jointvos.errors import (
    ConfigError,
    EmptyMaskError,
    JointVOSError,
    MaskError,
    MaskReadError,
    MaskSizeMismatch,
)
from jointvos.masks import (
    Box,
    IdChange,
    mask_path,
    read_prompts,
    write_mask_png,
)
from jointvos.types import Frame, VideoInfo

RATE = Fraction(24)
INFO = VideoInfo(Path("clip.mp4"), 64, 48, RATE, 1 / RATE, frame_count=20)


def ids(*present: int, dtype=np.uint8) -> np.ndarray:
    """A label map in which the object with the i-th ID fills the i-th block of columns."""
    labels = np.zeros((48, 64), dtype=dtype)
    for i, number in enumerate(present):
        labels[10:30, 4 + 10 * i : 12 + 10 * i] = number
    return labels


@pytest.fixture
def masks(tmp_path: Path) -> Path:
    """a.png holds 1 and 2, b.png 3, c.png 2 alone, in a folder."""
    for name, present in (("a", (1, 2)), ("b", (0, 0, 3)), ("c", (0, 2))):
        write_mask_png(tmp_path / f"{name}.png", ids(*present))
    return tmp_path


def frames(first=0, last=20, rate=RATE, offset=0):
    for i in range(first, last):
        image = np.zeros((48, 64, 3), dtype=np.uint8)
        yield Frame(i, i + offset, float((i + offset) / rate), image, f"{i:05d}")


def met(prompts, given) -> dict[int, list[int]]:
    """Ids by frame, where something is given."""
    labels = {frame.index: prompts.at(frame) for frame in given}
    return {i: np.unique(m)[1:].tolist() for i, m in labels.items() if m is not None}


@pytest.mark.parametrize(
    ("given", "range", "expected"),
    [
        pytest.param(["a.png"], {}, {0: [1, 2]}, id="first frame"),
        pytest.param(["a.png"], {"start": "5"}, {5: [1, 2]}, id="first frame of a range"),
        pytest.param(["a.png", "7=b.png"], {}, {0: [1, 2], 7: [3]}, id="new object"),
        pytest.param(["7=b.png"], {}, {7: [3]}, id="only in the middle"),
        pytest.param(["0=a.png", "3=c.png"], {}, {0: [1, 2], 3: [2]}, id="correction"),
        pytest.param(["a.png", "b.png"], {}, {0: [1, 2, 3]}, id="two for one frame"),
        pytest.param(["0.25s=a.png"], {}, {6: [1, 2]}, id="seconds"),
        pytest.param(["0.26s=a.png"], {}, {7: [1, 2]}, id="seconds between frames"),
        pytest.param(["0:00:00.25=a.png"], {}, {6: [1, 2]}, id="timecode"),
        pytest.param(["0s=a.png"], {}, {0: [1, 2]}, id="zero seconds"),
        pytest.param(["0.26s=a.png"], {"start": "0.26s"}, {7: [1, 2]}, id="time of the start"),
        pytest.param(["0.26s=a.png"], {"start": "7"}, {7: [1, 2]}, id="time just before the start"),
        pytest.param(["6=a.png", "0.25s=b.png"], {}, {6: [1, 2, 3]}, id="number and time"),
    ],
)
def test_masks_come_with_their_frames(masks, given, range, expected):
    texts = [
        f"{at}={masks / file}" if at else str(masks / file)
        for at, _, file in (text.rpartition("=") for text in given)
    ]
    prompts = read_prompts(texts, INFO, **range)
    first = int(range["start"]) if range.get("start", "").isdecimal() else 0
    given_frames = list(frames(7 if range.get("start") == "0.26s" else first))
    assert met(prompts, given_frames) == expected
    assert prompts.missed() == ()
    prompts.require_all_met()
    # In any order later, as for going backward.
    assert met(prompts, reversed(given_frames)) == expected


def test_times_count_from_the_first_frame_of_the_source(masks):
    info = VideoInfo(Path("clip.ts"), 64, 48, RATE, 1 / RATE, first_pts=100)
    prompts = read_prompts([f"0.25s={masks / 'a.png'}"], info)
    assert met(prompts, frames(offset=100)) == {6: [1, 2]}


@pytest.mark.parametrize("place", ["30", "36", "2s", "0.5s"])
def test_a_mask_whose_frame_does_not_come_is_an_error(masks, place, caplog):
    prompts = read_prompts([str(masks / "a.png"), f"{place}={masks / 'b.png'}"], INFO, start="15")
    assert met(prompts, frames(15)) == {15: [1, 2]}
    assert [str(p) for p in prompts.missed()] == [f"{place}={masks / 'b.png'}"]
    with pytest.raises(MaskError, match=rf"no frame for the mask {place}=.*up to frame 19"):
        prompts.require_all_met()
    assert ("seems to end at frame 34" in caplog.text) == (place == "36")


def test_a_mask_before_the_range_is_refused_with_the_first_frame(masks):
    prompts = read_prompts([f"3={masks / 'a.png'}"], INFO, start="0.3s")
    with pytest.raises(MaskError, match="the range begins later, with frame 8"):
        prompts.at(next(frames(8)))


def test_first_is_known_before_decoding(masks):
    prompts = read_prompts([str(masks / "a.png"), f"5={masks / 'b.png'}"], INFO)
    assert np.array_equal(prompts.first, ids(1, 2))
    assert prompts.ids == (1, 2, 3)
    assert read_prompts([f"5={masks / 'b.png'}"], INFO).first is None
    at_start = read_prompts([f"5={masks / 'b.png'}"], INFO, start="5")
    assert np.array_equal(at_start.first, ids(0, 0, 3))


def test_later_masks_cover_earlier_ones(tmp_path):
    write_mask_png(tmp_path / "1.png", np.full((48, 64), 1, np.uint8))
    above = np.where(ids(2), 2, 255).astype(np.uint8)
    write_mask_png(tmp_path / "2.png", above)
    labels = read_prompts([str(tmp_path / "1.png"), str(tmp_path / "2.png")], INFO).first
    assert np.array_equal(labels, np.where(above == 2, 2, 1))


def test_a_folder_of_frame_numbers(tmp_path, caplog):
    folder = tmp_path / "given"
    folder.mkdir()
    for name, number in (("00000", 1), ("7", 2), ("00012", 1)):
        write_mask_png(folder / f"{name}.png", ids(number))
    prompts = read_prompts([str(folder)], INFO)
    assert met(prompts, frames()) == {0: [1], 7: [2], 12: [1]}
    part = read_prompts([str(folder)], INFO, start="7", end="12")
    assert met(part, frames(7, 12)) == {7: [2]}
    assert "2 of its masks are outside" in caplog.text
    write_mask_png(folder / "cat.png", ids(1))
    with pytest.raises(MaskError, match=r"cat\.png: its name is not a frame number"):
        read_prompts([str(folder)], INFO)
    with pytest.raises(MaskReadError, match="is a folder"):
        read_prompts([f"3={folder}"], INFO)


def test_a_folder_of_names_for_a_folder_of_images(tmp_path):
    source, given = tmp_path / "video", tmp_path / "given"
    source.mkdir()
    given.mkdir()
    for name in ("shot9", "shot10", "shot11"):
        Image.fromarray(scene(0)).save(source / f"{name}.jpg")
    write_mask_png(given / "shot10.png", ids(1))
    names = ("shot9", "shot10", "shot11")
    info = VideoInfo(source, 64, 48, RATE, 1 / RATE, frame_count=3, is_video=False, names=names)
    prompts = read_prompts([str(given)], info)
    found = [
        prompts.at(Frame(i, i, i / 24, scene(i), name)) is not None for i, name in enumerate(names)
    ]
    assert found == [False, True, False]
    with pytest.raises(MaskError, match="has no frame 3"):
        read_prompts([f"3={given / 'shot10.png'}"], info)
    (given / "shot10.png").rename(given / "shot12.png")
    with pytest.raises(MaskError, match="no image called shot12"):
        read_prompts([str(given)], info)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("a.png", "a.png"),
        ("12=a.png", "a.png"),
        ("4.5s=b/a=1.png", "b/a=1.png"),
        ("x=a.png", "x=a.png"),
        ("0:00:04.5=a.png", "a.png"),
        ("2:a.png", "a.png"),
        ("12=2:a.png", "a.png"),
        ("0:00:04.5=2:a:b.png", "a:b.png"),
        ("x:a.png", "x:a.png"),
    ],
)
def test_place_and_file(text, path):
    assert mask_path(text) == Path(path)


def test_files_of_one_object_each_are_given_ids(tmp_path):
    square = np.zeros((INFO.height, INFO.width), dtype=np.uint8)
    square[2:6, 2:6] = 255
    Image.fromarray(square).save(tmp_path / "ball.png")
    Image.fromarray(square[:, ::-1].copy()).save(tmp_path / "box.png")
    given = [f"300:{tmp_path}/ball.png", f"2:{tmp_path}/box.png", f"4=2:{tmp_path}/ball.png"]
    prompts = read_prompts(given, INFO)
    assert prompts.ids == (2, 300)
    assert [prompt.ids for prompt in prompts.all] == [(300,), (2,), (2,)]
    assert np.array_equal(prompts.first == 300, square > 0)
    assert met(prompts, frames()) == {0: [2, 300], 4: [2]}


def test_a_folder_of_one_object(tmp_path):
    for frame in (0, 3):
        write_mask_png(tmp_path / f"{frame:05}.png", ids(1))
    assert met(read_prompts([f"7:{tmp_path}"], INFO), frames()) == {0: [7], 3: [7]}


def test_the_error_for_two_files_of_one_id_names_what_helps(tmp_path):
    for name in ("a.png", "b.png"):
        write_mask_png(tmp_path / name, ids(1))
    given = [f"{tmp_path}/a.png", f"{tmp_path}/b.png"]
    with pytest.raises(MaskError, match=rf"`masks=\['2:{given[1]}'\]`$"):
        read_prompts(given, INFO)
    with pytest.raises(MaskError, match=rf"`masks=\['3=2:{given[1]}'\]`$"):
        read_prompts([f"3={name}" for name in given], INFO)
    assert read_prompts([given[0], f"2:{given[1]}"], INFO).ids == (1, 2)


@pytest.mark.parametrize("text", ["0:{}", "65536:{}", "4=0:{}"])
def test_ids_out_of_range(tmp_path, text):
    write_mask_png(tmp_path / "a.png", ids(1))
    with pytest.raises(ConfigError, match="from 1 to 65535"):
        read_prompts([text.format(tmp_path / "a.png")], INFO)


def test_only_one_object_can_be_named(tmp_path):
    write_mask_png(tmp_path / "a.png", ids(1, 3))
    with pytest.raises(ConfigError, match="holds the IDs 1, 3, expected one object") as raised:
        read_prompts([f"2:{tmp_path / 'a.png'}"], INFO)
    assert str(raised.value).endswith(f"; for frame 2 write 2={tmp_path / 'a.png'}")
    with pytest.raises(ConfigError, match=r"^`mask` 7=2:.*change IDs with `remap`$"):
        read_prompts([f"7=2:{tmp_path / 'a.png'}"], INFO)


@pytest.mark.parametrize(("place", "told"), [("120:", True), ("20:", False), ("4=120:", False)])
def test_an_id_that_may_be_meant_as_a_frame_is_told(masks, caplog, place, told):
    (prompt,) = read_prompts([f"{place}{masks / 'c.png'}"], INFO).all
    assert prompt.ids == (int(place.strip(":").split("=")[-1]),)
    assert (f"for frame 120 write 120={masks / 'c.png'}" in caplog.text) == told


def test_a_file_that_looks_like_a_place_is_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_mask_png(tmp_path / "3=x.png", ids(1))
    assert mask_path("3=x.png") == Path("3=x.png")
    assert met(read_prompts(["3=x.png"], INFO), frames()) == {0: [1]}


@pytest.mark.parametrize(
    ("given", "options", "error", "says"),
    [
        pytest.param(["gone.png"], {}, MaskReadError, "gone.png", id="missing"),
        pytest.param(["5=gone.png"], {}, MaskReadError, "gone.png", id="missing later"),
        pytest.param(["4.5=a.png"], {}, ConfigError, "expected a frame number", id="place"),
        pytest.param([""], {}, ConfigError, "`mask` is '', expected a file", id="empty"),
        pytest.param(["7= "], {}, ConfigError, "`mask` is '7= ', expected a file", id="no file"),
        pytest.param(
            ["3=a.png"], {"start": "5"}, ConfigError, "no frame 3 from 5 to the end", id="before"
        ),
        pytest.param(["9=a.png"], {"end": "9"}, ConfigError, "from the start to 9", id="behind"),
        pytest.param(
            ["0.2s=a.png"], {"start": "0.3s"}, ConfigError, "no frame at 0.2s", id="before a time"
        ),
        pytest.param(
            ["0:01=a.png"], {"end": "1s"}, ConfigError, "from the start to 1s", id="behind a time"
        ),
        pytest.param(["200=a.png"], {}, MaskError, "clip.mp4 has no frame 200", id="far behind"),
        pytest.param(["a.png", "c.png"], {}, MaskError, "both hold the ID 2", id="same ID"),
        pytest.param(["3=a.png", "3=c.png"], {}, MaskError, "both hold", id="same ID later"),
        pytest.param(["a.png", "0=c.png"], {}, MaskError, "both hold", id="same ID at 0"),
        pytest.param(["5=empty.png"], {}, EmptyMaskError, "selects nothing", id="empty"),
        pytest.param(["5=small.png"], {}, MaskSizeMismatch, "is 22x24", id="size"),
    ],
)
def test_what_cannot_be_is_refused_before_the_video_is_decoded(
    masks, monkeypatch, given, options, error, says
):
    monkeypatch.chdir(masks)
    write_mask_png(masks / "empty.png", ids())
    write_mask_png(masks / "small.png", np.ascontiguousarray(ids(1)[::2, ::3]))
    with pytest.raises(JointVOSError, match=says) as caught:
        read_prompts(given, INFO, **options)
    assert type(caught.value) is error
    assert "\n" not in str(caught.value)


def test_objects_of_several_files_can_be_joined(masks):
    """Though two files may not hold one ID without being told to."""
    change = IdChange.parse(None, "3:2")
    given = [str(masks / name) for name in ("c.png", "b.png")]
    prompts = read_prompts(given, INFO, change=change)
    np.testing.assert_array_equal(prompts.first == 2, ids(0, 1, 1) == 1)
    assert met(prompts, frames()) == {0: [2]}
    again = IdChange.parse(None, "2:5")
    with pytest.raises(MaskError, match="both hold the ID 2"):
        read_prompts([given[0], str(masks / "a.png")], INFO, change=again)
    kept = IdChange.parse("1,3", None)
    assert read_prompts([str(masks / "a.png"), *given[1:]], INFO, change=kept).ids == (1, 3)


def test_number_and_time_that_meet_must_not_share_an_id(masks):
    prompts = read_prompts([f"6={masks / 'a.png'}", f"0.25s={masks / 'c.png'}"], INFO)
    with pytest.raises(MaskError, match="both hold the ID 2"):
        met(prompts, frames())


@pytest.mark.parametrize(
    ("objects", "remap", "expected"),
    [
        pytest.param(None, None, [1, 2, 200], id="nothing"),
        pytest.param("1,200", None, [1, 200], id="keep"),
        pytest.param(None, "2:5", [1, 5, 200], id="rename"),
        pytest.param(None, "2:1", [1, 200], id="join"),
        pytest.param("2, 1", "1:2,2:1", [1, 2], id="swap"),
        pytest.param(None, "1:255", [2, 200, 255], id="to 255, which is an object then"),
        pytest.param(None, "1:40000", [2, 200, 40000], id="wide"),
    ],
)
def test_ids_are_chosen_and_renamed(objects, remap, expected):
    given = ids(1, 2, 200)
    given[0, 0] = 255
    change = IdChange.parse(objects, remap)
    change.check({1, 2, 200})
    changed = change(given)
    wide = max(expected) > 254
    assert changed.dtype == (np.uint16 if wide else np.uint8)
    assert np.unique(changed).tolist() == [0, *expected, *([] if wide else [255])]
    if remap == "1:2,2:1":
        assert np.array_equal(changed == 1, given == 2)
    if remap == "2:1":
        assert np.array_equal(changed == 1, np.isin(given, [1, 2]))


@pytest.mark.parametrize(
    ("objects", "remap", "says"),
    [
        ("1,x", None, "names 'x', but the masks hold no names"),
        ("0", None, "from 1 to 65535"),
        ("", None, "'' is not an ID"),
        (None, "2", "expected old:new"),
        (None, "2:70000", "'70000' is not an ID"),
        (None, "2:1,2:3", "two new IDs"),
        ("4", None, "`objects` names 4, but the masks hold 1, 2"),
        (None, "4:1", "`remap` names 4, but the masks hold 1, 2"),
        ("1", "2:1", "which `objects` leaves out"),
        ("-4", None, "'-4' is not an ID"),
        ("1,", None, "'' is not an ID"),
    ],
)
def test_ids_that_make_no_sense(objects, remap, says):
    with pytest.raises(ConfigError, match=says):
        IdChange.parse(objects, remap).of_ids({}).check({1, 2})


def test_masks_without_any_object_that_is_kept_are_left_out(masks):
    change = IdChange.parse("3", "3:300")
    prompts = read_prompts([str(masks / "a.png"), f"4={masks / 'b.png'}"], INFO, change=change)
    assert met(prompts, frames()) == {4: [300]}
    assert prompts.ids == (300,)


def object_scene() -> np.ndarray:
    """A bright disc on a dark, noisy ground, RGB [240,320,3]."""
    rng = np.random.default_rng(0)
    image = rng.integers(20, 60, (240, 320, 3), dtype=np.uint8)
    ys, xs = np.mgrid[:240, :320]
    image[np.hypot(xs - 150, ys - 110) < 40] = (230, 200, 40)
    return image


DISC = np.hypot(*(np.mgrid[:240, :320] - np.array([110, 150])[:, None, None])) < 40
LARGE = VideoInfo(Path("clip.mp4"), 320, 240, RATE, 1 / RATE)


def test_a_box_becomes_a_mask_the_same_every_time(tmp_path):
    labels = np.zeros((240, 320), dtype=np.uint8)
    labels[200:230, 250:300] = 4
    write_mask_png(tmp_path / "m.png", labels)
    boxes = [Box.parse("100, 60, 100, 100")]
    frame = Frame(0, 0, 0.0, object_scene(), "00000")
    results = []
    for _ in range(2):
        prompts = read_prompts([str(tmp_path / "m.png")], LARGE, cuts=boxes)
        assert prompts.ids == (4, 5)
        results.append(prompts.at(frame))
    assert np.array_equal(*results)
    found = results[0] == 5
    assert (found & DISC).sum() / (found | DISC).sum() > 0.95
    assert np.array_equal(results[0] == 4, labels == 4)
    assert np.array_equal(prompts.at(frame), results[0])  # and not anew


def test_a_box_alone_with_an_id_of_its_own():
    prompts = read_prompts([], LARGE, cuts=[Box.parse("100,60,100,100=300")])
    assert prompts.first is None
    labels = prompts.at(Frame(3, 3, 0.1, object_scene(), "00003"))
    assert labels.dtype == np.uint16
    assert np.unique(labels).tolist() == [0, 300]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("1,2,3", "expected x,y,width,height"),
        ("1,2,3,4", "3x4, expected at least 8x8"),
        ("-1,2,30,40", "expected x,y,width,height"),
        ("1,2,30,40=x", "'x' is not an ID"),
        ("300,60,21,100", r"reaches to 321,160, but clip\.mp4 is 320x240"),
        ("0,0,320,240", "covers the whole image"),
        ("100,60,100,100=4", "another object has the ID 4, too"),
    ],
)
def test_boxes_that_do_not_fit(tmp_path, text, says):
    write_mask_png(tmp_path / "m.png", np.full((240, 320), 4, np.uint8))
    with pytest.raises(JointVOSError, match=says):
        read_prompts([str(tmp_path / "m.png")], LARGE, cuts=[Box.parse(text)])


def test_a_box_in_which_nothing_stands_out():
    prompts = read_prompts([], LARGE, cuts=[Box.parse("100,60,100,100")])
    flat = np.full((240, 320, 3), 90, dtype=np.uint8)
    with pytest.raises(MaskError, match="nothing in it stands out"):
        prompts.at(Frame(0, 0, 0.0, flat, "00000"))


def test_small_boxes_are_before_large_ones_and_masks_before_all(tmp_path):
    labels = np.zeros((240, 320), dtype=np.uint8)
    labels[100:110, 150:160] = 9
    write_mask_png(tmp_path / "m.png", labels)
    image = object_scene()
    image[100:120, 140:160] = (20, 20, 240)
    boxes = [Box.parse("136,96,28,28=1"), Box.parse("100,60,100,100=2")]
    for given in (boxes, boxes[::-1]):
        prompts = read_prompts([str(tmp_path / "m.png")], LARGE, cuts=given)
        found = prompts.at(Frame(0, 0, 0.0, image, "00000"))
        assert np.array_equal(found == 9, labels == 9)
        assert (found[112:118, 143:158] == 1).all()
        assert found[80, 150] == found[130, 150] == 2
