"""Masks as other tools save them."""

import base64
import json
from fractions import Fraction
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from clips import scene
from PIL import Image

from jointvos.errors import (
    ConfigError,
    EmptyMaskError,
    MaskError,
    MaskReadError,
    MaskSizeMismatch,
)
from jointvos.masks import IdChange, examine_file, read_prompts, write_mask_png
from jointvos.masks.rle import compressed_rle
from jointvos.types import VideoInfo

WIDTH, HEIGHT = 64, 48
RATE = Fraction(24)
INFO = VideoInfo(Path("clip.mp4"), WIDTH, HEIGHT, RATE, 1 / RATE, frame_count=20)

IDS = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
IDS[8:20, 8:24], IDS[24:40, 30:60] = 1, 2
FISH, CRAB = IDS == 1, IDS == 2
FISH_CORNERS = [(8, 8), (24, 8), (24, 20), (8, 20)]
CRAB_CORNERS = [(30, 24), (60, 24), (60, 40), (30, 40)]


def flat(corners) -> list[float]:
    return [float(value) for corner in corners for value in corner]


def runs(mask: np.ndarray) -> dict:
    """Run lengths as a list."""
    pixels = mask.ravel(order="F")
    ends = np.flatnonzero(np.diff(pixels.astype(int))) + 1
    counts = np.diff([0, *ends, pixels.size]).tolist()
    return {"size": [HEIGHT, WIDTH], "counts": [0, *counts] if pixels[0] else counts}


def coco(fish, crab, **more) -> dict:
    return {
        "images": [{"id": 7, "file_name": "reef/shot.jpg", "width": WIDTH, "height": HEIGHT}],
        "categories": [{"id": 4, "name": "fish"}, {"id": 9, "name": "crab"}],
        "annotations": [
            {"id": 1, "image_id": 7, "category_id": 4, "segmentation": fish, **more},
            {"id": 2, "image_id": 7, "category_id": 9, "segmentation": crab, **more},
        ],
    }


def labelme(*shapes: dict, **more) -> dict:
    head = {"imagePath": "shot.jpg", "imageWidth": WIDTH, "imageHeight": HEIGHT}
    return {"version": "5.5.0", "shapes": list(shapes), **head, **more}


def shape(label: str, points, kind: str = "polygon", **more) -> dict:
    return {"label": label, "points": points, "shape_type": kind, "group_id": None, **more}


def png(mask: np.ndarray) -> str:
    data = BytesIO()
    Image.fromarray(mask).save(data, "PNG")
    return base64.b64encode(data.getvalue()).decode()


def region(label: str, kind: str, **value) -> dict:
    return {
        "id": label,
        "type": f"{kind}labels",
        "original_width": WIDTH,
        "original_height": HEIGHT,
        "value": {**value, f"{kind}labels": [label]},
    }


def percent(corners) -> list[list[float]]:
    return [[100 * x / WIDTH, 100 * y / HEIGHT] for x, y in corners]


def task(*regions: dict, number: int = 1, name: str = "0a1b2c3d-shot.jpg") -> dict:
    annotations = [{"result": [], "was_cancelled": True}, {"result": list(regions)}]
    return {"id": number, "data": {"image": f"/data/{name}"}, "annotations": annotations}


def brush(mask: np.ndarray) -> list[int]:
    """Label Studio's run lengths of an RGBA image, with runs of equal values and of others."""
    values = np.repeat(mask.ravel() * np.uint8(255), 4)
    bits = f"{values.size:032b}{7:05b}{2:04b}{3:04b}{7:04b}{15:04b}"
    ends = [*(np.flatnonzero(np.diff(values)) + 1), values.size]
    begin = 0
    for end in ends:
        while begin < end:
            run = min(end - begin, 1 << 16)
            if run <= 8:  # one by one, as if they differed
                bits += f"0{0:02b}{run - 1:03b}" + "".join(f"{v:08b}" for v in values[begin:][:run])
            else:
                bits += f"1{3:02b}{run - 1:016b}{values[begin]:08b}"
            begin += run
    bits += "0" * (-len(bits) % 8)
    return [int(bits[i : i + 8], 2) for i in range(0, len(bits), 8)]


