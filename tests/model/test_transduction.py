"""Attention and the memory of the transduction branch."""

import pytest
import torch
import torch.nn.functional as F

from jointvos.config import MODELS
from jointvos.model.transduction import Transduction, attention

GENERATOR_SEED = 7


def normal(*shape: int, seed: int = GENERATOR_SEED) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def branch() -> Transduction:
    torch.manual_seed(0)
    return Transduction(MODELS["joint-lite"]).requires_grad_(False)


@pytest.mark.parametrize(
    "value_dim",
    [
        pytest.param(5, id="narrower than keys"),
        pytest.param(8, id="as wide"),
        pytest.param(16, id="two pieces"),
        pytest.param(19, id="two and a bit"),
    ],
)
def test_attention_is_a_plain_softmax(value_dim):
    query, key = F.normalize(normal(2, 6, 8), dim=-1), F.normalize(normal(2, 10, 8, seed=8), dim=-1)
    value = normal(2, 10, value_dim, seed=9)
    plain = torch.softmax(30.0 * query @ key.transpose(1, 2), dim=-1) @ value
    torch.testing.assert_close(attention(query, key, value, 30.0), plain)
    assert float((attention(query, key, value, 3.0) - plain).abs().max()) > 0.1


def test_attention_picks_the_matching_key():
    """With sharp temperature a query that equals a key gets that key's value."""
    key = torch.eye(8)[None]
    value = normal(1, 8, 3)
    torch.testing.assert_close(attention(key, key, value, 100.0), value)


def test_maps_are_normalized_one_by_one(branch):
    encoded = branch.self_attend(5 + 3 * normal(2, 3, 128, 4, 5)).view(2, 3, 20, 128)
    torch.testing.assert_close(encoded.mean(2), torch.zeros(2, 3, 128), rtol=0, atol=1e-5)
    torch.testing.assert_close(
        encoded.var(2, correction=0), torch.ones(2, 3, 128), rtol=0, atol=1e-3
    )


def test_self_attention_by_hand(branch):
    maps = normal(1, 1, 128, 1, 1) + 0.3 * normal(1, 2, 128, 3, 4, seed=8)  # alike: all attend
    tokens = maps[0].flatten(2).transpose(1, 2).flatten(0, 1)  # [2*12,128], frames first
    keys = F.normalize(branch.phi(tokens), dim=-1)
    mixed = tokens + torch.softmax(keys @ keys.T * branch.scale, dim=-1) @ tokens
    mixed = mixed.view(2, 12, 128)
    expected = (mixed - mixed.mean(1, keepdim=True)) / (
        mixed.var(1, correction=0, keepdim=True) + 1e-5
    ).sqrt()
    torch.testing.assert_close(
        branch.self_attend(maps)[0], expected.flatten(0, 1), rtol=1e-4, atol=1e-4
    )


def test_templates_see_each_other_and_the_search_frame_does_not(branch):
    maps = normal(1, 2, 128, 4, 5)
    maps[:, 1] = maps[:, 0] + 0.3 * normal(1, 128, 4, 5, seed=11)  # alike, so that they attend
    together = branch.self_attend(maps)[:, :20]
    alone = branch.self_attend(maps[:, :1])
    assert float((together - alone).abs().max()) > 0.01
    query = branch.encode_search(maps[:, 0])
    torch.testing.assert_close(query, F.normalize(branch.psi(alone), dim=-1))


def test_keys_that_were_kept_equal_those_made_again(branch):
    maps, encodings = normal(1, 3, 128, 4, 5), normal(1, 3, 16, 4, 5)
    kept = branch.encode_templates(maps, encodings)
    search = normal(1, 128, 4, 5, seed=12)
    first = branch.cross_attend(branch.encode_search(search), kept, (4, 5))
    branch.cross_attend(branch.encode_search(normal(1, 128, 4, 5, seed=13)), kept, (4, 5))
    again = branch.encode_templates(maps, encodings)
    assert torch.equal(kept.keys, again.keys)
    assert torch.equal(kept.values, again.values)
    assert torch.equal(branch.cross_attend(branch.encode_search(search), again, (4, 5)), first)


def test_a_template_finds_its_own_encoding(branch):
    """The search frame equals the only template, so nearly its encoding comes back."""
    maps, encodings = normal(1, 1, 128, 4, 5), normal(1, 1, 16, 4, 5)
    memory = branch.encode_templates(maps, encodings)
    torch.testing.assert_close(memory.keys.norm(dim=-1), torch.ones(1, 20))
    found = branch.cross_attend(branch.encode_search(maps[:, 0]), memory, (4, 5))
    cosine = F.cosine_similarity(found.flatten(), encodings.flatten(), dim=0)
    assert float(cosine) > 0.9
    mirrored = F.cosine_similarity(found.flip(-1).flatten(), encodings.flatten(), dim=0)
    assert float(mirrored) < 0.5


def test_sequences_of_a_batch_do_not_mix(branch):
    maps, encodings, search = normal(2, 3, 128, 4, 5), normal(2, 3, 16, 4, 5), normal(2, 128, 4, 5)
    memory = branch.encode_templates(maps, encodings)
    both = branch.cross_attend(branch.encode_search(search), memory, (4, 5))
    for b in range(2):
        one = slice(b, b + 1)
        memory = branch.encode_templates(maps[one], encodings[one])
        alone = branch.cross_attend(branch.encode_search(search[one]), memory, (4, 5))
        torch.testing.assert_close(alone[0], both[b], rtol=1e-4, atol=1e-5)
