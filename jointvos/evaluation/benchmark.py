"""What a frame costs on this machine: seconds by stage, arithmetic, memory; synthetic frames."""

import gc
import math
import multiprocessing
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from time import perf_counter, process_time

import numpy as np
import torch
from numpy.typing import NDArray
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from jointvos.config import MODELS, preset
from jointvos.inference import VideoSegmenter
from jointvos.inference.object_group import ObjectGroup
from jointvos.inference.recorded import PATIENCE
from jointvos.inference.stages import Stage, Stopwatch, clock
from jointvos.inference.trees import tensors
from jointvos.model import JointNet
from jointvos.runs import LoadedModel, SessionSpec
from jointvos.types import Image, LabelMap, label_type


def _attention_flops(
    query: Sequence[int], key: Sequence[int], value: Sequence[int], *_: object, **__: object
) -> int:
    """Floating-point operations of attention, from its shapes [B,heads,tokens,width]."""
    return 2 * math.prod(query[:3]) * key[2] * (query[3] + value[3])


UNCOUNTED = {torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: _attention_flops}
"""What some versions of torch leave out of their count."""

MATRIX_SIDE = 2048
MATRIX_REPEATS = 5

FRAMES_IN_A_ROW = 20
"""On a GPU, which works on a frame while the host is done with the last one."""


@dataclass(frozen=True)
class Cell:
    """What is measured.

    Attributes:
        model: Preset of the network; its weights do not matter for the time.
        objects: How many are followed.
        memory: Templates that each of them holds.
        width: Of the frames.
        height: Of the frames.
        crop: Height and width of the search region; the model's own by default.
        frames: Frames that are followed as usual before those that are timed.
        device: Where.
        precision: In which precision.
        compiled: Whether the network is compiled.
        memory_precision: What templates are kept in; the model's own by default.
        repeats: Frames timed of each kind.
    """

    model: str
    objects: int
    memory: int
    width: int = 854
    height: int = 480
    crop: tuple[int, int] | None = None
    frames: int = 0
    device: str = "auto"
    precision: str = "auto"
    compiled: bool = False
    memory_precision: str | None = None
    repeats: int = 3


@dataclass(frozen=True)
class StageCost:
    """What a stage takes.

    Attributes:
        seconds: Wall time, until the device is done; median.
        gmac: Multiply-adds of convolutions and matrix products, 10^9.
    """

    seconds: float
    gmac: float


@dataclass(frozen=True)
class FrameCost:
    """What a frame takes; medians over the timed frames.

    Attributes:
        wall_s: Wall seconds, stages overlapping as they may.
        cpu_s: CPU seconds, all threads together.
        gmac: Multiply-adds, 10^9.
        matmul_share: Achieved share of the machine's matrix-product rate.
        stages: By the stages' names; each waits for the device.
        busy_share: Share of the time in which a GPU computed; None without one.
    """

    wall_s: float
    cpu_s: float
    gmac: float
    matmul_share: float
    stages: dict[str, StageCost]
    busy_share: float | None = None


@dataclass(frozen=True)
class Measured:
    """What was measured.

    Attributes:
        cell: Of what.
        plain: A frame that stores no template.
        update: A frame that stores one for every object.
        mean_s: Wall seconds per frame, averaged over a cycle of the model's template interval.
        mean_gmac: Multiply-adds per frame, 10^9, averaged likewise.
        matmul_gmac_s: Multiply-adds per second, 10^9, of the product of two large matrices.
        object_mib: What the session remembers of each object, MiB.
        peak_mib: Peak memory of the process (and, on a GPU, of the device instead), MiB.
        peak_grows_mib: By how much the peak exceeds what was in use before the video began.
        warm_up_s: Seconds that compiling took.
    """

    cell: Cell
    plain: FrameCost
    update: FrameCost
    mean_s: float
    mean_gmac: float
    matmul_gmac_s: float
    object_mib: float
    peak_mib: float
    peak_grows_mib: float
    warm_up_s: float


def benchmark(cells: list[Cell]) -> Iterator[Measured]:
    """Measure each cell in a process of its own, so that peaks do not mix."""
    context = multiprocessing.get_context("spawn")
    for cell in cells:
        with context.Pool(1) as pool:
            yield pool.apply(measure, (cell,))


def measure(cell: Cell) -> Measured:
    """Measure one cell in this process."""
    spec = SessionSpec(
        device=cell.device,
        precision=cell.precision,
        crop_size=cell.crop,
        memory_size=cell.memory,
        memory_precision=cell.memory_precision,
        on_oom="fail",
        compiled=cell.compiled,
    )
    model = LoadedModel(spec, JointNet(preset(MODELS, cell.model)).requires_grad_(False))
    session = model.session()
    rate = matmul_rate(session)
    before = _memory_mib(session.device)
    frames = _frames(cell)
    _follow(session, frames, cell)
    update = _cost(session, frames, cell.repeats, rate, template=True)
    plain = _cost(session, frames, cell.repeats, rate, template=False)
    interval = model.config.template_interval

    def mean(plain: float, update: float) -> float:
        return (plain * (interval - 1) + update) / interval

    return Measured(
        cell,
        plain=plain,
        update=update,
        mean_s=mean(plain.wall_s, update.wall_s),
        mean_gmac=mean(plain.gmac, update.gmac),
        matmul_gmac_s=rate,
        object_mib=sum(map(held_mib, session.groups)) / cell.objects,
        peak_mib=_peak_mib(session.device),
        peak_grows_mib=_peak_mib(session.device) - before,
        warm_up_s=model.compile_s,
    )


