"""Any net of the catalogue with two heads on its last map: which class, and where its box is.

Classes are read from the mean of the map, as classification reads them; a box from a coarse grid of means, because
the mean over all of it no longer knows where anything was. Both are linear, so that they can be fitted to kept
features in closed form. The idea is that of Sermanet et al. 2013, "OverFeat", arXiv:1312.6229, sec. 4: the features of
a classifier are shared, and a regressor of four numbers stands beside its last layer. Parameter names are our own.
"""

from collections.abc import Callable
from typing import Annotated, Any

import torch
from msgspec import Meta
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d

from striate.errors import UsageError
from striate.nets.catalogue import create_single
from striate.nets.encoder import encoder_from

ENCODER = "resnet18"  # unless another is asked for
FIRST_BOX = (0.25, 0.25, 0.75, 0.75)  # what a new head answers: the middle of the image


class LocatorHead(nn.Module):
    """A linear layer to the classes, and one to the boxes.

    Args:
        in_channels: those of the map.
        grid: height and width of the grid of means.
        classes: how many.
        boxes: 1, or one for each class.
    """

    def __init__(self, in_channels: int, grid: int, classes: int, boxes: int) -> None:
        super().__init__()
        self.grid = grid
        self.classes = nn.Linear(in_channels, classes)
        self.boxes = nn.Linear(in_channels * grid**2, 4 * boxes)
        nn.init.zeros_(self.boxes.weight)
        with torch.no_grad():
            self.boxes.bias.copy_(torch.tensor(FIRST_BOX).repeat(boxes))

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) to (N, classes + 4 * boxes)."""
        mean = x.mean(dim=(2, 3))  # (N, in_channels)
        places = adaptive_avg_pool2d(x, self.grid).flatten(1)  # (N, in_channels * grid * grid)
        return torch.cat([self.classes(mean), self.boxes(places)], dim=1)

    def resized(self, num_classes: int) -> "LocatorHead":
        """A new one with as many boxes, that answers `num_classes` numbers altogether."""
        boxes = self.boxes.out_features // 4
        return LocatorHead(self.classes.in_features, self.grid, num_classes - 4 * boxes, boxes)


class Locator(nn.Module):
    """The last map of a net, and a `LocatorHead` on it.

    Logits are those of the classes, then x0, y0, x1, y1 of each box, in shares of the image.

    Args:
        encoder: the name of a net with `features`; what these do not use, such as its head, is left out.
        grid: height and width of the grid of means that boxes are read from.
        boxes: 1, or one for each class.
        num_classes: numbers that it answers altogether, four of them for each box.
        encoder_args: what else the encoder takes.

    Raises:
        UsageError: the encoder has no `features`, or no class is left beside the boxes.
    """

    head = "locate"

    def __init__(
        self,
        *,
        encoder: str = ENCODER,
        grid: Annotated[int, Meta(ge=1, le=64)] = 4,
        boxes: int = 1,
        num_classes: int = 1004,
        in_channels: int = 3,
        **encoder_args: Any,
    ) -> None:
        super().__init__()
        classes = num_classes - 4 * boxes
        if classes < 1:
            raise UsageError(
                f"`locator`: expected num_classes above 4 * boxes; got boxes {boxes}, num_classes {num_classes}."
            )
        net: Any = create_single(encoder, **encoder_args, in_channels=in_channels)
        encoded = encoder_from(net, in_channels)
        self.encoder = encoded.net
        self.stages = encoded.stages
        self.explained_layer = encoded.explained_layer
        self.image_size: int = net.image_size
        self.locate = LocatorHead(encoded.channels[-1], grid, classes, boxes)

    def features(self, images: Tensor) -> list[Tensor]:
        """The encoder's maps."""
        maps: list[Tensor] = self.encoder.features(images)
        return maps

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, num_classes) of normalised images (N, in_channels, H, W)."""
        logits: Tensor = self.locate(self.features(images)[-1])
        return logits


VARIANTS: dict[str, Callable[..., nn.Module]] = {"locator": Locator}
