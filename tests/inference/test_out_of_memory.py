"""When the device's memory does not suffice: smaller steps, each said, and the same frames out."""

import weakref

import numpy as np
import pytest
import torch
from objects import objects
from played_gpu import played_gpu
from torch.overrides import TorchFunctionMode
from watched_net import OUT, Failing

from jointvos.errors import ConfigError, OutOfDeviceMemory
from jointvos.inference.oom_retry import is_out_of_memory


class FailingTorch(TorchFunctionMode):
    """Inside the block one call of torch, of this number from 0, runs out of memory."""

    def __init__(self, number: int = -1) -> None:
        super().__init__()
        self.number, self.calls = number, 0

    def __torch_function__(self, function, types, args=(), kwargs=None):
        self.calls += 1
        if self.calls - 1 == self.number:
            raise torch.OutOfMemoryError(OUT)
        return function(*args, **(kwargs or {}))


def four(labels):
    """Four objects: the two of the clip, each cut in two."""
    quartered = labels.copy()
    quartered[:, :, 120:][labels[:, :, 120:] == 2] = 3
    quartered[:, 40:][labels[:, 40:] == 1] = 4
    return quartered


@pytest.fixture
def said() -> list[str]:
    return []


def assert_in_step(session, frames):
    """All objects, present since the first frame, have seen every frame once."""
    assert {alone.frame_number for alone in objects(session)} == {frames + 1}


STAGES = [
    pytest.param("encode_image", id="backbone: start, predict"),
    pytest.param("decode", id="decoder: predict"),
    pytest.param("apply_target_model", id="target model: predict"),
    pytest.param("propagate", id="attention: predict"),
    pytest.param("encode_masks", id="label encoder: start, commit"),
    pytest.param("fit_target_model", id="learner: start, commit"),
    pytest.param("renew_templates", id="template encoder: start, commit"),
]


@pytest.mark.parametrize("verb", STAGES)
def test_one_failure_anywhere_costs_nothing(session, clip, watched, said, verb):
    """Whatever call fails, once, the results are those of a run in which none did."""
    frames, labels = clip
    options = {"probabilities": True, "template_interval": 1}
    masks = {0: labels[0] * (labels[0] == 1), 2: labels[2]}  # the second is new in frame 2
    plain = session(watched, **options)
    count = watched.watches[verb] = Failing()
    expected = [plain.step(frames[t], masks.get(t)) for t in range(3)]
    assert count.calls >= 2
    for call in range(count.calls):
        watched.watches[verb] = Failing(lambda n, _, call=call: n == call)
        running = session(watched, on_oom="retry", say=said.append, **options)
        for t, result in enumerate(expected):
            again = running.step(frames[t], masks.get(t))
            assert again.index == t
            np.testing.assert_array_equal(again.probabilities, result.probabilities)
            assert again.objects == result.objects
        assert [alone.frame_number for alone in objects(running)] == [4, 2]
    assert said == ["cpu is out of memory; retrying with what could be freed"] * count.calls


