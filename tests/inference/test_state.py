"""A session that goes on from a saved state does so to the bit."""

import io

import numpy as np
import pytest
import torch

from jointvos.errors import ConfigError


def script(labels):
    """An object that appears late, and a correction of each."""
    return {
        0: np.where(labels[0] == 1, 1, 0).astype(np.uint8),
        2: np.where(labels[2] == 2, 2, 0).astype(np.uint8),
        4: np.where(labels[4] == 1, 1, 0).astype(np.uint8),
        6: np.where(labels[6] == 2, 2, 0).astype(np.uint8),
    }


def through_a_file(state):
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


def assert_same(results, others):
    assert len(results) == len(others) > 0
    for a, b in zip(results, others, strict=True):
        np.testing.assert_array_equal(a.probabilities, b.probabilities)
        np.testing.assert_array_equal(a.labels, b.labels)
        assert (a.index, a.objects, a.cut) == (b.index, b.objects, b.cut)


@pytest.fixture
def long_clip(clip):
    """Fourteen frames: there and back, enough for templates to be evicted."""
    frames, labels = clip
    return np.concatenate((frames, frames[6:0:-1])), labels


@pytest.mark.parametrize(
    ("moments", "changes"),
    [
        # before an object appears, before a correction, after evictions, while paused
        pytest.param((1, 4, 8, 10), {}, id="at any time"),
        pytest.param((8,), {"memory_precision": "fp16"}, id="in half precision"),
        pytest.param((10,), {"cuts": "reset"}, id="after a reset"),
        pytest.param((8,), {"reach": 0.3}, id="with a reach"),
    ],
)
def test_goes_on_to_the_bit(session, long_clip, moments, changes):
    """Through templates evicted, an object appearing, corrections and a cut."""
    frames, labels = long_clip
    masks = script(labels)
    options = {"probabilities": True, "template_interval": 1, "memory_size": 3, **changes}
    running = session(**options)
    states, expected = {}, []
    for t, image in enumerate(frames):
        if t in moments:
            states[t] = running.object_ids, through_a_file(running.state_dict())
        expected.append(running.step(image, masks.get(t), cut=t == 9))
    for at, (object_ids, state) in states.items():
        other = session(**options)
        other.load_state_dict(state)
        assert other.object_ids == object_ids
        rest = [other.step(frames[t], masks.get(t), cut=t == 9) for t in range(at, len(frames))]
        assert_same(rest, expected[at:])


def test_a_state_is_a_snapshot(session, long_clip):
    frames, labels = long_clip
    running = session(probabilities=True, template_interval=1)
    running.step(frames[0], labels[0])
    running.step(frames[1])
    state = running.state_dict()
    first = [running.step(frames[t]) for t in range(2, 6)]
    running.load_state_dict(state)
    again = [running.step(frames[t]) for t in range(2, 6)]
    assert_same(first, again)
    other = session(probabilities=True, template_interval=1)
    other.load_state_dict(state)
    assert_same(first, [other.step(frames[t]) for t in range(2, 6)])


def test_everything_that_changes_is_in_it(session, clip):
    """An attribute that a group or bank gains must be saved, or be known not to change."""
    frames, labels = clip
    running = session(template_interval=1)
    for t in range(4):
        running.step(frames[t], labels[0] if t == 0 else None)
    (saved,), (group,) = running.state_dict()["groups"], running.groups
    fixed = {"net", "config", "bank"}
    assert set(vars(group)) - fixed == set(saved) - fixed
    constants = {"most_permanent", "grid", "decay", "first_weight"}
    assert set(vars(group.bank)) - constants == set(saved["bank"])


def test_a_fresh_session_has_a_state(session, clip):
    frames, labels = clip
    fresh = session()
    fresh.load_state_dict(through_a_file(session().state_dict()))
    np.testing.assert_array_equal(fresh.step(frames[0], labels[0]).labels, labels[0])


def test_a_state_holds_no_more_than_it_must(session, clip):
    """A template is a view into a batch; saving it must not save the batch."""
    frames, labels = clip
    running = session(template_interval=1)
    for t in range(3):
        running.step(frames[t], labels[0] if t == 0 else None)
    for group in running.state_dict()["groups"]:
        for template in group["bank"]["templates"]:
            for part in (template["transduction"], template["induction"]):
                assert part.untyped_storage().nbytes() == part.nbytes


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param(
            {"crop_size": (48, 80)}, "had crop_size .64, 96., this one has .48, 80.", id="crop"
        ),
        pytest.param({"memory_size": 7}, "had memory_size 3, this one has 7", id="memory"),
    ],
)
def test_a_state_of_another_session_is_refused(session, clip, changes, message):
    frames, labels = clip
    running = session()
    running.step(frames[0], labels[0])
    other = session(**changes)
    with pytest.raises(ConfigError, match=message) as caught:
        other.load_state_dict(through_a_file(running.state_dict()))
    assert "\n" not in str(caught.value)
    assert other.object_ids == ()


def put(state, value, *path):
    """Put a value into nested dictionaries and lists."""
    for name in path[:-1]:
        state = state[name]
    state[path[-1]] = value


FIRST = ("groups", 0)
TEMPLATE = (*FIRST, "bank", "templates", 1)


@pytest.mark.parametrize(
    ("value", "path", "message"),
    [
        pytest.param(0, ("version",), "is of version 0, expected 4", id="version"),
        pytest.param("two", ("count",), "count is of type str, expected int", id="type"),
        pytest.param({}, FIRST, "has no object_ids", id="empty object"),
        pytest.param(
            torch.zeros(2, 16, 32, 5, 5),
            (*FIRST, "target_model"),
            r"target_model has the shape \[2, 16, 32, 5, 5\], expected \[2, 16, 32, 3, 3\]",
            id="kernel",
        ),
        pytest.param(
            torch.zeros(2, 32, 4, 5),
            (*TEMPLATE, "induction"),
            r"induction has the shape \[2, 32, 4, 5\], expected \[2, any, 4, 6\]",
            id="map of another size",
        ),
        pytest.param(
            torch.ones(2),
            (*FIRST, "bank", "weights"),
            r"weights has the shape \[2\], expected \[3\]",
            id="weights",
        ),
        pytest.param(
            [2], (*FIRST, "bank", "learned"), r"3 templates, but the slots \[0, 2\]", id="slots"
        ),
        pytest.param([], (*FIRST, "encoded"), "3 templates, but 0 encoded", id="encoded templates"),
        pytest.param(
            torch.zeros(1, 24, 16), (*FIRST, "keys", "keys"), r"expected \[2, 72, 16\]", id="keys"
        ),
    ],
)
def test_a_state_that_does_not_fit_is_refused(session, clip, value, path, message):
    frames, labels = clip
    running, other = session(template_interval=1), session(template_interval=1)
    running.step(frames[0], labels[0])
    running.step(frames[1])
    expected = running.step(frames[2])
    state = through_a_file(running.state_dict())
    put(state, value, *path)
    other.step(frames[0], labels[0])
    other.step(frames[1])
    with pytest.raises(ConfigError, match=message) as caught:
        other.load_state_dict(state)
    assert "\n" not in str(caught.value)
    np.testing.assert_array_equal(other.step(frames[2]).labels, expected.labels)
