import sys
from functools import partial

import numpy as np
import pytest

from jointvos.batch import LocalEngine
from jointvos.batch.cluster import RayEngine
from jointvos.batch.places import choose_places, threads_of
from jointvos.batch.summary import Summary
from jointvos.errors import ConfigError, DeviceUnavailable
from jointvos.runs import SessionSpec
from jointvos.types import Frame, FrameResult, ObjectState

FRAME = Frame(0, 0, 0.0, np.zeros((1, 1, 3), np.uint8), "00000")


def result(**areas: int) -> FrameResult:
    states = tuple(ObjectState(int(i[1:]), area, None, None, None) for i, area in areas.items())
    return FrameResult(0, np.zeros((1, 1), np.uint8), states)


def test_a_summary_stays_small_and_counts_what_was_lost():
    summary = Summary()
    for number in range(5000):
        late = {"o7": number} if number >= 2000 else {}
        summary.add(FRAME, result(o3=0 if number % 10 == 0 else 5, **late))
    third, seventh = summary.objects()
    assert (third.id, third.lost, seventh.id, seventh.lost) == (3, 500, 7, 0)
    assert len(third.areas) == len(seventh.areas) <= 120
    seen = [area for area in seventh.areas if area is not None]
    assert seen == sorted(seen)
    assert np.unique(np.diff(seen)).size == 1
    assert seventh.areas[: seventh.areas.index(seen[0])] == (None,) * (len(third.areas) - len(seen))


@pytest.mark.parametrize(
    ("there", "device", "wanted", "jobs", "places"),
    [
        pytest.param(0, "auto", None, None, ["auto"], id="no GPU"),
        pytest.param(0, "auto", None, 3, ["auto"] * 3, id="no GPU, jobs"),
        pytest.param(2, "auto", None, None, ["cuda:0", "cuda:1"], id="all by default"),
        pytest.param(2, "cpu", None, 2, ["cpu", "cpu"], id="the CPU beside GPUs"),
        pytest.param(2, "cuda:1", None, 2, ["cuda:1", "cuda:1"], id="one by name"),
        pytest.param(3, "auto", "2", None, ["cuda:0", "cuda:1"], id="some"),
        pytest.param(2, "cuda", "all", 3, ["cuda:0", "cuda:1", "cuda:0"], id="shared"),
    ],
)
def test_every_worker_has_its_device(there, device, wanted, jobs, places):
    assert choose_places(device, wanted, jobs, lambda: there) == places


@pytest.mark.parametrize(
    ("there", "device", "wanted", "jobs", "kind", "says"),
    [
        pytest.param(0, "auto", "all", None, DeviceUnavailable, "no CUDA device", id="none"),
        pytest.param(1, "auto", "2", None, DeviceUnavailable, "there are 1", id="too few"),
        pytest.param(1, "cpu", "all", None, ConfigError, "cannot be combined", id="cpu"),
        pytest.param(1, "auto", "some", None, ConfigError, "expected all or how many", id="word"),
        pytest.param(1, "auto", "0", None, ConfigError, "expected all or how many", id="zero"),
        pytest.param(1, "auto", None, 0, ConfigError, "`jobs` is 0", id="no worker"),
    ],
)
def test_what_there_is_not_is_refused(there, device, wanted, jobs, kind, says):
    with pytest.raises(kind, match=says):
        choose_places(device, wanted, jobs, lambda: there)


def test_every_worker_computes_on_its_own_gpu(monkeypatch):
    played = partial(choose_places, count=lambda: 2)
    monkeypatch.setattr("jointvos.batch.local.choose_places", played)
    setups = LocalEngine(jobs=3, gpus="all").setups(SessionSpec(preset="small"))
    assert [setup.session for setup in setups] == [
        SessionSpec(preset="small", device=device) for device in ("cuda:0", "cuda:1", "cuda:0")
    ]


def test_cores_are_shared_out_unless_the_environment_says_so(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    one = threads_of(1)
    assert one is not None
    assert threads_of(2) == max(1, one // 2)
    assert threads_of(10 * one) == 1
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert threads_of(1) is None


@pytest.mark.parametrize(
    ("engine", "says"),
    [
        pytest.param({"jobs": 0}, "`jobs` is 0", id="no worker"),
        pytest.param({"cpus_per_job": 0}, "`cpus_per_job` is 0", id="no core"),
        pytest.param({"retry": -1}, "`retry` is -1", id="retry"),
    ],
)
def test_what_ray_cannot_do_is_refused(engine, says):
    with pytest.raises(ConfigError, match=says):
        RayEngine(**engine)


def test_what_to_install_is_said_where_ray_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ConfigError, match=r"run pip install 'jointvos\[cluster\]'"):
        RayEngine().places(SessionSpec(device="cpu"))


@pytest.mark.parametrize("address", ["here", "ray://here:10001", "here:", "127.0.0.1:1", "a:99999"])
def test_an_address_without_a_cluster_is_refused_at_once(monkeypatch, address):
    monkeypatch.setattr("jointvos.batch.cluster._import_ray", lambda: None)
    with pytest.raises(ConfigError, match=r"expected auto or HOST:PORT|no Ray cluster answers"):
        RayEngine(address).places(SessionSpec(device="cpu"))


def test_ray_chooses_the_gpu():
    with pytest.raises(ConfigError, match="pass `device='cuda'`"):
        RayEngine().places(SessionSpec(device="cuda:1"))
