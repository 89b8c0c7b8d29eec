"""U-Net: convolutional networks for biomedical image segmentation (Ronneberger et al. 2015, arXiv:1505.04597, fig. 1).

The way up works over any net that has `features`: `unet_NAME` is a U-Net over the net NAME of the catalogue.
Departures: convolutions are padded, so that logits have the size of the image; batch norm follows each; there is no
dropout; initial values are PyTorch's. Parameter names are our own.
"""

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, max_pool2d, max_pool2d_with_indices

from striate.errors import UsageError, nearest
from striate.layers.max_unpool import max_unpool
from striate.nets.catalogue import create_single
from striate.nets.encoder import encoder_from

PREFIX = "unet_"


def double_conv(in_channels: int, out_channels: int) -> nn.Sequential:
    """Two 3x3 convolutions that keep H and W, each with batch norm and relu."""
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(),
        nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(),
    )


class TransposedUp(nn.Module):
    """The deeper map, doubled by a 2x2 transposed convolution, beside the map above it, then two convolutions."""

    def __init__(self, in_channels: int, skip_channels: int) -> None:
        super().__init__()
        self.up = nn.ConvTranspose2d(in_channels, skip_channels, 2, stride=2)
        self.convs = double_conv(2 * skip_channels, skip_channels)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """(N, in_channels, h, w) and the skip (N, skip_channels, H, W) to the shape of the skip."""
        x = interpolate(self.up(x), skip.shape[2:])  # as it is, but where a pooling or stride met an odd size
        y: Tensor = self.convs(torch.cat([skip, x], dim=1))
        return y


class NearestUp(nn.Module):
    """The deeper map, each pixel repeated, beside the map above it, then two convolutions."""

    def __init__(self, in_channels: int, skip_channels: int) -> None:
        super().__init__()
        self.convs = double_conv(in_channels + skip_channels, skip_channels)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """(N, in_channels, h, w) and the skip (N, skip_channels, H, W) to the shape of the skip."""
        x = interpolate(x, skip.shape[2:])
        y: Tensor = self.convs(torch.cat([skip, x], dim=1))
        return y


class UnpoolUp(nn.Module):
    """The deeper map, its values put where the map above has its maxima, beside that map, then two convolutions.

    Where the encoder pools that map, these are the positions that its pooling took; where it strides, there is no
    pooling to remember, and the maxima are looked up on the way up.
    """

    def __init__(self, in_channels: int, skip_channels: int) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(in_channels, skip_channels, 1)
        self.convs = double_conv(2 * skip_channels, skip_channels)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """(N, in_channels, h, w) and the skip (N, skip_channels, H, W) to the shape of the skip."""
        (h, w), (height, width) = x.shape[2:], skip.shape[2:]
        window = (max(round(height / h), 1), max(round(width / w), 1))
        rounded_up = (height // window[0], width // window[1]) != (h, w)
        _, positions = max_pool2d_with_indices(skip, window, ceil_mode=rounded_up)
        x = interpolate(self.reduce(x), positions.shape[2:])  # as it is, unless the sizes are no multiples at all
        y: Tensor = self.convs(torch.cat([skip, max_unpool(x, positions, (height, width))], dim=1))
        return y


UPSAMPLINGS = {"nearest": NearestUp, "unpool": UnpoolUp, "transposed": TransposedUp}


class UNetEncoder(nn.Module):
    """The paper's way down: five stages of two convolutions, the channels doubling as the pooling halves H and W."""

    stages = tuple(f"down.{i}" for i in range(5))
    image_size = 572

    def __init__(self, *, in_channels: int = 3) -> None:
        super().__init__()
        channels = (in_channels, 64, 128, 256, 512, 1024)
        self.down = nn.ModuleList(double_conv(a, b) for a, b in pairwise(channels))

    def features(self, images: Tensor) -> list[Tensor]:
        """Feature maps C1..C5, at strides 1, 2, 4, 8 and 16."""
        maps = [self.down[0](images)]
        for layers in list(self.down)[1:]:
            maps.append(layers(max_pool2d(maps[-1], 2)))
        return maps


class UNet(nn.Module):
    """A net's feature maps on the way down, as many joins on the way up, one 1x1 convolution to the classes.

    Where the first map is smaller than the image, logits are resized to it, bilinearly.

    Args:
        encoder: a net with `features`, `stages` and `image_size`. It is taken over: what its features do not use,
            such as its head, is replaced by the identity.
        upsampling: a key of `UPSAMPLINGS`.
        in_channels: those of the encoder.

    Raises:
        UsageError: `upsampling` is not in `UPSAMPLINGS`, or `encoder` has no `features`.
    """

    head = "classifier"
    former_names: ClassVar = {"head.": "classifier."}

    def __init__(
        self, encoder: Any, *, upsampling: str = "transposed", num_classes: int = 2, in_channels: int = 3
    ) -> None:
        super().__init__()
        if upsampling not in UPSAMPLINGS:
            hint = nearest(upsampling, UPSAMPLINGS)
            raise UsageError(f"`upsampling`: expected nearest, unpool or transposed; got {upsampling!r}. {hint}")
        encoded = encoder_from(encoder, in_channels)
        channels = encoded.channels
        up = UPSAMPLINGS[upsampling]
        self.encoder = encoded.net
        self.decoder = nn.ModuleList(up(a, b) for a, b in zip(channels[:0:-1], channels[-2::-1], strict=True))
        self.classifier = nn.Conv2d(channels[0], num_classes, 1)
        joins = [f"decoder.{i}" for i in range(len(self.decoder))]
        self.stages = (*encoded.stages, *joins)
        self.explained_layer = joins[-1]
        self.image_size: int = encoder.image_size

    def features(self, images: Tensor) -> list[Tensor]:
        """The encoder's maps."""
        maps: list[Tensor] = self.encoder.features(images)
        return maps

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, num_classes, H, W) of normalised images (N, in_channels, H, W)."""
        *skips, x = self.features(images)
        for join, skip in zip(self.decoder, reversed(skips), strict=True):
            x = join(x, skip)  # of the shape of the skip
        logits: Tensor = self.classifier(x)
        if logits.shape[2:] != images.shape[2:]:
            logits = interpolate(logits, images.shape[2:], mode="bilinear")
        return logits


def unet(*, upsampling: str = "transposed", num_classes: int = 2, in_channels: int = 3) -> UNet:
    """The paper's channels, 64 to 1024."""
    encoder = UNetEncoder(in_channels=in_channels)
    return UNet(encoder, upsampling=upsampling, num_classes=num_classes, in_channels=in_channels)


def unet_over(
    encoder: str, *, upsampling: str = "transposed", num_classes: int = 2, in_channels: int = 3, **encoder_args: Any
) -> UNet:
    """A net of the catalogue on the way down.

    Args:
        encoder: its name.
        upsampling: a key of `UPSAMPLINGS`.
        encoder_args: what else the encoder takes.

    Raises:
        UsageError: as `create` and `UNet` do.
    """
    net = create_single(encoder, **encoder_args, in_channels=in_channels)
    return UNet(net, upsampling=upsampling, num_classes=num_classes, in_channels=in_channels)


VARIANTS: dict[str, Callable[..., nn.Module]] = {
    "unet": unet,
    "unet_resnet18": partial(unet_over, "resnet18"),
    "unet_efficientnet_lite0": partial(unet_over, "efficientnet_lite0"),
}
