"""What a session promises, on a tiny random network: nothing here depends on good masks."""

import re

import numpy as np
import pytest
import torch
from objects import objects

from jointvos.config import INFERENCE
from jointvos.errors import MaskError, MaskSizeMismatch, UnsupportedMediaError
from jointvos.inference import VideoSegmenter
from jointvos.inference.result import Findings, frame_result
from jointvos.types import Frame, ObjectState


def follow(session, frames, masks):
    return [session.step(image, masks.get(t)) for t, image in enumerate(frames)]


def test_probabilities_sum_to_one_and_decide_the_labels(session, clip):
    frames, labels = clip
    results = follow(session(probabilities=True), frames, {0: labels[0]})
    shares = []
    for t, result in enumerate(results):
        assert result.index == t
        assert result.probabilities.shape == (3, *labels[0].shape)
        np.testing.assert_allclose(result.probabilities.sum(0), 1, atol=1e-5)
        np.testing.assert_array_equal(result.labels, result.probabilities.argmax(0))
        shares.append((result.labels > 0).mean())
    assert 0.01 < min(shares[1:]) < max(shares) < 0.9  # neither empty nor full: not vacuous


def test_probabilities_only_when_asked_for(session, clip):
    assert session().step(clip[0][0], clip[1][0]).probabilities is None


def test_the_first_frame_returns_the_given_mask(session, clip):
    frames, labels = clip
    np.testing.assert_array_equal(session().step(frames[0], labels[0]).labels, labels[0])


def test_same_input_same_output(session, clip):
    frames, labels = clip
    first = follow(session(probabilities=True), frames, {0: labels[0]})
    second = follow(session(probabilities=True), frames, {0: labels[0]})
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a.probabilities, b.probabilities)
        assert a.objects == b.objects


def test_permuting_ids_permutes_results(session, clip):
    """Ids change the objects' place in the batch, which sums in another order."""
    frames, labels = clip
    swapped = np.array([0, 9, 3], np.uint8)[labels[0]]  # 1 becomes 9, 2 becomes 3
    one, other = session(probabilities=True), session(probabilities=True)
    for t, image in enumerate(frames):
        a = one.step(image, labels[0] if t == 0 else None)
        b = other.step(image, swapped if t == 0 else None)
        np.testing.assert_allclose(
            a.probabilities, b.probabilities[[0, 2, 1]], atol=1e-2 if t else 0
        )
        agree = np.array([0, 9, 3], np.uint8)[a.labels] == b.labels
        assert agree.mean() > 0.999
    assert (one.object_ids, other.object_ids) == ((1, 2), (3, 9))


def test_an_object_alone_is_the_sigmoid_of_twice_its_logit(session, clip, watched):
    frames, labels = clip
    seen = []
    watched.watches["decode"] = lambda decode, *args: seen.append(decode(*args)) or seen[-1]
    # The whole frame as crop, so that nothing is resized.
    alone = session(watched, crop_size=(64, 96), search_scale=100.0, probabilities=True)
    image, mask = frames[0][:64, :96], (labels[0][:64, :96] == 1).astype(np.uint8)
    alone.step(image, mask)
    result = alone.step(frames[1][:64, :96])
    region_matches = torch.sigmoid(2 * seen[0][0, 0]).numpy()
    np.testing.assert_allclose(result.probabilities[1], region_matches, atol=1e-5)


def test_objects_may_appear_later(session, clip):
    frames, labels = clip
    later = session(probabilities=True)
    masks = {0: np.where(labels[0] == 1, 1, 0), 3: np.where(labels[3] == 2, 200, 0)}
    results = follow(later, frames, {t: mask.astype(np.uint8) for t, mask in masks.items()})
    assert [len(result.objects) for result in results] == [1, 1, 1, 2, 2, 2, 2, 2]
    assert later.object_ids == (1, 200)
    assert (results[3].labels[labels[3] == 2] == 200).all()
    assert not (results[3].labels[labels[3] != 2] == 200).any()
    assert not (results[2].labels == 200).any()
    # The schedule counts from an object's own first frame: after frame 7 one has taken templates
    # at 2, 4, 6, the other at 5 and 7.
    assert [alone.frame_number for alone in objects(later)] == [9, 6]
    assert [len(alone.bank) for alone in objects(later)] == [3, 3]


