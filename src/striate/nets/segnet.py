"""SegNet: a deep convolutional encoder-decoder architecture for image segmentation (Badrinarayanan et al. 2015,
arXiv:1511.00561, sec. 3).

The encoder is VGG-16's 13 convolutions, each followed by batch norm; the decoder is their mirror. A pooling remembers
where each maximum was, and the unpooling that mirrors it puts values back there; nothing else is passed across.
The last convolution of the decoder is the classifier. Parameter names are our own.
"""

from itertools import pairwise

from torch import Tensor, nn

from striate.layers.max_unpool import max_pool_positions, max_unpool

CHANNELS = (64, 128, 256, 512, 512)
DEPTHS = (2, 2, 3, 3, 3)


def stage(*channels: int) -> nn.Sequential:
    """3x3 convolutions from each number of channels to the next, each with batch norm and relu."""
    layers: list[nn.Module] = []
    for in_channels, out_channels in pairwise(channels):
        layers += [nn.Conv2d(in_channels, out_channels, 3, padding=1), nn.BatchNorm2d(out_channels), nn.ReLU()]
    return nn.Sequential(*layers)


class SegNet(nn.Module):
    """Five stages down, five stages up by remembered positions, one 3x3 convolution to the classes."""

    stages = (*(f"encoder.{i}" for i in range(5)), *(f"decoder.{i}" for i in range(5)))
    head = "classifier"
    explained_layer = "decoder.4"
    image_size = 360  # CamVid at 360x480 (sec. 4)

    def __init__(self, *, num_classes: int = 12, in_channels: int = 3) -> None:
        super().__init__()
        self.encoder = nn.ModuleList()
        before = in_channels
        for channels, depth in zip(CHANNELS, DEPTHS, strict=True):
            self.encoder.append(stage(before, *[channels] * depth))
            before = channels
        self.decoder = nn.ModuleList()
        for i in (4, 3, 2, 1):
            self.decoder.append(stage(*[CHANNELS[i]] * DEPTHS[i], CHANNELS[i - 1]))
        self.decoder.append(stage(64, 64))
        self.classifier = nn.Conv2d(64, num_classes, 3, padding=1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")  # sec. 4.1

    def encode(self, images: Tensor) -> list[tuple[Tensor, Tensor, Tensor]]:
        """The map of each stage, with its maxima and their positions."""
        steps = []
        x = images
        for layers in self.encoder:
            c = layers(x)  # (N, C, H, W)
            x, positions = max_pool_positions(c)  # (N, C, H/2, W/2), twice
            steps.append((c, x, positions))
        return steps

    def features(self, images: Tensor) -> list[Tensor]:
        """Feature maps C1..C5 before pooling, at strides 1, 2, 4, 8 and 16."""
        return [c for c, _, _ in self.encode(images)]

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, num_classes, H, W) of normalised images (N, in_channels, H, W), H and W at least 32."""
        steps = self.encode(images)
        x = steps[-1][1]  # (N, 512, H/32, W/32)
        for layers, (c, _, positions) in zip(self.decoder, reversed(steps), strict=True):
            height, width = c.shape[2:]
            x = layers(max_unpool(x, positions, (height, width)))  # (N, C of the stage above, height, width)
        logits: Tensor = self.classifier(x)
        return logits


VARIANTS = {"segnet": SegNet}
