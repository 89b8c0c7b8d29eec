"""MobileNet: efficient convolutional neural networks for mobile vision (Howard et al. 2017, arXiv:1704.04861).

`mobilenet_v1` pads as TensorFlow does, with which the paper's weights were trained; `mobilenetv1_100` is timm's net,
which pads evenly. Their parameters are the same, with timm's names, and so are the initial values' distributions.
Departures: activations are cut at 6, as in the authors' code; batch norm adds PyTorch's 0.00001 to the variance, where
TensorFlow's and Keras' add 0.001, so that a conversion of their weights must make up for the difference.
"""

from collections.abc import Callable
from functools import partial

from torch import Tensor, nn
from torch.nn.functional import relu6

from striate.errors import UsageError
from striate.layers.same_padding import padded_conv

STAGES = ((64, 1, 1), (128, 2, 2), (256, 2, 2), (512, 6, 2), (1024, 2, 2))  # table 1: channels, depth, first stride


class DepthwiseSeparable(nn.Module):
    """A 3x3 convolution within each channel, then a 1x1 across them (fig. 3, right)."""

    def __init__(self, in_channels: int, out_channels: int, stride: int, padding: str) -> None:
        super().__init__()
        self.conv_dw = padded_conv(in_channels, in_channels, 3, stride, padding=padding, groups=in_channels)
        self.bn1 = nn.BatchNorm2d(in_channels)
        self.conv_pw = nn.Conv2d(in_channels, out_channels, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) to (N, out_channels, H/stride, W/stride)."""
        y = relu6(self.bn1(self.conv_dw(x)))
        return relu6(self.bn2(self.conv_pw(y)))


class MobileNetV1(nn.Module):
    """A 3x3 stem, thirteen depthwise separable convolutions, global average pooling, one linear layer.

    Args:
        width: > 0, the paper's multiplier of all channels; each product is rounded down, and is at least 8.
        padding: "same", as TensorFlow pads, or "symmetric".

    Raises:
        UsageError: `width` is not above 0, or `padding` is neither.
    """

    stages = ("conv_stem", "bn1", "blocks.0", "blocks.1", "blocks.2", "blocks.3", "blocks.4")
    head = "classifier"
    explained_layer = "blocks.4"
    image_size = 224

    def __init__(
        self, *, width: float = 1.0, padding: str = "same", num_classes: int = 1000, in_channels: int = 3
    ) -> None:
        super().__init__()
        if width <= 0:
            raise UsageError(f"`width`: expected a number above 0; got {width}. Try 0.25, 0.5, 0.75 or 1.0.")
        channels = max(int(32 * width), 8)
        self.conv_stem = padded_conv(in_channels, channels, 3, stride=2, padding=padding)
        self.bn1 = nn.BatchNorm2d(channels)
        self.blocks = nn.Sequential()
        for base_channels, depth, first_stride in STAGES:
            stage = nn.Sequential()
            for i in range(depth):
                out_channels = max(int(base_channels * width), 8)
                stage.append(DepthwiseSeparable(channels, out_channels, first_stride if i == 0 else 1, padding))
                channels = out_channels
            self.blocks.append(stage)
        self.classifier = nn.Linear(channels, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                fan_out = module.weight[:, 0].numel() // module.groups
                nn.init.normal_(module.weight, std=(2 / fan_out) ** 0.5)
        nn.init.uniform_(self.classifier.weight, -(num_classes**-0.5), num_classes**-0.5)
        nn.init.zeros_(self.classifier.bias)

    def features(self, images: Tensor) -> list[Tensor]:
        """Feature maps C1..C5, at strides 2, 4, 8, 16 and 32, for decoders and transfer."""
        maps = []
        x = relu6(self.bn1(self.conv_stem(images)))  # (N, 32 * width, H/2, W/2)
        for stage in self.blocks:
            x = stage(x)
            maps.append(x)
        return maps

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, num_classes) of normalised RGB images (N, 3, H, W)."""
        pooled = self.features(images)[-1].mean(dim=(2, 3))  # (N, 1024 * width)
        logits: Tensor = self.classifier(pooled)
        return logits


VARIANTS: dict[str, Callable[..., nn.Module]] = {
    "mobilenet_v1": MobileNetV1,
    "mobilenet_v1_100": partial(MobileNetV1, width=1.0),
    "mobilenet_v1_075": partial(MobileNetV1, width=0.75),
    "mobilenet_v1_050": partial(MobileNetV1, width=0.5),
    "mobilenet_v1_025": partial(MobileNetV1, width=0.25),
    "mobilenetv1_100": partial(MobileNetV1, width=1.0, padding="symmetric"),
}
