import json
from pathlib import Path

import pytest

from jointvos.batch import read_rows
from jointvos.batch.plan import Plan
from jointvos.batch.tasks import Task
from jointvos.batch.urls import shown
from jointvos.errors import ConfigError
from jointvos.runs import Outputs, SegmentJob, SessionSpec

OUT, SCRATCH = Path("out"), Path("scratch")


def tasks(tmp_path: Path, *rows: dict[str, object], **template: object) -> list[Task]:
    path = tmp_path / "clips.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    return list(Plan(read_rows(path), SegmentJob("", **template), OUT, SCRATCH))


def test_without_outputs_there_are_an_overlay_and_masks(tmp_path):
    (task,) = tasks(tmp_path, {"video": "a.mp4", "mask": "a.png"})
    assert task.job.source == tmp_path / "a.mp4"
    assert task.job.masks == (str(tmp_path / "a.png"),)
    assert task.job.outputs.paths() == {"png": OUT / "a_masks", "overlay": OUT / "a_overlay.mp4"}
    assert task.job.resume
    (shown,) = tasks(tmp_path, {"video": "a.mp4"}, outputs=Outputs(background="blur"))
    assert shown.job.outputs.paths() == {"overlay": OUT / "a_overlay.mp4"}


def test_a_row_adds_to_what_holds_for_all_and_overrides_it(tmp_path):
    a, b = tasks(
        tmp_path,
        {"video": "a.mp4"},
        {"video": "b.mp4", "out": "x/b", "box": "1,2,3,4", "objects": "2", "remap": "2:5"}
        | {"direction": "both", "start": "3", "preset": "paper", "png": "ids", "coco": "b.json"},
        masks=["all.png"],
        objects={1},
        outputs=Outputs(png="masks/{name}", stats="{name}.csv", overwrite=True),
        session=SessionSpec(memory_size=3),
        end="9",
    )
    assert (a.job.masks, a.job.objects, a.job.end) == (["all.png"], {1}, "9")
    assert a.job.outputs.paths() == {"png": OUT / "masks/a", "stats": OUT / "a.csv"}
    assert (b.job.masks, b.job.boxes, b.job.objects) == ((), ("1,2,3,4",), {2})
    assert (b.job.remap, b.job.direction, b.job.start, b.job.end) == ({2: 5}, "both", "3", "9")
    assert b.job.session == SessionSpec(memory_size=3, preset="paper")
    expected = {"png": OUT / "ids", "stats": OUT / "x/b.csv", "coco": OUT / "b.json"}
    assert b.job.outputs.paths() == expected
    assert b.job.outputs.overwrite


def test_the_mask_of_a_box_is_saved_beside_the_outputs(tmp_path):
    boxed, masked = tasks(
        tmp_path, {"video": "a.mp4", "box": "1,2,3,4", "out": "x/a"}, {"video": "b.mp4"}
    )
    assert boxed.first_mask == (OUT / "x/a_first_mask.png",)
    assert boxed.files == [*boxed.job.outputs.files(), *boxed.first_mask]
    assert boxed.written([1]) == boxed.files
    assert masked.first_mask == ()
    assert masked.files == masked.job.outputs.files()


def test_what_is_behind_urls_has_a_place_on_this_machine(tmp_path):
    (task,) = tasks(
        tmp_path,
        {"video": "memory://in/a.mp4", "mask": ["m.png", "9=2:file:///in/b.png"], "box": "1,2,3,4"}
        | {"out": "x/a", "matte": "memory://out/{name}/{id}.mp4", "stats": "{name}.csv"},
    )
    assert (task.fetches, task.stores) == (True, True)
    assert list(map(shown, task.inputs)) == [
        *("memory://in/a.mp4", f"{tmp_path}/m.png", "file:///in/b.png")
    ]
    assert list(map(shown, task.written([1, 2]))) == [
        *("memory://out/x/a/1.mp4", "memory://out/x/a/2.mp4", "out/x/a.csv"),
        "out/x/a_first_mask.png",
    ]
    assert task.scratch is not None
    assert task.scratch.parent == SCRATCH
    here = task.here
    assert here.job.source == task.scratch / "video/a.mp4"
    assert here.job.masks == [f"{tmp_path}/m.png", f"9=2:{task.scratch}/mask1/b.png"]
    made = here.written([1, 2])
    assert len(set(made)) == 4
    assert all(path.is_relative_to(task.scratch / "outputs") for path in made)
    assert [path.name for path in made] == ["1.mp4", "2.mp4", "a.csv", "first_mask.png"]


def test_what_is_only_fetched_is_written_in_place(tmp_path):
    fetched, local = tasks(tmp_path, {"video": "memory://a.mp4"}, {"video": "b.mp4"})
    assert (fetched.name, fetched.fetches, fetched.stores) == ("a", True, False)
    assert fetched.here.files == fetched.files
    assert local.scratch is None
    assert local.here is local


def test_masks_keep_their_frame_and_id(tmp_path):
    (tmp_path / "7=a.png").touch()
    masks = ["first.png", "120=2:sub/b.png", "7=a.png"]
    (task,) = tasks(tmp_path, {"video": "a.mp4", "mask": masks})
    assert task.job.masks == (
        *(f"{tmp_path}/first.png", f"120=2:{tmp_path}/sub/b.png", f"{tmp_path}/7=a.png"),
    )


