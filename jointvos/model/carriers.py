"""Named bundles of tensors that the verbs of `JointNet` exchange.

Shapes: B sequences or objects, N templates, C feature channels, D encoding channels, K key
channels; H,W the crop, h,w its stride-16 grid.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class FrameFeatures:
    """What the backbone and the heads say of a frame.

    Attributes:
        stages: Residual stages, finest first: strides 4, 8, 16 (and 32). The third is the
            paper's res3, torchvision's layer3.
        transduction: Head of the transduction branch, [B,C,h,w]; None without that branch.
        induction: Head of the induction branch, L2-normalized, [B,C,h,w]; None without it.
    """

    stages: tuple[Tensor, ...]
    transduction: Tensor | None
    induction: Tensor | None

    def heads(self, part: slice) -> "FrameFeatures":
        """Views of the heads of a part of the batch, without the stages."""

        def of_part(x: Tensor | None) -> Tensor | None:
            return None if x is None else x[part]

        return FrameFeatures((), of_part(self.transduction), of_part(self.induction))

    def alone(self, dtype: torch.dtype | None = None) -> "FrameFeatures":
        """Copies of the heads, in that type, so that a batch of which these are views can go."""

        def own(x: Tensor | None) -> Tensor | None:
            return None if x is None else x.to(dtype or x.dtype, copy=True)

        return FrameFeatures((), own(self.transduction), own(self.induction))


@dataclass(frozen=True)
class MaskEncodings:
    """What the label encoder says of masks (Sec. 3.4).

    Attributes:
        transduction: E_tra, [B,N,D,h,w]; None without that branch.
        induction: E_ind, [B,N,D,h,w]; None without that branch.
        importance: W of Eq. 6, [B,N,D,h,w]; None without the induction branch.
    """

    transduction: Tensor | None
    induction: Tensor | None
    importance: Tensor | None


@dataclass(frozen=True, eq=False)
class EncodedTemplate:
    """A template in the template encoder's sums over all templates (Eqs. 2-3).

    Attributes:
        features: The map it was made of, [B,C,h,w].
        attended: Tokens of all templates, averaged with their attention weights, [B,h*w,C]; in
            fp16 if the map is, else in fp32.
        total: Sum of these weights, [B,h*w], fp32.
        taken_back: How many templates that went have been taken back from the sums.
    """

    features: Tensor
    attended: Tensor
    total: Tensor
    taken_back: int

    def copies(self, features: Sequence[Tensor]) -> tuple["EncodedTemplate", ...]:
        """Of the only template in the sums, those of a memory of such maps, equal to its own.

        Shapes: features [B,C,h,w] each.
        """
        # Equal templates have equal averages, and the weights of one so many times.
        total = self.total * len(features)
        return tuple(
            EncodedTemplate(each, self.attended.clone(), total.clone(), 0) for each in features
        )


@dataclass(frozen=True)
class TemplateKeys:
    """The memory as the transduction branch reads it; changes only when a template is stored.

    Attributes:
        keys: psi of the encoded templates, unit length, [B,N*h*w,K].
        values: E_tra of the same positions, [B,N*h*w,D].
    """

    keys: Tensor
    values: Tensor


@dataclass(frozen=True)
class TargetModel:
    """The kernel omega that the few-shot learner fits online (Sec. 3.3), [B,D,C,k,k]."""

    kernel: Tensor
