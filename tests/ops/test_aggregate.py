import pytest
import torch

from jointvos.ops import soft_aggregate


def logits(objects: int, scale: float = 5.0) -> torch.Tensor:
    return scale * torch.randn(objects, 9, 11, generator=torch.Generator().manual_seed(objects))


@pytest.mark.parametrize("objects", [1, 2, 7])
@pytest.mark.parametrize("scale", [1.0, 100.0], ids=["moderate", "saturated"])
def test_sums_to_one(objects, scale):
    probabilities = soft_aggregate(logits(objects, scale))
    assert probabilities.shape == (1 + objects, 9, 11)
    assert (probabilities >= 0).all()
    torch.testing.assert_close(probabilities.sum(0), torch.ones(9, 11))


def test_a_lone_object_gets_the_sigmoid_of_twice_its_logit():
    s = logits(1)
    torch.testing.assert_close(soft_aggregate(s)[1:], torch.sigmoid(2 * s))
    assert float((soft_aggregate(s)[1:] - torch.sigmoid(s)).abs().max()) > 0.05


def test_permuting_objects_permutes_probabilities():
    s, order = logits(4), torch.tensor([2, 0, 3, 1])
    merged, permuted = soft_aggregate(s), soft_aggregate(s[order])
    torch.testing.assert_close(permuted[1:], merged[1:][order])
    torch.testing.assert_close(permuted[0], merged[0])


def test_a_given_mask_wins_over_any_prediction():
    given = torch.full((1, 9, 11), -100.0)
    given[0, :4] = 100
    winner = soft_aggregate(torch.cat((logits(1), given))).argmax(0)
    assert (winner[:4] == 2).all()
    assert (winner[4:] < 2).all()


def test_nothing_anywhere_is_background():
    probabilities = soft_aggregate(torch.full((3, 2, 2), -100.0))
    torch.testing.assert_close(probabilities[0], torch.ones(2, 2))
