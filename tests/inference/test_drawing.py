"""What is drawn on the device is what `draw_overlay` draws, to the bit."""

import numpy as np
import pytest
import torch

from jointvos.inference.drawing import colors_of, overlay
from jointvos.masks import draw_overlay
from jointvos.types import label_type


@pytest.mark.parametrize("ids", [(7, 3, 254), (1, 300, 255)], ids=["8 bit", "16 bit"])
@pytest.mark.parametrize("size", [(480, 854), (23, 31), (720, 40)])
def test_as_on_the_host(ids, size):
    rng = np.random.default_rng(3)
    image = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
    blocks = rng.integers(0, 4, (size[0] // 9 + 1, size[1] // 9 + 1))
    winner = np.kron(blocks, np.ones((9, 9), np.int64))[: size[0], : size[1]]
    labels = np.array([0, *ids], label_type(ids))[winner]
    colors = colors_of(ids, torch.device("cpu"))
    drawn = overlay(torch.from_numpy(image), torch.from_numpy(winner), colors)
    np.testing.assert_array_equal(drawn, draw_overlay(image, labels))


def test_a_session_that_draws(session, clip):
    """Also where masks are given, with an object that comes late."""
    frames, labels = clip
    first = labels[0] * (labels[0] == 2)
    running = session(overlays=True)
    for t, image in enumerate(frames):
        result = running.step(image, {0: first, 3: labels[3]}.get(t))
        np.testing.assert_array_equal(result.overlay, draw_overlay(image, result.labels))
    assert session().step(frames[0], labels[0]).overlay is None
