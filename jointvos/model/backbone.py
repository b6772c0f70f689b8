"""Backbone F_theta (Sec. 3.1): the paper's ResNet, or what the bundled model has in its place."""

from typing import TYPE_CHECKING

from jointvos.config import ModelConfig
from jointvos.model.efficientnet_lite import SIZES, EfficientNetLite

if TYPE_CHECKING:
    from jointvos.model.resnet import ResNet


def build_backbone(config: ModelConfig) -> "ResNet | EfficientNetLite":
    """The backbone that a configuration names, with random numbers."""
    if config.backbone in SIZES:
        return EfficientNetLite(config)
    from jointvos.model.resnet import ResNet  # torchvision takes a second to import

    return ResNet(config)
