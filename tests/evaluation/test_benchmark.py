"""What `jointvos bench` counts: arithmetic and memory are exact, seconds are not looked at."""

import json

import pytest
from typer.testing import CliRunner

from jointvos.cli import bench as bench_module
from jointvos.cli.app import app
from jointvos.cli.bench_chart import draw_costs
from jointvos.errors import OutputExists
from jointvos.evaluation.benchmark import Cell, FrameCost, Measured, StageCost, measure

TINY = {"width": 160, "height": 120, "crop": (64, 96), "device": "cpu", "repeats": 1}


@pytest.fixture(scope="module")
def measured() -> Measured:
    return measure(Cell("joint-lite", 1, 4, **TINY))


def test_arithmetic(measured):
    """The backbone, the heads and the decoder by hand; attention and updates by their growth."""
    plain = measured.plain.stages
    pixels = 64 * 96
    stem = pixels / 4 * 32 * 3 * 9
    heads = pixels / 256 * 112 * 256 * 9
    assert 0 < plain["backbone and heads"].gmac - (stem + heads) / 1e9 < 30 * stem / 1e9
    tokens, key_dim = 4 * 6, 64
    cross = 4 * tokens * tokens * 2 * key_dim
    alone = tokens * tokens * (key_dim + 128) + 2 * tokens * 128 * key_dim
    assert 0.9 < plain["transduction"].gmac / ((cross + alone) / 1e9) < 1.6
    assert plain["induction"].gmac == pytest.approx(tokens * 128 * 16 * 9 / 1e9)
    for name in ("crop", "paste", "aggregate", "result"):
        assert plain[name].gmac == 0


def test_updating_costs_linearly(measured):
    """Storing into a full memory: N matrices and 2N-1 products, and the share that goes."""
    n, tokens, key_dim, dim = 4, 24, 64, 128
    store = n * tokens**2 * key_dim + (2 * n - 1) * tokens**2 * dim
    let_go = (n - 1) * tokens**2 * (key_dim + dim)
    projections = (2 * n + 1) * tokens * dim * key_dim
    cost = measured.update.stages["template encoder"].gmac
    assert cost == pytest.approx((store + let_go + projections) / 1e9, rel=0.02)


def test_sums_and_shares(measured):
    for cost in (measured.plain, measured.update):
        stages = sum(stage.gmac for stage in cost.stages.values())
        assert cost.gmac == pytest.approx(stages)
        assert cost.matmul_share > 0
    assert set(measured.plain.stages) < set(measured.update.stages)
    assert measured.plain.gmac < measured.mean_gmac < measured.update.gmac
    assert measured.peak_mib > measured.peak_grows_mib >= 0


def test_memory_of_an_object(measured):
    """Two maps of features, averages of one, the keys and three encodings per template."""
    tokens, dim, key_dim, encoding = 24, 128, 64, 16
    # E_tra stands in the memory and, as values, in the keys.
    rest = tokens * (1 + key_dim + 4 * encoding) * 4
    kernel = 16 * 128 * 9 * 4

    def expected(n: int, width: int) -> float:
        return n * (tokens * 3 * dim * width + rest) + kernel

    assert measured.object_mib * 2**20 == pytest.approx(expected(4, 4), rel=0.01)
    half = measure(Cell("joint-lite", 1, 2, memory_precision="fp16", **TINY))
    assert half.object_mib * 2**20 == pytest.approx(expected(2, 2), rel=0.01)


def test_templates_of_its_own():
    row = measure(Cell("joint-lite", 2, 3, frames=6, **TINY))
    assert row.update.stages["few-shot learner"].gmac > 0


def cost(seconds: float) -> FrameCost:
    return FrameCost(seconds, seconds, 1.0, 0.5, {"decoder": StageCost(seconds, 1.0)})


def row(memory: int) -> Measured:
    cell = Cell("joint-lite", 1, memory)
    return Measured(cell, cost(0.1), cost(0.1 * memory), 0.2, 1.0, 50.0, 10.0, 900.0, 80.0, 0.0)


@pytest.fixture
def rows(monkeypatch):
    """No process is started, nothing timed."""
    from jointvos.evaluation import benchmark

    monkeypatch.setattr(benchmark, "benchmark", lambda cells: (row(c.memory) for c in cells))


def test_a_line_of_json_per_row(rows):
    done = CliRunner().invoke(app, ["bench", "--memory", "1,5", "--objects", "1", "--json"])
    assert done.exit_code == 0
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["cell"]["memory"] for line in lines] == [1, 5]
    assert lines[1]["update"]["stages"]["decoder"] == {"seconds": 0.5, "gmac": 1.0}


def test_a_table_for_people(rows):
    done = CliRunner().invoke(app, ["bench", "--memory", "5", "--objects", "1"])
    header, line, plain, update = done.stdout.splitlines()
    assert header == bench_module.HEADER
    assert line.split()[:4] == ["joint-lite", "854x480", "1", "5"]
    assert plain == "  plain: decoder 0.1000"
    assert update == "  update: decoder 0.5000"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param(["--memory", "0"], "--memory is '0'", id="no memory"),
        pytest.param(["--objects", "1,x"], "--objects is '1,x'", id="no number"),
        pytest.param(["--size", "480"], "--size is '480'", id="no size"),
        pytest.param(["--model", "big"], "unknown model big", id="no model"),
        pytest.param(["--crop", "100x64"], "--crop is 100x64, expected multiples", id="crop"),
        pytest.param(["--plot", "x.jpg"], "--plot is x.jpg, expected a name that", id="no PNG"),
        pytest.param(["--plot", "gone/x.png"], "the folder gone does not exist", id="no folder"),
    ],
)
def test_wrong_options(rows, options, message):
    done = CliRunner().invoke(app, ["bench", *options])
    assert (done.exit_code, done.stdout) == (1, "")
    assert message in str(done.exception)


def test_a_plot(rows, tmp_path):
    path = tmp_path / "costs.png"
    arguments = ["bench", "--memory", "1,5,10", "--objects", "1", "--plot", str(path)]
    assert CliRunner().invoke(app, arguments).exit_code == 0
    assert path.read_bytes().startswith(b"\x89PNG")
    again = CliRunner().invoke(app, arguments)
    assert isinstance(again.exception, OutputExists)
    assert [each.name for each in tmp_path.iterdir()] == ["costs.png"]


def test_the_plot_shows_what_varies(tmp_path):
    cheap, dear = tmp_path / "a.png", tmp_path / "b.png"
    draw_costs([row(1), row(2)], cheap)
    draw_costs([row(1), row(20)], dear)
    assert cheap.read_bytes() != dear.read_bytes()
