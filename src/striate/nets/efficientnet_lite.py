"""EfficientNet-Lite0: EfficientNet (Tan and Le 2019, arXiv:1905.11946) without what small processors lack.

Source: the authors' efficientnet-lite README and code in TensorFlow's tpu repository: table 1 of the paper at width and
depth 1, without squeeze-and-excitation, and with activations that are clipped at 6 instead of swish. Parameter names,
shapes and the distributions of the initial values are timm's `tf_efficientnet_lite0`; its logits are the reference of
the test. Convolutions are padded as TensorFlow pads, and batch norm adds 1e-3, as the published weights expect.
"""

from torch import Tensor, nn
from torch.nn.functional import dropout, relu6

from striate.layers.same_padding import SameConv2d

EPS = 1e-3  # of every batch norm

# arXiv:1905.11946, table 1: kernel size, stride of the first block, channels, depth; the first stage does not expand
STAGES = (
    (3, 2, 24, 2),
    (5, 2, 40, 2),
    (3, 2, 80, 3),
    (5, 1, 112, 3),
    (5, 2, 192, 4),
    (3, 1, 320, 1),
)
EXPANSION = 6


class DepthwiseSeparable(nn.Module):
    """A 3x3 convolution of each channel, then a linear 1x1 convolution across channels."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv_dw = SameConv2d(in_channels, in_channels, 3, groups=in_channels, bias=False)
        self.bn1 = nn.BatchNorm2d(in_channels, eps=EPS)
        self.conv_pw = nn.Conv2d(in_channels, out_channels, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels, eps=EPS)

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) to (N, out_channels, H, W)."""
        y: Tensor = self.bn2(self.conv_pw(relu6(self.bn1(self.conv_dw(x)))))
        return y


class InvertedResidual(nn.Module):
    """MobileNet v2's block: 1x1 to more channels, a filter of each, a linear 1x1 back, beside the identity."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, stride: int) -> None:
        super().__init__()
        width = EXPANSION * in_channels
        self.conv_pw = nn.Conv2d(in_channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width, eps=EPS)
        self.conv_dw = SameConv2d(width, width, kernel_size, stride, groups=width, bias=False)
        self.bn2 = nn.BatchNorm2d(width, eps=EPS)
        self.conv_pwl = nn.Conv2d(width, out_channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out_channels, eps=EPS)
        self.residual = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) to (N, out_channels, ceil(H / stride), ceil(W / stride))."""
        y: Tensor = relu6(self.bn1(self.conv_pw(x)))  # (N, 6 * in_channels, H, W)
        y = relu6(self.bn2(self.conv_dw(y)))
        y = self.bn3(self.conv_pwl(y))  # no activation: the bottleneck is linear
        return x + y if self.residual else y


class EfficientNetLite0(nn.Module):
    """A 3x3 stem, seven stages of blocks, a 1x1 convolution, global average pooling, one linear layer."""

    stages = ("conv_stem", "bn1", *(f"blocks.{i}" for i in range(7)), "conv_head", "bn2")
    head = "classifier"
    explained_layer = "act2"
    image_size = 224

    def __init__(self, *, num_classes: int = 1000, in_channels: int = 3) -> None:
        super().__init__()
        self.conv_stem = SameConv2d(in_channels, 32, 3, stride=2, bias=False)
        self.bn1 = nn.BatchNorm2d(32, eps=EPS)
        self.blocks = nn.Sequential(nn.Sequential(DepthwiseSeparable(32, 16)))
        channels = 16
        for kernel_size, first_stride, out_channels, depth in STAGES:
            stage = nn.Sequential()
            for i in range(depth):
                stage.append(InvertedResidual(channels, out_channels, kernel_size, first_stride if i == 0 else 1))
                channels = out_channels
            self.blocks.append(stage)
        self.conv_head = nn.Conv2d(channels, 1280, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(1280, eps=EPS)
        self.act2 = nn.ReLU6()  # a module, so that the map that is averaged has a name
        self.classifier = nn.Linear(1280, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                fan_out = module.weight[:, 0].numel() // module.groups
                nn.init.normal_(module.weight, std=(2 / fan_out) ** 0.5)
        nn.init.uniform_(self.classifier.weight, -(num_classes**-0.5), num_classes**-0.5)
        nn.init.zeros_(self.classifier.bias)

    def features(self, images: Tensor) -> list[Tensor]:
        """Feature maps C1..C5, at strides 2, 4, 8, 16 and 32, for decoders and transfer."""
        x = relu6(self.bn1(self.conv_stem(images)))  # (N, 32, H/2, W/2)
        maps = []
        for stage in self.blocks:
            x = stage(x)
            maps.append(x)  # 16, 24, 40, 80, 112, 192 and 320 channels
        c5 = self.act2(self.bn2(self.conv_head(x)))  # (N, 1280, H/32, W/32)
        return [maps[0], maps[1], maps[2], maps[4], c5]

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, num_classes) of normalised RGB images (N, 3, H, W)."""
        pooled = self.features(images)[-1].mean(dim=(2, 3))  # (N, 1280)
        logits: Tensor = self.classifier(dropout(pooled, 0.2, self.training))
        return logits


VARIANTS = {"efficientnet_lite0": EfficientNetLite0}
