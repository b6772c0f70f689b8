import hashlib
import json
import os
import random
import shutil
import time
from collections import Counter
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from command import Ended, Run

from jointvos.errors import ConfigError, OutputError
from jointvos.masks import write_mask_png
from jointvos.runs.fingerprint import require_same
from jointvos.runs.journal import Journal
from jointvos.runs.resume_folder import ResumeFolder

FRAMES = 12
OUTPUTS = {
    "--png": "ids",
    "--mask-video": "ids.mkv",
    "--stats": "stats.csv",
    "--overlay": "video.mp4",
    "--coco": "masks.json",
}
RESUME_FOLDER = ".ids.jointvos-resume"
FORWARD = ("--mask", "first.png")
BOTH_WAYS = ("--mask", "7=middle.png", "--mask", "9=late.png", "--direction", "both")


@pytest.fixture
def inputs(inputs: Path, tiny_weights: Path) -> Path:
    """With masks for later frames, and the weights."""
    mask = np.zeros((96, 128), np.uint8)
    mask[30:60, 41:71] = 1
    write_mask_png(inputs / "middle.png", mask)
    mask[30:60, 47:77] = 3 * (np.arange(30) > 15)
    write_mask_png(inputs / "late.png", mask)
    shutil.copy(tiny_weights, inputs / "tiny.safetensors")
    return inputs


def command(*arguments: str) -> list[str]:
    named = [word for pair in OUTPUTS.items() for word in pair]
    return ["segment", "clip.mp4", "--weights", "tiny.safetensors", "--resume", *named, *arguments]


def digest(path: Path) -> str:
    """Of what an output shows."""
    if path.is_dir():
        return str({each.name: digest(each) for each in sorted(path.iterdir())})
    if path.suffix not in (".mp4", ".mkv", ".mov"):
        return hashlib.sha256(path.read_bytes()).hexdigest()
    with av.open(str(path)) as film:
        images = [(p.pts, p.to_ndarray().tobytes()) for p in film.decode(video=0)]
    return f"{len(images)} frames {hashlib.sha256(repr(images).encode()).hexdigest()}"


def outputs(folder: Path) -> dict[str, str]:
    return {name: digest(folder / name) for name in OUTPUTS.values() if (folder / name).exists()}


