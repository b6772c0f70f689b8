import csv
import shlex

import av
import numpy as np
import pytest
from PIL import Image
from studio import FRAMES, square

from jointvos.cli.paint import segment_command
from jointvos.paint.export import job_of
from jointvos.runs import Outputs, segment_video
from jointvos.runs.outputs import PATHS


def export(studio, overwrite=False, **files):
    answer = studio.client.post("export", json={"files": files, "overwrite": overwrite})
    return studio.until("exported") if answer.status_code == 200 else answer.json()


def by_segment(studio, folder, **files):
    folder.mkdir()
    outputs = Outputs(**{name: folder / file for name, file in files.items()})
    for _ in segment_video(job_of(studio.project, studio.clip, studio.spec, outputs)):
        pass


def content(path):
    if path.is_dir():
        return {each.name: np.asarray(Image.open(each)).tobytes() for each in path.rglob("*.png")}
    if path.suffix == ".mkv":  # each has a number of its own
        with av.open(str(path)) as video:
            return [(frame.pts, frame.to_ndarray().tobytes()) for frame in video.decode(video=0)]
    return path.read_bytes()


FILES = {"png": "masks", "stats": "objects.csv", "coco": "masks.json", "mask_video": "ids.mkv"}


def test_what_was_followed_is_written_as_segment_writes_it(studio, tmp_path):
    studio.paint(0, square(), "1")
    studio.follow()
    studio.paint(12, square(12), "1")
    studio.follow()
    told = export(studio, **FILES)
    assert told["files"] == [
        str(tmp_path / FILES[name]) for name in ("png", "mask_video", "stats", "coco")
    ]
    assert {event["what"] for event in studio.told if event["kind"] == "exporting"} == {"writing"}
    by_segment(studio, tmp_path / "other", **FILES)
    for file in FILES.values():
        assert content(tmp_path / file) == content(tmp_path / "other" / file), file


def test_what_was_not_followed_is_followed_for_the_export(studio, tmp_path):
    studio.paint(4, square(4), "1")
    told = export(studio, alpha="cut.mov", png="masks")
    assert told.get("error") is None
    assert len(list((tmp_path / "masks").iterdir())) == FRAMES
    with av.open(str(tmp_path / "cut.mov")) as cut:
        assert sum(1 for _ in cut.decode(video=0)) == FRAMES
    assert studio.project.done["forward"] is None  # the project is left alone


def test_frames_before_the_first_mask_are_empty(studio, tmp_path):
    studio.paint(4, square(4), "1")
    studio.follow()
    export(studio, png="masks", stats="objects.csv")
    by_segment(studio, tmp_path / "other", png="masks", stats="objects.csv")
    assert content(tmp_path / "masks") == content(tmp_path / "other" / "masks")
    assert content(tmp_path / "objects.csv") == content(tmp_path / "other" / "objects.csv")
    assert not np.asarray(Image.open(tmp_path / "masks" / "00003.png")).any()
    with (tmp_path / "objects.csv").open() as file:
        assert int(next(csv.DictReader(file))["frame"]) == 4


@pytest.mark.parametrize("followed", [True, False])
def test_names_of_objects_are_written(studio, tmp_path, followed):
    studio.paint(0, square(), "1")
    objects = [{"id": 1, "name": "Man", "visible": True}]
    assert studio.client.put("objects", json=objects).status_code == 200
    if followed:
        studio.follow()
    export(studio, stats="objects.csv")
    with (tmp_path / "objects.csv").open() as file:
        assert {row["name"] for row in csv.DictReader(file)} == {"Man"}


def test_every_output_of_segment_is_offered(studio):
    assert set(studio.client.get("state").json()["export"]["names"]) == set(PATHS)


@pytest.mark.parametrize("name", ["../masks", "/tmp/masks", "a/b", "..", ""])
def test_files_stay_in_the_folder(studio, name):
    studio.paint(0, square(), "1")
    assert "plain file name" in export(studio, png=name)["error"]


def test_files_that_exist_are_replaced_only_on_request(studio, tmp_path):
    studio.paint(0, square(), "1")
    (tmp_path / "objects.csv").write_text("precious")
    assert "exists" in export(studio, stats="objects.csv")["error"]
    assert (tmp_path / "objects.csv").read_text() == "precious"
    assert export(studio, overwrite=True, stats="objects.csv")["files"]
    assert (tmp_path / "objects.csv").read_text() != "precious"


def test_a_cancelled_export_leaves_nothing(studio, tmp_path):
    studio.paint(0, square(), "1")
    before = sorted(tmp_path.iterdir())
    studio.client.post("export", json={"files": {"overlay": "o.mp4"}})
    studio.until("exporting")
    assert studio.client.delete("export").status_code == 200
    told = studio.until("exported")
    assert (told["files"], told.get("error")) in ((None, None), ([str(tmp_path / "o.mp4")], None))
    if told["files"] is None:
        assert sorted(tmp_path.iterdir()) == before


def test_the_command_names_the_masks_and_the_settings(studio):
    def words():
        return shlex.split(
            segment_command(job_of(studio.project, studio.clip, studio.spec, Outputs()))
        )

    studio.paint(0, square(), "1")
    assert words()[:5] == [
        *("jointvos", "segment", str(studio.clip)),
        *("--mask", "clip.jointvos/masks/00000.png"),
    ]
    assert words()[words().index("--memory-size") + 1] == "3"
    studio.paint(7, square(7), "1")
    assert words()[4] == "clip.jointvos/masks"
    studio.client.delete("mask/0")
    assert words()[4] == "7=clip.jointvos/masks/00007.png"
    studio.follow("backward")
    assert words()[5:7] == ["--direction", "both"]
