import numpy as np
import pytest
from PIL import Image

from jointvos.datasets import VOSSequence, davis_dataset, open_davis, read_image, read_labels
from jointvos.errors import DatasetError, DatasetNotFound, SequenceIncomplete

IDS = np.zeros((6, 8), np.uint8)
IDS[1:3, 1:3], IDS[4:, 4:], IDS[0, 7] = 1, 2, 255


def write_palette(path, ids):
    image = Image.fromarray(ids).convert("L")
    palette = Image.new("P", image.size)
    palette.putpalette([value for index in range(256) for value in (index, 255 - index, 0)])
    palette.putdata(ids.flatten().tolist())
    palette.save(path)


@pytest.fixture
def davis(tmp_path):
    for year in ("2016", "2017"):
        (tmp_path / "ImageSets" / year).mkdir(parents=True)
        (tmp_path / "ImageSets" / year / "val.txt").write_text("swan\r\nbear\n\n")
        (tmp_path / "ImageSets" / year / "test-dev.txt").write_text("bear\n")
    for name in ("bear", "swan"):
        frames = tmp_path / "JPEGImages" / "480p" / name
        masks = tmp_path / "Annotations" / "480p" / name
        frames.mkdir(parents=True)
        masks.mkdir(parents=True)
        for index in (2, 0, 1):
            Image.new("RGB", (8, 6), (250, index, 0)).save(frames / f"{index:05d}.jpg")
            write_palette(masks / f"{index:05d}.png", IDS)
    return tmp_path


def test_sequences_and_frames_are_in_order(davis):
    swan, bear = open_davis(davis)
    assert (swan.name, bear.name, len(bear)) == ("swan", "bear", 3)
    assert [path.name for path in bear.frames] == ["00000.jpg", "00001.jpg", "00002.jpg"]
    assert [path.name for path in bear.masks] == ["00000.png", "00001.png", "00002.png"]
    assert bear.image(1).shape == (6, 8, 3)
    assert bear.image(1)[0, 0, 0] > 200 > bear.image(1)[0, 0, 2]
    np.testing.assert_array_equal(bear.labels(2), IDS)


def test_2016_merges_the_objects(davis):
    sequence = open_davis(str(davis), year=2016)[0]
    np.testing.assert_array_equal(sequence.labels(0), IDS > 0)


def test_only_the_first_mask_of_a_secret_split_is_needed(davis):
    for index in (1, 2):
        (davis / f"Annotations/480p/bear/{index:05d}.png").unlink()
    (bear,) = open_davis(davis, split="test-dev")
    assert bear.masks[0] is not None
    assert bear.masks[1:] == (None, None)
    with pytest.raises(SequenceIncomplete, match=r"bear has no mask for 00001\.jpg"):
        bear.labels(1)


@pytest.mark.parametrize(
    ("lost", "message"),
    [
        pytest.param("Annotations/480p/bear/00001.png", "bear lacks masks for 00001:", id="mask"),
        pytest.param("JPEGImages/480p/bear/00002.jpg", "bear lacks frames for 00002:", id="frame"),
    ],
)
def test_a_missing_file_is_named(davis, lost, message):
    (davis / lost).unlink()
    with pytest.raises(SequenceIncomplete, match=message) as caught:
        open_davis(davis)
    assert "\n" not in str(caught.value)


def test_several_missing_masks_are_counted(davis):
    for index in (0, 1):
        (davis / f"Annotations/480p/swan/{index:05d}.png").unlink()
    with pytest.raises(SequenceIncomplete, match="swan lacks masks for 00000 and 1 more"):
        open_davis(davis)


def test_another_layout_is_refused(davis):
    with pytest.raises(DatasetNotFound, match=r"nothing\.txt is missing"):
        open_davis(davis, split="nothing")


def test_an_empty_split_is_refused(davis):
    (davis / "ImageSets/2017/val.txt").write_text("\n")
    with pytest.raises(DatasetError, match="is empty"):
        open_davis(davis)


@pytest.mark.parametrize(
    ("mode", "single_object", "expected"),
    [
        pytest.param("L", False, [0, 255], id="gray"),
        pytest.param("L", True, [0, 1], id="gray-one-object"),
        pytest.param("1", False, [0, 1], id="black-and-white"),
    ],
)
def test_labels_of_other_kinds(tmp_path, mode, single_object, expected):
    path = tmp_path / "mask.png"
    Image.fromarray(np.uint8([[0, 255]])).convert(mode).save(path)
    labels = read_labels(path, single_object=single_object)
    assert labels.dtype == np.uint8
    assert labels.tolist() == [expected]


def test_colors_are_no_ids(tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "mask.png")
    with pytest.raises(DatasetError, match=r"mask\.png is an image of kind RGB"):
        read_labels(tmp_path / "mask.png")


