"""An AV1 encoder must not take the machine over."""

import os
import sys
from fractions import Fraction

import numpy as np
import pytest

from jointvos.media.writing import OverlaySink
from jointvos.media.writing.scheduling import TASKS
from jointvos.types import Frame, FrameResult, VideoInfo

SIZE = (64, 96)


@pytest.mark.skipif(sys.platform != "linux", reason="schedulers are those of Linux")
def test_an_encoder_leaves_the_scheduling_alone(tmp_path):
    info = VideoInfo(tmp_path / "in.mp4", SIZE[1], SIZE[0], Fraction(25), Fraction(1, 25))
    before = os.sched_getscheduler(0)
    sink = OverlaySink(tmp_path / "out.mkv", info, encoder="av1")  # tries the encoder
    assert os.sched_getscheduler(0) == before
    for index in range(3):
        image = np.full((*SIZE, 3), 40 * index, np.uint8)
        labels = np.zeros(SIZE, np.uint8)
        sink.write(
            Frame(index, index, index / 25, image, f"{index:05d}"), FrameResult(index, labels, ())
        )
        tasks = [int(task.name) for task in TASKS.iterdir()]
        assert {os.sched_getscheduler(task) for task in tasks} == {before}
    sink.abort()
    assert os.sched_getscheduler(0) == before
