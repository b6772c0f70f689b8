"""Batches ahead of their steps: the same from a thread and from processes, in order, in time."""

import os
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from jointvos.errors import DatasetError, TrainingError
from jointvos.training.data.feed import Shared, feed
from jointvos.training.data.mini_sequences import MiniSequences
from jointvos.training.data.packs import VideoClip
from jointvos.training.data.synthesis import MiniSequenceSynthesizer


def clip() -> VideoClip:
    rng = np.random.default_rng(0)
    images = tuple(rng.integers(0, 255, (60, 90, 3), dtype=np.uint8) for _ in range(6))
    labels = tuple(np.zeros((60, 90), np.uint8) for _ in range(6))
    for label in labels:
        label[20:45, 30:60] = 1
    return VideoClip("square", images, labels)


def draw(data: MiniSequenceSynthesizer, step: int) -> MiniSequences:
    return data.batch(step, 2, {"video": 1.0}, (64, 96), 3)


def fail(step: int) -> int:
    if step == 1:
        raise ValueError("nothing to draw")
    return step


@pytest.mark.parametrize("processes", [0, pytest.param(2, marks=pytest.mark.slow)])
def test_batches_come_in_order_and_are_the_same_everywhere(processes: int) -> None:
    data = MiniSequenceSynthesizer([clip()], [], seed=3)
    answers = list(feed(partial(draw, data), range(3, 8), processes))
    assert [step for step, _ in answers] == [3, 4, 5, 6, 7]
    for step, batch in answers:
        expected = draw(data, step)
        assert batch.masks.dtype == torch.uint8
        assert torch.equal(batch.images, expected.images)
        assert torch.equal(batch.masks, expected.masks)


def test_specs_are_taken_late() -> None:
    """So that what a run by minutes asks for fits the time at which it is used."""
    taken = []

    def specs() -> Iterator[int]:
        for step in range(10):
            taken.append(step)
            yield step

    answers = feed(abs, specs(), 0)
    assert next(answers) == (0, 0)
    assert taken == [0, 1]


@pytest.mark.parametrize("processes", [0, 1])
def test_a_failure_reaches_the_training(processes: int) -> None:
    answers = feed(fail, range(3), processes)
    assert next(answers) == (0, 0)
    with pytest.raises(ValueError, match="nothing to draw"):
        next(answers)


def refuse(step: int) -> int:
    raise DatasetError(f"nothing for step {step}")


def vanish(step: int) -> int:
    os._exit(9)


@pytest.mark.parametrize("processes", [0, 1])
def test_what_the_user_can_mend_is_said_in_one_line(processes: int) -> None:
    with pytest.raises(DatasetError) as caught:
        next(feed(refuse, range(3), processes))
    assert str(caught.value) == "nothing for step 0"


def test_a_process_that_was_killed_is_no_bug() -> None:
    with pytest.raises(TrainingError, match=r"was killed.*fewer `workers`"):
        next(feed(vanish, range(3), 1))


def test_arrays_are_shared_not_copied() -> None:
    data = clip()
    shared = Shared(data)
    first, second = shared.get(), shared.get()
    for image, original in zip(first.images, data.images, strict=True):
        assert np.array_equal(image, original)
    first.images[0][0, 0] = 77
    assert (second.images[0][0, 0] == 77).all()
    assert not (data.images[0][0, 0] == 77).all()


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="only Linux keeps it there")
def test_too_little_shared_memory_is_said_before_it_is_used(tmp_path) -> None:
    size = 2 * shutil.disk_usage("/dev/shm").total
    mapped = np.memmap(tmp_path / "sparse", np.uint8, "w+", shape=(size,))
    with pytest.raises(TrainingError, match=r"shm-size.*`workers=0`"):
        Shared(np.asarray(mapped))
