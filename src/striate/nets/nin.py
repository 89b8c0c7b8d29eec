"""Network in Network (Lin, Chen and Yan 2013, arXiv:1312.4400): a small perceptron at each place, and no linear layer.

The paper leaves out most sizes; these are of its authors' Caffe models for 32x32 (`nin_cifar`) and 224x224 (`nin`).
As there, pooling rounds sizes up, and class maps are rectified too (eq. 2), so that no logit is below 0.
Departure: weights start as in He et al. 2015, arXiv:1502.01852, with biases of 0, not from a Gaussian of fixed width.
"""

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, dropout, max_pool2d, relu


def mlpconv(
    in_channels: int, widths: Sequence[int], kernel_size: int, stride: int = 1, padding: int = 0
) -> nn.Sequential:
    """A convolution, then 1x1 convolutions, each with relu: one perceptron slid over the map (fig. 1b, eq. 2)."""
    layers: list[nn.Module] = [nn.Conv2d(in_channels, widths[0], kernel_size, stride, padding), nn.ReLU()]
    for before, after in pairwise(widths):
        layers += [nn.Conv2d(before, after, 1), nn.ReLU()]
    return nn.Sequential(*layers)


def reset(net: nn.Module) -> None:
    """He's initial values in every convolution."""
    for name, parameter in net.named_parameters():
        if name.endswith("bias"):
            nn.init.zeros_(parameter)
        else:
            nn.init.kaiming_normal_(parameter, nonlinearity="relu")


class NiN(nn.Module):
    """Four mlpconv layers with overlapping pooling between them, whose last maps, one for each class, are averaged."""

    stages = ("mlpconv1", "mlpconv2", "mlpconv3", "mlpconv4")
    head = "classifier"
    explained_layer = "mlpconv4"
    image_size = 224

    def __init__(self, *, num_classes: int = 1000, in_channels: int = 3) -> None:
        super().__init__()
        self.mlpconv1 = mlpconv(in_channels, (96, 96, 96), 11, stride=4)
        self.mlpconv2 = mlpconv(96, (256, 256, 256), 5, padding=2)
        self.mlpconv3 = mlpconv(256, (384, 384, 384), 3, padding=1)
        self.mlpconv4 = mlpconv(384, (1024, 1024), 3, padding=1)
        self.classifier = nn.Conv2d(1024, num_classes, 1)  # the last layer of the fourth perceptron
        reset(self)

    def features(self, images: Tensor) -> list[Tensor]:
        """The map of each mlpconv layer: 54x54, 27x27, 13x13 and 6x6 of a 224x224 image."""
        c1 = self.mlpconv1(images)  # (N, 96, 54, 54)
        c2 = self.mlpconv2(max_pool2d(c1, 3, stride=2, ceil_mode=True))  # (N, 256, 27, 27)
        c3 = self.mlpconv3(max_pool2d(c2, 3, stride=2, ceil_mode=True))  # (N, 384, 13, 13)
        x = dropout(max_pool2d(c3, 3, stride=2, ceil_mode=True), 0.5, self.training)  # (N, 384, 6, 6)
        return [c1, c2, c3, self.mlpconv4(x)]  # the last is (N, 1024, 6, 6)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, num_classes) of normalised RGB images (N, 3, H, W), H and W >= 39."""
        class_maps = relu(self.classifier(self.features(images)[-1]))  # (N, num_classes, 6, 6)
        return class_maps.mean(dim=(2, 3))


class NiNCifar(nn.Module):
    """Three mlpconv layers with pooling and dropout between them, whose last maps, one for each class, are averaged."""

    stages = ("mlpconv1", "mlpconv2", "mlpconv3")
    head = "classifier"
    explained_layer = "mlpconv3"
    image_size = 32

    def __init__(self, *, num_classes: int = 10, in_channels: int = 3) -> None:
        super().__init__()
        self.mlpconv1 = mlpconv(in_channels, (192, 160, 96), 5, padding=2)
        self.mlpconv2 = mlpconv(96, (192, 192, 192), 5, padding=2)
        self.mlpconv3 = mlpconv(192, (192, 192), 3, padding=1)
        self.classifier = nn.Conv2d(192, num_classes, 1)  # the last layer of the third perceptron
        reset(self)

    def features(self, images: Tensor) -> list[Tensor]:
        """The map of each mlpconv layer, at strides 1, 2 and 4."""
        c1 = self.mlpconv1(images)  # (N, 96, H, W)
        x = dropout(max_pool2d(c1, 3, stride=2, ceil_mode=True), 0.5, self.training)  # (N, 96, H/2, W/2)
        c2 = self.mlpconv2(x)  # (N, 192, H/2, W/2)
        x = dropout(avg_pool2d(c2, 3, stride=2, ceil_mode=True), 0.5, self.training)  # (N, 192, H/4, W/4)
        return [c1, c2, self.mlpconv3(x)]  # the last is (N, 192, H/4, W/4)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, num_classes) of normalised images (N, in_channels, H, W), published with 32x32."""
        class_maps = relu(self.classifier(self.features(images)[-1]))  # (N, num_classes, H/4, W/4)
        return class_maps.mean(dim=(2, 3))


VARIANTS = {"nin": NiN, "nin_cifar": NiNCifar}