def test_without_a_mask_all_is_background(session, clip):
    frames, labels = clip
    idle = session(probabilities=True)
    result = idle.step(frames[0])
    assert result.objects == ()
    assert not result.labels.any()
    np.testing.assert_array_equal(result.probabilities, np.ones((1, *labels[0].shape)))
    void = np.full_like(labels[0], 255)
    assert idle.step(frames[1], void).objects == ()  # void is no object
    assert len(idle.step(frames[2], labels[2]).objects) == 2
    assert idle.step(frames[3], labels[3] * 0).index == 3


def test_objects_are_described(session, clip):
    frames, _ = clip
    mask = np.zeros(frames[0].shape[:2], np.uint8)
    mask[40:50, 60:80] = 7
    mask[50:70, 60:65] = 7  # an L
    described = session(probabilities=True)
    (state,) = described.step(frames[0], mask).objects
    assert (state.id, state.area, state.box) == (7, 300, (60, 40, 20, 30))
    assert state.center == pytest.approx(((200 * 69.5 + 100 * 62) / 300, (200 * 44.5 + 5950) / 300))
    assert state.mean_probability == pytest.approx(1)

    result = described.step(frames[1])
    (state,) = result.objects
    ys, xs = np.nonzero(result.labels == 7)
    assert state.area == len(ys) > 0
    assert state.box == (xs.min(), ys.min(), np.ptp(xs) + 1, np.ptp(ys) + 1)
    assert state.mean_probability == pytest.approx(result.probabilities[1][ys, xs].mean(), abs=1e-5)
    assert 0.5 < state.mean_probability < 1


def test_an_object_that_is_gone_has_no_box(session, clip, watched):
    frames, labels = clip
    gone = session(watched)
    gone.step(frames[0], labels[0])
    watched.watches["decode"] = lambda _, encoding, *__: torch.full(
        (len(encoding), 1, 64, 96), -20.0
    )
    result = gone.step(frames[1])
    assert not result.labels.any()
    assert result.objects == tuple(ObjectState(i, 0, None, None, None) for i in (1, 2))
    gone.step(frames[2])  # and the session goes on


def test_segment_yields_frames_with_results(session, clip):
    frames, labels = clip
    taken = []

    def source():
        for t in range(3):
            taken.append(t)
            yield Frame(index=10 + t, pts=t, time_s=t / 24, image=frames[t], name=f"{t:05d}")

    pairs = session().segment(source(), labels[0])
    assert taken == []
    frame, result = next(pairs)
    assert taken == [0]  # one frame at a time
    assert (frame.index, result.index) == (10, 10)
    np.testing.assert_array_equal(result.labels, labels[0])
    rest = list(pairs)
    assert [result.index for _, result in rest] == [11, 12]
    by_step = follow(session(), frames[:3], {0: labels[0]})
    for (_, result), other in zip(rest, by_step[1:], strict=True):
        np.testing.assert_array_equal(result.labels, other.labels)


def test_the_network_names_its_own_preset(tiny_net):
    assert VideoSegmenter(tiny_net, device="cpu").config == INFERENCE["small"]


def test_half_precision_stays_close(session, clip):
    """bfloat16 keeps 8 bits and a random network is steep: 98 % agree, two runs in fp32 all."""
    frames, labels = clip
    mask = (labels[0] == 1).astype(np.uint8)
    full = follow(session(precision="fp32", probabilities=True), frames[:4], {0: mask})
    half = follow(session(precision="bf16", probabilities=True), frames[:4], {0: mask})
    for a, b in zip(full[1:], half[1:], strict=True):
        assert b.probabilities.dtype == np.float32
        assert (a.labels == b.labels).mean() > 0.95
        assert 0.1 < (a.labels > 0).mean() < 0.9
        assert not np.array_equal(a.probabilities, b.probabilities)


RIGHT, WIDER = np.ones((120, 160), np.uint8), np.ones((120, 161), np.uint8)
IMAGE, HIGHER = np.zeros((120, 160, 3), np.uint8), np.zeros((121, 160, 3), np.uint8)


