"""Replaying a recorded frame, on memory at fixed addresses, finds what running it finds."""

import numpy as np
import pytest
import torch

from jointvos.inference.recorded import PATIENCE, Recorded, compiled
from jointvos.inference.stages import Stopwatch
from jointvos.inference.trees import tensors
from jointvos.model import template_encoder


class Played:
    """Records on the CPU: a replay runs the function and writes where it wrote the first time."""

    def __init__(self) -> None:
        self.captured, self.replayed = 0, 0

    def __call__(self, function):
        self.captured += 1
        result = function()
        places = list(tensors(result))

        def replay() -> None:
            self.replayed += 1
            new = [each.clone() for each in tensors(function())]
            for place, each in zip(places, new, strict=True):
                place.copy_(each)

        return replay, result


@pytest.fixture
def recording(session):
    """Start a session whose frames are recorded."""

    def start(**changes):
        running, frames, templates = session(**changes), Played(), Played()
        running.track = Recorded(running.track, frames)
        running.learn_template = Recorded(running.learn_template, templates, most=3, copied=True)
        return running, frames, templates

    return start


def test_a_whole_session(recording, session, clip):
    """With templates stored and evicted, a late object, a correction, a cut and a resume."""
    frames, labels = clip
    frames = np.concatenate([frames, frames[::-1], frames, frames[::-1]])
    given = {0: labels[0] * (labels[0] == 1), 9: labels[7], 16: labels[0] * (labels[0] == 2)}
    options = {"probabilities": True, "template_interval": 3, "memory_size": 3, "reach": 0.5}
    options["overlays"] = True
    plain = session(**options)
    running, played, templates = recording(**options)
    for t, image in enumerate(frames):
        expected = plain.step(image, given.get(t), cut=t == 20)
        result = running.step(image, given.get(t), cut=t == 20)
        np.testing.assert_array_equal(result.probabilities, expected.probabilities)
        np.testing.assert_array_equal(result.labels, expected.labels)
        np.testing.assert_array_equal(result.overlay, expected.overlay)
        assert result.objects == expected.objects
        if t == 8:
            assert played.captured >= 1
            state = running.state_dict()
            running, played, templates = recording(**options)
            running.load_state_dict(state)
    assert played.captured >= 1
    assert played.replayed >= 2
    assert templates.captured >= 1
    assert templates.replayed >= 2


def test_results_stay_as_they_were(recording, clip):
    """What a frame returned is the caller's: later frames do not write into it."""
    frames, labels = clip
    running, played, _ = recording(probabilities=True, template_interval=99)
    results = [running.step(image, labels[0] if t == 0 else None) for t, image in enumerate(frames)]
    kept = [(result.labels.copy(), result.probabilities.copy()) for result in results[:-1]]
    again = [running.step(image) for image in frames]
    assert played.replayed > len(again)
    for result, (ids, probabilities) in zip(results, kept, strict=False):
        np.testing.assert_array_equal(result.labels, ids)
        np.testing.assert_array_equal(result.probabilities, probabilities)


def test_a_failed_frame_can_be_given_again(recording, session, clip, tiny_net, monkeypatch):
    """It was replayed, and then memory lacked where a template was to be stored."""
    frames, labels = clip
    options = {"probabilities": True, "template_interval": 6, "on_oom": "retry"}
    plain = session(**options)
    running, played, _ = recording(say=lambda _: None, **options)
    fit, failures = tiny_net.fit_target_model, [True]

    def fails_once(*args, **keywords):
        if failures:
            failures.clear()
            raise torch.OutOfMemoryError("CUDA out of memory")
        return fit(*args, **keywords)

    for t, image in enumerate(frames):
        mask = labels[0] if t == 0 else None
        expected = plain.step(image, mask)
        with monkeypatch.context() as patched:
            if t == 4:
                patched.setattr(tiny_net, "fit_target_model", fails_once)
            result = running.step(image, mask)
        np.testing.assert_array_equal(result.probabilities, expected.probabilities)
    assert not failures
    assert played.replayed > 0


def test_the_sums_of_the_first_template_are_made_anew(recording, session, clip, monkeypatch):
    """Now and then, which is another recording, beside that of most templates."""
    monkeypatch.setattr(template_encoder, "MOST_TAKEN_BACK", 3)
    frames, labels = clip
    frames = np.concatenate([frames, frames[::-1]] * 3)
    options = {"probabilities": True, "template_interval": 1, "memory_size": 4}
    plain = session(**options)
    running, _, templates = recording(**options)
    counts = set()
    for t, image in enumerate(frames):
        expected = plain.step(image, labels[0] if t == 0 else None)
        result = running.step(image, labels[0] if t == 0 else None)
        np.testing.assert_array_equal(result.probabilities, expected.probabilities)
        counts.add(running.groups[0].encoded[0].taken_back)
    assert counts == {0, 1, 2, 3}
    assert templates.captured == 2
    assert templates.replayed > len(frames) - 16