@pytest.mark.parametrize("read", [read_image, read_labels])
def test_damaged_and_missing_files(tmp_path, read):
    path = tmp_path / "00000.png"
    with pytest.raises(SequenceIncomplete, match=r"00000\.png is missing"):
        read(path)
    noise = np.random.default_rng(0).integers(0, 255, (64, 64), np.uint8)
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(DatasetError, match=r"00000\.png cannot be read as an image"):
        read(path)
    path.write_text("no image")
    with pytest.raises(DatasetError, match=r"00000\.png cannot be read as an image"):
        read(path)


@pytest.mark.parametrize("frames", [0, 2])
def test_a_sequence_has_an_entry_for_every_mask(tmp_path, frames):
    with pytest.raises(SequenceIncomplete, match=f"clip has {frames} frames"):
        VOSSequence("clip", (tmp_path / "a.jpg",) * frames, (None,) * (frames // 2))


def test_images_may_be_png_and_480p_left_out(tmp_path):
    (tmp_path / "ImageSets/2017").mkdir(parents=True)
    (tmp_path / "ImageSets/2017/val.txt").write_text("my clip\n")
    for folder, suffix in (("JPEGImages", "png"), ("Annotations", "png")):
        (tmp_path / folder / "my clip").mkdir(parents=True)
        for index in (1, 2, 10):
            path = tmp_path / folder / "my clip" / f"f{index}.{suffix}"
            Image.fromarray(IDS).save(path)
            (path.parent / f"._f{index}.png").write_text("left behind by another system")
    (sequence,) = open_davis(tmp_path)
    assert [path.stem for path in sequence.frames] == ["f1", "f2", "f10"]
    np.testing.assert_array_equal(sequence.annotation(0, ()), IDS)
    assert sequence.annotation(1, ()) is None


def test_two_images_of_one_frame(davis):
    Image.new("RGB", (8, 6)).save(davis / "JPEGImages/480p/bear/00001.png")
    with pytest.raises(DatasetError, match=r"both 00001\.jpg and 00001\.png"):
        open_davis(davis)


def extend(root, name, count, masked):
    for index in range(3, count):
        Image.new("RGB", (8, 6)).save(root / f"JPEGImages/480p/{name}/{index:05d}.jpg")
    for index in range(count):
        path = root / f"Annotations/480p/{name}/{index:05d}.png"
        write_palette(path, IDS)
        if index not in masked:
            path.unlink()


@pytest.mark.parametrize(
    ("count", "masked", "gaps", "accepted"),
    [
        pytest.param(9, (0, 2, 4, 6, 8), "never", False, id="never"),
        pytest.param(9, (0, 2, 4, 6, 8), "wide", True, id="every-second"),
        pytest.param(11, (0, 5, 10), "wide", True, id="every-fifth"),
        pytest.param(9, (0, 1, 2, 3, 5, 6, 7, 8), "wide", False, id="a-hole"),
        pytest.param(3, (0, 2), "wide", False, id="a-hole-of-three"),
        pytest.param(9, (0, 1, 2, 3, 5, 6, 7, 8), "any", True, id="a-hole-accepted"),
        pytest.param(9, (4, 8), "any", False, id="no-first-mask"),
    ],
)
def test_masks_for_some_frames_only(davis, count, masked, gaps, accepted):
    extend(davis, "bear", count, masked)
    dataset = davis_dataset(davis, gaps=gaps)
    assert ("bear" in [each.name for each in dataset.sequences]) == accepted
    if accepted:
        (note,) = dataset.notes
        assert note.startswith(f"sequence bear has masks for {len(masked)} of its {count} frames")
    else:
        assert [each.name for each in dataset.broken] == ["bear"]
        assert ("`gaps='any'`" in str(dataset.broken[0].error)) == (gaps == "wide")


@pytest.mark.parametrize("name", ["../../canary", "/etc", "a\\b", "..", "C:x"])
def test_a_list_that_leads_elsewhere_is_refused(davis, name):
    (davis / "ImageSets/2017/val.txt").write_text(f"bear\n{name}\n")
    with pytest.raises(DatasetError, match=r"val\.txt names the sequence"):
        davis_dataset(davis)


def test_a_list_that_names_a_sequence_twice(davis):
    (davis / "ImageSets/2017/val.txt").write_text("bear\nswan\nbear\n")
    with pytest.raises(DatasetError, match="names bear twice"):
        davis_dataset(davis)


def test_a_sequence_that_is_not_there_does_not_hide_the_others(davis):
    (davis / "ImageSets/2017/val.txt").write_text("bear\ngone\n  swan  \n")
    dataset = davis_dataset(davis)
    assert dataset.names == ("bear", "swan", "gone")
    assert "gone is missing or holds no .jpg" in str(dataset.broken[0].error)


def test_a_first_mask_without_objects(davis):
    write_palette(davis / "Annotations/480p/bear/00000.png", np.full((6, 8), 255, np.uint8))
    bear = open_davis(davis)[1]
    with pytest.raises(DatasetError, match=r"00000\.png, the first mask .* holds no object"):
        bear.annotation(0, ())