NAMES = {1: "fish", 2: "crab"}
JSON_FILES = {
    "coco polygons": (coco([flat(FISH_CORNERS)], [flat(CRAB_CORNERS)]), NAMES),
    "coco runs": (coco(runs(FISH), runs(CRAB)), NAMES),
    "coco compressed": (coco(compressed_rle(FISH), compressed_rle(CRAB), iscrowd=1), NAMES),
    "coco of two parts": (
        coco(
            [flat(FISH_CORNERS)],
            [[30, 24, 60, 24, 60, 32, 30, 32], [30, 32, 60, 32, 60, 40, 30, 40]],
        ),
        NAMES,
    ),
    "sa-1b": (
        {
            "image": {"image_id": 3, "width": WIDTH, "height": HEIGHT, "file_name": "sa_3.jpg"},
            "annotations": [{"id": 5, "segmentation": runs(m), "bbox": []} for m in (FISH, CRAB)],
        },
        {},
    ),
    "segment anything": (
        [{"segmentation": compressed_rle(mask), "predicted_iou": 0.9} for mask in (FISH, CRAB)],
        {},
    ),
    "run lengths": ([compressed_rle(FISH), compressed_rle(CRAB)], {}),
    "coco results": (
        [
            {"image_id": 1, "category_id": i, "segmentation": compressed_rle(m), "score": 0.5}
            for i, m in ((0, FISH), (6, CRAB))
        ],
        {1: "category 0", 2: "category 6"},
    ),
    "labelme": (
        labelme(
            shape("fish", FISH_CORNERS), shape("crab", CRAB_CORNERS), shape("_background_", [])
        ),
        NAMES,
    ),
    "labelme rectangles": (
        labelme(
            shape("fish", [(24, 20), (8, 8)], "rectangle"),
            shape("eye", [(10, 10)], "point"),
            shape("crab", [(30, 24), (60, 40)], "rectangle"),
        ),
        NAMES,
    ),
    "labelme masks": (
        labelme(
            shape("fish", [(8, 8), (23, 19)], "mask", mask=png(FISH[8:20, 8:24])),
            shape("crab", [(30, 24), (59, 39)], "mask", mask=png(CRAB[24:40, 30:60])),
        ),
        NAMES,
    ),
    "labelme groups": (
        labelme(
            shape("fish", [(8, 8), (16, 8), (16, 20), (8, 20)], group_id=0),
            shape("crab", CRAB_CORNERS, group_id=0),
            shape("fish", [(16, 8), (24, 8), (24, 20), (16, 20)], group_id=0),
        ),
        NAMES,
    ),
    "labelme numbers": (labelme(shape("2", CRAB_CORNERS), shape("1", FISH_CORNERS)), {}),
    "label studio": (
        [
            task(
                region("fish", "brush", format="rle", rle=brush(FISH)),
                region("crab", "polygon", points=percent(CRAB_CORNERS)),
                {"type": "choices", "value": {"choices": ["good"]}},
            )
        ],
        NAMES,
    ),
    "label studio rectangles": (
        task(
            region("fish", "rectangle", x=12.5, y=100 / 6, width=25, height=25, rotation=0),
            region("crab", "rectangle", x=93.75, y=50, width=25, height=62.5, rotation=90),
        ),
        NAMES,
    ),
    "json-min": (
        [
            {
                "image": "/data/upload/shot.jpg",
                "id": 4,
                "tag": [
                    {"points": percent(c), "polygonlabels": [n], "original_width": WIDTH}
                    | {"original_height": HEIGHT}
                    for n, c in (("fish", FISH_CORNERS), ("crab", CRAB_CORNERS))
                ],
            }
        ],
        NAMES,
    ),
}


def write(path: Path, content: object) -> str:
    path.write_text(json.dumps(content))
    return str(path)


@pytest.mark.parametrize("kind", JSON_FILES)
def test_json(tmp_path, kind):
    content, names = JSON_FILES[kind]
    prompts = read_prompts([write(tmp_path / "m.json", content)], INFO)
    assert np.array_equal(prompts.first, IDS)
    assert prompts.names == names


@pytest.mark.parametrize("degrees", [0, 45, 90])
def test_round_outlines(tmp_path, degrees):
    rows, columns = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    disc = np.hypot(columns - 32, rows - 24) < 12
    circle = labelme(shape("ball", [(32, 24), (32, 36)], "circle"))
    percents = {"x": 50, "y": 50, "radiusX": 12 / 0.64, "radiusY": 25, "rotation": degrees}
    ellipse = task(region("ball", "ellipse", **percents))
    for content in (circle, ellipse):
        labels = read_prompts([write(tmp_path / "m.json", content)], INFO).first
        assert (labels != disc).sum() <= 4


