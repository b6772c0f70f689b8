"""What the command is made of, as a Python program uses it."""

import re
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from command import SMALL
from PIL import Image

from jointvos import (
    Finished,
    Notice,
    ObjectLost,
    Opened,
    Outputs,
    Progress,
    Refinement,
    SegmentedFrame,
    SegmentJob,
    SessionSpec,
    segment_video,
)
from jointvos.config import INFERENCE
from jointvos.errors import ConfigError, EmptyMaskError, JointVOSError, OutputExists
from jointvos.masks import write_mask_png
from jointvos.runs.fingerprint import digest, of_model
from jointvos.types import VideoInfo

FRAMES = 12
REPOSITORY = Path(__file__).parents[2]

Job = Callable[..., SegmentJob]


@pytest.fixture
def job(inputs: Path, tiny_weights: Path, monkeypatch: pytest.MonkeyPatch) -> Job:
    """Make a job of the clip and its mask, in the folder where they are."""
    monkeypatch.chdir(inputs)
    (inputs / "old.csv").touch()
    monkeypatch.setitem(INFERENCE, "small", SMALL)

    def make(**changes: object) -> SegmentJob:
        session = SessionSpec(weights=tiny_weights, device="cpu")
        return replace(SegmentJob("clip.mp4", ["first.png"], session=session), **changes)

    return make


def labels_of(job: SegmentJob) -> list[np.ndarray]:
    return [e.result.labels for e in segment_video(job) if isinstance(e, SegmentedFrame)]


def images_in(folder: str) -> list[np.ndarray]:
    return [np.asarray(Image.open(path)) for path in sorted(Path(folder).iterdir())]


@pytest.mark.parametrize(
    ("reading_s", "writing_s", "bound"),
    [(1.0, 1.0, "tracking"), (5.0, 4.0, "reading"), (0.0, 6.0, "writing")],
)
def test_what_limits_a_run_took_longest(reading_s, writing_s, bound):
    assert Finished(9, 1, 10.0, (), reading_s, writing_s).bound_by == bound


def test_everything_that_happens_is_yielded_in_its_order(job):
    outputs = Outputs(png="ids", stats="stats.csv", overlay="video.mp4")
    events = list(segment_video(job(outputs=outputs)))
    opened, finished = events[0], events[-1]
    assert isinstance(opened, Opened)
    assert (opened.info.width, opened.info.height, opened.masks.ids) == (128, 96, (1,))
    assert isinstance(finished, Finished)
    assert (finished.frames, finished.objects) == (FRAMES, 1)
    assert 0 < finished.reading_s + finished.writing_s < finished.seconds
    assert set(finished.outputs) == {Path("ids"), Path("stats.csv"), Path("video.mp4")}
    assert all(path.exists() for path in finished.outputs)
    frames = [event for event in events if isinstance(event, SegmentedFrame)]
    assert [event.frame.index for event in frames] == list(range(FRAMES))
    for event, image in zip(frames, images_in("ids"), strict=True):
        assert np.array_equal(event.result.labels, image)
    done = [(e.direction, e.done) for e in events if isinstance(e, Progress)]
    assert done == [("forward", number) for number in range(FRAMES + 1)]
    notices = [event.text for event in events if isinstance(event, Notice)]
    assert any("tiny" in text for text in notices)


def test_frames_and_results_can_be_found_in_lists_and_sets(job):
    events = [event for event in segment_video(job()) if isinstance(event, SegmentedFrame)]
    for found in ([event.frame for event in events], [event.result for event in events]):
        assert found.index(found[-1]) == FRAMES - 1
        assert len(set(found)) == FRAMES


def test_without_outputs_nothing_is_written(job, inputs):
    before = sorted(inputs.iterdir())
    assert len(labels_of(job(start="3", end="7"))) == 4
    assert sorted(inputs.iterdir()) == before


def test_backwards_with_a_correction(job, inputs):
    mask = np.zeros((96, 128), np.uint8)
    mask[30:60, 41:71], mask[70:80, 10:30] = 1, 2
    write_mask_png(inputs / "middle.png", mask)
    both = job(masks=["first.png", "7=middle.png"], direction="backward")
    events = list(segment_video(both))
    frames = [event for event in events if isinstance(event, SegmentedFrame)]
    assert [event.frame.index for event in frames] == list(range(FRAMES))
    assert np.array_equal(frames[7].result.labels, mask)
    assert not any(event.result.labels.any() for event in frames[8:])
    assert not any(isinstance(event, ObjectLost) for event in events)  # they are not followed there
    backward = [e for e in events if isinstance(e, Progress) and e.direction == "backward"]
    assert [(each.done, each.total) for each in backward] == [(n, 8) for n in range(9)]


def test_an_object_that_is_lost_is_told(job):
    strict = job(refine=Refinement(lost_threshold=0.9999))
    lost = [event for event in segment_video(strict) if isinstance(event, ObjectLost)]
    assert lost == [ObjectLost(1, 1, pytest.approx(1 / 25))]


def test_whoever_leaves_early_finds_no_outputs_or_those_kept(job):
    for keep, kept in ((False, 0), (True, 3)):
        name = f"ids{kept}"
        run = segment_video(job(outputs=Outputs(png=name), keep_partial=keep))
        with run:
            for event in run:
                if isinstance(event, SegmentedFrame) and event.frame.index == 2:
                    break
        assert (run.frames, run.kept, run.committed) == (3, kept, keep)
        assert (len(images_in(name)) if keep else Path(name).exists()) == kept


