import csv
import json

import numpy as np
import pytest
from soft_scene import info, result_of, results, write

from jointvos.errors import ConfigError, EncodeError
from jointvos.masks.rle import compressed_rle
from jointvos.media.writing import (
    CocoSink,
    StatsSink,
    YtvisSink,
    coco_sink_type,
)
from jointvos.types import Frame

# pycocotools and numpy of different ages
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def test_statistics_as_a_table(tmp_path):
    given = list(results(5, gone_from=3))
    write(StatsSink(tmp_path / "s.csv", info()), given)
    with (tmp_path / "s.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["frame"], row["object"]) for row in rows] == [
        (str(i), str(k)) for i in range(5) for k in (3, 7)
    ]
    states = [(f, s) for f, r in given for s in r.objects]
    for row, (frame, state) in zip(rows, states, strict=True):
        assert float(row["time"]) == pytest.approx(frame.time_s, abs=1e-6)
        assert int(row["area"]) == state.area
        assert row["lost"] == ("1" if state.area == 0 else "0")
        if state.area == 0:
            assert row["x"] == row["center_x"] == row["mean_probability"] == ""
            continue
        assert tuple(int(row[k]) for k in ("x", "y", "width", "height")) == state.box
        assert float(row["center_y"]) == pytest.approx(state.center[1], abs=0.006)
        assert float(row["mean_probability"]) == pytest.approx(state.mean_probability, abs=1e-4)
    assert [row["lost"] for row in rows if row["object"] == "7"] == ["0", "0", "0", "1", "1"]


def test_statistics_as_lines(tmp_path):
    given = list(results(4, gone_from=2))
    write(StatsSink(tmp_path / "s.jsonl", info()), given)
    lines = [json.loads(line) for line in (tmp_path / "s.jsonl").read_text().splitlines()]
    states = [(f, s) for f, r in given for s in r.objects]
    for line, (frame, state) in zip(lines, states, strict=True):
        assert (line["frame"], line["object"], line["area"]) == (frame.index, state.id, state.area)
        assert line["box"] == (None if state.box is None else list(state.box))
        assert line["lost"] is (state.area == 0)


def masks():
    rng = np.random.default_rng(0)
    noise = rng.random((48, 64)) < 0.5
    yield pytest.param(noise, id="noise")
    yield pytest.param(~np.zeros((37, 1), dtype=bool), id="full column")
    yield pytest.param(np.zeros((3, 5), dtype=bool), id="empty")
    yield pytest.param(np.eye(300, 200, dtype=bool), id="long runs")
    yield pytest.param(np.ones((1, 1), dtype=bool), id="pixel")
    blob = np.zeros((1080, 1920), dtype=bool)
    blob[200:900, 300:1500] = True
    blob[400:500, 700:801] = False
    yield pytest.param(blob, id="large")


@pytest.mark.parametrize("mask", list(masks()))
def test_run_lengths_are_those_of_pycocotools(mask):
    coco = pytest.importorskip("pycocotools.mask")
    rle = compressed_rle(mask)
    expected = coco.encode(np.asfortranarray(mask, dtype=np.uint8))
    assert rle == {"size": expected["size"], "counts": expected["counts"].decode()}
    assert np.array_equal(coco.decode(rle), mask)


def test_known_run_lengths():
    # column by column: 2 out, 3 in, 1 out; then text by hand: the fourth differs from the second
    mask = np.array([[0, 1], [0, 1], [1, 0]], dtype=bool)
    assert compressed_rle(mask) == {"size": [3, 2], "counts": "231"}
    assert compressed_rle(np.ones((1, 40), dtype=bool)) == {"size": [1, 40], "counts": "0X1"}


def test_pycocotools_reads_the_masks(tmp_path, capsys):
    coco = pytest.importorskip("pycocotools.coco")
    given = list(results(5, gone_from=3))
    write(CocoSink(tmp_path / "c.json", info()), given)
    found = coco.COCO(str(tmp_path / "c.json"))
    capsys.readouterr()
    assert len(found.imgs) == 5
    assert len(found.anns) == 5 + 3
    for annotation in found.anns.values():
        frame, result = given[annotation["image_id"] - 1]
        image = found.imgs[annotation["image_id"]]
        assert (image["frame_id"], image["file_name"]) == (frame.index, frame.name)
        mask = result.labels == annotation["track_id"]
        assert np.array_equal(found.annToMask(annotation), mask)
        assert annotation["area"] == mask.sum()
        state = next(s for s in result.objects if s.id == annotation["track_id"])
        assert tuple(annotation["bbox"]) == state.box


