import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from clips import encode
from command import SMALL, Ended, Run
from filelock import FileLock

from jointvos.masks import write_mask_png

CLIPS = ("a", "b", "c")
FRAMES = 12
MADE = {f"{name}{ending}" for name in CLIPS for ending in ("_masks", "_overlay.mp4")}
OF_THE_BATCH = {"batch.jsonl", ".batch.lock", ".thumbnails", "report.html", "report.json"}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bright square moves to the right."""
    images = np.full((FRAMES, 96, 128, 3), 60, np.uint8)
    for t, image in enumerate(images):
        image[30:60, 20 + t : 50 + t] = (250, 220, 60)
    return encode(tmp_path_factory.mktemp("clip") / "clip.mp4", images)


@pytest.fixture
def inputs(inputs: Path, clip: Path, tiny_weights: Path) -> Path:
    """With a folder of three videos, each with its mask, and the weights."""
    (inputs / "clips").mkdir()
    for number, name in enumerate(CLIPS):
        shutil.copy(clip, inputs / f"clips/{name}.mp4")
        mask = np.zeros((96, 128), np.uint8)
        mask[30:60, 20 + number : 50] = 1
        write_mask_png(inputs / f"clips/{name}.png", mask)
    shutil.copy(tiny_weights, inputs / "tiny.safetensors")
    return inputs


def start(folder: Path, *arguments: str) -> Run:
    model = [] if "--model" in arguments else ["--weights", "tiny.safetensors"]
    return Run(folder, "batch", "clips", "--out", "out", "--device", "cpu", *model, *arguments)


def batch(folder: Path, *arguments: str) -> Ended:
    return start(folder, *arguments).end()


def record(folder: Path) -> list[dict[str, object]]:
    lines = (folder / "out/batch.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def statuses(folder: Path) -> dict[str, object]:
    return {str(line["name"]): line["status"] for line in record(folder)}


def contents(folder: Path) -> dict[str, str]:
    """Of all outputs, and whatever else there is but what belongs to the batch itself."""
    files = (path for path in (folder / "out").rglob("*") if path.is_file())
    named = {str(path.relative_to(folder / "out")): path for path in files}
    return {
        name: hashlib.sha256(path.read_bytes()).hexdigest()
        for name, path in named.items()
        if name.split("/")[0] not in OF_THE_BATCH
    }


def entries(folder: Path) -> set[str]:
    return {path.name for path in (folder / "out").iterdir()} - OF_THE_BATCH


def workers_of(run: Run) -> list[int]:
    """Processes that a batch segments in: here all others that are forked from the same one."""
    if not (fork_server := parents(run.process.pid)):  # it has ended
        return []
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        pid = int(status.parent.name)
        if pid != run.process.pid and parents(pid) == fork_server:
            found.append(pid)
    return found


def parents(pid: int | None) -> list[int]:
    """The parent of a process, none if it is no longer there."""
    with suppress(FileNotFoundError, ProcessLookupError):
        state, parent, *_ = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return [] if state == "Z" else [int(parent)]
    return []


def checkpointed(folder: Path) -> Iterator[Path]:
    return (folder / "out").glob(".*.jointvos-resume/*.state")


def in_the_middle(inputs: Path, *arguments: str) -> Run:
    """A batch that has saved a checkpoint of a video, which does not end before `slow` is gone."""
    (inputs / "slow").touch()
    run = start(inputs, "--checkpoint-every", "3", *arguments)
    run.until(lambda: any(checkpointed(inputs)))
    return run


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    """What a batch writes that nothing happens to, filled by `expected`."""
    return {}


@pytest.fixture
def expected(inputs: Path, undisturbed: dict[str, dict[str, str]]) -> dict[str, str]:
    if not undisturbed:
        folder = Path(shutil.copytree(inputs, inputs.with_name(f"{inputs.name}-undisturbed")))
        run = batch(folder)
        assert run.returncode == 0, run.stderr
        undisturbed["outputs"] = contents(folder)
    return undisturbed["outputs"]


def test_videos_come_out_as_from_segment(inputs, jointvos, expected):
    for name in CLIPS:
        run = jointvos(
            *("segment", f"clips/{name}.mp4", "--mask", f"clips/{name}.png"),
            *("--weights", "tiny.safetensors", "--device", "cpu"),
        )
        assert run.returncode == 0, run.stderr
    assert len(expected) == len(CLIPS) * (FRAMES + 1)
    for path, content in expected.items():
        assert hashlib.sha256((inputs / path).read_bytes()).hexdigest() == content, path


def test_what_is_bad_stops_nothing_and_is_tried_again(inputs, expected):
    video, mask = inputs / "clips/a.mp4", inputs / "clips/b.png"
    good_video, good_mask = video.read_bytes(), mask.read_bytes()
    video.write_bytes(good_video[: len(good_video) // 2])
    write_mask_png(mask, np.ones((10, 10), np.uint8))
    run = batch(inputs, "--jobs", "2", "--json")
    assert run.returncode == 9
    assert run.stderr.splitlines()[-1] == ("jointvos: 2 of 3 videos failed: mask (b), video (a)")
    lines = {line["name"]: line for line in map(json.loads, run.stdout.splitlines())}
    assert {name: line["status"] for name, line in lines.items()} == statuses(inputs)
    assert statuses(inputs) == {"a": "failed", "b": "failed", "c": "done"}
    assert [lines[name]["exit_code"] for name in CLIPS] == [3, 4, 0]
    assert "b.png is 10x10" in lines["b"]["error"]
    assert lines["c"]["frames"] == FRAMES
    assert lines["c"]["objects"][0]["id"] == 1
    assert len(lines["c"]["objects"][0]["areas"]) == FRAMES
    assert entries(inputs) == {name for name in MADE if name[0] == "c"}
    assert "the report is out/report.html" in run.stderr
    page = (inputs / "out/report.html").read_text()
    assert page.count('src="data:image/jpeg;base64,') == 1
    assert "b.png is 10x10" in page
    data = json.loads((inputs / "out/report.json").read_text())
    assert {video["name"]: video["status"] for video in data["videos"]} == statuses(inputs)

    left = batch(inputs, "--no-retry")
    assert left.returncode == 9
    assert len(record(inputs)) == 3
    assert "1 done before, 2 failed before and left so" in left.stderr

    video.write_bytes(good_video)
    mask.write_bytes(good_mask)
    mended = batch(inputs)
    assert mended.returncode == 0, mended.stderr
    assert [line["name"] for line in record(inputs)[3:]] == ["a", "b"]
    assert contents(inputs) == expected
    assert "3 done before" in batch(inputs).stderr
    assert len(record(inputs)) == 5


@pytest.mark.slow
def test_what_has_changed_is_done_again(inputs, expected):
    for name in "bc":
        (inputs / f"clips/{name}.mp4").unlink()
    assert batch(inputs).returncode == 0
    before = contents(inputs)
    changed = batch(inputs, "--direction", "backward", "-v")
    assert changed.returncode == 0, changed.stderr
    assert "a is done again: its settings have changed" in changed.stderr
    assert [line["status"] for line in record(inputs)] == ["done", "begun", "done"]
    assert contents(inputs) != before
    shutil.rmtree(inputs / "out/a_masks")
    again = batch(inputs, "-v")
    assert again.returncode == 0, again.stderr
    assert contents(inputs) == before == {k: v for k, v in expected.items() if k[0] == "a"}


def test_what_others_have_written_is_not_replaced(inputs):
    (inputs / "out").mkdir()
    (inputs / "out/a_overlay.mp4").write_text("mine")
    for name in "bc":
        (inputs / f"clips/{name}.mp4").unlink()
    for _ in range(2):
        run = batch(inputs, "--end", "4")
        assert run.returncode == 9
        assert "a_overlay.mp4 already exists" in run.stderr
        assert (
            record(inputs)[-1]["error"] == "out/a_overlay.mp4 already exists; use -f to replace it"
        )
        assert "already exists; use -f to replace it" in (inputs / "out/report.html").read_text()
        assert entries(inputs) == {"a_overlay.mp4"}
    assert batch(inputs, "--end", "4", "-f").returncode == 0
    assert entries(inputs) == {"a_masks", "a_overlay.mp4"}
    assert (inputs / "out/a_overlay.mp4").read_bytes() != b"mine"


def test_outputs_beside_the_videos_of_a_folder_are_no_videos_of_the_list(inputs):
    for name in "bc":
        (inputs / f"clips/{name}.mp4").unlink()
    arguments = ["batch", "clips", "-o", "clips", "--weights", "tiny.safetensors", "--end", "4"]
    for options, says in [
        ([], "1 done;"),
        ([], "0 done, 1 done before;"),
        (["--overlay", "{name}.mov"], "1 done;"),
        (["--overlay", "{name}.mov"], "0 done, 1 done before;"),
    ]:
        run = Run(inputs, *arguments, "--device", "cpu", *options).end()
        assert run.returncode == 0, run.stderr
        assert says in run.stderr
    made = {path.name for path in (inputs / "clips").iterdir()} - OF_THE_BATCH
    assert made == {"a.mp4", "a.png", "b.png", "c.png", "a_masks", "a_overlay.mp4", "a.mov"}


def test_another_choice_of_outputs_replaces_what_the_batch_has_written(inputs):
    for name in "bc":
        (inputs / f"clips/{name}.mp4").unlink()
    for outputs in (["--stats", "{name}.csv"], ["--coco", "{name}.json"]):
        assert batch(inputs, "--end", "4", *outputs).returncode == 0
    (inputs / "out/a.csv").write_text("")
    both = ["--end", "4", "--stats", "{name}.csv", "--coco", "{name}.json"]
    run = batch(inputs, *both)
    assert run.returncode == 0, run.stderr
    assert entries(inputs) == {"a.csv", "a.json"}
    assert (inputs / "out/a.csv").read_text()
    (inputs / "out/a.mov").write_text("mine")
    refused = batch(inputs, *both, "--overlay", "{name}.mov")
    assert refused.returncode == 9
    assert "a.mov already exists" in refused.stderr
    assert (inputs / "out/a.mov").read_text() == "mine"


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="looks for processes in /proc")
def test_a_killed_worker_is_replaced_and_its_video_goes_on(inputs, expected):
    run = in_the_middle(inputs, "--jobs", "2")
    for pid in workers_of(run):
        os.kill(pid, signal.SIGKILL)
    (inputs / "slow").unlink()
    ended = run.end()
    assert ended.returncode == 0, ended.stderr
    assert contents(inputs) == expected
    assert {line["attempts"] for line in record(inputs)} == {1, 2}


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="looks for processes in /proc")
def test_a_video_that_kills_its_workers_fails_and_may_go_on_later(inputs, expected):
    run = in_the_middle(inputs, "--retry", "0")
    (pid,) = workers_of(run)
    os.kill(pid, signal.SIGKILL)
    (inputs / "slow").unlink()
    ended = run.end()
    assert ended.returncode == 9
    (bad,) = (line for line in record(inputs) if line["status"] == "failed")
    assert bad["error"] == "its worker ended unexpectedly (signal 9)"
    assert f"unexpected error ({bad['name']})" in ended.stderr
    assert batch(inputs).returncode == 0
    assert contents(inputs) == expected


def test_a_killed_batch_goes_on_inside_its_videos(inputs, expected):
    run = in_the_middle(inputs)
    run.kill()
    (inputs / "slow").unlink()
    assert run.end().returncode == -9
    (inputs / f"out/.report.html.{'0' * 16}.partial").touch()  # as when it writes the report
    again = batch(inputs, "--checkpoint-every", "3")
    assert again.returncode == 0, again.stderr
    assert contents(inputs) == expected
    assert entries(inputs) == MADE
    assert len(record(inputs)) == len(CLIPS)


def behind_urls(inputs: Path) -> list[str]:
    """Arguments of a batch that fetches everything and stores everything."""
    rows = [
        {"video": f"file://{inputs}/clips/{name}.mp4", "mask": f"file://{inputs}/clips/{name}.png"}
        for name in CLIPS
    ]
    (inputs / "list.jsonl").write_text("\n".join(map(json.dumps, rows)))
    folders = ["--out", f"file://{inputs}/out", "--record", "record"]
    return ["list.jsonl", *folders, "--weights", "tiny.safetensors", "--device", "cpu"]


def test_behind_urls_videos_come_out_as_in_folders(inputs, expected):
    run = Run(inputs, "batch", *behind_urls(inputs), "--jobs", "2").end()
    assert run.returncode == 0, run.stderr
    assert contents(inputs) == expected
    assert {path.name for path in (inputs / "out").iterdir()} == MADE
    assert {path.name for path in (inputs / "record").iterdir()} == OF_THE_BATCH
    again = Run(inputs, "batch", *behind_urls(inputs)).end()
    assert again.returncode == 0, again.stderr
    assert "3 done before" in again.stderr


@pytest.mark.slow
def test_behind_urls_a_killed_batch_goes_on_inside_its_videos(inputs, expected):
    arguments = ["batch", *behind_urls(inputs), "--checkpoint-every", "3"]
    (inputs / "slow").touch()
    run = Run(inputs, *arguments)
    states = (inputs / "record/.scratch").rglob
    run.until(lambda: any(states("*.state")))
    run.kill()
    (inputs / "slow").unlink()
    assert run.end().returncode == -9
    assert not (inputs / "out").exists()
    again = Run(inputs, *arguments).end()
    assert again.returncode == 0, again.stderr
    assert contents(inputs) == expected
    assert {path.name for path in (inputs / "record").iterdir()} == OF_THE_BATCH


def test_where_the_record_of_a_batch_behind_a_url_goes_has_to_be_said(inputs):
    run = Run(inputs, "batch", "clips", "--out", f"file://{inputs}/out").end()
    assert run.returncode == 2
    assert run.stderr.splitlines()[-1] == (
        f"jointvos: record and report cannot go to file://{inputs}/out; name a folder, --record DIR"
    )
    remote = Run(inputs, "batch", "clips", "--out", "s3://bucket/out", "--record", "record").end()
    assert remote.returncode == 2
    assert "is on the network; allow that with --allow-network" in remote.stderr


def test_each_gpu_has_a_worker_and_the_record_says_which_did_a_video(inputs, expected):
    (inputs / "gpus").write_text("2")
    arguments = ["batch", "clips", "--out", "out", "--weights", "tiny.safetensors"]
    run = Run(inputs, *arguments, "--gpus", "all").end()
    assert run.returncode == 0, run.stderr
    assert "2 workers: cuda:0, cuda:1" in run.stderr
    assert {line["device"] for line in record(inputs)} <= {"cuda:0", "cuda:1"}
    assert contents(inputs) == expected


@pytest.mark.parametrize("room", ["load", "video"])
def test_videos_share_a_gpu_as_far_as_its_memory_goes(inputs, expected, room):
    (inputs / "gpus").write_text("1")
    (inputs / "room").write_text(room)
    options = ["--gpus", "1", "--jobs", "2", "--no-retry", "--weights", "tiny.safetensors"]
    run = Run(inputs, "batch", "clips", "--out", "out", *options).end()
    assert run.returncode == 0, run.stderr
    assert "2 workers: 2 on cuda:0" in run.stderr
    assert "cuda:0 has no memory for 2 videos at once; continuing with 1" in run.stderr
    assert [line["attempts"] for line in record(inputs)] == [1, 1, 1]
    assert contents(inputs) == expected


def test_a_bug_fails_one_video_and_is_recorded_with_its_traceback(inputs, expected):
    (inputs / "bug").touch()
    run = batch(inputs, "--retry", "0")
    assert run.returncode == 9, run.stderr
    bad, *good = record(inputs)
    assert (bad["exit_code"], bad["error"]) == (1, "KeyError: 'lost'")
    assert "in step_or_break" in str(bad["traceback"])
    assert f"unexpected error ({bad['name']})" in run.stderr
    assert [line["status"] for line in good] == ["done", "done"]
    assert batch(inputs).returncode == 0
    assert contents(inputs) == expected


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["Ctrl-C", "SIGTERM"]
)
def test_a_stopped_batch_keeps_everything(inputs, expected, number, code):
    run = in_the_middle(inputs)
    run.kill(number)
    ended = run.end()
    (inputs / "slow").unlink()
    assert ended.returncode == code, ended.stderr
    assert "the same command continues" in ended.stderr
    assert any(checkpointed(inputs))
    assert not {name for name in entries(inputs) if name not in MADE and "resume" not in name}
    assert batch(inputs, "--checkpoint-every", "3").returncode == 0
    assert contents(inputs) == expected


def test_only_one_batch_at_a_time_writes_to_a_folder(inputs):
    (inputs / "out").mkdir()
    with FileLock(inputs / "out/.batch.lock"):
        run = batch(inputs)
    assert run.returncode == 2
    assert run.stderr == "jointvos: another batch is at work in out; wait until it has ended\n"


def test_a_list_from_stdin_says_for_each_video_what_differs(inputs, jointvos):
    rows = [
        {"video": "clips/a.mp4", "mask": "clips/a.png", "out": "part/x", "end": 5},
        {"video": "clips/b.mp4", "box": [20, 30, 30, 30], "end": 9, "stats": "b.jsonl"},
    ]
    run = Run(
        inputs,
        *("batch", "-", "-o", "out", "--weights", "tiny.safetensors", "--device", "cpu"),
        *("--png", "masks/{name}", "--start", "2"),
        stdin="\n".join(map(json.dumps, rows)).encode(),
    ).end()
    assert run.returncode == 0, run.stderr
    made = {str(path.parent.relative_to(inputs / "out")) for path in inputs.glob("out/**/*.png")}
    assert made == {".", "masks/part/x", "masks/b"}
    saved = (inputs / "out/b_first_mask.png").read_bytes()
    names = [path.name for path in sorted(inputs.glob("out/masks/part/x/*"))]
    assert names == ["00002.png", "00003.png", "00004.png"]
    lines = (inputs / "out/b.jsonl").read_text().splitlines()
    frames = [json.loads(line)["frame"] for line in lines]
    assert frames == list(range(2, 9))
    assert entries(inputs) == {"masks", "b.jsonl", "b_first_mask.png"}
    assert [line["outputs"] for line in record(inputs)] == [
        *(["masks/b", "b.jsonl", "b_first_mask.png"], ["masks/part/x"])
    ]
    alone = jointvos(
        *("segment", "clips/b.mp4", "--box", "20,30,30,30", "--start", "2", "--end", "9"),
        *("--weights", "tiny.safetensors", "--device", "cpu"),
    )
    assert alone.returncode == 0, alone.stderr
    assert (inputs / "b_first_mask.png").read_bytes() == saved


def test_a_first_mask_that_others_have_saved_is_not_replaced(inputs):
    (inputs / "out").mkdir()
    (inputs / "out/a_first_mask.png").write_text("mine")
    rows = [{"video": "clips/a.mp4", "box": [20, 30, 30, 30], "end": 4}]
    (inputs / "list.jsonl").write_text("\n".join(map(json.dumps, rows)))
    arguments = ["batch", "list.jsonl", "-o", "out", "--weights", "tiny.safetensors"]
    refused = Run(inputs, *arguments, "--device", "cpu").end()
    assert refused.returncode == 9
    assert "a_first_mask.png already exists" in refused.stderr
    assert entries(inputs) == {"a_first_mask.png"}
    assert Run(inputs, *arguments, "--device", "cpu", "-f").end().returncode == 0
    assert entries(inputs) == {"a_first_mask.png", "a_masks", "a_overlay.mp4"}
    again = Run(inputs, *arguments, "--device", "cpu", "--direction", "both").end()
    assert again.returncode == 0, again.stderr


def test_a_dry_run_says_what_would_be_done_and_writes_nothing(inputs):
    (inputs / "clips/b.png").unlink()
    run = batch(inputs, "--dry-run", "--jobs", "2")
    assert run.returncode == 9
    assert [line.split()[:2] for line in run.stdout.splitlines()] == [
        *(["todo", "a"], ["refused", "b"], ["todo", "c"])
    ]
    assert "12 frames  1 object  -> a_masks, a_overlay.mp4" in run.stdout
    assert "(no mask; put b.png, b_mask.png or b/00000.png beside the video)" in run.stdout
    assert "2 videos to do (24 frames), 1 cannot be done; 2 workers: 2 on cpu; about" in run.stderr
    assert not (inputs / "out").exists()


def test_a_dry_run_says_once_what_may_fail_and_estimates_the_rest(inputs):
    (inputs / "list.csv").write_text(
        "video,mask,start,out,matte\n"
        "clips/a.mp4,15=clips/a.png,,,\n"
        "clips/b.mp4,clips/b.png,12,,\n"
        "clips/c.mp4,clips/c.png,900s,,\n"
        "clips/c.mp4,clips/c.png,,d,{name}_{id}.txt\n"
        "clip.mp4,first.png,,,\n"
    )
    arguments = ["batch", "list.csv", "-o", "out", "--weights", "tiny.safetensors", "-n"]
    run = Run(inputs, *arguments, "--device", "cpu").end()
    assert run.returncode == 9
    assert [line.split()[:2] for line in run.stdout.splitlines()] == [
        *(["todo", "a"], ["todo", "b"], ["refused", "c"], ["refused", "d"], ["todo", "clip"])
    ]
    assert "c.mp4: no frame from 900s to the end" in run.stdout
    assert "(out/d_{id}.txt: a matte is a video" in run.stdout
    first, second, plan, _ = run.stderr.splitlines()
    assert first == "--mask 15=clips/a.png: clips/a.mp4 seems to end at frame 11"
    assert second == "clips/b.mp4 seems to end before 12"
    assert plan.startswith("3 videos to do (24 frames), 2 cannot be done; 1 worker: cpu; about")


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="looks for processes in /proc")
def test_a_process_that_dies_while_it_checks_stops_nothing(inputs):
    run = start(inputs, "--end", "4")
    run.until(lambda: workers_of(run))
    for pid in workers_of(run):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    ended = run.end()
    assert ended.returncode == 0, ended.stderr
    assert entries(inputs) == MADE


def test_without_room_for_what_a_long_list_needs_it_says_so(inputs):
    rows = (f"clips/a.mp4,clips/a.png,{number}/{'x' * 200}" for number in range(3000))
    (inputs / "list.csv").write_text("\n".join(["video,mask,out", *rows]))
    arguments = ["list.csv", "-o", "out", "--weights", "tiny.safetensors", "--device", "cpu"]
    run = Run(inputs, "batch", *arguments, largest_file=500_000).end()
    assert run.returncode == 8
    assert run.stderr.startswith("jointvos: no room for temporary files: ")
    assert len(run.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        pytest.param(["--png", "masks"], 2, "such as --png 'masks/{name}'", id="one place for all"),
        pytest.param(["--model", "none"], 5, "no model 'none'", id="no model"),
        pytest.param(["--jobs", "0"], 2, "--jobs is 0", id="no worker"),
        pytest.param(["--gpus", "1"], 2, "cannot be combined", id="gpu on cpu"),
        pytest.param(["--address", "auto"], 2, "--address requires --engine ray", id="no ray"),
        pytest.param(["--engine", "ray", "--gpus", "1"], 2, "--gpus is for", id="gpus on ray"),
        pytest.param(["--precision", "fp16"], 2, "fp16 needs a GPU", id="unfit for the model"),
    ],
)
def test_what_is_wrong_for_all_videos_is_said_once(inputs, arguments, code, says):
    run = batch(inputs, *arguments)
    assert run.returncode == code
    assert says in run.stderr.splitlines()[-1]
    assert not (inputs / "out/a_masks").exists()


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="looks for processes in /proc")
@pytest.mark.parametrize("whom", ["driver", "worker"])
def test_killed_twenty_times_at_any_moment(inputs, expected, whom):
    moments = random.Random(20)
    kills = 0
    while kills < 20:
        shutil.rmtree(inputs / "out", ignore_errors=True)
        while True:
            arguments = ["--jobs", "2", "--checkpoint-every", "2", "--retry", "50"]
            run = start(inputs, *arguments)
            run.until(lambda run=run: len(workers_of(run)) == 2)
            while run.process.is_alive() and kills < 20:
                run.process.join(moments.uniform(0.1, 4))
                if not run.process.is_alive():
                    break
                if whom == "driver":
                    run.kill()
                elif pids := workers_of(run):
                    os.kill(moments.choice(pids), signal.SIGKILL)
                kills += 1
            ended = run.end()
            if ended.returncode == 0:
                break
            assert (whom, ended.returncode) == ("driver", -9), ended.stderr
        assert contents(inputs) == expected
        assert entries(inputs) == MADE
        assert set(statuses(inputs).values()) == {"done"}


@pytest.fixture
def ray_environment(
    environment: dict[str, str], tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """Makes processes of Ray as small as the others, and as slow where they are to be."""
    site = tmp_path_factory.mktemp("site")
    (site / "sitecustomize.py").write_text(
        "from pathlib import Path\n"
        f"from jointvos import config\nconfig.INFERENCE['small'] = config.{SMALL!r}\n"
        f"if Path({str(tmp_path / 'slow')!r}).exists():\n"
        "    from command import hook_steps\n    hook_steps()\n"
    )
    paths = [str(site), str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        **environment,
        "PYTHONPATH": os.pathsep.join(paths),
        "RAY_worker_niceness": "0",  # else everything else on the machine comes first
    }


@pytest.fixture
def ray_batch(inputs: Path, ray_environment: dict[str, str]):
    """Starts a batch on a Ray cluster, one of its own if no other is named."""
    command = [sys.executable, "-m", "jointvos", "batch", "--engine", "ray", "--jobs", "2"]
    started = []

    def start(*arguments: str) -> subprocess.Popen[str]:
        if "--out" not in arguments:
            model = ["--weights", "tiny.safetensors", "--device", "cpu"]
            arguments = ("clips", "--out", "out", *model, *arguments)
        started.append(
            subprocess.Popen(
                [*command, *arguments],
                cwd=inputs,
                env=ray_environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


MACHINES = """
import sys
from ray.cluster_utils import Cluster

