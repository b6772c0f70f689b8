"""The engine of many machines: every video is a task of Ray, which finds a place for it."""

import logging
import os
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

from jointvos.batch.attempt import attempt
from jointvos.batch.engine import News, Outcome, Underway
from jointvos.batch.places import cores, count_gpus, share_cores
from jointvos.batch.tasks import Task
from jointvos.batch.worker import Setup, Unfit
from jointvos.errors import ConfigError, DeviceError, DeviceUnavailable, JointVOSError
from jointvos.runs import LoadedModel, SessionSpec

_LOOK_EVERY_S = 0.25
_ENDING_S = 15.0
"""What tasks have to come to an end when they are told to stop."""
_ANSWER_S = 10.0
_STORE_BYTES = 100 * 1024**2
"""Memory of a cluster of our own for what its processes share: next to nothing."""


@dataclass
class RayEngine:
    """Tasks of a Ray cluster, each with a GPU of its own where there are some.

    The machines of the cluster have jointvos installed and see the videos and the folder of the
    outputs under the same paths, unless these are URLs. A task whose machine or process is lost is
    tried again by Ray, on any machine.

    Attributes:
        address: A cluster, "auto" for the one that runs here; None starts one on this machine,
            which ends with the batch.
        jobs: Most videos at once; by default as many as there is room for.
        cpus_per_job: Cores that each video takes.
        retry: As that of `LocalEngine`.
    """

    address: str | None = None
    jobs: int | None = None
    cpus_per_job: int = 1
    retry: int = 1
    _stopping: bool = field(default=False, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.retry < 0:
            raise ConfigError(f"`retry` is {self.retry}, expected 0 or more")
        if self.jobs is not None and self.jobs < 1:
            raise ConfigError(f"`jobs` is {self.jobs}, expected 1 or more")
        if self.cpus_per_job < 1:
            raise ConfigError(f"`cpus_per_job` is {self.cpus_per_job}, expected 1 or more")

    def places(self, session: SessionSpec) -> tuple[str, ...]:
        """See `Engine`."""
        if session.device.startswith("cuda:"):
            raise ConfigError(
                f"`device` is {session.device!r}, but Ray chooses a GPU for each video",
                hint="pass `device='cuda'`",
            )
        _import_ray()
        if self.address is not None:
            _check_address(self.address)
            return ()
        gpus = count_gpus() if session.device in ("auto", "cuda") else 0
        if session.device == "cuda" and not gpus:
            raise DeviceUnavailable("there is no CUDA device here", hint="pass `device='cpu'`")
        if gpus:
            return ("cuda",) * min(gpus, self.jobs or gpus)
        return ("cpu" if session.device == "auto" else session.device,) * self._jobs_here()

    def carry_out(
        self, session: SessionSpec, tasks: Iterator[Task]
    ) -> Generator[tuple[Task, News], None, None]:
        """See `Engine`."""
        with self._cluster(session) as ray:
            yield from _Tasks(ray, self, session).carry_out(tasks)

    def stop(self) -> None:
        """See `Engine`."""
        self._stopping = True

    @property
    def stopping(self) -> bool:
        """Whether `stop` was called."""
        return self._stopping

    @contextmanager
    def _cluster(self, session: SessionSpec) -> Iterator[Any]:
        """Ray, connected with a cluster.

        Raises:
            ConfigError: There is no cluster at the address.
        """
        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
        ray = _import_ray()
        if ray.is_initialized():  # by the program that carries the batch out
            yield ray
            return
        logging.getLogger("ray").setLevel(logging.ERROR)
        ours: dict[str, Any] = {"address": self.address}
        if self.address is None:
            places = self.places(session)
            ours = {
                "address": "local",
                "num_cpus": max(cores(), len(places) * self.cpus_per_job),
                "num_gpus": None if places[0] == "cuda" else 0,
                "include_dashboard": False,
                "object_store_memory": _STORE_BYTES,
            }
        try:
            with _same_signals():
                ray.init(log_to_driver=False, configure_logging=False, **ours)
        except (ConnectionError, ValueError, RuntimeError) as error:
            reason = " ".join(str(error).split())
            raise ConfigError(
                f"no Ray cluster at {self.address or 'this machine'}: {reason}"
            ) from error
        try:
            yield ray
        finally:
            ray.shutdown()

    def _jobs_here(self) -> int:
        return self.jobs or max(1, cores() // self.cpus_per_job)


class _Tasks:
    """The tasks of one batch in a cluster."""

    def __init__(self, ray: Any, engine: RayEngine, session: SessionSpec) -> None:
        self._ray, self._engine = ray, engine
        has_gpus = session.device in ("auto", "cuda") and ray.cluster_resources().get("GPU", 0) > 0
        if session.device == "cuda" and not has_gpus:
            raise DeviceUnavailable("the Ray cluster has no GPU", hint="pass `device='cpu'`")
        self._resource, self._each = ("GPU", 1) if has_gpus else ("CPU", engine.cpus_per_job)
        device = "cuda" if has_gpus else "cpu" if session.device == "auto" else session.device
        threads = None if os.environ.get("OMP_NUM_THREADS") else engine.cpus_per_job
        self._setup = Setup(replace(session, device=device), threads)
        self._do = ray.remote(_do).options(
            num_cpus=engine.cpus_per_job,
            num_gpus=int(has_gpus),
            max_retries=engine.retry,
            retry_exceptions=[_TryAgain],
        )
        here = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
            ray.get_runtime_context().get_node_id(), soft=True
        )
        self._told = (
            ray.remote(_Told)
            .options(num_cpus=0, max_restarts=-1, max_task_retries=-1, scheduling_strategy=here)
            .remote()
        )
        self._folder = str(Path.cwd())
        self._running: dict[Any, Task] = {}

    def carry_out(self, tasks: Iterator[Task]) -> Iterator[tuple[Task, News]]:
        """See `Engine`."""
        ends_at = None
        while True:
            if self._engine.stopping and ends_at is None:
                ends_at = time.monotonic() + _ENDING_S
                self._cancel(force=False)
                tasks = iter(())
            if ends_at is not None and time.monotonic() > ends_at:
                self._cancel(force=True)
            for task in islice(tasks, max(0, self._room() - len(self._running))):
                self._running[self._do.remote(task, self._setup, str(Path.cwd()), self._told)] = (
                    task
                )
            if not self._running:
                return
            ended, _ = self._ray.wait(list(self._running), timeout=_LOOK_EVERY_S)
            yield from self._news()
            for reference in ended:
                task = self._running.pop(reference)
                yield task, self._outcome(reference, task.name)

    def _room(self) -> int:
        """How many tasks Ray knows of: more than run, so that none has to wait for the next."""
        if self._engine.jobs is not None:
            return self._engine.jobs
        return 2 * max(1, int(self._ray.cluster_resources().get(self._resource, 0) // self._each))

    def _news(self) -> Iterator[tuple[Task, Underway]]:
        """How far tasks are."""
        told: dict[str, Underway] = self._ask("take", {})
        for task in self._running.values():
            if task.name in told:
                yield task, told[task.name]

    def _outcome(self, reference: Any, name: str) -> Outcome | None:
        """What came of a task in the end; None if it was stopped.

        Raises:
            JointVOSError: It could not begin, or Ray is gone.
        """
        errors = self._ray.exceptions
        try:
            outcome: Outcome | Unfit = self._ray.get(reference)
        except _TryAgain as error:  # Ray has tried again
            outcome = error.args[0]
        except errors.TaskCancelledError:
            return None
        except errors.LocalRayletDiedError:
            raise DeviceError(
                "Ray has ended on this machine", hint="the same command continues"
            ) from None
        except errors.RayError as error:
            if self._engine.stopping:
                return None
            outcome = Outcome(1, f"its worker ended unexpectedly ({type(error).__name__})")
        if isinstance(outcome, Unfit):
            raise outcome.error
        return replace(outcome, attempts=max(1, self._ask("attempts", 1, name)))

    def _ask(self, method: str, otherwise: Any, *arguments: Any) -> Any:
        """What the notice board says; it may be lost with its machine."""
        with suppress(self._ray.exceptions.RayError):
            return self._ray.get(getattr(self._told, method).remote(*arguments), timeout=5)
        return otherwise

    def _cancel(self, *, force: bool) -> None:
        for reference in self._running:
            self._ray.cancel(reference, force=force)


class _Told:
    """An actor beside the driver: what tasks tell until the driver asks."""

    def __init__(self) -> None:
        self._underway: dict[str, Underway] = {}
        self._attempts: Counter[str] = Counter()

    def begin(self, name: str) -> None:
        """A task begins, or begins again."""
        self._attempts[name] += 1

    def tell(self, name: str, underway: Underway) -> None:
        """A task is so far."""
        self._underway[name] = underway

    def take(self) -> dict[str, Underway]:
        """What is new."""
        underway, self._underway = self._underway, {}
        return underway

    def attempts(self, name: str) -> int:
        """How often a task has begun; that is forgotten now."""
        return self._attempts.pop(name, 0)


class _TryAgain(Exception):
    """A task failed for a reason that may pass; holds the outcome."""


def _do(task: Task, setup: Setup, folder: str, told: Any) -> Outcome | Unfit:
    """Do a task, in a process of Ray."""
    told.begin.remote(task.name)
    with suppress(OSError):  # what is not relative to it can be done without
        os.chdir(folder)
    try:
        model = _load(setup)
    except DeviceError as error:
        raise _TryAgain(Outcome.of(error)) from None
    except JointVOSError as error:
        return Unfit(error)
    outcome = attempt(task, model, lambda underway: told.tell.remote(task.name, underway))
    if outcome.may_pass:
        raise _TryAgain(outcome)
    if task.scratch is not None:  # the driver may not see this machine's
        task.forget()
    return outcome


@lru_cache(maxsize=1)
def _load(setup: Setup) -> LoadedModel:
    """The model, which stays for the next task of the process."""
    share_cores(setup.threads)
    return setup.session.load(say=lambda text: None)


def _check_address(address: str) -> None:
    """Refuse an address where nothing answers, which Ray itself tries for ten minutes.

    Raises:
        ConfigError: It is of another kind, or nothing answers.
    """
    if address == "auto":
        return
    host, colon, port = address.rpartition(":")
    if not (host and colon and port.isdecimal()) or "/" in host:
        raise ConfigError(f"`address` is {address!r}, expected auto or HOST:PORT")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_ANSWER_S).close()
    except (OSError, OverflowError) as error:
        raise ConfigError(f"no Ray cluster answers at {address}: {error}") from error


def _import_ray() -> Any:
    """Ray, which takes seconds to import.

    Raises:
        ConfigError: It is not installed.
    """
    try:
        import ray
        import ray.util.scheduling_strategies
    except ModuleNotFoundError as error:
        raise ConfigError(
            "Ray is not installed", hint="run pip install 'jointvos[cluster]'"
        ) from error
    return ray


@contextmanager
def _same_signals() -> Iterator[None]:
    """Keep the handler of SIGTERM, which Ray replaces."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, before)