def test_in_a_folder_what_a_row_writes_is_no_row_unless_it_has_a_mask(tmp_path):
    for name in ("a.mp4", "a.png", "a_overlay.mp4"):
        (tmp_path / name).touch()
    plan = Plan(read_rows(tmp_path), SegmentJob(""), tmp_path, SCRATCH)
    assert [task.name for task in plan] == ["a"]
    elsewhere = Plan(read_rows(tmp_path), SegmentJob(""), OUT, SCRATCH)
    assert [task.name for task in elsewhere] == ["a", "a_overlay"]
    (tmp_path / "a_overlay.mov").touch()
    with pytest.raises(ConfigError, match=r"are both called a_overlay; rename one, or use a list"):
        Plan(read_rows(tmp_path), SegmentJob(""), OUT, SCRATCH)
    (tmp_path / "a_overlay.mov").unlink()
    (tmp_path / "a_overlay.png").touch()
    with pytest.raises(ConfigError, match=r"a\.mp4 would write .*a_overlay\.mp4, and .* reads"):
        Plan(read_rows(tmp_path), SegmentJob(""), tmp_path, SCRATCH)


def test_long_names_are_shortened_but_keep_their_ending(tmp_path):
    first, second = "n" * 250 + "1", "n" * 250 + "2"
    one, two = tasks(tmp_path, {"video": f"{first}.mp4"}, {"video": f"{second}.mp4"})
    names = [path.name for task in (one, two) for path in task.job.outputs.files()]
    assert len(set(names)) == 4
    assert all(len(name) <= 255 and name.endswith(("_masks", "_overlay.mp4")) for name in names)


@pytest.mark.parametrize(
    ("rows", "outputs", "says"),
    [
        pytest.param(
            [{"video": "a.mp4"}, {"video": "b/a.mov"}],
            Outputs(),
            "line 1 and {list}, line 2 are both called a; give one of them another name",
            id="names",
        ),
        pytest.param(
            [{"video": "a.mp4", "png": "ids"}, {"video": "b.mp4", "png": "ids"}],
            Outputs(),
            "line 1 and {list}, line 2 would both write",
            id="outputs",
        ),
        pytest.param(
            [{"video": "a.mp4", "png": "ids"}, {"video": "b.mp4", "stats": "ids/b.csv"}],
            Outputs(),
            "ids/b.csv, which lies in",
            id="in the folder of another",
        ),
        pytest.param(
            [{"video": "a.mp4", "png": "{tmp}"}, {"video": "b.mp4"}],
            Outputs(),
            "line 1 would write {tmp}, and {list}, line 1 reads {tmp}/a.mp4",
            id="in place of an input",
        ),
        pytest.param(
            [{"video": "a.mp4", "point": "1,2"}, {"video": "c.mp4", "png": "a_first_mask.png"}],
            Outputs(),
            "line 1 and {list}, line 2 would both write",
            id="in place of a first mask",
        ),
        pytest.param(
            [{"video": "a.mp4"}],
            Outputs(overlay="o.mp4"),
            "such as `overlay='{name}.mp4'`",
            id="no name",
        ),
        pytest.param(
            [{"video": "a.mp4"}],
            Outputs(png="masks"),
            "such as `png='masks/{name}'`",
            id="no name, folder",
        ),
        pytest.param(
            [{"video": "a.mp4"}],
            Outputs(overlay="s3://bucket/o.mp4"),
            "such as `overlay='s3://bucket/{name}.mp4'`",
            id="no name, URL",
        ),
        pytest.param(
            [{"video": "a.mp4", "png": "memory://ids"}, {"video": "b.mp4", "png": "memory://ids"}],
            Outputs(),
            "line 1 and {list}, line 2 would both write memory://ids",
            id="outputs, URL",
        ),
        pytest.param(
            [{"video": "a.mp4", "png": "file://{tmp}"}, {"video": "b.mp4"}],
            Outputs(),
            "line 1 would write {tmp}, and {list}, line 1 reads {tmp}/a.mp4",
            id="in place of an input, URL",
        ),
        pytest.param(
            [{"video": "s3://bucket/a.mp4"}],
            Outputs(),
            "line 1: s3://bucket/a.mp4 is on the network; allow that with `allow_network=True`",
            id="network",
        ),
        pytest.param(
            [{"video": "a.mp4", "stats": "memory://a//b.csv"}],
            Outputs(),
            "line 1: memory://a//b.csv contains // or /./",
            id="URL that is no path",
        ),
        pytest.param([{"video": "a", "out": "../a"}], Outputs(), "out is '../a'", id="outside"),
        pytest.param([{"video": "a", "remap": "x"}], Outputs(), "line 1: `remap`", id="ids"),
        pytest.param([{"video": "a", "mask": "1=0:a.png"}], Outputs(), "line 1: `mask`", id="mask"),
        pytest.param(
            [{"video": "a", "mask": ["a.png", ""]}], Outputs(), "line 1: `mask` is ''", id="empty"
        ),
    ],
)
def test_what_cannot_be_is_refused_with_its_line(tmp_path, rows, outputs, says):
    def filled(text: str) -> str:
        return text.replace("{tmp}", str(tmp_path)).replace("{list}", f"{tmp_path}/clips.jsonl")

    rows = json.loads(filled(json.dumps(rows)))
    with pytest.raises(ConfigError) as raised:
        tasks(tmp_path, *rows, outputs=outputs)
    assert filled(says) in str(raised.value)