room = {"object_store_memory": 80 * 1024**2, "include_dashboard": False}
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **room})
nodes = [cluster.add_node(num_cpus=1, **room) for _ in range(2)]
cluster.wait_for_nodes()
print(cluster.address, *(n.all_processes["raylet"][0].process.pid for n in nodes), flush=True)
if line := sys.stdin.readline().strip():
    cluster.remove_node(nodes[int(line)], allow_graceful=False)
sys.stdin.readline()
cluster.shutdown()
"""


@pytest.fixture
def machines(ray_environment: dict[str, str]):
    """A Ray cluster with two nodes that work; the one whose number is written is lost."""
    process = subprocess.Popen(
        [sys.executable, "-c", MACHINES],
        env=ray_environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    yield process
    process.communicate("\n\n", timeout=60)


def below(raylet: int) -> list[Path]:
    """Processes of a node of Ray."""
    every = (path.parent for path in Path("/proc").glob("[0-9]*/stat"))
    return [process for process in every if parents(int(process.name)) == [raylet]]


def at_work(raylet: int) -> list[int]:
    """What is in the middle of a video on a node of Ray; nothing if the driver is there, too."""
    found = []
    for process in below(raylet):
        with suppress(OSError):
            if (process / "cmdline").read_bytes().startswith(b"ray::_Told"):
                return []
            opened = [str(each.readlink()) for each in (process / "fd").iterdir()]
            if any(".jointvos-resume/" in name for name in opened):
                found.append(int(process.name))
    return found


def held_at_work(raylet: int) -> list[int]:
    """The same, stopped there, so that no video ends before its machine is lost."""
    pids = at_work(raylet)
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    if at_work(raylet) == pids:
        return pids
    for pid in pids:
        os.kill(pid, signal.SIGCONT)
    return []


def ray_workers_of(process: subprocess.Popen[str]) -> list[int]:
    """Processes of Ray in which a batch segments."""
    found = []
    for command in Path("/proc").glob("[0-9]*/cmdline"):
        pid = int(command.parent.name)
        with suppress(OSError):
            if not command.read_bytes().startswith(b"ray::_do"):
                continue
            above = [pid]
            while above and above[0] != process.pid:
                above = parents(above[0])
            found += [pid] if above else []
    return found


def ray_in_the_middle(inputs: Path, ray_batch) -> subprocess.Popen[str]:
    """A batch that has saved a checkpoint of a video, which does not end before `slow` is gone."""
    (inputs / "slow").touch()
    run = ray_batch("--checkpoint-every", "3")
    deadline = time.monotonic() + 400
    while run.poll() is None and not any(checkpointed(inputs)):
        assert time.monotonic() < deadline
        time.sleep(0.005)
    return run


def without_times(lines: list[dict[str, object]]) -> dict[object, dict[str, object]]:
    dropped = ("seconds", "ended")
    return {
        line["name"]: {key: value for key, value in line.items() if key not in dropped}
        for line in lines
    }


needs_ray = pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed")


@pytest.mark.slow
@pytest.mark.timeout(900)
@needs_ray
def test_on_ray_videos_come_out_as_on_one_machine(inputs, expected, ray_batch):
    video, mask = inputs / "clips/a.mp4", inputs / "clips/b.png"
    good_video, good_mask = video.read_bytes(), mask.read_bytes()
    video.write_bytes(good_video[: len(good_video) // 2])
    write_mask_png(mask, np.ones((10, 10), np.uint8))
    local = batch(inputs, "--jobs", "2")
    recorded = record(inputs)
    shutil.rmtree(inputs / "out")
    run = ray_batch("--json")
    said, noted = run.communicate(timeout=400)
    assert run.returncode == local.returncode == 9, noted
    assert without_times(record(inputs)) == without_times(recorded)
    assert [json.loads(line) for line in said.splitlines()] == record(inputs)
    assert noted.splitlines()[-1] == local.stderr.splitlines()[-1]
    video.write_bytes(good_video)
    mask.write_bytes(good_mask)
    mended = ray_batch()
    said, noted = mended.communicate(timeout=400)
    assert (mended.returncode, said) == (0, ""), noted
    assert contents(inputs) == expected
    assert entries(inputs) == MADE


@pytest.mark.slow
@pytest.mark.timeout(900)
@needs_ray
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="looks for processes in /proc")
def test_on_ray_a_killed_worker_is_replaced_and_its_video_goes_on(inputs, expected, ray_batch):
    run = ray_in_the_middle(inputs, ray_batch)
    for pid in ray_workers_of(run):
        os.kill(pid, signal.SIGKILL)
    (inputs / "slow").unlink()
    _, noted = run.communicate(timeout=400)
    assert run.returncode == 0, noted
    assert contents(inputs) == expected
    assert entries(inputs) == MADE
    assert {line["attempts"] for line in record(inputs)} == {1, 2}


@pytest.mark.slow
@pytest.mark.timeout(900)
@needs_ray
def test_on_ray_what_is_behind_urls_comes_out_as_in_folders(inputs, expected, ray_batch):
    run = ray_batch(*behind_urls(inputs))
    _, noted = run.communicate(timeout=400)
    assert run.returncode == 0, noted
    assert contents(inputs) == expected
    assert {path.name for path in (inputs / "record").iterdir()} == OF_THE_BATCH


@pytest.mark.slow
@pytest.mark.timeout(900)
@needs_ray
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="looks for processes in /proc")
def test_on_ray_a_lost_machine_costs_nothing(inputs, expected, ray_batch, machines):
    address, *raylets = machines.stdout.readline().split()
    run = ray_batch("--address", address, "--checkpoint-every", "2")
    held: list[int] = []
    lost = 0
    deadline = time.monotonic() + 400
    while not held:
        assert run.poll() is None
        assert time.monotonic() < deadline
        lost = (lost + 1) % len(raylets)
        held = held_at_work(int(raylets[lost]))
    machines.stdin.write(f"{lost}\n")
    machines.stdin.flush()
    while Path(f"/proc/{raylets[lost]}").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    for pid in held:  # with its machine, and with the lock that it holds
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    _, noted = run.communicate(timeout=400)
    assert run.returncode == 0, noted
    assert contents(inputs) == expected
    assert entries(inputs) == MADE
    assert {line["attempts"] for line in record(inputs)} == {1, 2}


@pytest.mark.slow
@pytest.mark.timeout(900)
@needs_ray
def test_on_ray_a_stopped_batch_keeps_everything(inputs, expected, ray_batch):
    run = ray_in_the_middle(inputs, ray_batch)
    run.send_signal(signal.SIGINT)
    _, noted = run.communicate(timeout=400)
    (inputs / "slow").unlink()
    assert run.returncode == 130, noted
    assert "the same command continues" in noted
    assert any(checkpointed(inputs))
    again = ray_batch("--checkpoint-every", "3")
    _, noted = again.communicate(timeout=400)
    assert again.returncode == 0, noted
    assert contents(inputs) == expected
    assert entries(inputs) == MADE
