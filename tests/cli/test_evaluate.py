"""`jointvos eval` as users run it; with a model only where the model is the point."""

import json
import os
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import command
import numpy as np
import pytest
from command import Run
from PIL import Image
from trees import (
    LVOS,
    files_below,
    labels_of,
    write_davis,
    write_lvos,
    write_mose,
    write_youtubevos,
)
from typer.testing import CliRunner

from jointvos.cli.app import app
from jointvos.cli.flags import in_flags
from jointvos.evaluation.results_folder import ResultsFolder

SEQUENCES = {"bear": (4, (1, 2)), "cow": (6, (3,)), "swan": (3, (1,))}


@pytest.fixture
def davis(tmp_path):
    return write_davis(tmp_path / "davis", SEQUENCES)


@pytest.fixture
def masks(tmp_path):
    """Predictions: the truth, but for the cow, which is one frame late."""
    for name, (count, ids) in SEQUENCES.items():
        (tmp_path / "masks" / name).mkdir(parents=True)
        for index in range(count):
            labels = labels_of(max(index - (name == "cow"), 0), ids)
            Image.fromarray(labels).save(tmp_path / f"masks/{name}/{index:05d}.png")
    return tmp_path / "masks"


@pytest.fixture
def run(monkeypatch):
    """In this process; exit code, stdout, stderr with the error's line."""
    monkeypatch.setenv("NO_COLOR", "1")

    def invoke(*arguments):
        result = CliRunner().invoke(app, ["eval", *map(str, arguments)])
        code = getattr(result.exception, "exit_code", None) or result.exit_code
        assert code != 1, result.exception
        return code, result.stdout, f"{result.stderr}{in_flags(str(result.exception or ''))}"

    return invoke


def test_masks_on_disk_in_tables(run, davis, masks, tmp_path):
    arguments = ("--dataset", "davis2017", "--root", davis, "--predictions", masks)
    code, out, err = run(*arguments, "--results", tmp_path / "out")
    assert code == 0, err
    lines = [line.split() for line in out.splitlines()]
    order = [line[0] for line in lines if line and line[0] in SEQUENCES]
    assert order == ["cow", "bear", "swan"]
    assert ["JOINT", "83.5", "80.8", "/", "86.2", "0.25", "s/frame"] in [line[:7] for line in lines]
    assert "this folder has 3" in out
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {
        "global_results-val.csv",
        "per-sequence_results-val.csv",
        "report.html",
        "results.json",
    }
    assert run(*arguments, "--results", tmp_path / "again")[0] == 0
    assert files_below(tmp_path / "out") == files_below(tmp_path / "again")


def test_json_is_one_object_on_stdout(run, davis, masks):
    code, out, _ = run("--dataset", "davis2017", "--root", davis, "--predictions", masks, "--json")
    document = json.loads(out)
    assert (code, document["complete"]) == (0, True)
    assert document["sequences"][0]["J&F-Mean"] == 1.0
    assert document["global"]["J-Mean"] < 1


