"""ResNet: deep residual learning for image recognition (He et al. 2015, arXiv:1512.03385).

A bottleneck strides in its 3x3 convolution, which is called v1.5; those of the variants `_v1` stride in their first
1x1, as the paper's and Keras' do. Names, shapes and initial values are torchvision's, so its checkpoints load
unchanged, where `shortcut` is "B", as it is by default.
"""

from collections.abc import Callable, Sequence
from functools import partial

from torch import Tensor, nn
from torch.nn.functional import max_pool2d, relu

from striate.errors import UsageError
from striate.layers.zero_shortcut import ZeroPaddedShortcut

SHORTCUTS = {  # sec. 3.3 and table 3
    "A": "zero padding where shapes differ, no parameters",
    "B": "a 1x1 projection where shapes differ",
    "C": "a 1x1 projection everywhere",
}


def conv(in_channels: int, out_channels: int, kernel_size: int, stride: int = 1) -> nn.Conv2d:
    """A convolution that keeps H and W at stride 1; the norm after it supplies the bias."""
    padding = kernel_size // 2
    return nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding, bias=False)


def shortcut(in_channels: int, out_channels: int, stride: int, option: str = "B") -> nn.Module:
    """The way past a block; `option` is a key of `SHORTCUTS`."""
    if option not in SHORTCUTS:
        choices = "; ".join(f"{name}, {meaning}" for name, meaning in SHORTCUTS.items())
        raise UsageError(f"`shortcut`: expected A, B or C; got {option!r}. Try one of: {choices}.")
    same = stride == 1 and in_channels == out_channels
    if option == "C" or (option == "B" and not same):
        return nn.Sequential(conv(in_channels, out_channels, 1, stride), nn.BatchNorm2d(out_channels))
    return nn.Identity() if same else ZeroPaddedShortcut(in_channels, out_channels, stride)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut (fig. 5, left)."""

    def __init__(self, in_channels: int, out_channels: int, stride: int, option: str = "B") -> None:
        super().__init__()
        self.conv1 = conv(in_channels, out_channels, 3, stride)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.conv2 = conv(out_channels, out_channels, 3)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.downsample = shortcut(in_channels, out_channels, stride, option)

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) to (N, out_channels, H/stride, W/stride)."""
        y = relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return relu(y + self.downsample(x))


class Bottleneck(nn.Module):
    """1x1 to a quarter of the channels, 3x3, 1x1 back, beside a shortcut (fig. 5, right)."""

    def __init__(self, in_channels: int, out_channels: int, stride: int, option: str = "B") -> None:
        super().__init__()
        width = out_channels // 4
        self.conv1 = conv(in_channels, width, 1)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = conv(width, width, 3, stride)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = conv(width, out_channels, 1)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.downsample = shortcut(in_channels, out_channels, stride, option)

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) to (N, out_channels, H/stride, W/stride)."""
        y = relu(self.bn1(self.conv1(x)))
        y = relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return relu(y + self.downsample(x))


class BottleneckV1(Bottleneck):
    """The paper's bottleneck: its first 1x1 strides, and so leaves three of four positions of its input unseen."""

    def __init__(self, in_channels: int, out_channels: int, stride: int, option: str = "B") -> None:
        super().__init__(in_channels, out_channels, stride, option)
        width = out_channels // 4
        self.conv1 = conv(in_channels, width, 1, stride)
        self.conv2 = conv(width, width, 3)


Block = Callable[[int, int, int], nn.Module]  # (in_channels, out_channels, stride)


def stage(block: Block, in_channels: int, channels: int, depth: int, stride: int) -> nn.Sequential:
    """A chain of `depth` blocks, the first of which changes resolution and channels."""
    first = block(in_channels, channels, stride)
    rest = [block(channels, channels, 1) for _ in range(depth - 1)]
    return nn.Sequential(first, *rest)


class ResNet(nn.Module):
    """A 7x7 stem, four stages of residual blocks, global average pooling, one linear layer."""

    stages = ("conv1", "bn1", "layer1", "layer2", "layer3", "layer4")
    head = "fc"
    explained_layer = "layer4"
    image_size = 224

    def __init__(
        self, block: Block, channels: int, depths: Sequence[int], *, num_classes: int = 1000, in_channels: int = 3
    ) -> None:
        super().__init__()
        if len(depths) != 4:
            raise ValueError(f"`depths`: expected 4, one a stage; got {len(depths)}: {depths}")
        c = channels  # of the last stage; each earlier one has half as many
        self.conv1 = conv(in_channels, 64, 7, stride=2)
        self.bn1 = nn.BatchNorm2d(64)
        self.layer1 = stage(block, 64, c // 8, depths[0], stride=1)
        self.layer2 = stage(block, c // 8, c // 4, depths[1], stride=2)
        self.layer3 = stage(block, c // 4, c // 2, depths[2], stride=2)
        self.layer4 = stage(block, c // 2, c, depths[3], stride=2)
        self.fc = nn.Linear(c, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def features(self, images: Tensor) -> list[Tensor]:
        """Feature maps C1..C5, at strides 2, 4, 8, 16 and 32, for decoders and transfer."""
        c1 = relu(self.bn1(self.conv1(images)))  # (N, 64, H/2, W/2)
        c2 = self.layer1(max_pool2d(c1, 3, stride=2, padding=1))  # (N, C/8, H/4, W/4)
        c3 = self.layer2(c2)  # (N, C/4, H/8, W/8)
        c4 = self.layer3(c3)  # (N, C/2, H/16, W/16)
        c5 = self.layer4(c4)  # (N, C, H/32, W/32)
        return [c1, c2, c3, c4, c5]

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, num_classes) of normalised RGB images (N, 3, H, W)."""
        pooled = self.features(images)[-1].mean(dim=(2, 3))  # (N, C)
        logits: Tensor = self.fc(pooled)
        return logits


def residual(
    block: Callable[..., nn.Module],
    channels: int,
    depths: Sequence[int],
    *,
    shortcut: str = "B",
    num_classes: int = 1000,
    in_channels: int = 3,
) -> ResNet:
    """A ResNet with shortcuts of one kind; `shortcut` is a key of `SHORTCUTS`."""
    block = partial(block, option=shortcut)
    return ResNet(block, channels, depths, num_classes=num_classes, in_channels=in_channels)


VARIANTS = {
    "resnet18": partial(residual, BasicBlock, 512, (2, 2, 2, 2)),
    "resnet34": partial(residual, BasicBlock, 512, (3, 4, 6, 3)),
    "resnet50": partial(residual, Bottleneck, 2048, (3, 4, 6, 3)),
    "resnet101": partial(residual, Bottleneck, 2048, (3, 4, 23, 3)),
    "resnet152": partial(residual, Bottleneck, 2048, (3, 8, 36, 3)),
    "resnet50_v1": partial(residual, BottleneckV1, 2048, (3, 4, 6, 3)),
    "resnet101_v1": partial(residual, BottleneckV1, 2048, (3, 4, 23, 3)),
    "resnet152_v1": partial(residual, BottleneckV1, 2048, (3, 8, 36, 3)),
}
