import base64
import json
from html.parser import HTMLParser
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from trees import predict, write_davis, write_youtubevos

from jointvos.datasets import davis_dataset, youtubevos_dataset
from jointvos.errors import DatasetError
from jointvos.evaluation import EvaluationResult, SequenceFailure, SequenceResult
from jointvos.evaluation.charts import j_over_time, worst_frames
from jointvos.evaluation.outputs import clear_outputs, write_outputs
from jointvos.evaluation.published import BENCHMARKS
from jointvos.evaluation.report import (
    OWN,
    Run,
    as_json,
    beside_published,
    global_csv,
    per_sequence_csv,
    worst_first,
)
from jointvos.evaluation.scoring import score_dataset
from jointvos.metrics import ObjectScore

NASTY = "<b>&bear"


def scored(sequence, j, f, object_id=1, seen=None):
    frames = tuple(range(1, len(j) + 1))
    return ObjectScore(sequence, object_id, np.array(j, float), np.array(f, float), frames, seen)


def result_of(*objects, seconds=()):
    names = dict.fromkeys(each.sequence for each in objects)
    return EvaluationResult(
        tuple(
            SequenceResult(
                name,
                tuple(each for each in objects if each.sequence == name),
                np.array(seconds, float),
            )
            for name in names
        )
    )


RESULT = result_of(
    scored("bear", [1, 1], [1, 1]), scored("bear", [0, 0.5], [0, 0.25], 5), scored("swan", [0], [0])
)
RUN = Run("DAVIS 2017", "val", "davis", {"model": "joint-lite", "weights, SHA-256": "ab12"})


def test_csv_as_the_official_evaluation_writes_it():
    assert global_csv(RESULT) == (
        "J&F-Mean,J-Mean,J-Recall,J-Decay,F-Mean,F-Recall,F-Decay\n"
        "0.396,0.417,0.333,-0.167,0.375,0.333,-0.083\n"
    )
    assert per_sequence_csv(RESULT) == (
        "Sequence,J-Mean,F-Mean\nbear_1,1.000,1.000\nbear_5,0.250,0.125\nswan_1,0.000,0.000\n"
    )


def test_csv_of_youtubevos():
    seen = result_of(scored("a", [1], [0.5], seen=True), scored("b", [0.5], [0.5], seen=False))
    assert global_csv(seen) == "G,J-Seen,F-Seen,J-Unseen,F-Unseen\n0.625,1.000,0.500,0.500,0.500\n"
    lone = result_of(scored("a", [1], [0.5], seen=True))
    assert global_csv(lone).splitlines()[1] == "0.750,1.000,0.500,,"


def test_sequences_come_worst_first():
    assert [each.name for each in worst_first(RESULT)] == ["swan", "bear"]


def test_json_has_every_figure_and_no_nan():
    failure = SequenceFailure("cow", DatasetError("no mask"))
    run = Run(
        **{**vars(RUN), "partial": "1 sequence could not be evaluated", "failures": (failure,)}
    )
    document = json.loads(json.dumps(as_json(run, RESULT), allow_nan=False))
    assert document["complete"] is False
    assert document["failures"] == [{"sequence": "cow", "error": "no mask"}]
    assert document["global"]["J&F-Mean"] == pytest.approx(RESULT.score.jf_mean)
    assert [each["name"] for each in document["sequences"]] == ["bear", "swan"]
    assert document["sequences"][0]["objects"][1] == {
        "id": 5,
        "seen": None,
        "J-Mean": 0.25,
        "F-Mean": 0.125,
    }
    assert document["seconds_per_frame"] is None
    assert as_json(run, None)["global"] is None


@pytest.mark.parametrize("name", BENCHMARKS)
def test_the_published_rows_are_figures_of_a_paper(name):
    for row in BENCHMARKS[name].rows:
        assert 70 < row.overall < 95
        assert row.source
        if len(row.parts) in (2, 4):
            # Means of rounded figures.
            assert row.overall == pytest.approx(np.mean(row.parts), abs=0.06)
        else:
            assert row.parts == ()


def test_joint_is_published_as_in_the_paper():
    first = {name: each.rows[0] for name, each in BENCHMARKS.items()}
    assert (first["davis2017"].overall, first["davis2017"].parts) == (83.5, (80.8, 86.2))
    assert (first["ytvos2018"].overall, first["ytvos2019"].overall) == (83.1, 82.8)


