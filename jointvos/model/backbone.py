"""Backbone F_theta (Sec. 3.1): a ResNet whose residual stages feed everything else.

The paper's res3 is torchvision's layer3 (stride 16, 1024 channels in ResNet-50). Deviations from
torchvision: the stride of a bottleneck stage sits on its first 1x1 convolution (the layout of the
Mask R-CNN weights), and the network takes RGB in [0, 255]; official weights expect BGR, so
their first convolution is flipped once, when they are converted.
"""

import torch
from torch import Tensor, nn
from torchvision.models import resnet
from torchvision.models.resnet import Bottleneck

from jointvos.config import ModelConfig
from jointvos.model.blocks import norm_layer

DEPTHS = {"resnet18": resnet.resnet18, "resnet50": resnet.resnet50}


class Backbone(nn.Module):
    """Residual stages at strides 4, 8, 16 (and 32).

    Attributes:
        channels: Channels of each stage that is returned.
    """

    pixel_mean: Tensor
    pixel_std: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        net = DEPTHS[config.backbone](norm_layer=lambda width: norm_layer(config.norm, width))
        for stage in (net.layer2, net.layer3, net.layer4):
            if isinstance(first := stage[0], Bottleneck):
                first.conv1.stride, first.conv2.stride = first.conv2.stride, first.conv1.stride
        self.conv1, self.bn1, self.relu, self.maxpool = net.conv1, net.bn1, net.relu, net.maxpool
        self.stage_names = [f"layer{i + 1}" for i in range(config.stages)]
        for name in self.stage_names:
            self.add_module(name, getattr(net, name))
        expansion = 4 if config.backbone == "resnet50" else 1
        self.channels = tuple(64 * 2**i * expansion for i in range(config.stages))
        for name, value in (("pixel_mean", config.pixel_mean), ("pixel_std", config.pixel_std)):
            # On the CPU even in a network built without values: no file brings these.
            pixel = torch.tensor(value, device="cpu").view(1, 3, 1, 1)
            self.register_buffer(name, pixel, persistent=False)

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Stages, finest first.

        Shapes: image [B,3,H,W], RGB in [0, 255]; stage i [B,channels[i],H/2^(i+2),W/2^(i+2)].
        """
        x = (image - self.pixel_mean) / self.pixel_std
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        stages = []
        for name in self.stage_names:
            x = getattr(self, name)(x)
            stages.append(x)
        return tuple(stages)