@pytest.mark.parametrize("part", range(6))
def test_one_failure_of_torch_anywhere(session, clip, said, part):
    """Outside the network's verbs too: in the frame's crops, merging, moments, the result."""
    frames, labels = clip
    plain, running = session(), session(on_oom="retry", say=said.append)
    for t in range(3):
        mask = labels[0] if t == 0 else None
        with FailingTorch() as counting:
            expected = plain.step(frames[t], mask)
        with FailingTorch(counting.calls * (2 * part + 1) // 12):
            result = running.step(frames[t], mask)
        np.testing.assert_array_equal(result.labels, expected.labels)
        assert_in_step(running, t + 1)
    assert len(said) == 3


@pytest.mark.parametrize("most", [1, 3])
def test_objects_in_parts(session, clip, watched, said, most):
    """More than so many crops together do not fit; labels are those of a run where they do."""
    frames, labels = clip
    labels = four(labels)
    plain = session()
    expected = [plain.step(frames[t], labels[0] if t == 0 else None).labels for t in range(6)]
    watched.watches["encode_image"] = Failing(lambda _, args: len(args[0]) > most)
    running = session(watched, on_oom="retry", say=said.append)
    for t, theirs in enumerate(expected):
        result = running.step(frames[t], labels[0] if t == 0 else None)
        assert result.index == t
        assert (result.labels == theirs).mean() > 0.999  # another batch sums in another order
        assert_in_step(running, t + 1)
    steps = ["with what could be freed", "with 2 objects at a time", "with 1 object at a time"]
    assert [line.split("retrying ")[1] for line in said] == steps[: 3 if most == 1 else 2]
    assert running.objects_at_once == (1 if most == 1 else 2)
    assert len(objects(running)[0].bank) == 3  # the memory was left alone


@pytest.mark.parametrize(
    ("most", "steps"),
    [
        pytest.param(3, ["3 templates"], id="down to three"),
        pytest.param(2, ["3 templates", "1 template"], id="three is too many"),
    ],
)
def test_a_smaller_memory(session, clip, watched, said, most, steps):
    """A correction stays whatever happens; and what has helped stays in force."""
    frames, labels = clip
    labels = (labels == 1).astype(np.uint8)
    options = {"template_interval": 1, "memory_size": 6}
    running = session(watched, on_oom="retry", say=said.append, **options)
    many = [*frames, *frames]
    for t in range(12):
        running.step(many[t], labels[t] if t in (0, 4) else None)
    assert len(objects(running)[0].bank) == 6
    assert said == []

    watched.watches["fit_target_model"] = Failing(lambda _, args: args[0].shape[1] > most)
    for t in range(12, 16):
        result = running.step(many[t])
        assert result.index == t
        assert_in_step(running, t + 1)
        bank = objects(running)[0].bank
        assert len(bank.corrections) == 1
        assert len(bank) == most
    lines = [line.split("retrying ")[1] for line in said]
    assert lines[0] == "with what could be freed"
    assert lines[1:] == [f"with a memory of {step} beside corrections" for step in steps]


def test_objects_that_come_later_get_the_smaller_memory(session, clip):
    frames, labels = clip
    running = session(template_interval=1, memory_size=12)
    running.step(frames[0], (labels[0] == 1).astype(np.uint8))
    running.shrink_memory(2)
    running.step(frames[1], np.where(labels[1] == 2, 2, 0).astype(np.uint8))
    for t in range(2, 8):
        running.step(frames[t])
    assert [len(alone.bank) for alone in objects(running)] == [2, 2]
    fresh = session(template_interval=1, memory_size=12)
    fresh.load_state_dict(running.state_dict())
    fresh.step(frames[0], np.where(labels[0] == 1, 9, 0).astype(np.uint8))
    assert [alone.bank.size for alone in objects(fresh)] == [2, 2, 2]


def test_a_memory_shrinks_to_one_template_and_never_grows_beyond_its_size(session, clip):
    frames, labels = clip
    running = session(template_interval=1, memory_size=3)
    running.step(frames[0], labels[0])
    with pytest.raises(ConfigError, match="`size` is 0, expected 1 or more"):
        running.shrink_memory(0)
    lengths = []
    for size in (50, 1, 50):
        running.shrink_memory(size)
        for image in frames[1:6]:
            running.step(image)
        lengths.append([len(alone.bank) for alone in objects(running)])
    assert lengths == [[3, 3], [1, 1], [3, 3]]


def last_words(lines):
    return [line.split("retrying ")[1] for line in lines]


def test_the_cpu_at_last(session, clip, watched, said):
    """Everything moves, the memory is as large as configured again, and the frame comes out."""
    frames, labels = clip
    options = {"probabilities": True, "template_interval": 1}
    with played_gpu():
        running = session(watched, device="cuda", on_oom="retry", say=said.append, **options)
        for t in range(3):
            running.step(frames[t], labels[0] if t == 0 else None)
        running.net.watches["decode"] = Failing(lambda *_: running.device.type != "cpu")
        result = running.step(frames[3])
    assert last_words(said) == [
        "with what could be freed",
        "with 1 object at a time",
        "with a memory of 1 template beside corrections",
        "on the CPU",
    ]
    assert running.device == torch.device("cpu")
    assert running.objects_at_once == running.config.objects_at_once
    assert [alone.bank.size for alone in objects(running)] == [3, 3]
    assert result.index == 3
    assert_in_step(running, 4)

    shrunk = session(**options)
    for t in range(3):
        shrunk.step(frames[t], labels[0] if t == 0 else None)
    shrunk.shrink_memory(1)
    shrunk.shrink_memory(3)
    np.testing.assert_array_equal(result.probabilities, shrunk.step(frames[3]).probabilities)
    for t in range(4, 8):
        expected = shrunk.step(frames[t])
        np.testing.assert_array_equal(running.step(frames[t]).labels, expected.labels)
    assert len(said) == 4


def test_what_was_computed_in_half_precision_is_not_on_the_cpu(session):
    with played_gpu():
        running = session(device="cuda", precision="fp16")
        assert running.dtype == torch.float16
        running.move_to_cpu()
        session(device="cuda", precision="fp16").load_state_dict(running.state_dict())
    assert running.dtype is None


@pytest.mark.parametrize(
    ("failures", "steps"),
    [
        pytest.param(1, ["with what could be freed"], id="once"),
        pytest.param(2, ["with what could be freed", "on the CPU"], id="twice"),
    ],
)
def test_the_network_does_not_fit(session, clip, watched, said, failures, steps):
    watched.watches["to"] = Failing(
        lambda n, args: args == (torch.device("cuda"),) and n <= failures
    )
    with played_gpu():
        running = session(watched, device="cuda", on_oom="retry", say=said.append)
        assert last_words(said) == steps
        assert running.device.type == ("cuda" if failures == 1 else "cpu")
        assert running.step(clip[0][0], clip[1][0]).index == 0


@pytest.mark.parametrize("verb", ["renew_templates", "template_keys"], ids=["sums", "keys"])
def test_a_step_down_may_fail_itself(session, clip, watched, said, verb):
    """Making the memory smaller takes memory; where there is none the next step is tried."""
    frames, labels = clip
    options = {"template_interval": 1, "memory_size": 6}
    running = session(watched, on_oom="retry", say=said.append, **options)
    for t in range(6):
        running.step(frames[t], (labels[0] == 1).astype(np.uint8) if t == 0 else None)
    count = {
        "renew_templates": lambda args: len(args[1]),
        "template_keys": lambda args: len(args[0]),
    }
    watched.watches[verb] = Failing(lambda _, args: count[verb](args) > 1)
    assert running.step(frames[6]).index == 6
    assert len(objects(running)[0].bank) == 1
    assert [line.split()[-5:-2] for line in said[1:]] == [
        ["of", "3", "templates"],
        ["of", "1", "template"],
    ]
    assert_in_step(running, 7)


@pytest.mark.parametrize("verb", STAGES)
def test_fail_refuses_at_once(session, clip, watched, said, verb):
    """In one line, with the session as it was: the frame can be given again."""
    frames, labels = clip
    running, plain = session(watched, say=said.append), session()
    for one in (running, plain):
        one.step(frames[0], labels[0])
    fails = watched.watches[verb] = Failing(lambda *_: True)
    with pytest.raises(OutOfDeviceMemory, match="cpu has too little memory; use") as caught:
        running.step(frames[1], np.where(labels[1] == 1, 7, 0).astype(np.uint8))
    watched.watches.clear()
    assert "\n" not in str(caught.value)
    assert str(caught.value.__cause__) == OUT
    assert fails.calls == 1
    assert said == []
    assert running.object_ids == (1, 2)
    for t in range(1, 4):
        np.testing.assert_array_equal(running.step(frames[t]).labels, plain.step(frames[t]).labels)


def test_nothing_helps(session, clip, watched, said):
    frames, labels = clip
    running = session(watched, on_oom="retry", say=said.append)
    running.step(frames[0], labels[0])
    watched.watches["decode"] = Failing(lambda *_: True)
    with pytest.raises(OutOfDeviceMemory, match="cpu has too little memory") as caught:
        running.step(frames[1])
    watched.watches.clear()
    assert "--device cpu" not in str(caught.value)
    assert last_words(said) == ["with what could be freed", "with 1 object at a time"]
    assert running.step(frames[1]).index == 1


def test_the_failed_attempt_is_let_go_before_the_next(session, clip, watched):
    """An error keeps what its frames hold; the next attempt must not find it in its way."""
    frames, labels = clip
    running = session(watched, on_oom="retry", say=lambda _: None)
    running.step(frames[0], labels[0])
    failed, alive = [], []

    def fails_once(decode, encoding, stages):
        if not failed:
            failed.append(weakref.ref(stages[0]))
            raise torch.OutOfMemoryError(OUT)
        alive.append(failed[0]() is not None)
        return decode(encoding, stages)

    watched.watches["decode"] = fails_once
    running.step(frames[1])
    assert alive == [False]


def test_other_errors_are_not_hidden(session, clip, watched, said):
    frames, labels = clip
    running = session(watched, on_oom="retry", say=said.append)

    def fail(*_):
        raise RuntimeError("shapes do not match")

    watched.watches["encode_image"] = fail
    with pytest.raises(RuntimeError, match="shapes do not match"):
        running.step(frames[0], labels[0])
    assert said == []


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        pytest.param(torch.OutOfMemoryError(OUT), True, id="CUDA"),
        pytest.param(
            RuntimeError("MPS backend out of memory (MPS allocated: 1 GB)"), True, id="MPS"
        ),
        pytest.param(
            RuntimeError(
                "DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"
            ),
            True,
            id="CPU",
        ),
        pytest.param(RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED"), True, id="cuBLAS"),
        pytest.param(RuntimeError("device-side assert triggered"), False, id="another"),
    ],
)
def test_which_errors_say_that_memory_lacks(error, expected):
    assert is_out_of_memory(error) == expected


