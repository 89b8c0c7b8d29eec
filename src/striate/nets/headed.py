"""Any net of the catalogue with a head on one or several of its maps: linear, a small perceptron, or cosines."""

from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from striate.errors import UsageError
from striate.nets.catalogue import create_single
from striate.nets.encoder import encoder_from
from striate.nets.heads import HIDDEN, make_head

ENCODER = "resnet18"  # unless another is asked for
OWN = ("encoder", "depths", "head", "hidden")  # arguments that are not the encoder's


class Headed(nn.Module):
    """The last maps of a net, each averaged over H and W, side by side as one vector, and a head on it.

    Args:
        encoder: the name of a net with `features`; what these do not use, such as its head, is left out.
        depths: how many of its maps, from the last back.
        head: one of `striate.nets.heads.KINDS`.
        hidden: units of the perceptron.
        encoder_args: what else the encoder takes.

    Raises:
        UsageError: `head` is none of `striate.nets.heads.KINDS`, the encoder has no `features`, or not so many maps.
    """

    head = "classifier"
    former_names: ClassVar = {"head.": "classifier."}

    def __init__(
        self,
        *,
        encoder: str = ENCODER,
        depths: int = 1,
        head: str = "linear",
        hidden: int = HIDDEN,
        num_classes: int = 1000,
        in_channels: int = 3,
        **encoder_args: Any,
    ) -> None:
        super().__init__()
        net: Any = create_single(encoder, **encoder_args, in_channels=in_channels)
        encoded = encoder_from(net, in_channels)
        channels = encoded.channels
        if not 1 <= depths <= len(channels):
            raise UsageError(f"`depths`: expected 1 to {len(channels)}, the maps of {encoder}; got {depths}.")
        self.encoder = encoded.net
        self.depths = depths
        self.classifier = make_head(head, sum(channels[-depths:]), num_classes, hidden)
        self.stages = encoded.stages
        self.explained_layer = encoded.explained_layer
        self.image_size: int = net.image_size

    def features(self, images: Tensor) -> list[Tensor]:
        """The encoder's maps."""
        maps: list[Tensor] = self.encoder.features(images)
        return maps

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, num_classes) of normalised images (N, in_channels, H, W)."""
        pooled = [x.mean(dim=(2, 3)) for x in self.features(images)[-self.depths :]]
        logits: Tensor = self.classifier(torch.cat(pooled, dim=1))
        return logits


VARIANTS: dict[str, Callable[..., nn.Module]] = {"headed": Headed}
