"""FCN: fully convolutional networks for semantic segmentation (Long et al. 2014, arXiv:1411.4038, sec. 3 and 4).

VGG-16 with its linear layers as convolutions, a score a class, upsampled by transposed convolutions that start
bilinear; FCN-16s adds scores of the fourth pooling on the way up, FCN-8s those of the third as well.

Departures: the authors pad the image by 100 pixels and crop, here the 7x7 convolution is padded by 3 and nothing else;
one upsampling filter a class, where theirs link all classes by weights that start at zero; every upsampling is learned,
theirs all but the last; scores do not start at zero. Pooling rounds up, as in Caffe. Parameter names are our own.
"""

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout, max_pool2d, relu


def stage(in_channels: int, channels: int, depth: int) -> nn.Sequential:
    """`depth` 3x3 convolutions, each followed by relu."""
    layers: list[nn.Module] = []
    for i in range(depth):
        layers += [nn.Conv2d(channels if i else in_channels, channels, 3, padding=1), nn.ReLU()]
    return nn.Sequential(*layers)


class Upsampling(nn.ConvTranspose2d):
    """A transposed convolution with one filter for each channel, which starts as bilinear interpolation.

    Args:
        channels: of input and output.
        factor: even; H and W grow by it.
    """

    def __init__(self, channels: int, factor: int) -> None:
        super().__init__(channels, channels, 2 * factor, factor, padding=factor // 2, groups=channels, bias=False)
        self.factor = factor
        distance = (torch.arange(2 * factor) - (factor - 0.5)).abs() / factor
        ramp = 1 - distance  # the weight of a pixel for what lies that far from its centre
        with torch.no_grad():
            self.weight.copy_(ramp[:, None] * ramp)

    def resized(self, num_classes: int) -> "Upsampling":
        """A new one with the same factor, and as many channels as there are classes."""
        return Upsampling(num_classes, self.factor)


class FCN(nn.Module):
    """VGG-16's convolutions, two wide layers, scores, and upsampling back to the size of the image.

    Args:
        skips: how many poolings, from the fourth down, add their scores: 0, 1 or 2.
    """

    stages = ("conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7")
    head = "score"
    explained_layer = "fc7"
    image_size = 500  # the longer side of PASCAL VOC's photos

    def __init__(self, skips: int, *, num_classes: int = 21, in_channels: int = 3) -> None:
        super().__init__()
        self.conv1 = stage(in_channels, 64, 2)
        self.conv2 = stage(64, 128, 2)
        self.conv3 = stage(128, 256, 3)
        self.conv4 = stage(256, 512, 3)
        self.conv5 = stage(512, 512, 3)
        self.fc6 = nn.Conv2d(512, 4096, 7, padding=3)
        self.fc7 = nn.Conv2d(4096, 4096, 1)
        self.score = nn.Conv2d(4096, num_classes, 1)
        self.skip_scores = nn.ModuleList(nn.Conv2d(channels, num_classes, 1) for channels in (512, 256)[:skips])
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        self.doublings = nn.ModuleList(Upsampling(num_classes, 2) for _ in range(skips))
        self.upsample = Upsampling(num_classes, 32 >> skips)
        scores = (f"{name}.{i}" for name in ("skip_scores", "doublings") for i in range(skips))
        self.other_heads = (*scores, "upsample")

    def features(self, images: Tensor) -> list[Tensor]:
        """The pooled maps 1..5, at strides 2, 4, 8, 16 and 32."""
        maps = []
        x = images
        for layers in (self.conv1, self.conv2, self.conv3, self.conv4, self.conv5):
            x = max_pool2d(layers(x), 2, ceil_mode=True)  # (N, C, H/2, W/2)
            maps.append(x)
        return maps

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, num_classes, H, W) of normalised images (N, in_channels, H, W)."""
        maps = self.features(images)
        x = dropout(relu(self.fc6(maps[4])), training=self.training)  # (N, 4096, H/32, W/32)
        x = dropout(relu(self.fc7(x)), training=self.training)
        x = self.score(x)  # (N, num_classes, H/32, W/32)
        for double, score, pooled in zip(self.doublings, self.skip_scores, (maps[3], maps[2]), strict=False):
            height, width = pooled.shape[2:]
            x = double(x)[:, :, :height, :width] + score(pooled)  # (N, num_classes, H/16, W/16), then H/8, W/8
        height, width = images.shape[2:]
        logits: Tensor = self.upsample(x)[:, :, :height, :width]
        return logits


VARIANTS = {"fcn32s": partial(FCN, 0), "fcn16s": partial(FCN, 1), "fcn8s": partial(FCN, 2)}