@pytest.mark.parametrize(
    ("array", "wanted"),
    [
        pytest.param(FISH, FISH, id="bool"),
        pytest.param(FISH * np.uint8(255), FISH, id="black and white"),
        pytest.param(FISH * 1.0, FISH, id="whole floats"),
        pytest.param(FISH[..., None], FISH, id="one channel"),
        pytest.param(IDS, IDS, id="ids"),
        pytest.param(IDS.astype(np.int64) * 300, IDS * np.uint16(300), id="wide IDs"),
        pytest.param(np.where(FISH, 255, IDS), IDS * np.uint8(1) + FISH * np.uint8(254), id="void"),
        pytest.param(np.stack([FISH, CRAB]), IDS, id="stack"),
        pytest.param(np.stack([FISH, CRAB])[:, None] * np.uint8(255), IDS, id="stack of images"),
        pytest.param(np.stack([FISH, CRAB], axis=2), IDS, id="channels last"),
        pytest.param(np.stack([FISH, FISH & False, CRAB]), IDS + (IDS == 2), id="empty layer"),
        pytest.param(np.stack([FISH, IDS > 0, CRAB]), FISH + CRAB * 3, id="hidden layer"),
    ],
)
@pytest.mark.parametrize("kind", ["npy", "npz"])
def test_arrays(tmp_path, kind, array, wanted):
    path = tmp_path / f"m.{kind}"
    if kind == "npy":
        np.save(path, array)
    else:
        np.savez_compressed(path, masks=array, scores=np.ones(3), logits=np.zeros((3, 7, 7)))
    prompts = read_prompts([str(path)], INFO)
    assert np.array_equal(prompts.all[0].labels, wanted)
    assert prompts.names == {}


def test_one_of_several_arrays(tmp_path):
    np.savez(tmp_path / "m.npz", left=FISH, right=CRAB)
    with pytest.raises(MaskError, match=r"2 images \(left, right\).*`masks=.*m\.npz#IMAGE"):
        read_prompts([f"{tmp_path}/m.npz"], INFO)
    assert np.array_equal(read_prompts([f"{tmp_path}/m.npz#right"], INFO).first, CRAB)


def yolo(folder: Path, stem: str = "00000") -> str:
    lines = [
        f"{i} " + " ".join(f"{x / WIDTH} {y / HEIGHT}" for x, y in corners)
        for i, corners in ((0, FISH_CORNERS), (2, CRAB_CORNERS))
    ]
    folder.mkdir(exist_ok=True)
    (folder / f"{stem}.txt").write_text("\n".join(lines) + "\n\n")
    return str(folder / f"{stem}.txt")


@pytest.mark.parametrize(
    ("name", "content", "names"),
    [
        (None, "", {1: "class 0", 2: "class 2"}),
        ("classes.txt", "fish\nplant\ncrab\n", NAMES),
        ("../data.yaml", "path: x\nnames:\n  0: fish\n  1: plant\n  2: 'crab'\nnc: 3\n", NAMES),
        ("data.yaml", "names:\n- fish\n- plant\n- crab\n", NAMES),
        ("data.yaml", "nc: 3\nnames: ['fish', 'plant',\n  'crab']\n", NAMES),
        ("data.yaml", "train: x\n", {1: "class 0", 2: "class 2"}),
    ],
)
def test_yolo(tmp_path, name, content, names):
    path = yolo(tmp_path / "labels")
    if name:
        (tmp_path / "labels" / name).write_text(content)
    for given in (path, str(tmp_path / "labels")):
        prompts = read_prompts([given], INFO)
        assert np.array_equal(prompts.first, IDS)
        assert prompts.names == names


COLORS = np.array([(0, 0, 0), (51, 221, 255), (250, 50, 83)], dtype=np.uint8)
OBJECTS = np.array([(0, 0, 0), (128, 0, 0), (0, 128, 0)], dtype=np.uint8)