def test_a_run_that_was_left_goes_on(job):
    expected = labels_of(job())
    resumed = job(outputs=Outputs(png="ids"), resume=True, checkpoint_every=2)
    with closing(segment_video(resumed)) as run:
        next(e for e in run if isinstance(e, SegmentedFrame) and e.frame.index == 6)
    assert not Path("ids").exists()
    events = list(segment_video(resumed))
    assert any("continuing" in event.text for event in events if isinstance(event, Notice))
    found = [event.result.labels for event in events if isinstance(event, SegmentedFrame)]
    for images in (found, images_in("ids")):
        assert all(map(np.array_equal, images, expected))
        assert len(images) == FRAMES


@pytest.mark.parametrize(
    ("changes", "kind", "says"),
    [
        pytest.param({"masks": []}, ConfigError, "no objects selected", id="no mask"),
        pytest.param({"masks": "first.png"}, ConfigError, "`masks` is 'first.png'", id="a string"),
        pytest.param({"boxes": ["1,2"]}, ConfigError, "1,2", id="box"),
        pytest.param({"direction": "up"}, ConfigError, "`direction` is 'up'", id="direction"),
        pytest.param({"checkpoint_every": 0}, ConfigError, "`checkpoint_every` is 0", id="every"),
        pytest.param(
            {"session": SessionSpec(cuts="cut")}, ConfigError, "`cuts` is 'cut'", id="cuts"
        ),
        pytest.param(
            {"session": SessionSpec(without="both")}, ConfigError, "branch to silence", id="branch"
        ),
        pytest.param(
            {"outputs": Outputs(stats="old.csv")}, OutputExists, "overwrite=True", id="exists"
        ),
        pytest.param({"objects": "1,2"}, ConfigError, "'1,2', expected a list", id="objects"),
        pytest.param({"objects": 1}, ConfigError, "`objects` is '1', expected a", id="object"),
        pytest.param({"boxes": [(1, 2, 30, 40)]}, ConfigError, "such as '10,20,300", id="tuple"),
        pytest.param({"end": 3}, ConfigError, "`end` is 3, expected text", id="number"),
        pytest.param({"remap": {1: 0}}, ConfigError, "'0' is not an ID", id="background"),
        pytest.param({"remap": {1: 70000}}, ConfigError, "from 1 to 65535", id="no ID"),
    ],
)
def test_what_is_wrong_with_a_job_is_said_at_once(job, changes, kind, says):
    with pytest.raises(kind, match=re.escape(says)):
        segment_video(job(**changes))


@pytest.mark.parametrize(
    "outputs",
    [
        pytest.param({"png": "first.png"}, id="a folder in place of a file"),
        pytest.param({"overlay": "o.xyz"}, id="no video"),
        pytest.param({"overlay": "o.mkv", "encoder": "h266"}, id="no encoder"),
        pytest.param({"overlay": "o.mkv", "encoder": "h264", "crf": 99}, id="quality"),
        pytest.param({"overlay": "o.mp4", "background": "greenish"}, id="background"),
        pytest.param({"overlay": "-", "stream": "avi"}, id="no format for a pipe"),
        pytest.param({"mask_video": "m.txt"}, id="mask video"),
        pytest.param({"alpha": "a.mp4"}, id="no transparency"),
        pytest.param({"alpha": "-", "stream": "y4m"}, id="no transparency in a pipe"),
        pytest.param({"matte": "m.webm"}, id="no matte"),
        pytest.param({"matte": "m.mov", "matte_range": "full"}, id="full range in ProRes"),
        pytest.param({"soft": "s.mp4"}, id="lossy probabilities"),
        pytest.param({"crop": "missing/c"}, id="no place"),
        pytest.param({"stats": "s.txt"}, id="statistics"),
        pytest.param({"coco": "c.json", "coco_layout": "voc"}, id="layout"),
        pytest.param({"coco": "clip.mp4"}, id="annotations"),
        pytest.param({"stats": "old.csv"}, id="there already"),
    ],
)
def test_a_destination_is_refused_as_its_sink_would_refuse_it(job, outputs):
    info = VideoInfo(Path("clip.mp4"), 128, 96, Fraction(25), Fraction(1, 25))
    wanted = Outputs(**outputs)
    with pytest.raises(JointVOSError) as early:
        wanted.check(info.path, [])
    with pytest.raises(type(early.value), match=re.escape(str(early.value)[:40])):
        wanted.sinks(info)


def test_what_is_wrong_with_its_files_is_said_by_the_first_event(job):
    with pytest.raises(EmptyMaskError):
        next(segment_video(job(masks=["empty.png"])))


def test_a_model_s_fingerprint_tells_what_its_results_depend_on(tiny_weights):
    spec = SessionSpec(weights=tiny_weights, device="cpu")
    same = of_model(spec.load())
    assert digest(of_model(replace(spec, on_oom="fail").load())) == digest(same)
    for changes, name in (
        ({"memory_size": 2}, "memory_size"),
        ({"without": "induction"}, "without"),
        ({"precision": "bf16"}, "device"),
    ):
        other = of_model(replace(spec, **changes).load())
        assert digest(other) != digest(same)
        assert other[name] != same[name]


def test_readme_s_example_runs(tmp_path, monkeypatch, capsys):
    (example, *_) = re.findall(r"```python\n(.*?)```", (REPOSITORY / "README.md").read_text(), re.S)
    assert len(example.strip().splitlines()) <= 7
    (tmp_path / "examples").symlink_to(REPOSITORY / "examples")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JOINTVOS_CACHE", str(tmp_path / "cache"))
    exec(example, {})
    assert len(capsys.readouterr().out.splitlines()) == 3
    assert (tmp_path / "marked.mp4").stat().st_size > 0
