"""The template encoder's running sums against the whole computation."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from jointvos.config import MODELS
from jointvos.model import template_encoder
from jointvos.model.transduction import Transduction

SIZE = (5, 6)
BOUND = 2e-6
"""Greatest difference of a unit key's component; 1.5e-7 is reached."""
HALF = 5e-4
"""The same for maps and averages that are kept in fp16; 3.5e-4 is reached."""


@pytest.fixture(scope="module")
def branch() -> Transduction:
    torch.manual_seed(2)
    return Transduction(MODELS["joint-lite"]).requires_grad_(False)


@pytest.fixture
def templates():
    """Frames of one scene, so that positions attend across templates."""
    g = torch.Generator().manual_seed(6)
    scene = torch.randn(1, 128, *SIZE, generator=g)

    def make(*, unlike: float = 0.4) -> Tensor:
        other = torch.randn(1, 128, *SIZE, generator=g)
        return (scene + unlike * other).contiguous(memory_format=torch.channels_last)

    return make


def encodings(n: int) -> Tensor:
    return torch.randn(1, n, 16, *SIZE, generator=torch.Generator().manual_seed(n))


def difference(branch: Transduction, encoded, maps: list[Tensor]) -> float:
    """Of the keys from the sums and those of the whole computation."""
    e = encodings(len(maps))
    ours, whole = branch.template_keys(encoded, e), branch.encode_templates(torch.stack(maps, 1), e)
    assert torch.equal(ours.values, whole.values)
    return float((ours.keys - whole.keys).abs().max())


@pytest.mark.parametrize(
    ("memory", "kept_in", "bound"),
    [
        (2, torch.float32, BOUND),
        (3, torch.float32, BOUND),
        (20, torch.float32, BOUND),
        (5, torch.float16, HALF),
    ],
)
def test_two_hundred_updates_with_evictions(branch, templates, memory, kept_in, bound):
    """Against the whole computation in fp32, of maps that were never rounded."""
    maps = [templates()]
    kept = [maps[0].to(kept_in)]
    encoded = branch.renew_templates((), kept)
    worst, oldest = difference(branch, encoded, maps), 0
    for i in range(200):
        slot = len(maps) if len(maps) < memory else 1 + i % (memory - 1)
        maps[slot : slot + 1] = [templates()]
        kept[slot : slot + 1] = [maps[slot].to(kept_in)]
        encoded = branch.renew_templates(encoded, kept)
        if i % 8 == 7:  # the whole computation is the expensive part
            worst = max(worst, difference(branch, encoded, maps))
        oldest = max(oldest, max(one.taken_back for one in encoded))
    assert all(one.attended.dtype == kept_in for one in encoded)
    assert worst <= bound
    assert oldest <= template_encoder.MOST_TAKEN_BACK
    assert oldest > 3 or memory == 2  # something was taken back


def test_a_share_that_stays_behind_is_visible(branch, templates):
    """The bound above is far below what a template makes."""
    maps = [templates() for _ in range(4)]
    encoded = branch.renew_templates(branch.renew_templates((), maps[:3]), maps)
    stale = tuple(one for one in encoded if one.features is not maps[1])
    assert difference(branch, stale, [maps[0], maps[2], maps[3]]) > 1000 * BOUND


def test_what_dwarfs_the_rest_leaves_little_behind(branch, templates):
    """A template equal to the first, thousandfold, comes and goes: the worst rounding."""
    first, others = templates(), [templates() for _ in range(3)]
    giant = first * 1000  # the same keys but for phi's bias
    maps = [first, *others]
    encoded = branch.renew_templates((), [*maps, giant])
    encoded = branch.renew_templates(encoded, maps)
    assert difference(branch, encoded, maps) <= 1000 * BOUND


CASES = [
    pytest.param([0, 1, 2], [0, 1, 2], id="nothing changes"),
    pytest.param([0], [0, 1], id="one comes"),
    pytest.param([0, 1, 2, 3], [0, 4, 2, 3], id="one replaced"),
    pytest.param([0, 1, 2, 3], [0, 4, 5, 3], id="two replaced"),
    pytest.param([0, 1, 2, 3], [0, 2], id="two go"),
    pytest.param([0, 1, 2, 3], [0], id="all but one go"),
    pytest.param([0, 1, 2, 3, 4], [0, 2, 3, 4], id="one goes"),
    pytest.param([0, 1, 2, 3], [3, 0, 2, 1], id="another order"),
    pytest.param([0, 1], [2, 3], id="all new"),
    pytest.param([], [0, 1, 2], id="from nothing"),
]


@pytest.mark.parametrize(("before", "after"), CASES)
def test_any_change(branch, templates, before, after):
    pool = [templates() for _ in range(6)]
    encoded = branch.renew_templates((), [pool[i] for i in before])
    untouched = [(one.attended.clone(), one.total.clone()) for one in encoded]
    maps = [pool[i] for i in after]
    renewed = branch.renew_templates(encoded, maps)
    assert [one.features for one in renewed] == maps
    assert difference(branch, renewed, maps) <= BOUND
    for one, (attended, total) in zip(encoded, untouched, strict=True):
        assert torch.equal(one.attended, attended)
        assert torch.equal(one.total, total)


def test_cost_is_linear(branch, templates):
    """N matrices to store, N - 1 to let go; never N^2, in the long run either."""
    n, updates, tokens, key_dim, dim = 8, 100, SIZE[0] * SIZE[1], 64, 128
    maps = [templates() for _ in range(n)]
    encoded = branch.renew_templates((), maps)
    store = n * tokens**2 * key_dim + (2 * n - 1) * tokens**2 * dim
    let_go = (n - 1) * tokens**2 * (key_dim + dim)
    projections = (n + 1) * tokens * dim * key_dim
    costs = []
    for i in range(updates):
        maps[1 + i % (n - 1)] = templates()
        with FlopCounterMode(display=False) as counter:
            encoded = branch.renew_templates(encoded, maps)
        costs.append(counter.get_total_flops() / 2 / (store + let_go + projections))
    assert 0.9 < sum(costs) / updates <= 1.1
    assert max(costs) <= 1.5


def test_unrelated_templates_do_not_underflow(branch):
    """Opposite keys weigh exp(-60); a position's own weight keeps every sum at 1 or more."""
    direction = F.normalize(branch.phi.weight[:1], dim=-1)
    one = (40 * direction).view(1, 128, 1, 1).expand(1, 128, *SIZE)
    maps = [one.clone(), -one.clone()]
    encoded = branch.renew_templates((), maps)
    for one in encoded:
        assert float(one.total.min()) >= 1 - 1e-5
        tokens = template_encoder.tokens_of(one.features)  # far from the others: attends to itself
        torch.testing.assert_close(one.attended, tokens)