@pytest.fixture
def cvat(tmp_path: Path) -> Path:
    """An export of CVAT with the frames 0 and 5."""
    folder = tmp_path / "cvat"
    for name, colors in (("SegmentationClass", COLORS), ("SegmentationObject", OBJECTS)):
        (folder / name).mkdir(parents=True)
        Image.fromarray(colors[IDS]).save(folder / name / "frame_000000.png")
        Image.fromarray(colors[IDS * (IDS == 2)]).save(folder / name / "frame_000005.png")
    labels = "# label:color_rgb:parts:actions\nbackground:0,0,0::\ncrab:250,50,83::\n"
    (folder / "labelmap.txt").write_text(labels + "fish:51,221,255::\n")
    return folder


@pytest.mark.parametrize("without", [None, "SegmentationObject", "SegmentationClass"])
def test_cvat(cvat, without):
    if without:
        for path in (cvat / without).iterdir():
            path.unlink()
        (cvat / without).rmdir()
    if without == "SegmentationClass":  # no labels, and so nothing tells the objects apart
        with pytest.raises(MaskError, match="several objects called object"):
            read_prompts([str(cvat)], INFO)
        return
    prompts = read_prompts([str(cvat)], INFO)
    assert [str(each.place.text) for each in prompts.all] == ["0", "5"]
    ids = {name: i for i, name in prompts.names.items()}
    assert np.array_equal(prompts.first == ids["fish"], FISH)
    assert np.array_equal(prompts.all[1].labels == ids["crab"], CRAB)
    assert prompts.all[1].ids == (ids["crab"],)
    only = read_prompts([f"{cvat}#frame_000005"], INFO)
    assert only.names == {1: "crab"}


def test_a_color_that_is_no_label(cvat):
    (cvat / "labelmap.txt").write_text("background:0,0,0::\nfish:51,221,255::\n")
    for path in (cvat / "SegmentationObject").iterdir():
        path.unlink()
    (cvat / "SegmentationObject").rmdir()
    with pytest.raises(MaskReadError, match=r"color #fa3253, which labelmap\.txt does not list"):
        read_prompts([str(cvat)], INFO)


