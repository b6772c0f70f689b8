from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from clips import encode
from studio import CUT, FRAMES, SIZE, Studio

from jointvos.runs import SessionSpec


@pytest.fixture(scope="session")
def clip_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two squares move to the right in front of noise; a new shot begins at the cut."""
    path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    rng = np.random.default_rng(0)
    grounds = [rng.integers(low, low + 100, (*SIZE, 3), dtype=np.uint8) for low in (0, 100)]
    images = [grounds[t >= CUT].copy() for t in range(FRAMES)]
    for t, image in enumerate(images):
        image[30:60, 10 + 2 * t : 40 + 2 * t] = (250, 220, 60)
        image[65:85, 5 + t : 25 + t] = (30, 60, 250)
    return encode(path, images, g="8")


@pytest.fixture
def clip(clip_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The clip in a folder of its own, which is the current one."""
    monkeypatch.chdir(tmp_path)
    copy = tmp_path / "clip.mp4"
    copy.write_bytes(clip_file.read_bytes())
    return copy


@pytest.fixture(scope="session")
def spec(tiny_weights: Path) -> SessionSpec:
    """A model that takes a few milliseconds a frame."""
    return SessionSpec(
        weights=tiny_weights, crop_size=(32, 48), memory_size=3, template_interval=3, device="cpu"
    )


@pytest.fixture
def studio(clip: Path, spec: SessionSpec) -> Iterator[Studio]:
    with Studio(clip, spec) as studio:
        yield studio


@pytest.fixture
def reopened(clip: Path, spec: SessionSpec) -> Callable[[], Studio]:
    return lambda: Studio(clip, spec)