@pytest.mark.parametrize(
    ("image", "mask", "error", "message"),
    [
        (IMAGE, WIDER, MaskSizeMismatch, "mask is 161x120, the frame 160x120"),
        (IMAGE, RIGHT / 2, MaskError, "mask is float64 [120, 160], expected IDs in a uint8 or "),
        (IMAGE, IMAGE, MaskError, "mask is uint8 [120, 160, 3], expected IDs"),
        (IMAGE, RIGHT.tolist(), MaskError, "mask is of type list, expected IDs"),
        (HIGHER, None, UnsupportedMediaError, "frame 1 is 160x121, the first was 160x120"),
        (IMAGE / 255, None, UnsupportedMediaError, "image is float64 [120, 160, 3], expected RGB"),
        (IMAGE.astype(np.uint16), None, UnsupportedMediaError, "image is uint16 [120, 160, 3]"),
        (RIGHT, None, UnsupportedMediaError, "image is uint8 [120, 160]"),
        (IMAGE[:, :, [0, 1, 2, 2]], RIGHT, UnsupportedMediaError, "image is uint8 [120, 160, 4]"),
        (IMAGE[:0], None, UnsupportedMediaError, "image is uint8 [0, 160, 3]"),
        (torch.from_numpy(IMAGE), None, UnsupportedMediaError, "image is of type Tensor"),
    ],
)
def test_what_does_not_fit_is_refused(session, clip, image, mask, error, message):
    frames, labels = clip
    running = session()
    running.step(frames[0], labels[0])
    with pytest.raises(error, match=re.escape(message)) as caught:
        running.step(image, mask)
    assert "\n" not in str(caught.value)
    assert running.object_ids == (1, 2)
    assert running.step(frames[1]).index == 1  # a refused frame is as if it had not been there


@pytest.mark.parametrize(
    ("dtype", "ids", "expected"),
    [
        pytest.param(np.uint8, (1, 254), np.uint8, id="uint8"),
        pytest.param(np.uint16, (1, 254), np.uint8, id="uint16, but small"),
        pytest.param(np.uint16, (1, 255), np.uint16, id="255, which is void in uint8"),
        pytest.param(np.uint16, (300, 65535), np.uint16, id="large"),
    ],
)
def test_ids_beyond_254(session, clip, dtype, ids, expected):
    frames, labels = clip
    wide = session()
    mask = np.array([0, *ids], dtype)[labels[0]]
    result = wide.step(frames[0], mask)
    assert result.labels.dtype == expected
    np.testing.assert_array_equal(result.labels, mask)
    assert tuple(state.id for state in result.objects) == ids
    assert set(np.unique(wide.step(frames[1]).labels)) <= {0, *ids}


def test_more_than_254_objects():
    """The number of the winner has more than eight bits as well as its ID."""
    labels = np.arange(301, dtype=np.uint16).reshape(7, 43)
    probabilities = torch.nn.functional.one_hot(torch.from_numpy(labels).long()).permute(2, 0, 1)
    ids = range(1, 301)
    found, _ = Findings.of(probabilities.float(), keep=False)
    result = frame_result(found, ids, (), ids, index=0, cut=False)
    np.testing.assert_array_equal(result.labels, labels)
    assert [state.id for state in result.objects if state.area != 1] == []


@pytest.mark.parametrize("keep", [False, True])
def test_objects_are_summed_up_as_their_pixels_say(keep):
    random = torch.Generator().manual_seed(5)
    probabilities = torch.rand(4, 23, 31, generator=random).softmax(0)
    probabilities[3] = 0  # an object that is gone
    found, pixels = Findings.of(probabilities, keep=keep)
    result = frame_result(found, (2, 5, 9), (5,), (2, 5, 9), index=7, cut=True)
    assert [state.paused for state in result.objects] == [False, True, False]
    np.testing.assert_array_equal(pixels[1], probabilities.argmax(0) == 2)
    winner, highest = probabilities.argmax(0).numpy(), probabilities.amax(0).numpy()
    np.testing.assert_array_equal(result.labels, np.array([0, 2, 5, 9])[winner])
    assert (result.index, result.cut, result.probabilities is None) == (7, True, not keep)
    for i, seen in enumerate(result.objects[:2], start=1):
        ys, xs = np.nonzero(winner == i)
        assert seen.area == len(ys)
        assert seen.box == (xs.min(), ys.min(), np.ptp(xs) + 1, np.ptp(ys) + 1)
        assert seen.center == pytest.approx((xs.mean(), ys.mean()))
        assert seen.mean_probability == pytest.approx(highest[ys, xs].mean())
    assert result.objects[2] == ObjectState(9, 0, None, None, None)


def test_images_need_not_be_contiguous_or_writable(session, clip):
    frames, labels = clip
    padded = np.zeros((2, 120, 170, 3), np.uint8)
    padded[:, :, :160] = frames[:2]
    mask = labels[0].copy()
    padded.flags.writeable = mask.flags.writeable = False
    plain, sliced = session(), session()
    plain.step(frames[0], labels[0])
    sliced.step(padded[0, :, :160], mask)
    np.testing.assert_array_equal(
        plain.step(frames[1]).labels, sliced.step(padded[1, :, :160]).labels
    )