def double(x, more=0):
    return {"twice": x * 2 + more}


def test_recorded_when_shapes_stay():
    played = Played()
    recorded = Recorded(double, played)
    for count, size in enumerate([3] * (PATIENCE + 2) + [4], start=1):
        x = torch.arange(size) + count
        assert recorded(x)["twice"].equal(2 * x)
        assert played.captured == (count > PATIENCE)
    for _ in range(PATIENCE):
        recorded(torch.zeros(3))
        assert played.captured == 1
    recorded(torch.zeros(3))
    assert played.captured == 2
    assert recorded(torch.zeros(3), 5)["twice"].tolist() == [5, 5, 5]  # another call
    assert recorded(torch.zeros(3))["twice"].tolist() == [0, 0, 0]
    assert played.captured == 2


def test_several_recordings():
    played = Played()
    recorded = Recorded(double, played, most=2)
    for _ in range(PATIENCE + 1):
        for size in (3, 4):
            recorded(torch.zeros(size))
    assert played.captured == 2
    recorded(torch.zeros(3))
    for count in (1, 2, 5):  # the one that was not called for longest goes: of size 4
        recorded(torch.zeros(count))
        recorded(torch.zeros(3))
    assert played.captured == 2
    for _ in range(PATIENCE + 1):
        recorded(torch.zeros(4))
    assert played.captured == 3


def test_which_tensors_are_one_is_part_of_a_call():
    played = Played()
    recorded = Recorded(lambda x, y: x * 2 if x is y else x + y, played)
    for i in range(PATIENCE + 3):
        x, y = torch.full((3,), i), torch.full((3,), 7)
        assert recorded(x, x).tolist() == [2 * i] * 3
    assert played.captured == 1
    assert recorded(x, y).tolist() == [int(x[0]) + 7] * 3


def test_a_result_that_is_copied_stays():
    played = Played()
    recorded = Recorded(double, played, copied=True)
    results = [recorded(torch.tensor([i]))["twice"] for i in range(PATIENCE + 4)]
    assert [int(each) for each in results] == [2 * i for i in range(PATIENCE + 4)]
    assert played.replayed == 4


def test_a_stopwatch_sees_the_parts():
    played = Played()
    recorded = Recorded(double, played)
    for _ in range(PATIENCE + 2):
        recorded(torch.zeros(3))
    before = played.replayed
    with Stopwatch(lambda: 0.0).running():
        assert recorded(torch.ones(3))["twice"].tolist() == [2, 2, 2]
    assert played.replayed == before > 0


def test_what_cannot_be_recorded_is_said_once_and_run():
    said = []

    def fails(_function):
        raise RuntimeError("operation not permitted when stream is capturing\nand more")

    recorded = Recorded(double, fails, said.append)
    for i in range(PATIENCE + 3):
        assert recorded(torch.tensor([i]))["twice"].tolist() == [2 * i]
    assert said == [
        "frames cannot be recorded (operation not permitted when stream is capturing); "
        "running them step by step"
    ]


@pytest.mark.filterwarnings("default")  # the compiler warns of what it has deprecated itself
def test_what_is_recorded_can_be_compiled():
    traced, said = [], []

    def backend(graph, _inputs):
        traced.append(graph)
        return graph.forward

    recorded = Recorded(double, compiled(Played(), said.append, backend))
    for i in range(PATIENCE + 3):
        assert recorded(torch.tensor([i]))["twice"].tolist() == [2 * i]
    assert len(traced) == 1
    assert said == []


@pytest.mark.filterwarnings("default")
def test_what_cannot_be_compiled_is_recorded_as_it_is():
    played, said = Played(), []

    def looks(x):
        return x * 2 if x.sum() > 0 else x + x

    recorded = Recorded(looks, compiled(played, said.append, "eager"))
    for i in range(PATIENCE + 3):
        assert recorded(torch.tensor([i])).tolist() == [2 * i]
    assert played.replayed == 3
    (line,) = said
    assert line.startswith("frames cannot be compiled as a whole (")
    assert line.endswith("); running them as they are")


def test_a_lack_of_memory_is_not_hidden():
    def fails(_function):
        raise torch.OutOfMemoryError("CUDA out of memory")

    recorded = Recorded(double, fails)
    for _ in range(PATIENCE):
        recorded(torch.zeros(2))
    with pytest.raises(torch.OutOfMemoryError):
        recorded(torch.zeros(2))
