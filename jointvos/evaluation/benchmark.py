"""How long a frame takes, and how much memory, on this machine; synthetic frames."""

import multiprocessing
import sys
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, replace
from time import perf_counter, process_time

import numpy as np
import torch
from numpy.typing import NDArray

from jointvos.config import INFERENCE, MODELS, preset
from jointvos.inference import VideoSegmenter
from jointvos.model import JointNet
from jointvos.types import Image, LabelMap

NEVER = 2**30
"""A template interval that no benchmark reaches."""


@dataclass(frozen=True)
class Cell:
    """What is measured.

    Attributes:
        model: Preset of the network; its weights do not matter for the time.
        objects: How many are followed.
        memory: Templates that each of them holds.
        width: Of the frames.
        height: Of the frames.
        device: Where.
        precision: In which precision.
        repeats: Frames timed of each kind.
    """

    model: str
    objects: int
    memory: int
    width: int = 854
    height: int = 480
    device: str = "auto"
    precision: str = "auto"
    repeats: int = 3


@dataclass(frozen=True)
class Measured:
    """Medians over the timed frames.

    Attributes:
        cell: What was measured.
        plain_s: Wall seconds of a frame that stores no template.
        plain_cpu_s: CPU seconds of it, all threads together.
        update_s: Wall seconds of a frame that stores one.
        update_cpu_s: CPU seconds of it.
        mean_s: Wall seconds per frame, averaged over a cycle of the model's template interval.
        peak_mib: Peak memory of the process (and, on a GPU, of the device instead), MiB.
    """

    cell: Cell
    plain_s: float
    plain_cpu_s: float
    update_s: float
    update_cpu_s: float
    mean_s: float
    peak_mib: float


def benchmark(cells: list[Cell]) -> Iterator[Measured]:
    """Measure each cell in a process of its own, so that peaks do not mix."""
    context = multiprocessing.get_context("spawn")
    for cell in cells:
        with context.Pool(1) as pool:
            yield pool.apply(measure, (cell,))


def measure(cell: Cell) -> Measured:
    """Measure one cell in this process."""
    config = preset(MODELS, cell.model)
    usual = INFERENCE[config.inference]
    session = VideoSegmenter(
        JointNet(config),
        replace(usual, memory_size=cell.memory, template_interval=NEVER),
        device=cell.device,
        precision=cell.precision,
    )
    frames = _frames(cell)
    session.step(next(frames), _squares(cell))
    for tracker in session.trackers:
        first = tracker.bank.templates[0]
        for _ in range(cell.memory - 1):
            with torch.inference_mode():
                tracker.bank.add(deepcopy(first))
    session.step(next(frames))
    _learn_next(session, 1)
    update = _time(session, frames, cell.repeats)
    _learn_next(session, NEVER)
    plain = _time(session, frames, cell.repeats)
    interval = usual.template_interval
    return Measured(
        cell,
        plain_s=plain[0],
        plain_cpu_s=plain[1],
        update_s=update[0],
        update_cpu_s=update[1],
        mean_s=(plain[0] * (interval - 1) + update[0]) / interval,
        peak_mib=_peak_mib(session.device),
    )


def _learn_next(session: VideoSegmenter, interval: int) -> None:
    for tracker in session.trackers:
        tracker.config = replace(tracker.config, template_interval=interval)


def _time(session: VideoSegmenter, frames: Iterator[Image], repeats: int) -> tuple[float, float]:
    """Median wall and CPU seconds of a step; `step` ends with a copy to the host."""
    times = []
    for _ in range(repeats):
        frame = next(frames)
        wall, cpu = perf_counter(), process_time()
        session.step(frame)
        times.append((perf_counter() - wall, process_time() - cpu))
    wall_s, cpu_s = np.median(times, axis=0)
    return float(wall_s), float(cpu_s)


def _frames(cell: Cell) -> Iterator[Image]:
    """Noise that drifts, so that no two frames are the same."""
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (cell.height, cell.width, 3), dtype=np.uint8)
    while True:
        yield picture
        picture = np.roll(picture, 3, axis=1)


def _squares(cell: Cell) -> LabelMap:
    """Objects as squares in a row, each a tenth of the height."""
    labels: NDArray[np.uint8] = np.zeros((cell.height, cell.width), dtype=np.uint8)
    side = cell.height // 10
    for i in range(cell.objects):
        left = round((i + 0.5) * cell.width / cell.objects - side / 2)
        labels[cell.height // 2 : cell.height // 2 + side, max(left, 0) : left + side] = i + 1
    return labels


def _peak_mib(device: torch.device) -> float:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    if sys.platform == "win32":
        return float("nan")
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)
