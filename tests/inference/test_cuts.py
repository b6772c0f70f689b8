"""What the session does where another shot begins."""

import numpy as np
import pytest
import torch
from objects import objects

from jointvos.errors import ConfigError
from jointvos.inference.target import ANY_CHANGE, Target, whole_frame
from jointvos.ops import TargetState, marginals, moments

CROP = (64, 96)  # of the sessions here


def started(session, clip, frames=3, **changes):
    """A session after some frames of the clip, each of which became a template."""
    running = session(probabilities=True, template_interval=1, **changes)
    for t in range(frames):
        running.step(clip[0][t], clip[1][0] if t == 0 else None)
    return running


@pytest.fixture
def sight(watched):
    """Decide what the decoder sees of all objects: a logit in a box of the crop, -20 elsewhere."""

    def see(logit: float, rows: slice = slice(20, 50), columns: slice = slice(30, 60)) -> None:
        def decode(_, encoding, _stages):
            logits = torch.full((len(encoding), 1, *CROP), -20.0)
            logits[:, :, rows, columns] = logit
            return logits

        watched.watches["decode"] = decode

    return see


def test_cuts_that_are_off_do_nothing(session, clip):
    plain, deaf = started(session, clip), started(session, clip, cuts="off")
    for t in range(3, 6):
        a, b = plain.step(clip[0][t]), deaf.step(clip[0][t], cut=True)
        np.testing.assert_array_equal(a.probabilities, b.probabilities)
        assert a.objects == b.objects
        assert not b.cut


def test_nothing_is_learned_until_the_target_is_seen_again(session, clip, watched, sight):
    frames, _ = clip
    running = started(session, clip, net=watched)
    (group,) = running.groups
    before = (group.bank.templates, group.target_model)
    sight(-20.0)
    for t in range(3, 6):
        result = running.step(frames[t], cut=t == 3)
        assert result.cut == (t == 3)
        assert all(state.paused for state in result.objects)
    (group,) = running.groups
    assert group.bank.templates == before[0]
    assert group.target_model is before[1]
    sight(20.0)
    result = running.step(frames[6])
    # Two objects in one place share it; neither is certain.
    assert all(state.paused for state in result.objects)


@pytest.mark.parametrize(
    ("logit", "side", "area", "probability", "seen"),
    [
        pytest.param(20.0, 30, 100, 0.95, True, id="large and certain"),
        pytest.param(0.3, 30, 100, 0.95, False, id="uncertain"),  # alone: sigmoid(0.6) = 0.65
        pytest.param(0.3, 30, 100, 0.6, True, id="certain enough"),
        pytest.param(20.0, 3, 100, 0.95, False, id="a few pixels"),
        pytest.param(20.0, 3, 4, 0.6, True, id="large enough"),
        pytest.param(-20.0, 30, 0, 0.0, False, id="nothing"),
    ],
)
def test_when_a_target_is_seen(session, clip, watched, sight, logit, side, area, probability, seen):
    frames, labels = clip
    needed = {"redetection_area": area, "redetection_probability": probability}
    running = session(watched, template_interval=1, **needed)
    for t in range(2):
        running.step(frames[t], (labels[0] == 1).astype(np.uint8) if t == 0 else None)
    templates = list(objects(running)[0].bank.templates)
    sight(logit, slice(20, 20 + side), slice(30, 30 + side))
    (state,) = running.step(frames[2], cut=True).objects
    assert state.paused == (not seen)
    assert objects(running)[0].bank.templates == templates  # that frame is no template either
    running.step(frames[3])
    assert (objects(running)[0].bank.templates != templates) == seen


@pytest.mark.parametrize(("share", "seen"), [(0.0, False), (0.2, True)])
def test_a_small_target_is_seen_by_fewer_pixels(session, clip, watched, sight, share, seen):
    frames, labels = clip
    small = np.zeros_like(labels[0])
    small[20:26, 30:36] = 1
    running = session(watched, min_target_share=share)
    running.step(frames[0], small)
    sight(20.0, slice(20, 25), slice(30, 35))
    (state,) = running.step(frames[1], cut=True).objects
    assert state.paused == (not seen)


