"""A session keeps to the rules of a GPU: one device at a time, and few waits for it."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from played_gpu import PlayedTensor, played_gpu

from jointvos.inference import VideoSegmenter
from jointvos.types import Frame


@pytest.fixture
def on_gpu(session) -> Callable[..., VideoSegmenter]:
    """Start a session on the played GPU, inside the play."""
    return lambda **changes: session(device="cuda:0", **changes)


def same(a, b) -> None:
    np.testing.assert_array_equal(a.labels, b.labels)
    np.testing.assert_array_equal(a.probabilities, b.probabilities)
    assert a.objects == b.objects


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_results_are_those_of_the_cpu(on_gpu, session, clip, precision):
    frames, labels = clip
    first = np.where(labels[0] == 1, labels[0], 0)
    given = {0: first, 3: labels[3], 5: np.where(labels[5] == 2, 2, 0).astype(np.uint8)}
    with torch.inference_mode():
        usual = session(probabilities=True, memory_precision=precision, reach=0.3)
        expected = [usual.step(f, given.get(t), cut=t == 6) for t, f in enumerate(frames)]
    with played_gpu():
        played = on_gpu(probabilities=True, memory_precision=precision, reach=0.3)
        for t, frame in enumerate(frames):
            same(played.step(frame, given.get(t), cut=t == 6), expected[t])
        memory = played.groups[0].bank.templates[0].transduction
    assert isinstance(memory, PlayedTensor)


def test_all_work_is_asked_for_before_the_only_wait(on_gpu, clip):
    frames, labels = clip
    waits = {}
    with played_gpu() as gpu:
        for objects in (1, 2):
            played = on_gpu(reach=0.3)
            for t in range(5):
                gpu.asked.clear()
                played.step(frames[t], np.minimum(labels[0], objects) if t == 0 else None)
                if t == 0:
                    continue
                before = gpu.asked[: gpu.asked.index("wait")]
                after = gpu.asked[len(before) :]
                assert any("conv" in name for name in before)
                assert not any("conv" in name or "matmul" in name for name in after)
                waits[objects, t] = after.count("wait")
    assert set(waits.values()) == {1}, waits


def test_a_frame_is_asked_for_before_the_result_of_the_last_one(on_gpu, session, clip):
    """Neither the host nor the device waits for the other, and results are the same."""
    frames, labels = clip
    usual = session(reach=0.3)
    expected = [usual.step(f, labels[0] if t == 0 else None) for t, f in enumerate(frames)]
    frames = [Frame(t, t, t / 24, image, str(t)) for t, image in enumerate(frames)]
    with played_gpu() as gpu:
        played = on_gpu(reach=0.3, say=lambda _: None)  # what is played cannot be recorded
        results = played.segment(frames, labels[0])
        first = next(results)
        frames_asked = [name for name in gpu.asked if name in ("event", "wait")]
        assert frames_asked[-3:] == ["event", "event", "wait"]
        gpu.asked.clear()
        for (frame, result), one in zip([first, *results], expected, strict=True):
            assert frame.index == result.index == one.index
            np.testing.assert_array_equal(result.labels, one.labels)
            assert result.objects == one.objects
    waits = [name for name in gpu.asked if name in ("event", "wait")]
    assert waits == ["event", "wait"] * (len(frames) - 2) + ["wait"]


def test_no_result_is_lost_where_the_frames_end_with_an_error(on_gpu, clip):
    images, labels = clip

    def frames():
        for t, image in enumerate(images[:4]):
            yield Frame(t, t, t / 24, image, str(t))
        raise OSError("the file is cut off")

    found = []

    def follow():
        for frame, result in on_gpu().segment(frames(), labels[0]):
            found.append((frame.index, result.index))

    with played_gpu(), pytest.raises(OSError, match="cut off"):
        follow()
    assert found == [(t, t) for t in range(4)]


def test_a_saved_session_goes_on_there(on_gpu, session, clip):
    frames, labels = clip
    with torch.inference_mode():
        usual = session(probabilities=True, reach=0.3)
        for t in range(4):
            usual.step(frames[t], labels[0] if t == 0 else None)
        saved = usual.state_dict()
        expected = usual.step(frames[4])
    with played_gpu():
        played = on_gpu(probabilities=True, reach=0.3)
        played.load_state_dict(saved)
        same(played.step(frames[4]), expected)
        again = played.state_dict()
        kernels = [group["target_model"] for group in again["groups"]]
        assert not any(isinstance(kernel, PlayedTensor) for kernel in kernels)


def test_a_session_moves_to_the_cpu(on_gpu, session, clip):
    frames, labels = clip
    usual = session(probabilities=True)
    with played_gpu():
        played = on_gpu(probabilities=True)
        for t in range(6):
            if t == 3:
                played.move_to_cpu()
            masks = labels[0] if t == 0 else None
            same(played.step(frames[t], masks), usual.step(frames[t], masks))
        assert not isinstance(played.groups[0].bank.templates[0].transduction, PlayedTensor)


def test_the_play_notices_what_a_gpu_would(on_gpu):
    with played_gpu() as gpu:
        there = torch.ones(2, 3, device="cuda")
        with pytest.raises(RuntimeError, match=r"aten::add: also tensors on the CPU, \[\(2, 3\)\]"):
            there + torch.ones(2, 3)
        assert "wait" not in gpu.asked
        there.sum().item()
        there[there > 0]
        assert gpu.asked.count("wait") == 2
