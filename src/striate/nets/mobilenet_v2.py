"""MobileNet v2: inverted residuals and linear bottlenecks (Sandler et al. 2018, arXiv:1801.04381).

Names, shapes and initial values are torchvision's, so its checkpoints load unchanged. The variants `_tf` pad as
TensorFlow does, with which the paper's weights and Keras' were trained; the numbers behind them are their widths in
hundredths. Departure: their batch norms add PyTorch's 0.00001 to the variance, where TensorFlow's and Keras' add 0.001,
so that a conversion of their weights must make up for the difference.
"""

from collections.abc import Callable
from functools import partial

from torch import Tensor, nn

from striate.blocks import Features
from striate.errors import UsageError
from striate.layers.same_padding import padded_conv

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


def scaled(channels: int, width: float) -> int:
    """The multiple of 8 that is nearest to a number of channels times the width, and not less than 0.9 of that.

    Source: `_make_divisible` of the authors' code in TensorFlow, of torchvision and of Keras.
    """
    wanted = channels * width
    nearest_multiple = max(8, int(wanted + 4) // 8 * 8)
    return nearest_multiple if nearest_multiple >= 0.9 * wanted else nearest_multiple + 8


def conv(
    in_channels: int, out_channels: int, kernel_size: int, stride: int = 1, groups: int = 1, padding: str = "symmetric"
) -> nn.Sequential:
    """A convolution that keeps H and W at stride 1, normalised, and cut to between 0 and 6."""
    layer = padded_conv(in_channels, out_channels, kernel_size, stride, padding=padding, groups=groups)
    return nn.Sequential(layer, nn.BatchNorm2d(out_channels), nn.ReLU6())


class InvertedResidual(nn.Module):
    """1x1 to `expansion` times the channels, 3x3 within each, 1x1 back without activation, beside the identity."""

    def __init__(self, in_channels: int, out_channels: int, stride: int, expansion: int, padding: str) -> None:
        super().__init__()
        width = expansion * in_channels
        expand = [conv(in_channels, width, 1)] if expansion > 1 else []
        self.conv = nn.Sequential(
            *expand,
            conv(width, width, 3, stride, groups=width, padding=padding),
            nn.Conv2d(width, out_channels, 1, bias=False),
            nn.BatchNorm2d(out_channels),
        )
        self.residual = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) to (N, out_channels, H/stride, W/stride)."""
        y: Tensor = self.conv(x)
        return x + y if self.residual else y


class MobileNetV2(nn.Module):
    """A 3x3 stem, seventeen inverted residuals, a 1x1 convolution, global average pooling, one linear layer.

    Args:
        width: > 0, the multiplier of all channels, but of the last 1,280 only above 1; see `scaled`.
        padding: "symmetric", as torchvision pads, or "same", as TensorFlow does.

    Raises:
        UsageError: `width` is not above 0, or `padding` is neither.
    """

    stages = tuple(f"features.{i}" for i in range(19))
    head = "classifier.1"
    explained_layer = "features.18"
    image_size = 224

    def __init__(
        self, *, width: float = 1.0, padding: str = "symmetric", num_classes: int = 1000, in_channels: int = 3
    ) -> None:
        super().__init__()
        if width <= 0:
            raise UsageError(f"`width`: expected a number above 0; got {width}. Try 0.35, 0.5, 0.75, 1.0, 1.3 or 1.4.")
        channels = scaled(32, width)
        layers: list[nn.Module] = [conv(in_channels, channels, 3, stride=2, padding=padding)]
        for expansion, base_channels, depth, first_stride in STAGES:
            out_channels = scaled(base_channels, width)
            for i in range(depth):
                stride = first_stride if i == 0 else 1
                layers.append(InvertedResidual(channels, out_channels, stride, expansion, padding))
                channels = out_channels
        last_channels = scaled(1280, max(1.0, width))
        layers.append(conv(channels, last_channels, 1))
        self.features = Features(layers, returned=(1, 3, 6, 13, 18))
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(last_channels, num_classes))
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
        pooled = self.features(images)[-1].mean(dim=(2, 3))  # (N, 1280) up to width 1
        logits: Tensor = self.classifier(pooled)
        return logits


VARIANTS: dict[str, Callable[..., nn.Module]] = {
    "mobilenet_v2": partial(MobileNetV2, padding="symmetric"),
    "mobilenet_v2_tf_035": partial(MobileNetV2, width=0.35, padding="same"),
    "mobilenet_v2_tf_050": partial(MobileNetV2, width=0.5, padding="same"),
    "mobilenet_v2_tf_075": partial(MobileNetV2, width=0.75, padding="same"),
    "mobilenet_v2_tf_100": partial(MobileNetV2, width=1.0, padding="same"),
    "mobilenet_v2_tf_130": partial(MobileNetV2, width=1.3, padding="same"),
    "mobilenet_v2_tf_140": partial(MobileNetV2, width=1.4, padding="same"),
}
