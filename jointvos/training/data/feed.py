"""Batches made ahead of the steps that need them, in a thread or in processes of their own.

On a GPU a step is mostly the launching of kernels from Python, and a thread that draws images in
the same process takes turns with it. Processes do not; what they draw comes back through shared
memory, and all of them read the same copy of the images.
"""

import pickle
import shutil
import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Generic, TypeVar

import cv2
import torch
from torch.utils.data import DataLoader, Dataset

from jointvos.errors import JointVOSError, TrainingError

Item = TypeVar("Item")
Spec = TypeVar("Spec")
Batch = TypeVar("Batch")

AHEAD = 2
"""Batches that each process is asked for before they are needed."""

SHARED_MEMORY = Path("/dev/shm")
"""Where Linux keeps it."""


class Shared(Generic[Item]):
    """An object whose arrays lie in shared memory: every process it is sent to sees the same.

    It must not be changed there.
    """

    def __init__(self, item: Item) -> None:
        buffers: list[pickle.PickleBuffer] = []
        self._rest = pickle.dumps(item, protocol=5, buffer_callback=buffers.append)
        self._sizes = [buffer.raw().nbytes for buffer in buffers]
        _check_room(sum(self._sizes))
        self._memory = torch.empty(sum(self._sizes), dtype=torch.uint8)
        self._memory.share_memory_()  # type: ignore[no-untyped-call]
        for part, buffer in zip(self._parts(), buffers, strict=True):
            part[:] = buffer.raw()

    def _parts(self) -> Iterator[memoryview]:
        whole, begin = memoryview(self._memory.numpy().data), 0
        for size in self._sizes:
            yield whole[begin : begin + size]
            begin += size

    def get(self) -> Item:
        """The object; its arrays are those in shared memory."""
        return pickle.loads(self._rest, buffers=self._parts())  # type: ignore[no-any-return]


def _check_room(size: int) -> None:
    """Where there is too little shared memory, writing to it ends the process without a word."""
    if SHARED_MEMORY.is_dir() and (free := shutil.disk_usage(SHARED_MEMORY).free) < 1.1 * size:
        raise TrainingError(
            f"{SHARED_MEMORY} has {free / 1e6:.0f} MB free, but the images need "
            f"{size / 1e6:.0f} MB",
            hint="make it larger (shm-size of docker run), or draw with `workers=0`",
        )


class _Drawn(Dataset[tuple[Spec, Batch | JointVOSError]], Generic[Spec, Batch]):
    """What the processes run: from a spec to its batch."""

    def __init__(self, draw: Callable[[Spec], Batch]) -> None:
        self._shared = Shared(draw)
        self._draw: Callable[[Spec], Batch] | None = None

    def __getitem__(self, spec: Spec) -> tuple[Spec, Batch | JointVOSError]:
        if self._draw is None:
            self._draw = self._shared.get()
        try:
            return spec, self._draw(spec)
        except JointVOSError as error:  # raised as it is by `feed`, without the other's traceback
            return spec, error


def _as_it_is(answer: Item) -> Item:
    return answer


def _begin_process(_: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the training, which ends this
    cv2.setNumThreads(0)


def feed(
    draw: Callable[[Spec], Batch], specs: Iterable[Spec], processes: int
) -> Iterator[tuple[Spec, Batch]]:
    """Make the batches of specs in their order, some ahead of time.

    Args:
        draw: Makes a batch; to be pickled where `processes` is above 0.
        specs: Taken one by one, shortly before their batches are made.
        processes: That share the work; 0 for a thread.

    Raises:
        TrainingError: There is too little shared memory, or a process was killed.
        JointVOSError: Whatever `draw` raises.
    """
    if processes == 0:
        yield from _in_a_thread(draw, iter(specs))
        return
    loader: DataLoader[tuple[Spec, Batch | JointVOSError]] = DataLoader(
        _Drawn(draw),
        batch_size=None,
        sampler=specs,
        collate_fn=_as_it_is,
        num_workers=processes,
        multiprocessing_context="spawn",
        prefetch_factor=AHEAD,
        worker_init_fn=_begin_process,
    )
    try:
        for spec, answer in loader:
            if isinstance(answer, JointVOSError):
                raise answer
            yield spec, answer
    except RuntimeError as error:
        if "exited unexpectedly" not in str(error):
            raise
        raise TrainingError(
            "a process that draws images was killed, perhaps for lack of memory",
            hint="use fewer `workers`",
        ) from error


def _in_a_thread(
    draw: Callable[[Spec], Batch], specs: Iterator[Spec]
) -> Iterator[tuple[Spec, Batch]]:
    with ThreadPoolExecutor(1) as pool:
        upcoming: tuple[Spec, Future[Batch]] | None = None
        for spec in specs:
            ready, upcoming = upcoming, (spec, pool.submit(draw, spec))
            if ready is not None:
                yield ready[0], ready[1].result()
        if upcoming is not None:
            yield upcoming[0], upcoming[1].result()
