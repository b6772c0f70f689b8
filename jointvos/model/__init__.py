"""The network of the paper, without state and without files."""

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
]