def entries(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def copy(inputs: Path, name: str) -> Path:
    return Path(shutil.copytree(inputs, inputs.with_name(f"{inputs.name}-{name}")))


def killed_after_a_checkpoint(folder: Path, name: str, *arguments: str) -> None:
    run = Run(folder, *command(*arguments, "--checkpoint-every", "2"), pause_s=0.2)
    run.until((folder / f"{RESUME_FOLDER}/{name}.state").exists)
    run.kill()
    assert run.end().returncode == -9
    assert outputs(folder) == {}


@pytest.fixture(scope="module")
def left_behind(
    input_files: Path, tiny_weights: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The inputs, and what a run forward that was killed has left beside them."""
    folder = tmp_path_factory.mktemp("killed") / "inputs"
    shutil.copytree(input_files, folder)
    shutil.copy(tiny_weights, folder / "tiny.safetensors")
    killed_after_a_checkpoint(folder, "forward", *FORWARD)
    return folder


@pytest.fixture
def killed(inputs: Path, left_behind: Path) -> Path:
    """A folder for itself with all that."""
    return Path(shutil.copytree(left_behind, inputs, dirs_exist_ok=True))


def frames_of(run: Ended) -> list[int]:
    return [json.loads(line)["frame"] for line in run.stdout.splitlines()]


@pytest.mark.parametrize(
    ("arguments", "kills"),
    [
        pytest.param((*FORWARD, "--soft", "soft", "--min-area", "9"), ["forward"], id="forward"),
        pytest.param(BOTH_WAYS, ["backward", "forward"], id="on the way back and behind it"),
    ],
)
def test_the_rest_comes_out_as_if_nothing_had_happened(inputs, arguments, kills):
    whole, cut = copy(inputs, "whole"), copy(inputs, "cut")
    before = entries(whole)
    assert Run(whole, *command(*arguments)).end().returncode == 0
    for name in kills:
        killed_after_a_checkpoint(cut, name, *arguments)
        assert RESUME_FOLDER in entries(cut)
    run = Run(cut, *command(*arguments, "--json")).end()
    assert run.returncode == 0, run.stderr
    assert "continuing" in run.stderr
    assert frames_of(run) == list(range(FRAMES))
    assert outputs(cut) == outputs(whole)
    assert len(outputs(cut)) == len(OUTPUTS)
    made = {*OUTPUTS.values(), *(["soft"] if "soft" in arguments else [])}
    assert entries(cut) == entries(whole) == before | made
    if "soft" in arguments:
        soft = [digest(folder / "soft" / "1") for folder in (cut, whole)]
        assert soft[0] == soft[1]


def test_another_run_is_not_gone_on_with(killed):
    mask = np.zeros((96, 128), np.uint8)
    mask[:5] = 1
    write_mask_png(killed / "other.png", mask)
    for arguments, says in [
        (("--mask", "other.png"), "--mask was"),
        ((*FORWARD, "--memory-size", "2"), "--memory-size was 3, is 2"),
        ((*FORWARD, "--start", "1"), "--start was None, is 1"),
        ((*FORWARD, "--min-area", "5"), "--min-area was 0, is 5"),
    ]:
        run = Run(killed, *command(*arguments), "-q").end()
        assert run.returncode == 2, run.stderr
        assert says in run.stderr
        assert len(run.stderr.splitlines()) == 1
        assert RESUME_FOLDER in entries(killed)
    os.utime(killed / "clip.mp4", (1, 1))
    run = Run(killed, *command(*FORWARD)).end()
    assert run.returncode == 2
    assert "input was" in run.stderr


def test_without_resume_it_is_begun_anew(killed):
    before = entries(killed) - {RESUME_FOLDER}
    plain = [word for word in command(*FORWARD) if word != "--resume"]
    run = Run(killed, *plain).end()
    assert run.returncode == 0, run.stderr
    assert "starting over" in run.stderr
    assert entries(killed) == before | set(OUTPUTS.values())


def test_an_interrupted_run_keeps_what_is_done_and_says_so(inputs):
    run = Run(inputs, *command(*FORWARD), "--checkpoint-every", "2", pause_s=0.5)
    run.until((inputs / f"{RESUME_FOLDER}/forward.state").exists)
    run.kill(2)
    ended = run.end()
    assert ended.returncode == 130
    assert "run the same command again to continue" in ended.stderr
    assert outputs(inputs) == {}
    assert Run(inputs, *command(*FORWARD)).end().returncode == 0


def test_two_runs_do_not_share_a_folder(inputs):
    run = Run(inputs, *command(*FORWARD), pause_s=0.5)
    run.until((inputs / f"{RESUME_FOLDER}/forward.results").exists)
    second = Run(inputs, *command(*FORWARD)).end()
    assert second.returncode == 2, second.stderr
    assert "in use" in second.stderr
    run.kill()
    run.end()


def test_what_cannot_be_read_again_is_refused(inputs):
    run = Run(inputs, "segment", "-", *FORWARD, "--resume", stdin=inputs / "clip.mp4").end()
    assert run.returncode == 2
    assert "use a file" in run.stderr


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        pytest.param("forward.results", 0, id="results"),
        pytest.param("forward.state", 8, id="state"),
        pytest.param("run.json", 8, id="run"),
    ],
)
def test_a_damaged_folder_is_noticed(killed, damage, code):
    path = killed / RESUME_FOLDER / damage
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 3])
    run = Run(killed, *command(*FORWARD)).end()
    assert run.returncode == code, run.stderr
    if code:
        assert "delete" in run.stderr
    else:
        assert len(outputs(killed)) == len(OUTPUTS)


def test_differences_are_named(tmp_path):
    require_same({"a": "1"}, {"a": "1"}, tmp_path)
    with pytest.raises(ConfigError, match="`a` was 1, is 2; `b` was nothing, is 3"):
        require_same({"a": "1"}, {"a": "2", "b": "3"}, tmp_path)


def test_outputs_that_have_their_names_stay_its_own(tmp_path):
    """Also when the run that goes on is killed before it names them again."""
    folder, outputs = ResumeFolder([tmp_path / "ids"], Path("clip.mp4")), [tmp_path / "ids"]
    with folder.hold({"input": "a clip"}):
        assert folder.named() == []
        folder.note_naming(outputs)
    with folder.hold({"input": "a clip"}):
        assert folder.named() == outputs
    assert folder.named() == outputs
    folder.discard()
    with folder.hold({"input": "another"}):
        assert folder.named() == []


def test_a_folder_that_was_being_replaced_is_put_back(tmp_path):
    resumed = ResumeFolder([tmp_path / "ids"], Path("clip.mp4"))
    with resumed.hold({"a": "1"}):
        names = {"staged": [[str(tmp_path / "ids"), str(tmp_path / ".ids.1")]]}
        resumed._write({**resumed._read(), **names})
    (tmp_path / ".ids.1").mkdir()
    (tmp_path / ".ids.1.old").mkdir()
    (tmp_path / ".ids.1.old" / "precious").touch()
    with resumed.hold({"a": "1"}):
        assert entries(tmp_path) == {"ids", resumed.folder.name}
        assert entries(tmp_path / "ids") == {"precious"}
    (resumed.folder / "run.json").write_text("{")
    with pytest.raises(OutputError, match="damaged"), resumed.hold({"a": "1"}):
        pass


def test_the_state_of_another_version_is_refused(killed):
    path = killed / RESUME_FOLDER / "forward.state"
    state = torch.load(path, weights_only=True)
    del state["session"]["version"]
    torch.save(state, path)
    run = Run(killed, *command(*FORWARD)).end()
    assert run.returncode == 8, run.stderr
    assert "the saved state has no version; delete" in run.stderr
    assert outputs(killed) == {}


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("arguments", [FORWARD, BOTH_WAYS], ids=["forward", "both ways"])
def test_killed_at_random_moments(inputs, arguments):
    """JOINTVOS_KILLS says how often, JOINTVOS_SEED where to begin."""
    kills = int(os.environ.get("JOINTVOS_KILLS", "10"))
    seed = int(os.environ.get("JOINTVOS_SEED", "0"))
    rng = random.Random(seed)
    words = command(*arguments, "--checkpoint-every", "3", "-q")
    whole = copy(inputs, "whole")
    run = Run(whole, *words, pause_s=0.05)
    run.until((whole / f"{RESUME_FOLDER}/run.json").exists)
    begin = time.monotonic()
    assert run.end().returncode == 0
    duration = time.monotonic() - begin
    expected = outputs(whole)
    seen: Counter[str] = Counter()
    for number in range(kills):
        folder = copy(inputs, f"killed{number}")
        run = Run(folder, *words, pause_s=0.05)
        moment = rng.choices(["any", "at the end"], [3, 1])[0]
        if moment == "any":
            if rng.random() < 0.9:  # else before there is anything
                run.until((folder / f"{RESUME_FOLDER}/run.json").exists)
            time.sleep(rng.uniform(0, duration))
        else:  # while the outputs get their names
            run.until((folder / rng.choice([*OUTPUTS.values()])).exists)
            time.sleep(rng.uniform(0, 0.3))
        run.kill()
        run.process.join()
        there = outputs(folder)
        case = f"seed {seed}, kill {number}"
        # What stands under its final name is whole, however many of them are there.
        assert there.items() <= expected.items(), case
        journal = folder / RESUME_FOLDER / "forward.results"
        if not (folder / RESUME_FOLDER / "run.json").is_file():
            stage = "behind the run" if there else "before the run"
        elif not journal.is_file():
            stage = "before the first frame forwards"
        else:
            with Journal(journal) as results:
                stage = f"with {4 * (len(results) // 4):2} frames or more done"
        seen[f"{stage}, {len(there)} outputs there"] += 1
        if stage == "behind the run":
            assert there == expected, case
        else:
            ended = Run(folder, *words).end()
            assert ended.returncode == 0, (case, ended.stderr)
            assert outputs(folder) == expected, case
            assert entries(folder) == entries(whole), case
        shutil.rmtree(folder)
    print(f"\nseed {seed}, {kills} kills; a run takes {duration:.1f} s after its start:")
    for what, count in sorted(seen.items()):
        print(f"{count:5} killed {what}")
