"""How many workers there are, and where each computes."""

import os
from collections.abc import Callable, Sequence

from jointvos.batch.processes import apart
from jointvos.errors import ConfigError, DeviceUnavailable


def count_gpus() -> int:
    """CUDA devices that there are."""
    return apart(_count_gpus)


def choose_places(
    device: str, gpus: str | None, jobs: int | None, count: Callable[[], int] = count_gpus
) -> list[str]:
    """The device of every worker.

    Args:
        device: As `SessionSpec.device`.
        gpus: "all" or how many; None for all if `device` is "auto" and there are some.
        jobs: How many workers; by default one per GPU, or one on the CPU. More than there are GPUs
            share them.
        count: Counts the GPUs; asked if it matters.

    Raises:
        ConfigError: The options contradict each other or are out of range.
        DeviceUnavailable: There are fewer GPUs.
    """
    if jobs is not None and jobs < 1:
        raise ConfigError(f"`jobs` is {jobs}, expected 1 or more")
    if gpus is None:
        if device != "auto":
            return [device] * (jobs or 1)
        there = _names(count())
        return _spread(there, jobs) if there else ["auto"] * (jobs or 1)
    if device not in ("auto", "cuda"):
        raise ConfigError(f"`gpus` and `device={device!r}` cannot be combined; pass only one")
    there = _names(count())
    if gpus != "all":
        if not gpus.isdecimal() or int(gpus) < 1:
            raise ConfigError(f"`gpus` is {gpus!r}, expected all or how many")
        if int(gpus) > len(there):
            raise DeviceUnavailable(f"`gpus` is {gpus}, but there are {len(there)} CUDA devices")
        there = there[: int(gpus)]
    if not there:
        raise DeviceUnavailable("there is no CUDA device here", hint="leave out `gpus`")
    return _spread(there, jobs)


def threads_of(workers: int) -> int | None:
    """How many threads each worker computes with; None if OMP_NUM_THREADS says so."""
    if os.environ.get("OMP_NUM_THREADS"):
        return None
    return max(1, cores() // workers)


def share_cores(threads: int | None) -> None:
    """Let this process compute with so many threads; None leaves it as it is."""
    import cv2
    import torch

    if threads is not None:
        torch.set_num_threads(threads)
        cv2.setNumThreads(threads)


def _spread(devices: Sequence[str], jobs: int | None) -> list[str]:
    return [devices[number % len(devices)] for number in range(jobs or len(devices))]


def _names(count: int) -> list[str]:
    return [f"cuda:{number}" for number in range(count)]


def _count_gpus() -> int:
    import torch

    return torch.cuda.device_count()


def cores() -> int:
    """CPU cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
