"""The small network that most studies vary: 3x3 convolutions, each with batch norm and an activation, then a mean."""

from collections.abc import Callable, Collection, Sequence

from torch import Tensor, nn


class Pooled(nn.Module):
    """The mean over height and width."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C)."""
        return x.mean(dim=(2, 3))


def convnet(
    channels: Sequence[int],
    *,
    in_channels: int = 1,
    classes: int = 10,
    pools: Collection[int] = (0,),
    norm: bool = True,
    activation: Callable[[], nn.Module] = nn.ReLU,
    pool: Callable[[], nn.Module] = lambda: nn.MaxPool2d(2),
    padding: int = 1,
    head: bool = True,
) -> nn.Sequential:
    """Convolutions of these channels, the mean over height and width, and a linear layer.

    Args:
        channels: outputs of each convolution.
        in_channels: of the images.
        classes: outputs of the linear layer.
        pools: the numbers of the convolutions that a pooling follows, from 0.
        norm: batch norm after each convolution; without it, weights are drawn as He et al. do.
        activation: makes what follows.
        pool: makes a pooling.
        padding: of each convolution.
        head: whether the mean and the linear layer follow.
    """
    layers: list[nn.Module] = []
    for number, out_channels in enumerate(channels):
        conv = nn.Conv2d(in_channels, out_channels, 3, padding=padding, bias=not norm)
        if not norm:
            nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
        layers += [conv, *([nn.BatchNorm2d(out_channels)] if norm else []), activation()]
        layers += [pool()] if number in pools else []
        in_channels = out_channels
    return nn.Sequential(*layers, *([Pooled(), nn.Linear(in_channels, classes)] if head else []))
