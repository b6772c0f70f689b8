import numpy as np
import pytest
from soft_scene import disc, result_of

from jointvos.errors import ConfigError
from jointvos.masks import Refinement
from jointvos.types import FrameResult

SIZE = (80, 60)  # width, height


def blob(*discs):
    """A probability with several soft discs."""
    return np.maximum.reduce([disc(*d, *SIZE) for d in discs])


def consistent(result: FrameResult) -> None:
    """Labels, states and probabilities say the same."""
    assert result.probabilities is not None
    assert np.allclose(result.probabilities.sum(axis=0), 1, atol=1e-5)
    for state in result.objects:
        assert state.area == (result.labels == state.id).sum()


def test_nothing_is_done_by_default():
    assert not Refinement().does_something
    assert Refinement(feather=1).does_something


def test_islands_go_with_their_faint_edge():
    given = result_of(blob((25, 30, 12), (65, 15, 3))[None], ids=(3,))
    refined = Refinement(min_area=100)(given)
    consistent(refined)
    assert (given.labels[10:20, 60:70] == 3).any()
    assert not refined.labels[:, 50:].any()
    assert refined.probabilities[1, 15, 65] == 0
    assert refined.probabilities[1, 15, 70] == 0  # never in the mask
    assert np.array_equal(refined.labels[:, :45], given.labels[:, :45])
    assert refined.objects[0].box == (14, 19, 23, 23)
    assert Refinement(min_area=5)(given).objects[0].area == given.objects[0].area


def test_an_object_smaller_than_min_area_is_gone():
    given = result_of(blob((65, 15, 3))[None], ids=(3,))
    refined = Refinement(min_area=100)(given)
    consistent(refined)
    assert refined.objects[0].area == 0
    assert refined.objects[0].box is None
    assert not refined.probabilities[1].any()


@pytest.mark.parametrize(("most", "filled"), [(20, False), (400, True)])
def test_holes_up_to_a_size_are_filled(most, filled):
    ring = blob((40, 30, 20)) * (1 - blob((40, 30, 6)))
    given = result_of(ring[None], ids=(3,))
    assert given.labels[30, 40] == 0
    refined = Refinement(fill_holes=most)(given)
    consistent(refined)
    assert (refined.labels[30, 40] == 3) is np.True_ if filled else refined.labels[30, 40] == 0
    assert refined.probabilities[1, 30, 40] == pytest.approx(1 if filled else ring[30, 40])
    assert refined.labels[0, 0] == 0  # the outside is no hole


def test_another_object_is_no_hole():
    inner = blob((40, 30, 6))
    ring = blob((40, 30, 20)) * (1 - inner)
    given = result_of(np.stack([ring, inner]))
    refined = Refinement(fill_holes=1000)(given)
    consistent(refined)
    assert np.array_equal(refined.labels, given.labels)


def test_feathering_softens_edges_and_keeps_masks():
    given = result_of(blob((40, 30, 15))[None], ids=(3,))
    refined = Refinement(feather=6)(given)
    assert np.array_equal(refined.labels, given.labels)
    edge = np.s_[1, 30, 55:70]
    assert (
        np.abs(np.diff(refined.probabilities[edge])).max()
        < np.abs(np.diff(given.probabilities[edge])).max()
    )
    consistent(refined)


def test_a_doubtful_object_is_lost():
    given = result_of(np.stack([0.6 * blob((20, 30, 9)), blob((60, 30, 9))]))
    assert given.objects[0].area > 0
    refined = Refinement(lost_threshold=0.7)(given)
    consistent(refined)
    assert [state.area > 0 for state in refined.objects] == [False, True]
    assert not refined.probabilities[1].any()


def test_the_given_result_is_not_changed():
    given = result_of(blob((25, 30, 12), (65, 15, 3))[None], ids=(3,))
    labels, soft = given.labels.copy(), given.probabilities.copy()
    Refinement(min_area=100, fill_holes=50, feather=3)(given)
    assert np.array_equal(given.labels, labels)
    assert np.array_equal(given.probabilities, soft)


@pytest.mark.parametrize(
    "changes",
    [{"min_area": -1}, {"fill_holes": -1}, {"feather": -0.1}, {"lost_threshold": 1.1}],
    ids=str,
)
def test_senseless_values_are_refused(changes):
    with pytest.raises(ConfigError, match=next(iter(changes))):
        Refinement(**changes)