def test_the_whole_frame_is_searched_meanwhile(session, clip, watched, sight):
    """Then the place where something was found, closer; and from there it goes on."""
    frames, labels = clip
    running = session(watched, search_scale=2.0)
    running.step(frames[0], (labels[0] == 1).astype(np.uint8))
    size = labels[0].shape
    config, kernel_size = running.config, watched.config.kernel_size

    def height_of_next_region() -> int:
        (group,) = running.groups
        return int(group.target.region(config, kernel_size, size).size[0, 0])

    assert height_of_next_region() < size[0]
    sight(-20.0)
    running.step(frames[1], cut=True)
    region = whole_frame(1, config, size, running.device)
    assert (region.start <= 0).all()
    assert (region.start + region.size >= torch.tensor(size)).all()
    scale = objects(running)[0].target.scale
    running.step(frames[2])
    assert objects(running)[0].target.scale == scale  # what is not seen has no size

    # Something small at the lower right, and when looked at closely in the middle of the crop.
    looks = [(slice(45, 55), slice(75, 85)), (slice(12, 52), slice(28, 68))]

    def decode(_, encoding, _stages):
        logits = torch.full((len(encoding), 1, *CROP), -20.0)
        logits[:, :, *looks.pop(0)] = 20.0
        return logits

    watched.watches["decode"] = decode
    result = running.step(frames[3])
    assert looks == []
    (alone,) = objects(running)
    assert not result.objects[0].paused
    assert result.objects[0].center == pytest.approx((149, 107), abs=20)
    height, width = result.objects[0].box[2:]
    # Four standard deviations of a box are 4 / sqrt(12) of its sides.
    expected = torch.tensor([height, width]).float().prod().sqrt() * 4 / 12**0.5
    assert alone.target.state.size.prod().sqrt() == pytest.approx(float(expected), rel=0.1)
    center = torch.tensor(result.objects[0].center).flip(0)
    assert (alone.target.state.center - center).abs().max() < 1
    assert height_of_next_region() < int(region.size[0, 0])


def test_reset_goes_back_to_what_was_given(session, clip, watched, sight):
    """As after the first frame; a correction is something given."""
    frames, _ = clip
    fresh = started(session, clip, frames=1, cuts="reset")
    running = started(session, clip, net=watched, frames=6, cuts="reset")
    sight(-20.0)
    assert running.step(frames[6], cut=True).cut
    for alone, other in zip(objects(running), objects(fresh), strict=True):
        assert len(alone.bank) == 1
        assert alone.bank.weights.tolist() == [1]
        assert torch.equal(alone.target_model.kernel, other.target_model.kernel)
        assert torch.equal(alone.keys.keys, other.keys.keys)
        assert torch.equal(alone.prompted.center, alone.target.state.center)
        assert alone.paused


def test_reset_keeps_corrections(session, clip):
    frames, labels = clip
    running = started(session, clip, cuts="reset", memory_size=5)
    running.step(frames[3], labels[3])
    running.step(frames[4])
    assert [len(alone.bank) for alone in objects(running)] == [3, 3]
    running.step(frames[5], cut=True)
    for alone in objects(running):
        assert len(alone.bank) == 2
        assert alone.bank.corrections == [1]
        assert alone.bank.weights.tolist() == pytest.approx([0.5, 0.5])


@pytest.mark.parametrize("cuts", ["pause", "reset"])
def test_a_mask_given_at_a_cut_ends_the_pause(session, clip, cuts):
    frames, labels = clip
    running = started(session, clip, cuts=cuts)
    mask = np.where(labels[3] == 2, 2, 0).astype(np.uint8)
    mask[:20, :20] = 9  # and something new
    result = running.step(frames[3], mask, cut=True)
    assert [(state.id, state.paused) for state in result.objects][1:] == [(2, False), (9, False)]
    np.testing.assert_array_equal(result.labels[mask > 0], mask[mask > 0])
    running.step(frames[4])
    assert len(objects(running)[1].bank) > len(objects(running)[1].bank.corrections) + 1


def test_the_size_changes_freely_only_after_a_cut(session):
    config = session(cuts="pause").config
    target = Target.at(
        TargetState(torch.tensor([[60.0, 80.0]]), torch.tensor([[20.0, 20.0]])), config
    )
    probability = torch.zeros(1, 120, 160)
    probability[:, 30:90, 40:120] = 1
    rows = moments(marginals(probability), (120, 160))
    scales = [
        float(target.moved(rows, probability > 0.5, limits, config).scale / target.scale)
        for limits in (config.scale_change, ANY_CHANGE)
    ]
    assert scales[0] == pytest.approx(1.1)
    assert 3 < scales[1] <= 4


def test_those_that_are_seen_again_go_on_alone(session, clip, watched):
    """Of two objects one is found and learns again, the other waits; results keep their order."""
    frames, _ = clip
    running = started(session, clip, net=watched)

    def decode(_, encoding, _stages):
        logits = torch.full((len(encoding), 1, *CROP), -20.0)
        logits[1, :, 20:50, 30:60] = 20.0
        return logits

    watched.watches["decode"] = decode
    result = running.step(frames[3], cut=True)
    watched.watches.clear()
    assert [(state.id, state.paused) for state in result.objects] == [(1, True), (2, False)]
    before = [len(alone.bank) for alone in objects(running)]
    running.groups.sort(key=len)  # whatever their order
    result = running.step(frames[4])
    assert [state.id for state in result.objects] == list(running.object_ids) == [1, 2]
    np.testing.assert_allclose(result.probabilities.sum(0), 1, atol=1e-5)
    np.testing.assert_array_equal(result.labels, result.probabilities.argmax(0))
    assert before == [3, 3]
    assert len(running.groups) == 2


def test_unknown_behavior(session):
    with pytest.raises(ConfigError, match="cuts is 'jump', expected off, pause, reset"):
        session(cuts="jump")
