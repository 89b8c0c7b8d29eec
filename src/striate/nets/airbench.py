"""Airbench: 94% on CIFAR-10 in 3.29 seconds on a single GPU (Jordan 2024, arXiv:2404.00498, sec. 3 and appendix A).

A small net that trains in seconds: a whitening of 2x2 patches, three blocks of two convolutions, one linear layer. The
widths are those of the author's `airbench94`. `striate.training.whiten` sets the first layer as in the paper, and
recipes do the rest of its training.
Departures: the scales of batch norm are trained (in the paper they stay 1), and its biases learn at the common rate (in
the paper at 64 times that); a map of any size is pooled to one value at the end (in the paper a 3x3 map, which 32x32
images give).
"""

from torch import Tensor, nn
from torch.nn.functional import max_pool2d

from striate.layers.activation import activation_named


def conv(in_channels: int, out_channels: int) -> nn.Conv2d:
    """A 3x3 convolution that keeps H and W, and begins by passing its inputs on as its first outputs (sec. 3.1)."""
    layer = nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False)
    nn.init.dirac_(layer.weight.data[:in_channels])
    return layer


def norm(channels: int) -> nn.BatchNorm2d:
    """Batch norm with a short memory, because there are so few steps."""
    return nn.BatchNorm2d(channels, momentum=0.4)


class ScaledLinear(nn.Linear):
    """A linear layer without bias, whose outputs are scaled down."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_features) to (N, out_features)."""
        return super().forward(x) / 9


class ConvGroup(nn.Module):
    """A convolution that is pooled by 2, and a second one, each followed by batch norm and an activation."""

    def __init__(self, in_channels: int, out_channels: int, activation: str) -> None:
        super().__init__()
        self.activation = activation_named(activation)
        self.conv1 = conv(in_channels, out_channels)
        self.norm1 = norm(out_channels)
        self.conv2 = conv(out_channels, out_channels)
        self.norm2 = norm(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) to (N, out_channels, H/2, W/2), rounded down."""
        x = self.activation(self.norm1(max_pool2d(self.conv1(x), 2)))
        return self.activation(self.norm2(self.conv2(x)))


class Airbench(nn.Module):
    """The whitening layer, a block of each width, and a linear layer whose outputs are scaled down.

    Args:
        widths: channels of each block.
        activation: a name in `layers.activation.ACTIVATIONS`.

    Raises:
        UsageError: `activation` is not in that table.
    """

    stages = ("whiten", "block1", "block2", "block3")
    head = "linear"
    explained_layer = "block3"
    image_size = 32

    def __init__(
        self,
        *,
        widths: tuple[int, int, int] = (64, 256, 256),
        activation: str = "gelu",
        num_classes: int = 10,
        in_channels: int = 3,
    ) -> None:
        super().__init__()
        self.activation = activation_named(activation)
        patch = 2 * 2 * in_channels
        self.whiten = nn.Conv2d(in_channels, 2 * patch, 2)  # each direction of a patch, and its negative
        self.block1 = ConvGroup(2 * patch, widths[0], activation)
        self.block2 = ConvGroup(widths[0], widths[1], activation)
        self.block3 = ConvGroup(widths[1], widths[2], activation)
        self.linear = ScaledLinear(widths[2], num_classes, bias=False)

    def features(self, images: Tensor) -> list[Tensor]:
        """The map of each block: 15x15, 7x7 and 3x3 of a 32x32 image."""
        c1 = self.block1(self.activation(self.whiten(images)))  # (N, widths[0], 15, 15)
        c2 = self.block2(c1)  # (N, widths[1], 7, 7)
        return [c1, c2, self.block3(c2)]  # the last is (N, widths[2], 3, 3)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, num_classes) of normalised images (N, in_channels, H, W), H and W >= 9."""
        largest = self.features(images)[-1].amax(dim=(2, 3))  # (N, widths[2])
        logits: Tensor = self.linear(largest)
        return logits


VARIANTS = {"airbench94": Airbench}