def test_the_cpu_says_so_in_words_that_are_known():
    """The allocator's message is no interface; this notices when it changes."""
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**62, dtype=torch.uint8)
    assert is_out_of_memory(caught.value)


def test_unknown_wish(session):
    with pytest.raises(ConfigError, match="on_oom is 'hope', expected retry or fail"):
        session(on_oom="hope")


def test_a_gpu_takes_all_objects_together(session):
    with played_gpu():
        assert session(device="cuda", objects_at_once=0).objects_at_once == 8


@pytest.mark.parametrize(("objects_at_once", "most"), [(0, 1), (1, 1), (3, 3), (8, 4)])
def test_parts_do_not_matter(session, clip, watched, objects_at_once, most):
    """Never more crops together than said (by default one on the CPU), and the same labels."""
    frames, labels = clip
    labels = four(labels)
    expected = session(objects_at_once=4)
    running = session(watched, objects_at_once=objects_at_once)
    sizes = []
    watched.watches["encode_image"] = lambda encode, x: sizes.append(len(x)) or encode(x)
    for t in range(4):
        mask = labels[0] if t == 0 else None
        theirs = expected.step(frames[t], mask).labels
        ours = running.step(frames[t], mask).labels
        assert (ours == theirs).mean() > 0.999
    assert max(sizes) == most
