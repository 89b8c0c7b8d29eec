"""The child that torchvision calls `features`, made to work as a net's method `features` does."""

from collections.abc import Iterable, Sequence

from torch import Tensor, nn


class Features(nn.ModuleList):
    """A chain of layers that returns the maps after some of them.

    In torchvision AlexNet, VGG, SqueezeNet and MobileNet v2 have a child `features`, and their weights are named after
    it. One attribute cannot be both a child and a method, so here the child is called in place of the method.

    Args:
        layers: in the order in which images pass them; their names are "0", "1", …
        returned: the numbers of the layers whose outputs are returned, from 0; by default the last.
    """

    def __init__(self, layers: Iterable[nn.Module], returned: Sequence[int] = (-1,)) -> None:
        super().__init__(layers)
        self.returned = {range(len(self))[i] for i in returned}

    def forward(self, images: Tensor) -> list[Tensor]:
        """The maps of (N, C, H, W), first to last."""
        maps = []
        x = images
        for i, layer in enumerate(self):
            x = layer(x)
            if i in self.returned:
                maps.append(x)
        return maps
