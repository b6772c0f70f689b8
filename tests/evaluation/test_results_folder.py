"""A run that ends at any moment leaves whole sequences, and goes on from them."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import trees
from PIL import Image
from trees import Reader, files_below, write_davis

from jointvos.datasets import davis_dataset
from jointvos.errors import ConfigError, MaskError, OtherRun, OutputError, OutputExists
from jointvos.evaluation.results_folder import ResultsFolder
from jointvos.evaluation.tracking import segment_sequences

SETTINGS = {"model": "joint-lite, 00", "template_interval": "5"}


@pytest.fixture
def dataset(tmp_path):
    names = {"bear": (4, (1, 2)), "cow": (5, (3,)), "swan": (3, (1,))}
    return davis_dataset(write_davis(tmp_path / "davis", names))


def segment(dataset, folder, make_session=Reader):
    """Frames by sequence, and the failures."""
    folder.begin(SETTINGS)
    todo = [each for each in dataset.sequences if folder.finished(each.name) is None]
    failures = []
    done = segment_sequences(todo, make_session, folder, failures)
    return [sequence.name for sequence in done], failures


def test_every_frame_is_written_with_its_entry(dataset, tmp_path):
    folder = ResultsFolder(tmp_path / "run")
    done, failures = segment(dataset, folder)
    assert (done, failures) == (["bear"] * 4 + ["cow"] * 5 + ["swan"] * 3, [])
    names = sorted(files_below(tmp_path / "run"))
    assert names[:4] == [f"Annotations/bear/{index:05d}.png" for index in range(4)]
    entries = ["manifest/bear.json", "manifest/cow.json", "manifest/swan.json"]
    assert names[-4:] == [*entries, "settings.json"]
    with Image.open(tmp_path / "run/Annotations/cow/00002.png") as picture:
        assert picture.mode == "P"
        assert set(np.unique(picture)) == {0, 3}
    assert len(folder.finished("cow")) == 5


def test_a_second_run_has_nothing_left_to_do(dataset, tmp_path):
    segment(dataset, ResultsFolder(tmp_path / "run"))
    before = files_below(tmp_path / "run")
    assert segment(dataset, ResultsFolder(tmp_path / "run", resume=True)) == ([], [])
    assert files_below(tmp_path / "run") == before


def change_a_mask(run):
    path = run / "Annotations/cow/00001.png"
    path.write_bytes(path.read_bytes()[:-1] + b"x")


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda run: (run / "Annotations/cow/00001.png").unlink(), id="mask-gone"),
        pytest.param(change_a_mask, id="mask-changed"),
        pytest.param(lambda run: (run / "manifest/cow.json").unlink(), id="no-entry"),
        pytest.param(lambda run: (run / "manifest/cow.json").write_text("{"), id="half-an-entry"),
        pytest.param(lambda run: (run / "manifest/cow.json").write_text("[]"), id="odd-entry"),
    ],
)
def test_files_are_not_trusted_but_the_manifest(dataset, tmp_path, damage):
    segment(dataset, ResultsFolder(tmp_path / "run"))
    before = files_below(tmp_path / "run")
    damage(tmp_path / "run")
    done, _ = segment(dataset, ResultsFolder(tmp_path / "run", resume=True))
    assert set(done) == {"cow"}
    after = files_below(tmp_path / "run")
    for content in (before, after):  # times differ
        entry = json.loads(content.pop("manifest/cow.json"))
        assert len(entry.pop("step_seconds")) == 5
    assert after == before


def test_other_settings_are_another_run(dataset, tmp_path):
    other = {**SETTINGS, "template_interval": "1"}
    ResultsFolder(tmp_path / "run").begin(other)
    folder = ResultsFolder(tmp_path / "run", resume=True)
    segment(dataset, folder)  # nothing was finished with the others
    before = files_below(tmp_path / "run")
    with pytest.raises(OtherRun, match="run is from another run: `template_interval` was 5, is 1;"):
        folder.begin(other)
    assert files_below(tmp_path / "run") == before


def test_masks_without_their_settings_are_of_another_run(dataset, tmp_path):
    segment(dataset, ResultsFolder(tmp_path / "run"))
    (tmp_path / "run/settings.json").unlink()
    with pytest.raises(OtherRun, match="`model` was nothing"):
        ResultsFolder(tmp_path / "run", resume=True).begin(SETTINGS)


def test_a_sequence_that_fails_leaves_nothing_and_does_not_end_the_run(dataset, tmp_path):
    class Failing(Reader):
        def step(self, image, masks=None):
            if self.count == 2:
                raise MaskError("no")
            return super().step(image, masks)

    sessions = iter([Reader(), Failing(), Reader()])
    folder = ResultsFolder(tmp_path / "run")
    done, failures = segment(dataset, folder, lambda: next(sessions))
    assert set(done) == {"bear", "cow", "swan"}
    assert [(each.name, str(each.error)) for each in failures] == [("cow", "no")]
    names = {path.name for path in (tmp_path / "run").glob("*/*")}
    assert names == {"bear", "swan", "bear.json", "swan.json"}


def test_a_run_is_not_mixed_with_what_is_there(dataset, tmp_path):
    segment(dataset, ResultsFolder(tmp_path / "run"))
    with pytest.raises(OutputExists, match="`resume=True`"):
        ResultsFolder(tmp_path / "run")


def test_one_evaluation_at_a_time(tmp_path):
    with ResultsFolder(tmp_path / "run").hold():
        other = ResultsFolder(tmp_path / "run", resume=True)
        with pytest.raises(ConfigError, match="another evaluation is at work in"), other.hold():
            pass
    with other.hold():
        pass


def test_masks_of_others_are_never_replaced(dataset, tmp_path):
    with pytest.raises(OutputExists, match="not from a run"):
        ResultsFolder(tmp_path / "davis", resume=True)
    folder = ResultsFolder(tmp_path / "run")
    theirs = tmp_path / "run/Annotations/bear/00000.png"
    theirs.parent.mkdir()
    Image.new("L", (4, 4)).save(theirs)
    with pytest.raises(OutputError, match=r"00000\.png, which jointvos did not write"):
        segment(dataset, folder)
    assert theirs.exists()


SCRIPT = """
import json, sys, time
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from trees import Reader
from jointvos.datasets import davis_dataset
from jointvos.evaluation.results_folder import ResultsFolder
from jointvos.evaluation.tracking import segment_sequences

