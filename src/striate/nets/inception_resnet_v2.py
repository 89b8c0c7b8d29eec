"""Inception-ResNet v2: Inception v4 and the impact of residual connections (Szegedy et al. 2016, arXiv:1602.07261).

Names, shapes and the scales of the residuals are timm's, so its checkpoints load unchanged. As there, the stem and the
widths of the blocks are those of the published TensorFlow weights: fig. 3 of the paper draws another stem, figs. 16, 17
and 19 maps of 384, 1154 and 2048 channels, here 320, 1088 and 2080. Dropout keeps 0.8 as in fig. 15; timm's default
drops nothing. Initial values are He's (2015, arXiv:1502.01852).
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool2d, relu

from striate.blocks import ConvBnRelu
from striate.errors import SizeError


class Mixed5b(nn.Module):
    """The one Inception block without a shortcut: 192 to 320 channels."""

    def __init__(self) -> None:
        super().__init__()
        pool = nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)
        self.branch0 = ConvBnRelu(192, 96, 1)
        self.branch1 = nn.Sequential(ConvBnRelu(192, 48, 1), ConvBnRelu(48, 64, 5, padding=2))
        self.branch2 = nn.Sequential(
            ConvBnRelu(192, 64, 1), ConvBnRelu(64, 96, 3, padding=1), ConvBnRelu(96, 96, 3, padding=1)
        )
        self.branch3 = nn.Sequential(pool, ConvBnRelu(192, 64, 1))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.branch0(x), self.branch1(x), self.branch2(x), self.branch3(x)], dim=1)


class Block35(nn.Module):
    """Inception-ResNet-A, on 35x35 maps: three branches, joined by a 1x1 convolution, added to 0.17 of their value."""

    def __init__(self) -> None:
        super().__init__()
        self.branch0 = ConvBnRelu(320, 32, 1)
        self.branch1 = nn.Sequential(ConvBnRelu(320, 32, 1), ConvBnRelu(32, 32, 3, padding=1))
        self.branch2 = nn.Sequential(
            ConvBnRelu(320, 32, 1), ConvBnRelu(32, 48, 3, padding=1), ConvBnRelu(48, 64, 3, padding=1)
        )
        self.conv2d = nn.Conv2d(128, 320, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.cat([self.branch0(x), self.branch1(x), self.branch2(x)], dim=1)
        return relu(x + 0.17 * self.conv2d(y))


class Mixed6a(nn.Module):
    """Reduction-A: halves H and W, 320 to 1,088 channels (fig. 7)."""

    def __init__(self) -> None:
        super().__init__()
        self.branch0 = ConvBnRelu(320, 384, 3, stride=2)
        self.branch1 = nn.Sequential(
            ConvBnRelu(320, 256, 1), ConvBnRelu(256, 256, 3, padding=1), ConvBnRelu(256, 384, 3, stride=2)
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.branch0(x), self.branch1(x), max_pool2d(x, 3, stride=2)], dim=1)


class Block17(nn.Module):
    """Inception-ResNet-B, on 17x17 maps: a 7x7 as 1x7 and 7x1, added to 0.1 of its value."""

    def __init__(self) -> None:
        super().__init__()
        self.branch0 = ConvBnRelu(1088, 192, 1)
        self.branch1 = nn.Sequential(
            ConvBnRelu(1088, 128, 1),
            ConvBnRelu(128, 160, (1, 7), padding=(0, 3)),
            ConvBnRelu(160, 192, (7, 1), padding=(3, 0)),
        )
        self.conv2d = nn.Conv2d(384, 1088, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.cat([self.branch0(x), self.branch1(x)], dim=1)
        return relu(x + 0.1 * self.conv2d(y))


class Mixed7a(nn.Module):
    """Reduction-B: halves H and W, 1,088 to 2,080 channels (fig. 18)."""

    def __init__(self) -> None:
        super().__init__()
        self.branch0 = nn.Sequential(ConvBnRelu(1088, 256, 1), ConvBnRelu(256, 384, 3, stride=2))
        self.branch1 = nn.Sequential(ConvBnRelu(1088, 256, 1), ConvBnRelu(256, 288, 3, stride=2))
        self.branch2 = nn.Sequential(
            ConvBnRelu(1088, 256, 1), ConvBnRelu(256, 288, 3, padding=1), ConvBnRelu(288, 320, 3, stride=2)
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.branch0(x), self.branch1(x), self.branch2(x), max_pool2d(x, 3, stride=2)], dim=1)


class Block8(nn.Module):
    """Inception-ResNet-C, on 8x8 maps: a 3x3 as 1x3 and 3x1, added to `scale` of its value; the last has no relu."""

    def __init__(self, scale: float, *, last: bool = False) -> None:
        super().__init__()
        self.scale = scale
        self.last = last
        self.branch0 = ConvBnRelu(2080, 192, 1)
        self.branch1 = nn.Sequential(
            ConvBnRelu(2080, 192, 1),
            ConvBnRelu(192, 224, (1, 3), padding=(0, 1)),
            ConvBnRelu(224, 256, (3, 1), padding=(1, 0)),
        )
        self.conv2d = nn.Conv2d(448, 2080, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.cat([self.branch0(x), self.branch1(x)], dim=1)
        y = x + self.scale * self.conv2d(y)
        return y if self.last else relu(y)


class InceptionResNetV2(nn.Module):
    """Inception v3's stem, 40 residual blocks in three stages, global average pooling, one linear layer."""

    stages: tuple[str, ...] = ("conv2d_1a", "conv2d_2a", "conv2d_2b", "conv2d_3b", "conv2d_4a", "mixed_5b", "repeat")
    stages += ("mixed_6a", "repeat_1", "mixed_7a", "repeat_2", "block8", "conv2d_7b")
    head = "classif"
    explained_layer = "conv2d_7b"
    image_size = 299

    def __init__(self, *, num_classes: int = 1000, in_channels: int = 3) -> None:
        super().__init__()
        self.conv2d_1a = ConvBnRelu(in_channels, 32, 3, stride=2)
        self.conv2d_2a = ConvBnRelu(32, 32, 3)
        self.conv2d_2b = ConvBnRelu(32, 64, 3, padding=1)
        self.conv2d_3b = ConvBnRelu(64, 80, 1)
        self.conv2d_4a = ConvBnRelu(80, 192, 3)
        self.mixed_5b = Mixed5b()
        self.repeat = nn.Sequential(*(Block35() for _ in range(10)))
        self.mixed_6a = Mixed6a()
        self.repeat_1 = nn.Sequential(*(Block17() for _ in range(20)))
        self.mixed_7a = Mixed7a()
        self.repeat_2 = nn.Sequential(*(Block8(0.2) for _ in range(9)))
        self.block8 = Block8(1.0, last=True)
        self.conv2d_7b = ConvBnRelu(2080, 1536, 1)
        self.dropout = nn.Dropout(0.2)
        self.classif = nn.Linear(1536, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")

    def features(self, images: Tensor) -> list[Tensor]:
        """Feature maps C1..C5, at about strides 2, 4, 8, 16 and 32; sizes are of a 299x299 image.

        Raises:
            SizeError: H or W is under 75.
        """
        if min(images.shape[2:]) < 75:
            raise SizeError(
                f"`images`: expected H and W of at least 75; got the shape {list(images.shape)}. "
                "Try resizing them to 299 x 299, or a net that takes smaller ones, such as `resnet18`."
            )
        c1 = self.conv2d_2b(self.conv2d_2a(self.conv2d_1a(images)))  # (N, 64, 147, 147)
        c2 = self.conv2d_4a(self.conv2d_3b(max_pool2d(c1, 3, stride=2)))  # (N, 192, 71, 71)
        c3 = self.repeat(self.mixed_5b(max_pool2d(c2, 3, stride=2)))  # (N, 320, 35, 35)
        c4 = self.repeat_1(self.mixed_6a(c3))  # (N, 1088, 17, 17)
        c5 = self.conv2d_7b(self.block8(self.repeat_2(self.mixed_7a(c4))))  # (N, 1536, 8, 8)
        return [c1, c2, c3, c4, c5]

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, num_classes) of normalised RGB images (N, 3, H, W), H and W >= 75."""
        pooled = self.features(images)[-1].mean(dim=(2, 3))  # (N, 1536)
        logits: Tensor = self.classif(self.dropout(pooled))
        return logits


VARIANTS = {"inception_resnet_v2": InceptionResNetV2}
