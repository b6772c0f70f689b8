"""Masks given for objects that are followed already, and their place in the memory."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from objects import objects

from jointvos.config import MODELS, InferenceConfig
from jointvos.inference import VideoSegmenter
from jointvos.model import JointNet
from jointvos.ops import scale_of_size, state_of_mask


def only(labels, *ids):
    return np.where(np.isin(labels, ids), labels, 0).astype(labels.dtype)


@pytest.fixture
def started(session, clip):
    """A session after three frames of the clip."""

    def start(**changes):
        frames, labels = clip
        running = session(probabilities=True, **changes)
        for t in range(3):
            running.step(frames[t], labels[0] if t == 0 else None)
        return running

    return start


def test_the_result_is_the_mask(started, clip):
    frames, labels = clip
    corrected = started()
    result = corrected.step(frames[3], labels[3])
    np.testing.assert_array_equal(result.labels, labels[3])
    assert corrected.object_ids == (1, 2)


def test_what_is_not_given_is_predicted(session, clip):
    """As if it were alone but for the pixels given to the other; the batch's size rounds."""
    frames, labels = clip
    both, alone = session(probabilities=True), session(probabilities=True)
    both.step(frames[0], labels[0])
    alone.step(frames[0], only(labels[0], 2))
    result = both.step(frames[1], only(labels[1], 1))
    expected = alone.step(frames[1])
    given = labels[1] == 1
    np.testing.assert_array_equal(result.labels == 1, given)
    assert 0.01 < (result.labels == 2).mean() < 0.9
    np.testing.assert_allclose(
        result.probabilities[2][~given], expected.probabilities[1][~given], atol=1e-2
    )
    assert [len(alone.bank.corrections) for alone in objects(both)] == [1, 0]


def test_void_says_nothing(started, clip):
    frames, labels = clip
    plain, corrected = started(), started()
    free = plain.step(frames[3])
    mask = only(labels[3], 1)
    mask[:, 80:] = 255
    mask[40:60, :] = 255
    result = corrected.step(frames[3], mask)
    void = mask == 255
    np.testing.assert_array_equal((result.labels == 1)[~void], (mask == 1)[~void])
    np.testing.assert_allclose(
        result.probabilities[:, void], free.probabilities[:, void], atol=1e-6
    )
    assert (free.labels[void] == 1).any()


def test_a_mask_of_nothing_changes_nothing(started, clip):
    frames, labels = clip
    plain, void = started(), started()
    for t, mask in ((3, labels[3] * 0), (4, np.full_like(labels[4], 255))):
        np.testing.assert_array_equal(
            plain.step(frames[t]).probabilities, void.step(frames[t], mask).probabilities
        )
    assert all(not alone.bank.corrections for alone in objects(void))


def test_known_and_new_objects_in_one_mask(session, clip):
    frames, labels = clip
    running = session()
    running.step(frames[0], only(labels[0], 2))
    result = running.step(frames[1], labels[1])
    np.testing.assert_array_equal(result.labels, labels[1])
    assert running.object_ids == (2, 1)
    assert [len(alone.bank.corrections) for alone in objects(running)] == [1, 0]


def test_the_search_goes_where_the_mask_is(started, clip):
    frames, _ = clip
    corrected = started()
    mask = np.zeros(frames[0].shape[:2], np.uint8)
    mask[90:110, 130:150] = 1
    corrected.step(frames[3], mask)
    alone = objects(corrected)[0]
    given = state_of_mask(torch.from_numpy(mask))
    assert torch.equal(alone.prompted.center, given.center)
    assert torch.equal(alone.prompted.size, given.size)
    fresh = scale_of_size(given.size, alone.config.crop_size, alone.config.search_scale)
    torch.testing.assert_close(alone.target.base_size * fresh, given.size)
    assert (alone.target.state.center - given.center).abs().max() < 1  # by the moments of the mask
    assert 0.95 * fresh <= alone.target.scale <= 1.1 * fresh