def matmul_rate(session: VideoSegmenter) -> float:
    """Multiply-adds per second, 10^9, in the session's precision; the best of a few products."""
    a = torch.ones(MATRIX_SIDE, MATRIX_SIDE, device=session.device, dtype=session.dtype)
    read, best = clock(session.device), float("inf")
    for _ in range(MATRIX_REPEATS):
        begin = read()
        a @ a
        best = min(best, read() - begin)
    return float(MATRIX_SIDE**3 / best / 1e9)


def held_mib(group: ObjectGroup) -> float:
    """Memory of everything that is remembered of a group, MiB; shared memory counts once."""
    storages = [part.untyped_storage() for part in tensors(group.state_dict())]
    return sum({each.data_ptr(): each.nbytes() for each in storages}.values()) / 2**20


def _follow(session: VideoSegmenter, frames: Iterator[Image], cell: Cell) -> None:
    """Run the beginning of the video, then fill each memory with copies of its first template."""
    session.step(next(frames), _squares(cell))
    for _ in range(cell.frames):
        session.step(next(frames))
    session.fill_memory()


def _cost(
    session: VideoSegmenter, frames: Iterator[Image], repeats: int, rate: float, *, template: bool
) -> FrameCost:
    """Of frames as they come, stored or not, with a copy of each result to the host."""
    on_cpu = session.device.type == "cpu"

    def step() -> None:
        session.step(next(frames), template=template)

    # What the kind before left in caches and pools; a GPU also records frames of equal shapes.
    for _ in range(1 if on_cpu else session.config.template_interval + PATIENCE):
        step()
    count = 1 if on_cpu else FRAMES_IN_A_ROW
    times, stages = [], []
    for _ in range(repeats):
        images = [next(frames) for _ in range(count)]
        wall, cpu = perf_counter(), process_time()
        asked = (session.ask(image, template=template) for image in images)
        for result in session.one_behind(asked):
            result()
        times.append(((perf_counter() - wall) / count, (process_time() - cpu) / count))
        with Stopwatch(clock(session.device)).running() as watch:
            step()
        stages.append(watch.spent)
    wall_s, cpu_s = np.median(times, axis=0)
    with (
        FlopCounterMode(display=False, custom_mapping=UNCOUNTED) as counter,
        Stopwatch(lambda: counter.get_total_flops() / 2e9).running() as macs,
    ):
        step()
    return FrameCost(
        wall_s=float(wall_s),
        cpu_s=float(cpu_s),
        gmac=sum(macs.spent.values()),
        matmul_share=sum(macs.spent.values()) / float(wall_s) / rate,
        busy_share=_busy_share(session.device, step),
        stages={
            name.value: StageCost(
                float(np.median([spent[name] for spent in stages])), macs.spent[name]
            )
            for name in Stage
            if name in macs.spent
        },
    )


def _busy_share(device: torch.device, step: Callable[[], None]) -> float | None:
    """Share of a step in which the GPU computed, by its own account."""
    if device.type != "cuda":
        return None
    step()
    begin = perf_counter()
    step()
    wall_s = perf_counter() - begin
    with profile(activities=[ProfilerActivity.CUDA], acc_events=True) as recording:
        step()
    busy_us = sum(each.self_device_time_total for each in recording.key_averages())
    return float(min(busy_us / 1e6 / wall_s, 1.0))


def _frames(cell: Cell) -> Iterator[Image]:
    """Noise that drifts, so that no two frames are the same."""
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (cell.height, cell.width, 3), dtype=np.uint8)
    while True:
        yield image
        image = np.roll(image, 3, axis=1)


def _squares(cell: Cell) -> LabelMap:
    """Objects as squares in a row, each a tenth of the height."""
    ids = range(1, cell.objects + 1)
    labels: NDArray[np.uint8 | np.uint16] = np.zeros((cell.height, cell.width), label_type(ids))
    side = cell.height // 10
    for i in ids:
        left = round((i - 0.5) * cell.width / cell.objects - side / 2)
        labels[cell.height // 2 : cell.height // 2 + side, max(left, 0) : left + side] = i
    return labels


def _memory_mib(device: torch.device) -> float:
    """In use now, MiB; on the CPU the peak so far, which the network's making is below."""
    gc.collect()
    if device.type == "cuda":
        return torch.cuda.memory_allocated(device) / 2**20
    return _peak_mib(device)


def _peak_mib(device: torch.device) -> float:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    if sys.platform == "win32":
        return float("nan")
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)
