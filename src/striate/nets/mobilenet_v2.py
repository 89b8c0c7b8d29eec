"""MobileNet v2: inverted residuals and linear bottlenecks (Sandler et al. 2018, arXiv:1801.04381).

Names, shapes and initial values are torchvision's, so its checkpoints load unchanged.
"""

from torch import Tensor, nn

from striate.blocks import Features

# table 2: expansion, channels, depth, stride of the first
STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


def conv(in_channels: int, out_channels: int, kernel_size: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    """A convolution that keeps H and W at stride 1, normalised, and cut to between 0 and 6."""
    padding = kernel_size // 2
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding, groups=groups, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU6(),
    )


class InvertedResidual(nn.Module):
    """1x1 to `expansion` times the channels, 3x3 within each, 1x1 back without activation, beside the identity."""

    def __init__(self, in_channels: int, out_channels: int, stride: int, expansion: int) -> None:
        super().__init__()
        width = expansion * in_channels
        expand = [conv(in_channels, width, 1)] if expansion > 1 else []
        self.conv = nn.Sequential(
            *expand,
            conv(width, width, 3, stride, groups=width),
            nn.Conv2d(width, out_channels, 1, bias=False),
            nn.BatchNorm2d(out_channels),
        )
        self.residual = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) to (N, out_channels, H/stride, W/stride)."""
        y: Tensor = self.conv(x)
        return x + y if self.residual else y


class MobileNetV2(nn.Module):
    """A 3x3 stem, seventeen inverted residuals, a 1x1 convolution, global average pooling, one linear layer."""

    stages = tuple(f"features.{i}" for i in range(19))
    head = "classifier.1"
    explained_layer = "features.18"
    image_size = 224

    def __init__(self, *, num_classes: int = 1000, in_channels: int = 3) -> None:
        super().__init__()
        layers: list[nn.Module] = [conv(in_channels, 32, 3, stride=2)]
        channels = 32
        for expansion, out_channels, depth, first_stride in STAGES:
            for i in range(depth):
                stride = first_stride if i == 0 else 1
                layers.append(InvertedResidual(channels, out_channels, stride, expansion))
                channels = out_channels
        layers.append(conv(channels, 1280, 1))
        self.features = Features(layers, returned=(1, 3, 6, 13, 18))
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(1280, num_classes))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=0.01)
                nn.init.zeros_(module.bias)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, num_classes) of normalised RGB images (N, 3, H, W).

        `features` gives five maps C1..C5, at strides 2, 4, 8, 16 and 32.
        """
        pooled = self.features(images)[-1].mean(dim=(2, 3))  # (N, 1280)
        logits: Tensor = self.classifier(pooled)
        return logits


VARIANTS = {"mobilenet_v2": MobileNetV2}
