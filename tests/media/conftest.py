from collections.abc import Callable
from pathlib import Path

import pytest
from clips import Clip, make


@pytest.fixture
def make_clip(tmp_path: Path) -> Callable[..., Path]:
    """Write a video described by the fields of `Clip`."""
    return lambda **changes: make(tmp_path, Clip(**changes))