def test_tables_that_nobody_reads_end_it_quietly(davis, masks, tmp_path):
    """As through `true`."""
    os.mkfifo(pipe := tmp_path / "pipe")
    run = Run(tmp_path, "eval", "--gt", davis, "--predictions", masks, stdout=pipe)
    with pipe.open("rb"):
        pass
    ended = run.end()
    assert (ended.returncode, ended.stderr) == (141, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_tables_on_a_full_disk_are_an_error(davis, masks, tmp_path):
    given = ("eval", "--gt", davis, "--predictions", masks)
    ended = Run(tmp_path, *given, stdout=Path("/dev/full")).end()
    assert ended.returncode == 8
    assert ended.stderr == "jointvos: stdout cannot be written: No space left on device\n"


def test_any_two_folders(run, davis, masks):
    code, out, _ = run("--gt", davis / "Annotations/480p", "--predictions", masks, "--json")
    whole = json.loads(out)
    code, out, _ = run("--gt", davis, "--predictions", masks, "--sequences", " cow", "--json")
    part = json.loads(out)
    assert code == 0
    assert whole["sequences"][1] == part["sequences"][0]
    assert part["partial"] == "1 of 3 sequences were chosen"
    assert whole["published"] == []


def test_lvos_is_scored_as_by_its_toolkit(run, tmp_path):
    root = write_lvos(tmp_path / "lvos")
    numbers, expected = range(1, 41, 5), []
    for name, objects in LVOS.items():
        (tmp_path / "masks" / name).mkdir(parents=True)
        predicted = [labels_of(max(index - 1, 0), objects) for index in range(len(numbers))]
        for number, labels in zip(numbers, predicted, strict=True):
            Image.fromarray(labels).save(tmp_path / f"masks/{name}/{number:08d}.png")
        # by the definition: every fifth frame from the first up to the end of the range
        for each, (start, end) in objects.items():
            scores = []
            for number in range(start, end, 5):
                index = numbers.index(number)
                true, found = labels_of(index, objects) == each, predicted[index] == each
                scores.append((true & found).sum() / (true | found).sum())
            expected.append(np.mean(scores))
    arguments = ("--dataset", "lvos", "--root", root, "--predictions", tmp_path / "masks")
    code, out, err = run(*arguments, "--json", "--results", tmp_path / "out")
    assert code == 0, err
    whole = json.loads(out)
    assert (whole["dataset"], whole["protocol"]) == ("LVOS", "lvos")
    assert whole["global"]["J-Mean"] == pytest.approx(np.mean(expected))
    assert [each["frames"] for each in whole["sequences"]] == [6, 4]
    assert "Rules: LVOS" in (tmp_path / "out/report.html").read_text()
    code, out, _ = run(*arguments)
    assert code == 0
    assert "LVOS val" in out


def test_mose_becomes_a_zip_with_the_videos_at_its_root(run, tmp_path):
    root = write_mose(tmp_path / "mose")
    for name, ids in (("0a1b", (1, 2)), ("ff00", (1,))):
        (tmp_path / "masks" / name).mkdir(parents=True)
        for index in range(4):
            Image.fromarray(labels_of(index, ids)).save(tmp_path / f"masks/{name}/{index:05d}.png")
    arguments = ("--dataset", "mose", "--root", root, "--predictions", tmp_path / "masks")
    code, _, err = run(*arguments)
    assert code == 2
    assert "MOSE valid has no true masks to score with" in err
    code, out, err = run(*arguments, "--results", tmp_path / "out")
    assert (code, out) == (0, ""), err
    with zipfile.ZipFile(tmp_path / "out/submission.zip") as archive:
        assert archive.namelist() == [
            f"{name}/{index:05d}.png" for name in ("0a1b", "ff00") for index in range(4)
        ]


@pytest.mark.parametrize("quiet", [False, True])
@pytest.mark.parametrize("all_bad", [False, True])
def test_what_is_wrong_is_said_once(run, davis, masks, quiet, all_bad):
    for name in SEQUENCES if all_bad else ("swan",):
        (masks / name / "00001.png").unlink()
    code, _, err = run(
        *("--dataset", "davis2017", "--root", davis, "--predictions", masks),
        *(["-q"] if quiet else []),
    )
    assert code == (6 if all_bad else 9)
    assert err.count("lacks predicted masks") == (3 if all_bad and not quiet else 1)
    assert ("no sequence could be evaluated: bear, cow, swan" in err) == (all_bad and not quiet)


def test_one_bad_sequence_is_named_and_the_others_are_a_part(run, davis, masks, tmp_path):
    (masks / "swan/00001.png").unlink()
    code, out, err = run(
        *("--dataset", "davis2017", "--root", davis, "--predictions", masks),
        *("--results", tmp_path / "out"),
    )
    assert code == 9
    assert "swan lacks predicted masks for 00001" in err
    assert "not evaluated: swan" in err
    assert "in part: 1 sequence could not be evaluated" in out
    assert sorted(path.name for path in (tmp_path / "out").glob("*.csv")) == [
        "global_results-val-partial.csv",
        "per-sequence_results-val-partial.csv",
    ]
    assert "nan" not in out.lower()


DAVIS = "--dataset davis2017 --root {}/davis"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ("--dataset davis2017 --root {}/gone", 6, "gone/ImageSets/2017/val.txt is missing"),
        (f"{DAVIS} --split train", 6, "train.txt is missing"),
        (f"{DAVIS} --sequences bear,ox", 2, "unknown sequence ox; expected one of bear, cow, swan"),
        ("--dataset vost --root {}", 2, "unknown data set 'vost'"),
        ("--dataset mose --root {}/gone", 6, "gone/valid/JPEGImages is missing"),
        ("--dataset lvos --root {}/gone", 6, "gone/val/JPEGImages is missing"),
        ("--dataset davis2017", 2, "--root DIR"),
        ("--gt {}/davis", 2, "--gt needs --predictions"),
        ("--gt {}/davis --predictions {}/gone", 6, "gone is not a folder"),
        ("--gt {}/d --predictions {}/m --dataset davis2016", 2, "--gt replaces a data set"),
        ("--gt {}/davis --predictions {}/masks --model joint-lite", 2, "runs no model"),
        (f"{DAVIS} --without decoder", 2, "is 'decoder', expected transduction or induction"),
        (f"{DAVIS} --resume", 2, "--resume needs --results"),
        (f"{DAVIS} --frames all", 2, "--frames is for YouTube-VOS"),
        ("--dataset ytvos2019 --root {}/y", 6, "valid/meta.json cannot be read"),
        (
            *("--dataset davis2017 --root {}/trap.zip", 6),
            "trap.zip holds '../canary', which would be written outside",
        ),
    ],
)
def test_bad_input_is_one_line(run, davis, masks, tmp_path, arguments, code, message):
    write_youtubevos(tmp_path / "y")
    (tmp_path / "y/valid/meta.json").write_text("{")
    with zipfile.ZipFile(tmp_path / "trap.zip", "w") as archive:
        archive.writestr("../canary", "x")
    found, out, err = run(*(word.format(tmp_path) for word in arguments.split()))
    assert (found, out) == (code, "")
    assert message in err
    assert "\n" not in err.strip()