def save(path: Path, mask: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(mask * np.uint8(255)).save(path)


def test_a_file_per_object(tmp_path):
    save(tmp_path / "m" / "fish.png", FISH)
    save(tmp_path / "m" / "crab.png", CRAB)
    prompts = read_prompts([f"{tmp_path}/m"], INFO)
    assert prompts.names == {1: "crab", 2: "fish"}
    assert np.array_equal(prompts.first == 2, FISH)
    save(tmp_path / "m" / "00003.png", CRAB)
    with pytest.raises(MaskError, match=r"crab\.png: its name is not a frame number"):
        read_prompts([f"{tmp_path}/m"], INFO)


def test_a_folder_per_object(tmp_path):
    save(tmp_path / "m" / "fish" / "00000.png", FISH)
    save(tmp_path / "m" / "fish" / "00004.png", CRAB)
    save(tmp_path / "m" / "7" / "2.png", CRAB)
    prompts = read_prompts([f"{tmp_path}/m"], INFO)
    assert {(p.place.frame, p.ids) for p in prompts.all} == {(0, (8,)), (4, (8,)), (2, (7,))}
    assert prompts.names == {8: "fish"}
    (tmp_path / "m" / "crab").mkdir()
    with pytest.raises(MaskReadError, match="crab holds no masks"):
        read_prompts([f"{tmp_path}/m"], INFO)


def test_names_that_may_be_frames_or_objects_are_not_guessed(tmp_path):
    for i in range(2):
        save(tmp_path / "m" / f"mask_{i}.png", FISH)
    with pytest.raises(MaskError, match=r"mask_0\.png: its name.*`masks=.'ID:FILE'.`"):
        read_prompts([f"{tmp_path}/m"], INFO)


def test_other_files_beside_masks_do_not_matter(tmp_path):
    save(tmp_path / "00000.png", FISH)
    for name in ("00000.xml", "meta.json", "notes.txt", "classes.txt"):
        (tmp_path / name).write_text("nothing")
    assert np.array_equal(read_prompts([str(tmp_path)], INFO).first, FISH)


def test_the_folder_of_segment_anything(tmp_path):
    for i, mask in enumerate((FISH, CRAB)):
        save(tmp_path / "m" / f"{i}.png", mask)
    (tmp_path / "m" / "metadata.csv").write_text("id,area,bbox_x0\n0,192,8\n1,480,30\n")
    assert np.array_equal(read_prompts([f"{tmp_path}/m"], INFO).first, IDS)


def test_several_objects_in_a_file_of_one(tmp_path):
    write_mask_png(tmp_path / "fish.png", IDS)
    save(tmp_path / "crab.png", CRAB)
    with pytest.raises(MaskError, match=r"fish\.png: it holds the IDs 1, 2, expected one object"):
        read_prompts([str(tmp_path)], INFO)


def test_files_of_frames_beside_the_images(tmp_path, caplog):
    folder = tmp_path / "shots"
    folder.mkdir()
    for name in ("shot9", "shot10"):
        Image.fromarray(scene(0)).save(folder / f"{name}.jpg")
    write(folder / "shot10.json", labelme(shape("fish", FISH_CORNERS)))
    names = ("shot9", "shot10")
    info = VideoInfo(
        *(folder, WIDTH, HEIGHT, RATE, 1 / RATE), frame_count=2, is_video=False, names=names
    )
    (prompt,) = read_prompts([str(folder)], info).all
    assert (prompt.path, prompt.place.frame) == (folder / "shot10.json", 1)
    content = coco([flat(FISH_CORNERS)], [flat(CRAB_CORNERS)])
    content["images"][0]["file_name"] = "shot10.jpg"
    (prompt,) = read_prompts([write(tmp_path / "c.json", content)], info).all
    assert prompt.place.frame == 1  # not the first one, for it names its image
    path = write(tmp_path / "d.json", several("a/shot10.jpg", "a/shot11.jpg"))
    (prompt,) = read_prompts([path], info).all
    assert prompt.place.frame == 1
    assert "d.json: 1 of its images are not in" in caplog.text
    path = write(tmp_path / "e.json", several("shot11.jpg", "shot12.jpg"))
    with pytest.raises(MaskError, match="names are not those of images in"):
        read_prompts([path], info)
    path = write(tmp_path / "f.json", several("a/shot10.jpg", "b/shot10.jpg"))
    with pytest.raises(MaskError, match=r"f\.json#IMAGE"):
        read_prompts([path], info)


def several(*names: str, **more) -> dict:
    """COCO with a fish in each of several images."""
    images = [
        {"id": i, "file_name": name, "width": WIDTH, "height": HEIGHT}
        for i, name in enumerate(names, start=50)
    ]
    annotations = [
        {"id": i, "image_id": each["id"], "category_id": 4, "segmentation": runs(FISH)} | more
        for i, each in enumerate(images)
    ]
    categories = [{"id": 4, "name": "fish"}]
    unmarked = {"id": 99, "file_name": "none.jpg", "width": 1, "height": 1}
    return {"images": [*images, unmarked], "categories": categories, "annotations": annotations}


def test_several_images_in_a_file(tmp_path):
    path = write(tmp_path / "c.json", several("frame_000003.png", "frame_000011.png"))
    prompts = read_prompts([path], INFO)
    assert [(p.place.frame, p.ids) for p in prompts.all] == [(3, (1,)), (11, (1,))]
    assert read_prompts([path], INFO, start="5").all[0].place.frame == 11
    for image in ("frame_000011.png", "frame_000011", "51"):
        (prompt,) = read_prompts([f"7={path}#{image}"], INFO).all
        assert (prompt.place.frame, prompt.ids) == (7, (1,))
    for given, says in (
        (f"{path}#x.png", "no image called x.png .*expected one of frame_000003.png"),
        (f"7={path}", "it holds 2 images"),
        (write(tmp_path / "d.json", several("a.png", "b.png")), "names do not say which frames"),
        (write(tmp_path / "e.json", several("a/1.png", "b/1.png")), "names do not say"),
    ):
        with pytest.raises(MaskError, match=says):
            read_prompts([given], INFO)


def test_which_object_is_which_in_other_images(tmp_path):
    content = several("0.png", "5.png")
    content["annotations"].append(
        {"id": 9, "image_id": 50, "category_id": 4, "segmentation": runs(CRAB)}
    )
    path = write(tmp_path / "c.json", content)
    with pytest.raises(MaskError, match=r"#0\.png has several objects called fish"):
        read_prompts([path], INFO)
    prompts = read_prompts([f"{path}#0.png"], INFO)
    assert (prompts.ids, prompts.names) == ((1, 2), {1: "fish", 2: "fish"})
    for number, annotation in enumerate(content["annotations"]):
        annotation["attributes"] = {"track_id": number // 2}  # as CVAT has them, from 0
    prompts = read_prompts([write(tmp_path / "c.json", content)], INFO)
    assert [p.ids for p in prompts.all] == [(1, 2), (1,)]


def test_names_are_the_same_objects_in_all_masks(tmp_path):
    first = write(tmp_path / "a.json", labelme(shape("crab", CRAB_CORNERS)))
    later = write(tmp_path / "b.json", coco(runs(FISH), runs(CRAB)))
    prompts = read_prompts([first, f"5={later}"], INFO)
    assert prompts.names == {1: "crab", 2: "fish"}
    assert np.array_equal(prompts.all[1].labels, FISH * 2 + CRAB)
    write_mask_png(tmp_path / "c.png", IDS)
    prompts = read_prompts([f"{tmp_path}/c.png", f"5={later}"], INFO)
    assert prompts.names == {3: "fish", 4: "crab"}


def test_objects_are_chosen_by_name(tmp_path):
    path = write(tmp_path / "a.json", JSON_FILES["labelme"][0])
    for objects in ("crab", "2", " crab,2"):
        prompts = read_prompts([path], INFO, change=IdChange.parse(objects, "2:9"))
        assert np.array_equal(prompts.first, CRAB * np.uint8(9))
        assert prompts.names == {9: "crab"}
    with pytest.raises(ConfigError, match="names 'whale', but the names in the masks are fish, cr"):
        read_prompts([path], INFO, change=IdChange.parse("whale", None))


def test_an_id_for_the_only_object(tmp_path):
    path = write(tmp_path / "a.json", labelme(shape("crab", CRAB_CORNERS)))
    prompts = read_prompts([f"12:{path}"], INFO)
    assert (prompts.ids, prompts.names) == ((12,), {12: "crab"})
    both = write(tmp_path / "b.json", JSON_FILES["labelme"][0])
    with pytest.raises(ConfigError, match="it holds 2 objects, expected one"):
        read_prompts([f"12:{both}"], INFO)


def test_the_smaller_object_is_in_front(tmp_path):
    big = [(4, 4), (40, 4), (40, 40), (4, 40)]
    for shapes in ([("body", big), ("eye", FISH_CORNERS)], [("eye", FISH_CORNERS), ("body", big)]):
        content = labelme(*(shape(name, corners) for name, corners in shapes))
        prompts = read_prompts([write(tmp_path / "a.json", content)], INFO)
        eye = next(i for i, name in prompts.names.items() if name == "eye")
        assert np.array_equal(prompts.first == eye, FISH)


def test_masks_of_proxies(tmp_path, caplog):
    info = VideoInfo(Path("clip.mp4"), 2 * WIDTH, 2 * HEIGHT, RATE, 1 / RATE)
    labels = read_prompts([write(tmp_path / "a.json", JSON_FILES["coco runs"][0])], info).first
    assert np.array_equal(labels, IDS.repeat(2, axis=0).repeat(2, axis=1))
    assert "a.json is 64x48; scaled to 128x96 without smoothing" in caplog.text


def test_what_is_in_a_file(tmp_path):
    path = write(tmp_path / "a.json", JSON_FILES["coco polygons"][0])
    check = examine_file(Path(path), INFO)
    assert [(each.id, each.name, each.area) for each in check.objects] == [
        (1, "fish", 192),
        (2, "crab", 480),
    ]
    assert (check.refused, check.doubts) == (None, ())
    several_images = write(tmp_path / "b.json", several("1.png", "2.png"))
    assert "masks of 2 frames" in str(examine_file(Path(several_images), INFO).refused)
    assert examine_file(Path(f"{several_images}#2.png"), INFO).objects[0].name == "fish"
    (tmp_path / "m.zip").touch()
    assert "unpack it" in str(examine_file(tmp_path / "m.zip", INFO).refused)


def nothing_at(*path: str | int, content: dict | list) -> dict | list:
    """The content without the entry there."""
    copy = json.loads(json.dumps(content))
    inner = copy
    for key in path[:-1]:
        inner = inner[key]
    del inner[path[-1]]
    return copy


COCO = JSON_FILES["coco compressed"][0]
LABELME = JSON_FILES["labelme"][0]
STUDIO = JSON_FILES["label studio"][0]
SHORT = {"size": [HEIGHT, WIDTH], "counts": [5]}
SMALL = {"size": [HEIGHT, 9], "counts": [HEIGHT * 9]}
BOX = {"id": 3, "image_id": 7, "category_id": 4, "segmentation": [], "bbox": [1, 2, 3.4, 5]}
OTHER_SIZE = [{**COCO["images"][0], "width": 50}]


@pytest.mark.parametrize(
    ("content", "error", "says"),
    [
        ("{", MaskReadError, "is no JSON"),
        ("[" * 99999, MaskReadError, "is no JSON"),
        ({"a": 1}, MaskReadError, "none of labelme, Label Studio, COCO"),
        ([], MaskReadError, "holds no masks"),
        (nothing_at("images", 0, content=COCO), MaskReadError, "for the image 7, which is not in"),
        (nothing_at("images", 0, "width", content=COCO), MaskReadError, "COCO JSON, 'width' is mi"),
        (nothing_at("annotations", 0, "image_id", content=COCO), MaskReadError, "'image_id'"),
        (coco(SHORT, SHORT), MaskReadError, "run lengths add up to 5, expected 48x64"),
        (coco(SMALL, SMALL), MaskReadError, "run lengths are for 9x48, the image is 64x48"),
        (coco({"size": [48, 64], "counts": "~"}, [[1] * 6]), MaskReadError, "hold '~' where none"),
        (coco({"size": [48, 64], "counts": "PP"}, [[1] * 6]), MaskReadError, "middle of a number"),
        (coco([[1, 2, 3, 4]], [[1] * 6]), MaskReadError, "three corners or more"),
        (coco([[1, 2, float("nan"), 4, 5, 6]], []), MaskReadError, "no finite numbers"),
        (coco([1, 2, 3], []), MaskReadError, "neither run lengths nor lists"),
        ({**COCO, "annotations": [BOX]}, MaskReadError, "only a box; give it as `boxes=..1,2,3,5"),
        ({**COCO, "images": OTHER_SIZE}, MaskSizeMismatch, "is 50x48 but clip.mp4 is 64x48"),
        (coco([[70, 50, 80, 50, 80, 60]], [[70, 50, 80, 50, 80, 60]]), EmptyMaskError, "selects n"),
        (labelme(), EmptyMaskError, "holds no objects"),
        (labelme(shape("x", [(1, 1)], "point")), EmptyMaskError, "holds no objects"),
        (labelme(shape("x", [(1, 1)], "blob")), MaskReadError, "a shape is a blob, expected polyg"),
        (labelme(shape("x", [(1, 1)], "mask", mask="!")), MaskReadError, "PNG of a mask is damag"),
        (nothing_at("imageWidth", content=LABELME), MaskReadError, "labelme JSON, 'imageWidth'"),
        (labelme(imageWidth=10), MaskSizeMismatch, "is 10x48"),
        (nothing_at(0, "annotations", content=STUDIO), MaskReadError, "none of labelme"),
        ([task(region("x", "brush", format="rle", rle=[0] * 9))], MaskReadError, "a brush has 0"),
        ([task(region("x", "brush", format="rle", rle=brush(FISH)[:40]))], MaskReadError, "early"),
        ([task({"type": "choices", "value": {}})], MaskReadError, "holds no masks"),
        (
            [task({"type": "videorectangle", "value": {}})],
            MaskReadError,
            "boxes in a video, expected masks",
        ),
    ],
)
def test_json_that_does_not_fit_is_told_in_one_line(tmp_path, content, error, says):
    path = tmp_path / "m.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(MaskError, match=says) as caught:
        read_prompts([str(path)], INFO)
    assert type(caught.value) is error
    assert "m.json" in str(caught.value)
    assert "\n" not in str(caught.value)


BIG = b"{'descr': '|b1', 'fortran_order': False, 'shape': (99999, 48, 64), }"


@pytest.mark.parametrize(
    ("name", "content", "error", "says"),
    [
        ("m.npy", np.random.default_rng(0).random((48, 64)), MaskReadError, "it holds fractions"),
        ("m.npy", np.full((48, 64), np.nan), MaskReadError, "it holds fractions"),
        ("m.npy", np.array([{"a": 1}], dtype=object), MaskReadError, "Python objects, which are"),
        ("m.npy", np.zeros((48, 64, 3), np.uint8), MaskReadError, "that of a color image"),
        ("m.npy", np.zeros(48, np.uint8), MaskReadError, r"shape is \[48\], expected \[H,W\]"),
        ("m.npy", np.zeros((48, 50), np.uint8), MaskSizeMismatch, "is 50x48"),
        ("m.npy", IDS - np.int64(5), MaskReadError, "the ID -5, expected 0 to 65535"),
        ("m.npy", np.stack([IDS, IDS]), MaskReadError, "layers hold IDs up to 2"),
        ("m.npy", FISH & False, EmptyMaskError, "selects nothing"),
        ("m.npy", np.zeros((48, 64), "M8[s]"), MaskReadError, "expected bool or integers"),
        ("m.npy", b"\x93NUMPY\x01\x00" + bytes([len(BIG), 0]) + BIG, MaskReadError, "m.npy: "),
        ("m.npy", b"no array", MaskReadError, "m.npy: "),
        ("m.npz", b"no archive", MaskReadError, "not a zip file"),
        ("m.txt", b"0 0.5 0.5 0.25 0.5", MaskReadError, "line 1 is a box.*`boxes=..24,12,16,24"),
        ("m.txt", b"\n0 0 0 1 0 1 1 0.9", MaskReadError, "line 2 has 7 numbers after the class"),
        ("m.txt", b"0 0 0 64 0 64 48", MaskReadError, "64 is no share of the image"),
        ("m.txt", b"cat 0 0 1 0 1 1", MaskReadError, "in numbers"),
        ("m.txt", b"0 0 0 1 0", MaskReadError, "is a box"),
        ("m.txt", b"", EmptyMaskError, "holds no objects"),
        ("m.txt", b"\xff\xfe", MaskReadError, "decode"),
        ("m.zip", b"PK", MaskReadError, r"\.zip is not read; unpack it"),
        ("m.svgz", b"", MaskReadError, r"\.svgz is not read; save it as plain .svg"),
        ("m.xml", b"<annotations/>", MaskReadError, "'Segmentation mask 1.1' or 'COCO 1.0'"),
    ],
)
def test_other_files_that_do_not_fit_are_told_in_one_line(tmp_path, name, content, error, says):
    path = tmp_path / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        np.save(path, content, allow_pickle=True)
    with pytest.raises(MaskError, match=says) as caught:
        read_prompts([str(path)], INFO)
    assert type(caught.value) is error
    assert "\n" not in str(caught.value)


def test_arrays_that_would_fill_the_memory_are_refused_by_their_heads(tmp_path):
    head = b"{'descr': '<f8', 'fortran_order': False, 'shape': (999999, 48, 64), }"
    content = b"\x93NUMPY\x01\x00" + bytes([len(head), 0]) + head
    (tmp_path / "m.npy").write_bytes(content)
    with pytest.raises(MaskReadError, match="GiB, expected at most 2"):
        read_prompts([f"{tmp_path}/m.npy"], INFO)


def test_a_missing_file(tmp_path):
    for name in ("m.json", "m.npy", "m.txt"):
        with pytest.raises(MaskReadError, match=rf"{name}: No such file"):
            read_prompts([f"{tmp_path}/{name}"], INFO)


def test_damaged_files_are_refused_or_read_but_nothing_else(tmp_path):
    np.save(tmp_path / "a.npy", IDS)
    np.savez_compressed(tmp_path / "b.npz", masks=np.stack([FISH, CRAB]))
    yolo(tmp_path, "c")
    for i, kind in enumerate(
        ("coco compressed", "labelme masks", "label studio", "segment anything")
    ):
        write(tmp_path / f"d{i}.json", JSON_FILES[kind][0])
    rng = np.random.default_rng(0)
    for path in sorted(tmp_path.iterdir()):
        sound = path.read_bytes()
        for _ in range(60):
            damaged = bytearray(sound)
            for at in rng.integers(min(len(sound), 2000), size=rng.integers(1, 5)):
                damaged[at] = rng.integers(256)
            path.write_bytes(damaged[: rng.integers(len(sound)) if rng.random() < 0.2 else None])
            try:
                labels = [prompt.labels for prompt in read_prompts([str(path)], INFO).all]
            except MaskError as error:
                said = str(error)
            else:
                said = ""
                assert {each.shape for each in labels} == {(HEIGHT, WIDTH)}
            assert "\n" not in said
