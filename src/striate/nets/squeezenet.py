"""SqueezeNet: AlexNet-level accuracy with 50x fewer parameters (Iandola et al. 2016, arXiv:1602.07360).

1.0 is the paper's. 1.1 is its authors' own: a smaller stem and earlier pooling, for 2.4 times fewer multiplications.
Names, shapes and initial values are torchvision's, so its checkpoints load unchanged.
"""

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from striate.blocks import Features


class Fire(nn.Module):
    """A 1x1 convolution to few channels, then 1x1 and 3x3 convolutions side by side, each half of the output."""

    def __init__(self, in_channels: int, squeezed: int, out_channels: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(in_channels, squeezed, 1)
        self.expand1x1 = nn.Conv2d(squeezed, out_channels // 2, 1)
        self.expand3x3 = nn.Conv2d(squeezed, out_channels // 2, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) to (N, out_channels, H, W)."""
        y = relu(self.squeeze(x))
        return torch.cat([relu(self.expand1x1(y)), relu(self.expand3x3(y))], dim=1)


def pool() -> nn.MaxPool2d:
    """Overlapping pooling that rounds sizes up."""
    return nn.MaxPool2d(3, stride=2, ceil_mode=True)


def fires() -> list[nn.Module]:
    """The modules fire3 to fire9 of table 1; fire2 depends on the stem."""
    return [
        Fire(128, 16, 128),
        Fire(128, 32, 256),
        Fire(256, 32, 256),
        Fire(256, 48, 384),
        Fire(384, 48, 384),
        Fire(384, 64, 512),
        Fire(512, 64, 512),
    ]


class SqueezeNet(nn.Module):
    """A convolution, eight fire modules with pooling between them, and a 1x1 convolution averaged over the map.

    Args:
        stem: channels and kernel_size of the first convolution.
        pooled: the numbers of the fire modules, 2 to 9, after which the map is pooled.
    """

    head = "classifier.1"
    image_size = 224

    def __init__(
        self, stem: tuple[int, int], pooled: Sequence[int], *, num_classes: int = 1000, in_channels: int = 3
    ) -> None:
        super().__init__()
        channels, kernel_size = stem
        layers: list[nn.Module] = [nn.Conv2d(in_channels, channels, kernel_size, stride=2), nn.ReLU(), pool()]
        returned = [1]
        for number, fire in enumerate([Fire(channels, 16, 128), *fires()], start=2):
            layers.append(fire)
            if number in pooled:
                returned.append(len(layers) - 1)
                layers.append(pool())
        self.features = Features(layers, [*returned, -1])
        self.classifier = nn.Sequential(
            nn.Dropout(0.5), nn.Conv2d(512, num_classes, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
        )
        self.stages = tuple(f"features.{i}" for i, layer in enumerate(layers) if isinstance(layer, nn.Conv2d | Fire))
        self.explained_layer = self.stages[-1]
        for name, parameter in self.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(parameter)
            elif name == "classifier.1.weight":
                nn.init.normal_(parameter, std=0.01)
            else:
                nn.init.kaiming_uniform_(parameter)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, num_classes), none below 0, of normalised RGB images (N, 3, H, W), H and W >= 21.

        `features` gives four maps: what each pooling is fed, and the last.
        """
        logits: Tensor = self.classifier(self.features(images)[-1])
        return logits


VARIANTS = {
    "squeezenet1_0": partial(SqueezeNet, (96, 7), (4, 8)),
    "squeezenet1_1": partial(SqueezeNet, (64, 3), (3, 5)),
}
