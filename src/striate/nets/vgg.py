"""VGG: very deep convolutional networks (Simonyan and Zisserman 2014, arXiv:1409.1556).

Configurations A, B, D and E of table 1; `_bn` puts batch normalisation, which is younger, after each convolution.
Names, shapes and initial values are torchvision's, so its checkpoints load unchanged. As there, maps are averaged to
7x7 before the linear layers, so that any size from 32 will do.
"""

from collections.abc import Sequence
from functools import partial

from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d

from striate.blocks import Features

CHANNELS = (64, 128, 256, 512, 512)  # of the convolutions between one pooling and the next


def conv(in_channels: int, out_channels: int, norm: bool) -> list[nn.Module]:
    """A 3x3 convolution that keeps H and W, and relu, with batch norm between them on request."""
    layer = nn.Conv2d(in_channels, out_channels, 3, padding=1)
    return [layer, nn.BatchNorm2d(out_channels), nn.ReLU()] if norm else [layer, nn.ReLU()]


class VGG(nn.Module):
    """Five groups of 3x3 convolutions, each pooled by 2, and three linear layers.

    Args:
        depths: the number of convolutions in each of the five groups.
        norm: normalise after each convolution.
    """

    head = "classifier.6"
    image_size = 224

    def __init__(self, depths: Sequence[int], norm: bool, *, num_classes: int = 1000, in_channels: int = 3) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        returned = []
        for depth, channels in zip(depths, CHANNELS, strict=True):
            for _ in range(depth):
                layers += conv(in_channels, channels, norm)
                in_channels = channels
            returned.append(len(layers) - 1)
            layers.append(nn.MaxPool2d(2))
        self.features = Features(layers, [*returned, -1])
        self.classifier = nn.Sequential(
            nn.Linear(512 * 7 * 7, 4096),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(4096, 4096),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(4096, num_classes),
        )
        learned = [f"features.{i}" for i, layer in enumerate(layers) if isinstance(layer, nn.Conv2d | nn.BatchNorm2d)]
        self.stages = (*learned, "classifier.0", "classifier.3")
        self.explained_layer = f"features.{returned[-1]}"
        for name, parameter in self.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(parameter)
            elif parameter.dim() == 4:  # of a convolution
                nn.init.kaiming_normal_(parameter, mode="fan_out", nonlinearity="relu")
            elif parameter.dim() == 2:  # of a linear layer
                nn.init.normal_(parameter, std=0.01)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, num_classes) of normalised RGB images (N, 3, H, W), H and W >= 32.

        `features` gives six maps: what each pooling is fed, at strides 1 to 16, and what the last one leaves, at 32.
        """
        pooled = adaptive_avg_pool2d(self.features(images)[-1], 7)  # (N, 512, 7, 7)
        logits: Tensor = self.classifier(pooled.flatten(1))
        return logits


VARIANTS = {
    "vgg11": partial(VGG, (1, 1, 2, 2, 2), False),
    "vgg13": partial(VGG, (2, 2, 2, 2, 2), False),
    "vgg16": partial(VGG, (2, 2, 3, 3, 3), False),
    "vgg19": partial(VGG, (2, 2, 4, 4, 4), False),
    "vgg11_bn": partial(VGG, (1, 1, 2, 2, 2), True),
    "vgg13_bn": partial(VGG, (2, 2, 2, 2, 2), True),
    "vgg16_bn": partial(VGG, (2, 2, 3, 3, 3), True),
    "vgg19_bn": partial(VGG, (2, 2, 4, 4, 4), True),
}
