"""ResNet for CIFAR: deep residual learning for image recognition (He et al. 2015, arXiv:1512.03385, sec. 4.2).

6n + 2 layers: a 3x3 stem, three stages of n blocks with 16, 32 and 64 channels, one linear layer. The paper has
shortcuts of option A throughout; the others are here to be compared, as its table 3 does for ImageNet.
With option A, names and shapes are those of the weights that akamaster/pytorch_resnet_cifar10 published, without its
`module.`.
"""

from functools import partial

from torch import Tensor, nn
from torch.nn.functional import relu

from striate.layers.checkpointed import Checkpointed
from striate.nets.resnet import BasicBlock, Block, conv, stage


class CifarResNet(nn.Module):
    """A 3x3 stem, three stages of `depth` blocks, global average pooling, one linear layer.

    Args:
        block: called as `block(in_channels, out_channels, stride)`.
        depth: the paper's n, blocks a stage.
        checkpointing: keep few of the activations for the backward pass, and compute the others again.
    """

    stages = ("conv1", "bn1", "layer1", "layer2", "layer3")
    head = "linear"
    explained_layer = "layer3"
    image_size = 32

    def __init__(
        self, block: Block, depth: int, *, checkpointing: bool = False, num_classes: int = 10, in_channels: int = 3
    ) -> None:
        super().__init__()
        chain = Checkpointed if checkpointing else nn.Sequential
        self.conv1 = conv(in_channels, 16, 3)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = chain(*stage(block, 16, 16, depth, stride=1))
        self.layer2 = chain(*stage(block, 16, 32, depth, stride=2))
        self.layer3 = chain(*stage(block, 32, 64, depth, stride=2))
        self.linear = nn.Linear(64, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")

    def features(self, images: Tensor) -> list[Tensor]:
        """Feature maps C1..C3, at strides 1, 2 and 4."""
        x = relu(self.bn1(self.conv1(images)))  # (N, 16, H, W)
        c1 = self.layer1(x)  # (N, 16, H, W)
        c2 = self.layer2(c1)  # (N, 32, H/2, W/2)
        c3 = self.layer3(c2)  # (N, 64, H/4, W/4)
        return [c1, c2, c3]

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, num_classes) of normalised images (N, in_channels, H, W)."""
        pooled = self.features(images)[-1].mean(dim=(2, 3))  # (N, 64)
        logits: Tensor = self.linear(pooled)
        return logits


def residual(
    depth: int, *, shortcut: str = "A", checkpointing: bool = False, num_classes: int = 10, in_channels: int = 3
) -> CifarResNet:
    """A net of 6 `depth` + 2 layers; `shortcut` is a key of `SHORTCUTS`."""
    block = partial(BasicBlock, option=shortcut)
    return CifarResNet(block, depth, checkpointing=checkpointing, num_classes=num_classes, in_channels=in_channels)


VARIANTS = {
    "resnet20_cifar": partial(residual, 3),
    "resnet32_cifar": partial(residual, 5),
    "resnet44_cifar": partial(residual, 7),
    "resnet56_cifar": partial(residual, 9),
    "resnet110_cifar": partial(residual, 18),
    "resnet1202_cifar": partial(residual, 200),
}
