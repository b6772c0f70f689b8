"""The closed-form learner against autograd, against the dense solution and against itself."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from jointvos.config import MODELS
from jointvos.model import TargetModel
from jointvos.model.induction import (
    FewShotLearner,
    correlate,
    correlate_transposed,
    from_taps,
    normalize_features,
    to_taps,
)

B, N, C, D, K = 2, 3, 5, 4, 3
SIZE = (6, 7)


@pytest.fixture
def learner() -> FewShotLearner:
    learner = FewShotLearner(MODELS["joint-lite"])
    torch.nn.init.constant_(learner.filter_reg, 0.3)
    return learner


@pytest.fixture
def problem() -> dict[str, Tensor]:
    g = torch.Generator().manual_seed(3)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=g)

    return {
        "features": normalize_features(normal(B * N, C, *SIZE), K).unflatten(0, (B, N)),
        "encodings": normal(B, N, D, *SIZE),
        "importance": 1 + 0.5 * normal(B, N, D, *SIZE),  # some are negative
        "template_weights": torch.tensor([[0.5, 0.3, 0.2], [0.25, 0.7, 0.05]]),
    }


def test_correlation_is_a_convolution(problem):
    kernel = torch.randn(B, D, C, K, K, generator=torch.Generator().manual_seed(4))
    ours = correlate(to_taps(kernel), problem["features"], K)
    theirs = torch.stack(
        [
            F.conv2d(maps, weights, padding=K // 2)
            for maps, weights in zip(problem["features"], kernel, strict=True)
        ]
    )
    torch.testing.assert_close(ours, theirs)
    mirrored = correlate(to_taps(kernel.flip(-1)), problem["features"], K)
    assert float((mirrored - theirs).abs().max()) > 0.1


@pytest.mark.parametrize("kernel_size", [1, 3, 5])
def test_taps_and_back(kernel_size):
    kernel = torch.randn(B, D, C, kernel_size, kernel_size)
    assert torch.equal(from_taps(to_taps(kernel), kernel_size), kernel)


def test_the_transposed_correlation_is_the_adjoint(problem):
    """<residual, omega * Z> = <transposed(residual), omega> for any omega and residual."""
    kernel = torch.randn(B, D, C, K, K, generator=torch.Generator().manual_seed(4))
    residual = problem["encodings"]
    left = (residual * correlate(to_taps(kernel), problem["features"], K)).sum()
    right = (correlate_transposed(residual, problem["features"], K) * to_taps(kernel)).sum()
    assert float(left) == pytest.approx(float(right), rel=1e-4)


def step(learner: FewShotLearner, problem: dict[str, Tensor], **changes) -> TargetModel:
    return learner.fit(**{**problem, "start": None, "steps": 1, **changes})


def test_a_step_follows_the_gradient_of_the_objective(learner, problem):
    """Direction from autograd; length such that no other lowers the objective more."""
    start = step(learner, problem)
    kernel = start.kernel.detach().requires_grad_()
    learner.objective(TargetModel(kernel), **problem).sum().backward()
    moved = step(learner, problem, start=start).kernel - start.kernel
    cosine = F.cosine_similarity(moved.flatten(1), kernel.grad.flatten(1))
    torch.testing.assert_close(cosine, -torch.ones(B), rtol=0, atol=1e-5)

    values = {
        factor: learner.objective(TargetModel(start.kernel + factor * moved), **problem)
        for factor in (0.9, 1.0, 1.1)
    }
    assert (values[1.0] < values[0.9]).all()
    assert (values[1.0] < values[1.1]).all()


@pytest.mark.parametrize("weighted", [True, False], ids=["template weights", "none"])
def test_the_objective_never_rises(learner, problem, weighted):
    if not weighted:
        problem["template_weights"] = None
    target = TargetModel(torch.zeros(B, D, C, K, K))
    values = [learner.objective(target, **problem)]
    for _ in range(20):
        target = step(learner, problem, start=target)
        values.append(learner.objective(target, **problem))
    trace = torch.stack(values).detach()  # [21,B]
    assert (trace[1:] <= trace[:-1] * (1 + 1e-6)).all()
    assert (trace[-1] < 0.8 * trace[0]).all()


def test_twenty_steps_are_twenty_single_steps(learner, problem):
    target = None
    for _ in range(20):
        target = step(learner, problem, start=target)
    torch.testing.assert_close(
        step(learner, problem, steps=20).kernel, target.kernel, rtol=1e-4, atol=1e-5
    )


def ridge_solution(learner: FewShotLearner, problem: dict[str, Tensor], b: int) -> Tensor:
    """Normal equations of Eq. 6 for one sequence, solved densely in double precision."""
    features = problem["features"][b].double()
    patches = F.unfold(features, K, padding=K // 2)  # [N,C*K*K,h*w]
    rows = patches.transpose(1, 2).flatten(0, 1)  # [N*h*w,C*K*K]
    weights = problem["importance"][b] * problem["template_weights"][b][:, None, None, None]
    ridge = learner.filter_reg.item() ** 2 * torch.eye(rows.shape[1], dtype=torch.float64)
    channels = []
    for d in range(D):
        w = weights[:, d].flatten().double().square()
        target = problem["encodings"][b, :, d].flatten().double()
        solved = torch.linalg.solve(rows.T @ (w[:, None] * rows) + ridge, rows.T @ (w * target))
        channels.append(solved.view(C, K, K))
    return torch.stack(channels).float()


def test_reaches_the_ridge_solution(learner, problem):
    kernel = step(learner, problem, steps=1500).kernel.detach()
    for b in range(B):
        solution = ridge_solution(learner, problem, b)
        torch.testing.assert_close(kernel[b], solution, rtol=0, atol=2e-3)
        assert float(solution.abs().max()) > 0.5
        problem_without = {**problem, "importance": torch.ones_like(problem["importance"])}
        other = ridge_solution(learner, problem_without, b)
        assert float((kernel[b] - other).abs().max()) > 0.1


def test_sequences_of_a_batch_do_not_mix(learner, problem):
    both = step(learner, problem, steps=10).kernel
    for b in range(B):
        alone = step(learner, {key: x[b : b + 1] for key, x in problem.items()}, steps=10).kernel
        torch.testing.assert_close(alone[0], both[b], rtol=1e-4, atol=1e-5)


def test_a_template_without_weight_has_no_say(learner, problem):
    problem["template_weights"][:, 1] = 0
    changed = {**problem, "encodings": problem["encodings"].clone()}
    changed["encodings"][:, 1] += 10
    ours, theirs = (step(learner, x, steps=5).kernel for x in (problem, changed))
    torch.testing.assert_close(ours, theirs)


def test_gradients_go_through_every_step(learner, problem):
    encodings = problem["encodings"].requires_grad_()
    kernel = step(learner, problem, steps=4).kernel
    kernel.square().sum().backward()
    assert encodings.grad is not None
    assert encodings.grad.abs().max() > 0
    assert learner.filter_reg.grad is not None
    assert learner.filter_reg.grad.abs() > 0


def test_no_error_leaves_the_kernel_at_zero(learner, problem):
    problem["encodings"] = torch.zeros_like(problem["encodings"])
    kernel = step(learner, problem, steps=3).kernel
    assert torch.equal(kernel, torch.zeros_like(kernel))


def test_normalized_features_have_the_stated_mean_square():
    maps = 100 * torch.randn(2, C, *SIZE, generator=torch.Generator().manual_seed(5))
    rms = normalize_features(maps, K).square().mean((1, 2, 3)).sqrt()
    torch.testing.assert_close(rms, torch.full((2,), (C * K * K) ** -0.5))


def test_stays_in_single_precision_under_autocast(learner, problem):
    plain = step(learner, problem, steps=5).kernel
    with torch.autocast("cpu", torch.bfloat16):
        half = step(learner, problem, steps=5).kernel
    assert half.dtype == torch.float32
    assert torch.equal(half, plain)
