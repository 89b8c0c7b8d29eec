"""Any net of the catalogue with another head: on one or several of its maps, linear, a small perceptron, or cosines."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from striate.errors import UsageError, nearest
from striate.layers.cosine import Cosine
from striate.nets.unet import keep_what_features_use

ENCODER = "resnet18"  # unless another is asked for
OWN = ("encoder", "depths", "head", "hidden")  # arguments that are not the encoder's
HEADS = ("linear", "mlp", "cosine")


class Headed(nn.Module):
    """The last maps of a net, each averaged over H and W, side by side as one vector, and a head on it.

    Args:
        encoder: the name of a net with `features`; what these do not use, such as its head, is left out.
        depths: how many of its maps, from the last back.
        head: one of `HEADS`.
        hidden: units of the perceptron.
        encoder_args: what else the encoder takes.

    Raises:
        UsageError: `head` is none of `HEADS`, the encoder has no `features`, or not so many maps.
    """

    def __init__(
        self,
        *,
        encoder: str = ENCODER,
        depths: int = 1,
        head: str = "linear",
        hidden: int = 128,
        num_classes: int = 1000,
        in_channels: int = 3,
        **encoder_args: Any,
    ) -> None:
        from striate.nets import create  # the catalogue, of which this net is one

        super().__init__()
        if head not in HEADS:
            raise UsageError(f"`head`: expected linear, mlp or cosine; got {head!r}. {nearest(head, HEADS)}")
        net: Any = create(encoder, **encoder_args, in_channels=in_channels)
        if not callable(getattr(net, "features", None)):
            raise UsageError(f"`encoder`: expected a net with `features`; got {encoder}. Try one of the catalogue.")
        channels = keep_what_features_use(net, in_channels)
        if not 1 <= depths <= len(channels):
            raise UsageError(f"`depths`: expected 1 to {len(channels)}, the maps of {encoder}; got {depths}.")
        self.encoder = net
        self.depths = depths
        self.head = _head(head, sum(channels[-depths:]), hidden, num_classes)
        used = [name for name in net.stages if any(True for _ in net.get_submodule(name).parameters())]
        self.stages = tuple(f"encoder.{name}" for name in used)
        self.explained_layer = f"encoder.{net.explained_layer}"
        self.image_size: int = net.image_size

    def features(self, images: Tensor) -> list[Tensor]:
        """The encoder's."""
        maps: list[Tensor] = self.encoder.features(images)
        return maps

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, num_classes) of normalised images (N, in_channels, H, W)."""
        pooled = [x.mean(dim=(2, 3)) for x in self.features(images)[-self.depths :]]
        logits: Tensor = self.head(torch.cat(pooled, dim=1))
        return logits


def _head(kind: str, features: int, hidden: int, classes: int) -> nn.Module:
    if kind == "mlp":
        return nn.Sequential(nn.Linear(features, hidden), nn.ReLU(), nn.Linear(hidden, classes))
    return Cosine(features, classes) if kind == "cosine" else nn.Linear(features, classes)


VARIANTS: dict[str, Callable[..., nn.Module]] = {"headed": Headed}
