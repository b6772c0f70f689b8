"""Induction branch (Sec. 3.3, Eq. 6): the target model T_omega and the few-shot learner.

The learner minimises ``1/2 (sum_i |g_i W_i (omega * Z_i - E_i)|^2 + rho^2 |omega|^2)`` by
steepest descent, where the template weight g_i multiplies the residual and so enters the loss
squared (as in the paper's code; Eq. 6 has no such weight) and lambda = rho^2. Gradient and step
length are written out in closed form, so no autograd is needed at inference and training can
differentiate through every step.

Both directions are one matrix product with the C channels each and a shuffle of the D-channel
result: ``omega * Z`` folds the product with the kernel's k*k taps, the gradient unfolds the
residual before its product. Scores are carried from step to step, never recomputed.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from jointvos.config import ModelConfig
from jointvos.model.blocks import in_fp32
from jointvos.model.carriers import TargetModel

EPSILON = 1e-5
LEAST_CURVATURE = 1e-8


def normalize_features(x: Tensor, kernel_size: int) -> Tensor:
    """Scale each map so that its root mean square is 1 / sqrt(C k k).

    Shapes: [B,C,h,w], in and out.
    """
    C, h, w = x.shape[1:]
    x = x.float()
    energy = x.square().sum(dim=(1, 2, 3), keepdim=True) + EPSILON
    return x * torch.sqrt((C * h * w) / (C * kernel_size**2) / energy)


def to_taps(kernel: Tensor) -> Tensor:
    """Kernel [B,D,C,k,k] as a matrix [B,D*k*k,C], taps mirrored for `fold`."""
    return kernel.flip(-1, -2).permute(0, 1, 3, 4, 2).flatten(1, 3)


def from_taps(taps: Tensor, kernel_size: int) -> Tensor:
    """Inverse of `to_taps`: [B,D*k*k,C] as a kernel [B,D,C,k,k]."""
    B, _, C = taps.shape
    kernel = taps.view(B, -1, kernel_size, kernel_size, C)
    return kernel.permute(0, 1, 4, 2, 3).flip(-1, -2)


def correlate(taps: Tensor, features: Tensor, kernel_size: int) -> Tensor:
    """Omega * Z with zero padding.

    Shapes: taps [B,D*k*k,C], features [B,N,C,h,w]; result [B,N,D,h,w].
    """
    B, N, C, h, w = features.shape
    products = taps.unsqueeze(1) @ features.view(B, N, C, h * w)  # [B,N,D*k*k,h*w]
    scores = F.fold(products.flatten(0, 1), (h, w), kernel_size, padding=kernel_size // 2)
    return scores.view(B, N, -1, h, w)


def correlate_transposed(residual: Tensor, features: Tensor, kernel_size: int) -> Tensor:
    """Gradient of <residual, omega * Z> with respect to omega, summed over templates.

    Shapes: residual [B,N,D,h,w], features [B,N,C,h,w]; result [B,D*k*k,C].
    """
    B, N = features.shape[:2]
    patches = F.unfold(residual.flatten(0, 1), kernel_size, padding=kernel_size // 2)
    patches = patches.view(B, N, *patches.shape[1:])  # [B,N,D*k*k,h*w]
    return (patches @ features.flatten(3).transpose(2, 3)).sum(dim=1)


class FewShotLearner(nn.Module):
    """Fits the target model to the templates."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.kernel_size = config.kernel_size
        self.filter_reg = nn.Parameter(torch.full((1,), 0.01))

    @in_fp32
    def fit(
        self,
        features: Tensor,
        encodings: Tensor,
        importance: Tensor,
        template_weights: Tensor | None,
        start: TargetModel | None,
        steps: int,
    ) -> TargetModel:
        """Minimise Eq. 6 by steepest descent, always in fp32.

        Shapes: features [B,N,C,h,w], encodings and importance [B,N,D,h,w], template_weights
        [B,N] (None: all 1). Starts from zero without `start`.
        """
        features = features.float()
        k = self.kernel_size
        weights = importance.float()
        if template_weights is not None:
            weights = weights * template_weights[:, :, None, None, None]
        weights = weights.square()
        regularisation = self.filter_reg.square()
        B, _, C = features.shape[:3]
        if start is None:
            taps = features.new_zeros(B, encodings.shape[2] * k * k, C)
            error = -encodings.float()
        else:
            taps = to_taps(start.kernel)
            error = correlate(taps, features, k) - encodings
        for _ in range(steps):
            gradient = correlate_transposed(weights * error, features, k) + regularisation * taps
            change = correlate(gradient, features, k)
            energy = gradient.square().sum(dim=(1, 2))
            curvature = (weights * change.square()).sum(dim=(1, 2, 3, 4)) + regularisation * energy
            length = energy / curvature.clamp_min(LEAST_CURVATURE)  # [B]
            taps = taps - length[:, None, None] * gradient
            error = error - length[:, None, None, None, None] * change
        return TargetModel(from_taps(taps, k))

    @in_fp32
    def objective(
        self,
        target: TargetModel,
        features: Tensor,
        encodings: Tensor,
        importance: Tensor,
        template_weights: Tensor | None = None,
    ) -> Tensor:
        """Value of Eq. 6 (with template weights), [B]; shapes as in `fit`."""
        error = correlate(to_taps(target.kernel), features.float(), self.kernel_size) - encodings
        residual = importance * error
        if template_weights is not None:
            residual = residual * template_weights[:, :, None, None, None]
        data = residual.square().sum(dim=(1, 2, 3, 4))
        prior = self.filter_reg.square() * target.kernel.square().sum(dim=(1, 2, 3, 4))
        return (data + prior) / 2

    @in_fp32
    def apply_target_model(self, target: TargetModel, features: Tensor) -> Tensor:
        """E_ind* = omega * X.

        Shapes: features [B,C,h,w]; result [B,D,h,w].
        """
        taps = to_taps(target.kernel)
        return correlate(taps, features.float().unsqueeze(1), self.kernel_size).squeeze(1)
