"""Within its search region a target is not mistaken for what it could not have become."""

import numpy as np
import pytest
import torch

CROP = (64, 96)  # of the sessions here
TARGET = (slice(11, 27), slice(18, 32))  # where the first mask is
TWIN = (slice(48, 60), slice(74, 88))


@pytest.mark.parametrize(
    ("reach", "taken"),
    [
        pytest.param(0.0, True, id="as in the paper"),
        pytest.param(0.5, False, id="with a reach"),
        pytest.param(5.0, True, id="with one as wide as the search region"),
    ],
)
def test_a_look_alike_far_off(session, clip, watched, reach, taken):
    """The decoder sees the target, and from the third frame on another such thing."""
    frames, labels = clip
    running = session(watched, reach=reach)
    running.step(frames[0], (labels[0] == 1).astype(np.uint8))
    areas = []
    for t in range(1, 5):
        seen = torch.full((1, 1, *CROP), -20.0)
        for rows, columns in [TARGET, TWIN][: 1 if t < 2 else 2]:
            seen[..., rows, columns] = 20.0
        watched.watches["decode"] = lambda *_, seen=seen: seen
        areas.append(running.step(frames[t]).objects[0].area)
    assert areas[0] > 0
    assert (areas[1] > 1.2 * areas[0]) == taken
    if not taken:
        assert max(areas) < 1.1 * areas[0]
