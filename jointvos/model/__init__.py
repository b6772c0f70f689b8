"""The network of the paper, without state and without files."""

from jointvos.model.carriers import FrameFeatures, MaskEncodings, TargetModel, TemplateKeys
from jointvos.model.joint import JointNet

__all__ = ["FrameFeatures", "JointNet", "MaskEncodings", "TargetModel", "TemplateKeys"]