def test_secret_masks_need_a_place_for_the_zip(run, tmp_path):
    write_youtubevos(tmp_path / "y", truth=False)
    code, _, err = run("--dataset", "ytvos2018", "--root", tmp_path / "y")
    assert code == 2
    assert "no true masks to score with" in err


@pytest.fixture
def arguments(tiny_weights, davis):
    """Of `jointvos`, for a data set and a model."""

    def make(*more, dataset=("davis2017", davis)):
        given = ("--dataset", dataset[0], "--root", dataset[1], "--weights", tiny_weights)
        return ["eval", *given, "--device", "cpu", *more]

    return make


@pytest.fixture
def evaluated(jointvos, arguments):
    def run(*more, **options):
        return jointvos(*arguments(*more, **options))

    return run


def csv_of(folder):
    return {name: text for name, text in files_below(folder).items() if name.endswith(".csv")}


def test_a_model_runs_and_a_finished_run_is_taken_over(evaluated, tmp_path):
    out = tmp_path / "out"
    given = ("--results", out, "--sequences", "bear", "--max-frames", "3", "--json")
    first = evaluated(*given)
    assert first.returncode == 0, first.stderr
    assert "model tiny, preset small (a template every 3 frames), fp32 on cpu" in first.stderr
    document = json.loads(first.stdout)
    assert document["settings"]["preset"] == "small"
    assert document["frames"] == 3
    assert document["seconds_per_frame"] > 0
    assert len(csv_of(out)) == 2
    refused = evaluated(*given)
    assert (refused.returncode, refused.stdout) == (8, "")
    assert "already contains a run; continue it (--resume)" in refused.stderr
    before = files_below(out)
    other = evaluated(*given, "--resume", "--template-interval", "1")
    assert (other.returncode, other.stdout) == (2, "")
    assert "out is from another run: --template-interval was 3, is 1; use the" in other.stderr
    assert files_below(out) == before
    more = evaluated(*given[:2], *given[4:], "--sequences", "bear,swan", "--resume")
    assert more.returncode == 0, more.stderr
    assert "reusing 1 sequence" in more.stderr


def test_killed_and_resumed_it_writes_the_same_figures(evaluated, arguments, tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert evaluated("--results", whole).returncode == 0
    run = Run(tmp_path, *arguments("--results", killed), pause_s=0.1)
    run.until((killed / "manifest/bear.json").exists)
    run.kill()
    assert run.end().returncode == -signal.SIGKILL
    assert not csv_of(killed)
    with ResultsFolder(killed, resume=True).hold():
        second = evaluated("--results", killed, "--resume")
    assert (second.returncode, second.stdout) == (2, "")
    assert "another evaluation is at work in" in second.stderr
    resumed = evaluated("--results", killed, "--resume")
    assert resumed.returncode == 0, resumed.stderr
    assert "reusing" in resumed.stderr
    assert len(csv_of(whole)) == 2
    assert csv_of(killed) == csv_of(whole)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_two_processes_write_the_same_as_one(evaluated, arguments, environment, tmp_path):
    assert evaluated("--results", tmp_path / "one").returncode == 0
    launcher = ("torch.distributed.run", "--nproc-per-node=2", "--master-port=0")
    launcher += ("--rdzv-backend=c10d", "--rdzv-endpoint=localhost:0", command.__file__)
    given = map(str, arguments("--results", tmp_path / "two"))
    shared = subprocess.run(
        [sys.executable, "-m", *launcher, *given],
        env=environment,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert shared.returncode == 0, shared.stderr
    one, two = files_below(tmp_path / "one"), files_below(tmp_path / "two")
    assert set(one) == set(two)
    same = [name for name in one if name.endswith((".csv", ".png"))]
    assert len(same) == 2 + 13
    assert all(one[name] == two[name] for name in same)
    assert shared.stdout.count("DAVIS 2017 val") == 2, "one process reports"


def test_youtubevos_from_model_to_zip(evaluated, tmp_path):
    root = write_youtubevos(tmp_path / "y", all_frames=True)
    out = tmp_path / "out"
    done = evaluated("--results", out, "--json", dataset=("ytvos2019", root))
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert set(document["global"]) == {"G", "J-Seen", "F-Seen", "J-Unseen", "F-Unseen"}
    assert document["notes"][0] == "the model gets all frames of every video"
    meta = json.loads((root / "valid/meta.json").read_text())
    listed = {
        f"Annotations/{name}/{frame}.png"
        for name, video in meta["videos"].items()
        for each in video["objects"].values()
        for frame in each["frames"]
    }
    with zipfile.ZipFile(out / document["submission"]) as archive:
        assert set(archive.namelist()) == listed
        with Image.open(archive.open("Annotations/0a/00015.png")) as late:
            assert {1, 3} & set(np.unique(late)) == {1, 3} & set(np.unique(labels_of(15, (1, 3))))