def test_a_correction_is_learned_like_a_first_frame(started, clip, watched):
    """With the steps of a first frame, from its crop; and it is not stored twice."""
    frames, labels = clip
    corrected = started(net=watched, template_interval=1, memory_size=5)
    steps, crops = [], []
    watched.watches = {
        "fit_target_model": lambda fit, *a, **k: steps.append(k["steps"]) or fit(*a, **k),
        "encode_image": lambda encode, x: crops.append(x) or encode(x),
    }
    corrected.step(frames[3], only(labels[3], 1))
    assert steps == [4, 2]
    alone = VideoSegmenter(watched, corrected.config, device="cpu")
    alone.step(frames[3], only(labels[3], 1))
    assert torch.equal(crops[1], crops[2])
    assert [len(each.bank) for each in objects(corrected)] == [2, 4]
    ours, theirs = objects(corrected)[0].bank, objects(alone)[0].bank
    (slot,) = ours.corrections
    assert torch.equal(ours.templates[slot].induction, theirs.templates[0].induction)


def test_what_follows_is_different_and_stays_so(session, clip):
    frames, labels = clip
    plain, corrected = session(probabilities=True), session(probabilities=True)
    for t, image in enumerate(frames):
        given = labels[0] if t == 0 else None
        a = plain.step(image, given)
        b = corrected.step(image, only(labels[3], 1) if t == 3 else given)
        assert np.array_equal(a.probabilities, b.probabilities) == (t < 3)
    bank = objects(corrected)[0].bank
    assert len(bank) == 3  # the first, the correction, and the newest
    assert len(bank.corrections) == 1


def test_what_was_learned_before_goes(started, clip):
    frames, labels = clip
    corrected = started(template_interval=1, memory_size=9)
    first, *learned = objects(corrected)[0].bank.templates
    assert len(learned) == 2
    corrected.step(frames[3], only(labels[3], 1))
    assert objects(corrected)[0].bank.templates[0].induction.equal(first.induction)
    assert [len(alone.bank) for alone in objects(corrected)] == [2, 4]
    corrected.step(frames[4])
    corrected.step(frames[5], only(labels[5], 1))
    bank = objects(corrected)[0].bank
    assert (len(bank), bank.corrections) == (3, [1, 2])


@pytest.mark.parametrize("memory_size", [1, 3])
@pytest.mark.parametrize(
    "branches",
    [
        pytest.param({}, id="both branches"),
        pytest.param({"transduction": False, "two_head": False}, id="no transduction"),
        pytest.param({"induction": False, "two_head": False}, id="no induction"),
        pytest.param({"two_head": False}, id="one head"),
    ],
)
def test_every_network_and_memory(session, clip, tiny_net, memory_size, branches):
    frames, labels = clip
    torch.manual_seed(1)
    net = JointNet(replace(tiny_net.config, **branches)).requires_grad_(False)
    config = replace(session().config, memory_size=memory_size, template_interval=1)
    running = VideoSegmenter(net, config, device="cpu")
    for t in range(6):
        mask = labels[t] if t in (0, 2, 3) else None
        result = running.step(frames[t], mask)
        if mask is not None:
            np.testing.assert_array_equal(result.labels, mask)
    bank = objects(running)[0].bank
    permanent = min(3, max(memory_size, 2))
    learned = 0 if memory_size == 1 else max(memory_size - permanent, 1)
    assert (1 + len(bank.corrections), len(bank.learned)) == (permanent, learned)
    if net.transduction is not None:
        positions = len(bank) * (config.crop_size[0] // 16) * (config.crop_size[1] // 16)
        assert objects(running)[0].keys.keys.shape[1] == positions


def test_the_learner_sees_the_weights_of_the_corrections(started, clip, watched):
    frames, labels = clip
    seen = []
    corrected = started(net=watched)
    watched.watches["fit_target_model"] = lambda fit, *a, **k: (
        seen.append(k["template_weights"]) or fit(*a, **k)
    )
    corrected.step(frames[3], only(labels[3], 1))
    (weights,) = (each[0] for each in seen[:1])
    bank = objects(corrected)[0].bank
    assert torch.equal(weights, bank.weights)
    assert weights[bank.corrections[0]] == weights[0]


def test_the_small_preset_survives_a_mask_in_every_frame(tiny_net, clip):
    frames, labels = clip
    assert MODELS["joint-lite"].inference == "small"
    running = VideoSegmenter(
        tiny_net, InferenceConfig(crop_size=(64, 96), memory_size=5), device="cpu"
    )
    for t, image in enumerate(frames):
        np.testing.assert_array_equal(running.step(image, labels[t]).labels, labels[t])
    assert [len(alone.bank) for alone in objects(running)] == [5, 5]
