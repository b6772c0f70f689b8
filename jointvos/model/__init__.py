"""The network of the paper, without state and without files."""

from jointvos.model.ablation import without_branch
from jointvos.model.carriers import (
    EncodedTemplate,
    FrameFeatures,
    MaskEncodings,
    TargetModel,
    TemplateKeys,
)
from jointvos.model.joint import JointNet
from jointvos.model.template_encoder import count_taken_back

__all__ = [
    "EncodedTemplate",
    "FrameFeatures",
    "JointNet",
    "MaskEncodings",
    "TargetModel",
    "TemplateKeys",
    "count_taken_back",
    "without_branch",
]
