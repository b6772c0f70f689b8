"""The parts of a frame's work have names, and a stopwatch can be held beside them."""

import itertools

import pytest
import torch

from jointvos.inference.stages import Stage, Stopwatch, clock, stage

PLAIN = {
    Stage.CROP,
    Stage.FEATURES,
    Stage.TRANSDUCTION,
    Stage.INDUCTION,
    Stage.DECODER,
    Stage.PASTE,
    Stage.AGGREGATE,
    Stage.STATE,
    Stage.RESULT,
}
UPDATE = {Stage.LABELS, Stage.TEMPLATES, Stage.LEARNER}


def counting() -> Stopwatch:
    """One that reads 0, 1, 2, ..."""
    return Stopwatch(itertools.count().__next__)


def test_a_stopwatch_adds_up_what_it_watches():
    watch = counting()
    with stage(Stage.CROP):
        pass
    with watch.running():
        for _ in range(3):
            with stage(Stage.CROP):
                pass
    with stage(Stage.CROP):
        pass
    assert watch.spent == {Stage.CROP: 3}


def test_the_stopwatch_is_put_away_after_an_error():
    watch = counting()
    with pytest.raises(ValueError, match="x"), watch.running(), stage(Stage.CROP):
        raise ValueError("x")
    with stage(Stage.CROP):
        pass
    assert watch.spent == {}


def test_every_stage_of_a_frame_is_passed_once_for_all_objects(session, clip):
    frames, labels = clip
    running = session(template_interval=2)
    running.step(frames[0], labels[0])
    spent = []
    for image in frames[1:3]:
        with counting().running() as watch:
            running.step(image)
        spent.append(watch.spent)
    plain, update = spent
    assert set(plain) == PLAIN
    assert set(update) == PLAIN | UPDATE
    several = {Stage.RESULT}  # asked for, and fetched
    assert all(update[name] == 1 for name in (PLAIN | UPDATE) - several)


def test_stages_stand_in_a_trace(session, clip):
    frames, labels = clip
    running = session()
    running.step(frames[0], labels[0])
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as recording:
        running.step(frames[1])
    assert {name.value for name in PLAIN} <= {event.name for event in recording.events()}


def test_the_clock_goes_on():
    read = clock(torch.device("cpu"))
    assert read() <= read()
