"""Backbone F_theta (Sec. 3.1): the paper's ResNet, whose residual stages feed everything else.

The paper's res3 is torchvision's layer3 (stride 16, 1024 channels in ResNet-50). Deviations from
torchvision: the stride of a bottleneck stage sits on its first 1x1 convolution (the layout of the
Mask R-CNN weights) unless the backbone is "resnet50_v1.5", and the network takes RGB in [0, 255];
official weights expect BGR, so their first convolution is flipped once, when they are converted.
"""

from torch import Tensor, nn
from torchvision.models import resnet

from jointvos.config import ModelConfig
from jointvos.model.blocks import PixelNorm, norm_layer


class ResNet(nn.Module):
    """Residual stages at strides 4, 8, 16 (and 32).

    Attributes:
        channels: Channels of each stage that is returned.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        net = resnet.resnet50(norm_layer=lambda width: norm_layer(config.norm, width))
        if config.backbone == "resnet50":
            for stage in (net.layer2, net.layer3, net.layer4):
                first = stage[0]
                first.conv1.stride, first.conv2.stride = first.conv2.stride, first.conv1.stride
        self.conv1, self.bn1, self.relu, self.maxpool = net.conv1, net.bn1, net.relu, net.maxpool
        self.stage_names = [f"layer{i + 1}" for i in range(config.stages)]
        for name in self.stage_names:
            self.add_module(name, getattr(net, name))
        self.channels = tuple(256 * 2**i for i in range(config.stages))
        self.normalize = PixelNorm(config)

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Stages, finest first.

        Shapes: image [B,3,H,W], RGB in [0, 255]; stage i [B,channels[i],H/2^(i+2),W/2^(i+2)].
        """
        x = self.conv1(self.normalize(image).to(self.conv1.weight.dtype))
        x = self.maxpool(self.relu(self.bn1(x)))
        stages = []
        for name in self.stage_names:
            x = getattr(self, name)(x)
            stages.append(x)
        return tuple(stages)