def test_this_run_stands_among_the_published_with_a_caveat():
    run = Run(**{**vars(RUN), "benchmark": BENCHMARKS["davis2017"], "benchmark_size": 2})
    rows = beside_published(run, RESULT)
    own = next(row for row in rows if row.method == OWN)
    assert own.overall == pytest.approx(39.6, abs=0.05)
    assert own.parts == pytest.approx((41.7, 37.5), abs=0.05)
    assert rows == sorted(rows, key=lambda row: -row.overall)
    assert run.caveat.endswith("this folder has 2, so do not compare")
    whole = Run(**{**vars(run), "benchmark_size": 30})
    assert whole.caveat == "published for all 30 sequences of DAVIS 2017 val"
    assert "only a part" in Run(**{**vars(whole), "partial": "so"}).caveat


def test_worst_frames_are_apart_and_of_several_sequences():
    long = scored("long", [0.1] * 40, [0.1] * 40)
    short = scored("short", [0.9, 0.8, 0.9], [0.9, 0.8, 0.9])
    chosen = [(each.sequence, each.index) for each in worst_frames(result_of(long, short))]
    assert chosen == [("long", 1), ("long", 11), ("short", 2), ("short", 1)]


def test_a_long_line_keeps_its_lows():
    j = np.ones(5000)
    j[3210] = 0
    (line,) = j_over_time(result_of(scored("long", j, j)).sequences[0]).lines
    assert len(line.points) == 400
    assert sum(y > 80 for _, y in line.points) == 1


class Page(HTMLParser):
    """Tags that were closed wrongly, what is shown, and what is referred to."""

    def __init__(self):
        super().__init__()
        self.open, self.text, self.links, self.tags = [], [], [], set()

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.links += [value for name, value in attributes if name in ("src", "href")]
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.add(tag)

    def handle_endtag(self, tag):
        if tag not in ("meta", "img"):
            assert self.open.pop() == tag

    def handle_data(self, text):
        self.text.append(text)


def report_of(dataset, folder, run):
    masks = predict(dataset, folder)
    result = EvaluationResult(tuple(score_dataset(dataset, masks)))
    write_outputs(folder, run, result, dataset, masks)
    text = (folder / "report.html").read_text()
    page = Page()
    page.feed(text)
    assert page.open == []
    return page, text


def test_the_report_is_one_sound_file(tmp_path):
    dataset = davis_dataset(write_davis(tmp_path / "d", {NASTY: (6, (1, 2)), "swan": (2, (1,))}))
    failure = SequenceFailure("cow", DatasetError("<script>alert(1)</script>"))
    run = Run(**{**vars(RUN), "failures": (failure,), "benchmark": BENCHMARKS["davis2017"]})
    page, text = report_of(dataset, tmp_path / "run", run)
    assert "script" not in page.tags
    shown = " ".join(page.text)
    for expected in (NASTY, "<script>alert(1)</script>", "joint-lite", "ab12", "KMN", "J-Decay"):
        assert expected in shown
    assert text.count("<svg") == 2
    assert len(page.links) == 2 * 3, "two frames of one, one of the other, truth and prediction"
    for link in page.links:
        kind, content = link.split(";base64,")
        assert kind == "data:image/jpeg"
        with Image.open(BytesIO(base64.b64decode(content))) as image:
            assert image.size == (48, 36)
    assert "http" not in text


def test_the_report_of_youtubevos(tmp_path):
    dataset = youtubevos_dataset(write_youtubevos(tmp_path / "y"))
    run = Run("YouTube-VOS 2019", "valid", "youtubevos", {}, benchmark=BENCHMARKS["ytvos2019"])
    page, _ = report_of(dataset, tmp_path / "run", run)
    shown = " ".join(page.text)
    assert "J-Unseen" in shown
    assert "80.8 / 84.8 / 79.0 / 86.6" in shown


def test_what_an_earlier_run_said_is_taken_away(tmp_path):
    for name in ("global_results-val.csv", "global_results-val-partial.csv", "report.html"):
        (tmp_path / name).write_text("old")
    (tmp_path / "global_results-train.csv").write_text("of another split")
    clear_outputs(tmp_path, "val")
    assert [path.name for path in tmp_path.iterdir()] == ["global_results-train.csv"]


def test_a_part_is_not_written_as_the_whole(tmp_path):
    dataset = davis_dataset(write_davis(tmp_path / "d", {"bear": (4, (1,))}))
    run = Run(**{**vars(RUN), "partial": "1 of 2 sequences were chosen"})
    page, _ = report_of(dataset, tmp_path / "run", run)
    names = {path.name for path in (tmp_path / "run").glob("*.csv")}
    assert names == {"global_results-val-partial.csv", "per-sequence_results-val-partial.csv"}
    assert "This is not the whole split: 1 of 2 sequences were chosen." in page.text
