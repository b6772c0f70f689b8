"""`segment --profile`: a Chrome trace, complete or not there."""

import json

import pytest

from jointvos.errors import OutputError, OutputExists
from jointvos.runs import tracing


@pytest.fixture(autouse=True)
def silent(monkeypatch):
    monkeypatch.setenv("KINETO_LOG_LEVEL", "99")


@pytest.mark.parametrize("count", [3, 30], ids=["a short video", "a long one"])
def test_a_trace_of_some_frames(tmp_path, count):
    import torch
    from torch.profiler import record_function

    def frames():
        for index in range(count):
            with record_function("decoder"):
                yield (index, torch.ones(8, 8) @ torch.ones(8, 8))

    path = tmp_path / "trace.json"
    passed = [index for index, _ in tracing.traced(frames(), path)]
    assert passed == list(range(count))
    events = json.loads(path.read_text())["traceEvents"]
    recorded = sum(event["name"] == "aten::mm" for event in events)
    assert 0 < recorded <= tracing.TRACED
    assert [each.name for each in tmp_path.iterdir()] == ["trace.json"]


def test_reading_and_writing_beside_it_are_recorded(tmp_path, jointvos, tiny_weights, inputs):
    ended = jointvos(
        *("segment", "clip.mp4", "--mask", "first.png", "--weights", tiny_weights, "-q"),
        *("--overlay", "video.mp4", "--png", "ids", "--profile", "trace.json"),
    )
    assert ended.returncode == 0, ended.stderr
    events = json.loads((inputs / "trace.json").read_text())["traceEvents"]
    threads = {event["name"]: event["tid"] for event in events if event.get("ph") == "X"}
    assert len({threads[n] for n in ("read", "write ids", "write video.mp4", "decoder")}) == 4


def test_what_cannot_be_written_is_seen_early(tmp_path):
    path = tmp_path / "trace.json"
    tracing.check_trace(path, overwrite=False)
    path.touch()
    tracing.check_trace(path, overwrite=True)
    with pytest.raises(OutputExists, match=r"trace\.json already exists"):
        tracing.check_trace(path, overwrite=False)
    with pytest.raises(OutputError, match="does not exist; create it first"):
        tracing.check_trace(tmp_path / "missing" / "trace.json", overwrite=False)