def test_coco_layout(tmp_path):
    write(CocoSink(tmp_path / "c.json", info()), results(2))
    content = json.loads((tmp_path / "c.json").read_text())
    assert content["videos"] == [{"id": 1, "name": "none", "width": 64, "height": 48}]
    assert {a["category_id"] for a in content["annotations"]} == {
        c["id"] for c in content["categories"]
    }
    assert len({a["id"] for a in content["annotations"]}) == 4
    assert [path.name for path in tmp_path.iterdir()] == ["c.json"]


def test_coco_without_any_object_is_still_json(tmp_path):
    frame = Frame(0, 0, 0.0, np.zeros((48, 64, 3), dtype=np.uint8), "00000")
    write(CocoSink(tmp_path / "c.json", info()), [(frame, result_of(np.zeros((2, 48, 64))))])
    content = json.loads((tmp_path / "c.json").read_text())
    assert content["annotations"] == []
    assert len(content["images"]) == 1


def appearing_late(count=6):
    """Object 3 from the start, 7 only from the third frame on, and gone from the fifth."""
    for i, (frame, result) in enumerate(results(count, gone_from=4)):
        if i < 2:
            result = result_of(result.probabilities[1:2], i, ids=(3,))
        yield frame, result


def test_pycocotools_reads_masks_in_the_layout_of_youtube_vis(tmp_path):
    coco = pytest.importorskip("pycocotools.mask")
    given = list(appearing_late())
    write(YtvisSink(tmp_path / "c.json", info()), given)
    content = json.loads((tmp_path / "c.json").read_text())
    (video,) = content["videos"]
    assert (video["id"], video["width"], video["height"], video["length"]) == (1, 64, 48, 6)
    assert video["file_names"] == [frame.name for frame, _ in given]
    assert video["frame_ids"] == [frame.index for frame, _ in given]
    assert video["times"] == [pytest.approx(frame.time_s, abs=1e-6) for frame, _ in given]
    assert [(a["id"], a["track_id"]) for a in content["annotations"]] == [(1, 3), (2, 7)]
    categories = {c["id"] for c in content["categories"]}
    for annotation in content["annotations"]:
        assert annotation["video_id"] == 1
        assert annotation["category_id"] in categories
        lists = [annotation[key] for key in ("segmentations", "bboxes", "areas")]
        for (_, result), rle, box, area in zip(given, *lists, strict=True):
            mask = result.labels == annotation["track_id"]
            if not mask.any():
                assert rle is box is area is None
                continue
            assert np.array_equal(coco.decode(rle), mask)
            assert area == mask.sum() == coco.area(rle)
            assert box == coco.toBbox(rle).tolist()
    assert [rle is None for rle in content["annotations"][1]["segmentations"]] == [
        *(True, True, False, False, True, True)
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["c.json"]


def test_an_unknown_layout_is_refused():
    with pytest.raises(ConfigError, match="unknown COCO layout 'voc'; expected coco or ytvis"):
        coco_sink_type("voc")


@pytest.mark.parametrize(
    ("sink_of", "name"),
    [(StatsSink, "s.txt"), (StatsSink, "s"), (CocoSink, "c.jsonl"), (YtvisSink, "c")],
)
def test_unknown_suffixes_are_refused(tmp_path, sink_of, name):
    with pytest.raises(ConfigError, match=r"files ending in \."):
        sink_of(tmp_path / name, info())


@pytest.mark.parametrize(
    ("sink_of", "name"), [(StatsSink, "s.jsonl"), (CocoSink, "c.json"), (YtvisSink, "c.json")]
)
def test_a_full_disk_leaves_nothing(tmp_path, full_disk, sink_of, name):
    sink = sink_of(tmp_path / name, info())
    with full_disk(1000):
        with pytest.raises(EncodeError, match="cannot be written"):
            write(sink, results(30))
        sink.abort()
    assert list(tmp_path.iterdir()) == []
