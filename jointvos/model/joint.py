"""The network of Figure 2: seven verbs without state, called alike by training and inference.

Inference replaces one of them, `encode_templates`, by the same mathematics in two steps
(`renew_templates`, `template_keys`) that cost only what a new template changes.

Leading dimension B is sequences in training and objects in inference; every method is a pure
function of the parameters and its arguments.
"""

import hashlib
from collections.abc import Sequence
from copy import deepcopy
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from jointvos.config import ModelConfig
from jointvos.model.carriers import (
    EncodedTemplate,
    FrameFeatures,
    MaskEncodings,
    TargetModel,
    TemplateKeys,
)
from jointvos.model.decoder import Decoder
from jointvos.model.efficientnet_lite import SIZES, EfficientNetLite
from jointvos.model.induction import FewShotLearner, normalize_features
from jointvos.model.label_encoder import LabelEncoder
from jointvos.model.transduction import Transduction

if TYPE_CHECKING:
    from jointvos.model.backbone import ResNet


class JointNet(nn.Module):
    """Joint inductive and transductive video object segmentation.

    Attributes:
        backbone: F_theta.
        heads: The 3x3 convolutions that reduce the stride-16 stage for the branches; one
            convolution whose first C outputs serve transduction and whose last C induction.
        label_encoder: E_theta1, E_theta2 and W.
        transduction: The lightweight transformer; None in the ablation without it.
        learner: The few-shot learner; None in the ablation without it.
        decoder: D_theta.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.backbone = _backbone(config)
        branches = config.transduction + config.induction
        self.heads = nn.Conv2d(
            self.backbone.channels[2], branches * config.feature_dim, 3, padding=1, bias=False
        )
        nn.init.kaiming_normal_(self.heads.weight, mode="fan_out", nonlinearity="relu")
        self.label_encoder = LabelEncoder(config)
        self.transduction = Transduction(config) if config.transduction else None
        self.learner = FewShotLearner(config) if config.induction else None
        self.decoder = Decoder(config, self.backbone.channels)

    def in_precision(self, dtype: torch.dtype) -> "JointNet":
        """The network with backbone, heads and decoder in half precision; itself if they are.

        The masks' encoder, attention and the few-shot learner stay in fp32, as do pixel values
        until they are normalized.
        """
        if self.heads.weight.dtype == dtype:
            return self
        other = deepcopy(self)
        normalize = deepcopy(other.backbone.normalize)
        for part in (other.backbone, other.heads, other.decoder):
            part.to(dtype)
        other.backbone.normalize = normalize
        return other

    def digest(self) -> str:
        """The weights as a word, whatever device and memory format they are in; of SHA-256."""
        content = hashlib.sha256()
        for name, tensor in sorted(self.state_dict().items()):
            content.update(name.encode())
            # A network that was in half precision once keeps its values and so its word.
            content.update(tensor.to("cpu", torch.float32).flatten().numpy())
        return content.hexdigest()[:16]

    def encode_image(self, image: Tensor) -> FrameFeatures:
        """Backbone and heads; image [B,3,H,W], RGB in [0, 255], sides multiples of 16."""
        stages = self.backbone(image)
        reduced = list(self.heads(stages[2]).split(self.config.feature_dim, dim=1))
        transduction = reduced.pop(0) if self.config.transduction else None
        induction = reduced.pop(0) if self.config.induction else None
        if induction is not None:
            induction = normalize_features(induction, self.config.kernel_size)
        return FrameFeatures(stages, transduction, induction)

    def encode_masks(self, masks: Tensor) -> MaskEncodings:
        """E_ind, E_tra and W of masks [B,N,1,H,W] in [0, 1] (Sec. 3.4)."""
        return self.label_encoder(masks)  # type: ignore[no-any-return]

    def encode_templates(self, features: Tensor, encodings: Tensor) -> TemplateKeys:
        """Keys and values of the memory (Eqs. 2-3); features [B,N,C,h,w], E_tra [B,N,D,h,w]."""
        assert self.transduction is not None
        return self.transduction.encode_templates(features, encodings)

    def renew_templates(
        self,
        before: Sequence[EncodedTemplate],
        features: Sequence[Tensor],
        taken_back: Sequence[int] | None = None,
    ) -> tuple[EncodedTemplate, ...]:
        """The template encoder's sums for these maps, [B,C,h,w] each, at the cost of what changed.

        `before` is what it returned last, or nothing; `template_keys` of the result are those of
        `encode_templates`. Templates are told apart by the identity of their maps; `taken_back` is
        what `count_taken_back` says of the same change, for a computation that was recorded.
        """
        assert self.transduction is not None
        return self.transduction.renew_templates(before, features, taken_back)

    def template_keys(
        self, templates: Sequence[EncodedTemplate], encodings: Tensor
    ) -> TemplateKeys:
        """Keys and values of encoded templates; E_tra [B,N,D,h,w]."""
        assert self.transduction is not None
        return self.transduction.template_keys(templates, encodings)

    def propagate(self, features: Tensor, memory: TemplateKeys) -> Tensor:
        """E_tra* of the search frame (Eqs. 4-5); features [B,C,h,w], result [B,D,h,w]."""
        assert self.transduction is not None
        h, w = features.shape[-2:]
        return self.transduction.cross_attend(
            self.transduction.encode_search(features), memory, (h, w)
        )

    def fit_target_model(
        self,
        features: Tensor,
        encodings: MaskEncodings,
        *,
        template_weights: Tensor | None = None,
        start: TargetModel | None = None,
        steps: int,
    ) -> TargetModel:
        """Steepest descent on Eq. 6; features [B,N,C,h,w], template_weights [B,N]."""
        assert self.learner is not None
        assert encodings.induction is not None
        assert encodings.importance is not None
        return self.learner.fit(
            features, encodings.induction, encodings.importance, template_weights, start, steps
        )

    def apply_target_model(self, target: TargetModel, features: Tensor) -> Tensor:
        """E_ind* = T_omega(X) (Sec. 3.3); features [B,C,h,w], result [B,D,h,w]."""
        assert self.learner is not None
        return self.learner.apply_target_model(target, features)

    def decode(self, encoding: Tensor, stages: tuple[Tensor, ...]) -> Tensor:
        """Logits from E_tra* + E_ind* (Eq. 7).

        Shapes: encoding [B,D,h,w], stages [B,C,h,w] each, finest first; logits [B,1,H,W].
        """
        return self.decoder(encoding, stages)  # type: ignore[no-any-return]


def _backbone(config: ModelConfig) -> "ResNet | EfficientNetLite":
    if config.backbone in SIZES:
        return EfficientNetLite(config)
    from jointvos.model.backbone import ResNet  # torchvision takes a second to import

    return ResNet(config)
