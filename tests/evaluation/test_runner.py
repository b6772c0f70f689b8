import time

import numpy as np
import pytest
from PIL import Image

from jointvos.datasets import VOSSequence
from jointvos.errors import (
    DatasetError,
    DeviceUnavailable,
    MaskSizeMismatch,
    OutOfDeviceMemory,
    SequenceIncomplete,
)
from jointvos.evaluation import evaluate
from jointvos.types import FrameResult

HEIGHT, WIDTH = 30, 40


def truth(index):
    labels = np.zeros((HEIGHT, WIDTH), np.uint8)
    labels[2:12, 2 + index : 12 + index] = 1
    labels[18:26, 20:30] = 5
    return labels


@pytest.fixture
def make_sequence(tmp_path):
    """The images carry the index of their frame in red, so that a session can know it."""

    def make(name, count, unmasked=()):
        frames, masks = [], []
        for index in range(count):
            frame, mask = tmp_path / f"{name}{index}.png", tmp_path / f"{name}{index}_mask.png"
            Image.new("RGB", (WIDTH, HEIGHT), (index, 0, 0)).save(frame)
            Image.fromarray(truth(index)).save(mask)
            frames.append(frame)
            masks.append(None if index in unmasked else mask)
        return VOSSequence(name, tuple(frames), tuple(masks))

    return make


class Oracle:
    """Finds the truth."""

    def __init__(self):
        self.given = []

    def step(self, image, masks=None):
        assert image.dtype == np.uint8
        self.given.append(masks)
        return FrameResult(len(self.given) - 1, self.find(int(image[0, 0, 0])), ())

    def find(self, index):
        return truth(index)


class Blind(Oracle):
    """Finds nothing."""

    def find(self, index):
        return np.zeros((HEIGHT, WIDTH), np.uint8)


class Failing(Oracle):
    def __init__(self, error):
        super().__init__()
        self.error = error

    def find(self, index):
        raise self.error


def test_the_truth_scores_one(make_sequence):
    result = evaluate([make_sequence("bear", 5), make_sequence("swan", 4)], Oracle)
    assert [(each.sequence, each.object_id) for each in result.objects] == [
        ("bear", 1),
        ("bear", 5),
        ("swan", 1),
        ("swan", 5),
    ]
    assert result.score.jf_mean == result.score.j_recall == result.score.f_mean == 1.0
    assert [len(each.j) for each in result.objects] == [3, 3, 2, 2]
    assert result.frames == 9
    assert result.sequences[0].score.jf_mean == 1.0
    assert result.failures == ()


def test_nothing_found_scores_zero(make_sequence):
    score = evaluate([make_sequence("bear", 5)], Blind).score
    assert score.j_mean == score.f_mean == score.jf_mean == score.j_recall == 0.0


def test_a_session_is_fresh_and_is_given_only_the_first_mask(make_sequence):
    sessions = []

    def make_session():
        sessions.append(Oracle())
        return sessions[-1]

    evaluate([make_sequence("bear", 4), make_sequence("swan", 3)], make_session)
    assert [len(each.given) for each in sessions] == [4, 3]
    for session in sessions:
        np.testing.assert_array_equal(session.given[0], truth(0))
        assert not any(masks is not None for masks in session.given[1:])


def test_frames_without_mask_are_segmented_but_not_scored(make_sequence):
    result = evaluate([make_sequence("bear", 8, unmasked=(1, 3, 7))], Oracle)
    assert result.frames == 8
    assert len(result.objects[0].j) == 3
    assert result.score.jf_mean == 1.0


def test_every_frame_is_told(make_sequence):
    sequence = make_sequence("bear", 4)
    told = []
    evaluate([sequence], Oracle, on_frame=lambda *each: told.append(each))
    assert [(each, index, result.index) for each, index, result in told] == [
        (sequence, index, index) for index in range(4)
    ]


def test_time_is_that_of_the_steps(make_sequence):
    """All of each step, and nothing of what happens between them."""
    waits = iter([0.03, 0.01, 0.01, 0.01])

    class Slow(Oracle):
        def step(self, *args, **options):
            time.sleep(next(waits))
            return super().step(*args, **options)

    begin = time.perf_counter()
    result = evaluate([make_sequence("bear", 4)], Slow, on_frame=lambda *_: time.sleep(0.02))
    elapsed = time.perf_counter() - begin
    seconds = result.sequences[0].step_seconds
    assert (seconds >= [0.03, 0.01, 0.01, 0.01]).all()
    assert seconds.sum() <= elapsed - 4 * 0.02
    assert result.seconds_per_frame == result.sequences[0].seconds_per_frame == seconds.mean()


def test_max_frames_cuts_every_sequence(make_sequence):
    result = evaluate([make_sequence("bear", 6), make_sequence("swan", 3)], Oracle, max_frames=4)
    assert [each.frames for each in result.sequences] == [4, 3]


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(MaskSizeMismatch("first mask"), id="mask"),
        pytest.param(OutOfDeviceMemory("too large"), id="memory"),
    ],
)
def test_a_sequence_that_fails_does_not_end_the_run(make_sequence, error):
    sessions = iter([Oracle(), Failing(error), Oracle()])
    sequences = [make_sequence(name, 3) for name in ("bear", "cow", "swan")]
    result = evaluate(sequences, lambda: next(sessions))
    assert [each.name for each in result.sequences] == ["bear", "swan"]
    assert [(each.name, each.error) for each in result.failures] == [("cow", error)]


def test_what_concerns_all_sequences_ends_the_run(make_sequence):
    sequences = [make_sequence("bear", 3), make_sequence("swan", 3)]
    sessions = iter([Oracle(), Failing(DeviceUnavailable("gone"))])
    with pytest.raises(DeviceUnavailable, match="gone"):
        evaluate(sequences, lambda: next(sessions))


@pytest.mark.parametrize(
    ("options", "unmasked"),
    [
        pytest.param({"max_frames": 1}, (), id="max-frames"),
        pytest.param({}, (1, 2, 3, 4), id="too-few-masks"),
    ],
)
def test_too_few_frames_are_refused_before_the_session_runs(make_sequence, options, unmasked):
    session = Oracle()
    with pytest.raises(SequenceIncomplete, match="at least 2"):
        evaluate([make_sequence("bear", 5, unmasked)], lambda: session, **options)
    assert session.given == []


def test_no_sequences_are_refused():
    with pytest.raises(DatasetError, match="no sequences"):
        evaluate([], Oracle)


def test_images_and_masks_of_another_size_are_named(make_sequence):
    sequence = make_sequence("bear", 4)
    Image.new("RGB", (WIDTH, HEIGHT + 1)).save(sequence.frames[2])
    with pytest.raises(DatasetError, match=r"bear2\.png is 40x31 but the first frame is 40x30"):
        evaluate([sequence], Oracle)
    Image.fromarray(truth(0)[:-1]).save(sequence.masks[0])
    with pytest.raises(DatasetError, match=r"bear0_mask\.png is 40x29"):
        evaluate([sequence], Oracle)
