"""Plain nets: ResNets without the shortcut (He et al. 2015, arXiv:1512.03385, fig. 3, middle, and sec. 4).

Stem, stages, head, names and initial values are the ResNets' own, so that only the shortcut differs.
"""

from collections.abc import Callable
from functools import partial

from torch import Tensor, nn
from torch.nn.functional import relu

from striate.nets.resnet import ResNet, conv
from striate.nets.resnet_cifar import CifarResNet


class PlainBlock(nn.Module):
    """Two 3x3 convolutions, one after the other."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = conv(in_channels, out_channels, 3, stride)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.conv2 = conv(out_channels, out_channels, 3)
        self.bn2 = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) to (N, out_channels, H/stride, W/stride)."""
        x = relu(self.bn1(self.conv1(x)))
        return relu(self.bn2(self.conv2(x)))


VARIANTS: dict[str, Callable[..., nn.Module]] = {
    "plain18": partial(ResNet, PlainBlock, 512, (2, 2, 2, 2)),
    "plain34": partial(ResNet, PlainBlock, 512, (3, 4, 6, 3)),
    "plain20_cifar": partial(CifarResNet, PlainBlock, 3),
    "plain56_cifar": partial(CifarResNet, PlainBlock, 9),
}