class Slow(Reader):
    def step(self, image, masks=None):
        time.sleep(0.05)
        return super().step(image, masks)

folder = ResultsFolder(Path(sys.argv[3]))
folder.begin(json.loads(sys.argv[4]))
for sequence in segment_sequences(davis_dataset(sys.argv[2]).sequences, Slow, folder, []):
    print(sequence.name, flush=True)
"""


@pytest.mark.parametrize("frames", [1, 6])
def test_killed_in_the_middle_it_goes_on(dataset, tmp_path, frames):
    whole = tmp_path / "whole"
    segment(dataset, ResultsFolder(whole))
    run = tmp_path / "run"
    arguments = [Path(trees.__file__).parent, tmp_path / "davis", run, json.dumps(SETTINGS)]
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT, *map(str, arguments)], stdout=subprocess.PIPE, text=True
    ) as process:
        for _ in range(frames):
            process.stdout.readline()
        time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    left = set(files_below(run))
    assert "manifest/cow.json" not in left
    assert ("manifest/bear.json" in left) == (frames == 6)
    done, _ = segment(dataset, ResultsFolder(run, resume=True))
    assert set(done) == {"cow", "swan"} | ({"bear"} if frames == 1 else set())
    ours, theirs = files_below(run), files_below(whole)
    assert set(ours) == set(theirs)
    assert all(ours[name] == theirs[name] for name in ours if name.endswith(".png"))
