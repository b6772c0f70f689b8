"""A frame is one graph: nothing in it depends on a value that would have to be fetched first."""

from functools import partial

import pytest
import torch

from jointvos.inference.drawing import colors_of
from jointvos.inference.trees import tensors


@pytest.mark.filterwarnings("default")  # the compiler warns of what it has deprecated itself
def test_a_frame_is_traced_without_a_break(session, clip):
    frames, labels = clip
    running = session(probabilities=True, reach=0.5, objects_at_once=1)  # two groups
    for t in range(3):
        running.step(frames[t], labels[0] if t == 0 else None)
    groups = [group.sought for group in running.groups]
    arguments = torch.from_numpy(frames[3]), groups, colors_of((1, 2), running.device), 8
    traced = torch.compile(running.track, backend="eager", fullgraph=True)
    with torch.inference_mode():
        expected, outcome = running.track(*arguments), traced(*arguments)
    assert len(list(tensors(expected))) > 10
    for ours, theirs in zip(tensors(outcome), tensors(expected), strict=True):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.filterwarnings("default")
def test_a_new_template_is_traced_without_a_break(session, clip):
    """Also one that takes another's place."""
    frames, labels = clip
    running = session(template_interval=1, memory_size=3)
    for t in range(4):
        running.step(frames[t], labels[0] if t == 0 else None)
    given = []
    plain = running.learn_template

    def noted(*arguments):
        given[:] = arguments
        return plain(*arguments)

    running.learn_template = noted
    running.step(frames[4])
    traced = torch.compile(plain, backend="eager", fullgraph=True)
    with torch.inference_mode():
        expected, outcome = plain(*given), traced(*given)
    assert len(list(tensors(expected))) > 10
    for ours, theirs in zip(tensors(outcome), tensors(expected), strict=True):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.slow
def test_what_would_wait_breaks_it(session, clip):
    """The test above can fail."""
    frames, labels = clip
    running = session()
    running.step(frames[0], labels[0])
    image, groups = torch.from_numpy(frames[1]), [group.sought for group in running.groups]

    def looks(track):
        outcome = track(image, groups, None, 8)
        return outcome if outcome.probabilities.sum() > 3 else None

    with pytest.raises(torch._dynamo.exc.Unsupported), torch.inference_mode():
        torch.compile(partial(looks, running.track), backend="eager", fullgraph=True)()
