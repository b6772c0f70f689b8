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

__all__ = [
    "EncodedTemplate",
    "FrameFeatures",
    "JointNet",
    "MaskEncodings",
    "TargetModel",
    "TemplateKeys",
    "without_branch",
]
