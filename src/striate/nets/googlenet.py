"""GoogLeNet, the first Inception: going deeper with convolutions (Szegedy et al. 2014, arXiv:1409.4842).

`googlenet` is torchvision's: batch norm after each convolution and no local response normalisation, a 3x3 convolution
where the paper's table 1 has a 5x5, and the other differences between `TORCHVISION` and `PAPER` below. Names and
shapes are torchvision's, so its checkpoints load unchanged. torchvision can also change the normalisation of the input
(`transform_input`), which is preprocessing and left out here. `googlenet_paper` is the paper's net under the same
names; the numbers of its local response normalisation, which the paper leaves open, are those of Caffe's
bvlc_googlenet (n 5, alpha 1e-4 of the mean, beta 0.75, k 1). Initial values are He's in both (2015, arXiv:1502.01852),
with biases zero: torchvision's, of deviation 0.01, are so small that the logits of an untrained net in evaluation
hardly depend on the image.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, avg_pool2d, dropout, max_pool2d, relu

from striate.blocks import ConvBnRelu
from striate.layers.lrn import local_response_norm

Conv = Callable[[int, int, int, int, int], nn.Module]  # (in_channels, out_channels, kernel_size, stride, padding)


class ConvRelu(nn.Module):
    """A convolution with bias and relu, as the paper has it."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, stride: int, padding: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding)

    def forward(self, x: Tensor) -> Tensor:
        return relu(self.conv(x))


def four_by_four(x: Tensor) -> Tensor:
    """The paper's average pooling before a side branch (5x5, stride 3) of the 14x14 map that it has there.

    Maps of other sizes are pooled to 4x4 by adaptive windows, so that the linear layer after them fits.
    """
    return avg_pool2d(x, 5, stride=3) if x.shape[2:] == (14, 14) else adaptive_avg_pool2d(x, 4)


def unchanged(x: Tensor) -> Tensor:
    """The map itself, for a form without normalisation beside that of its convolutions."""
    return x


@dataclass(frozen=True)
class Form:
    """How torchvision's net and the paper's differ."""

    conv: Conv
    wide: int  # kernel size of each block's third branch
    normalise: Callable[[Tensor], Tensor]  # in the stem, after its first pooling and before its second
    last_pool: int  # kernel size of the max pooling before the last two blocks
    dropout: float  # before the last linear layer
    side_pool: Callable[[Tensor], Tensor]  # to 4x4, before a side branch


TORCHVISION = Form(
    conv=ConvBnRelu,
    wide=3,
    normalise=unchanged,
    last_pool=2,
    dropout=0.2,
    side_pool=partial(adaptive_avg_pool2d, output_size=4),
)
PAPER = Form(
    conv=ConvRelu,
    wide=5,
    normalise=partial(local_response_norm, size=5, alpha=1e-4 / 5, beta=0.75, k=1),
    last_pool=3,
    dropout=0.4,
    side_pool=four_by_four,
)


class Inception(nn.Module):
    """Four branches side by side, their maps concatenated (fig. 2b).

    Args:
        form: torchvision's or the paper's.
        in_channels: of the input.
        one: channels of the 1x1 branch.
        three: channels of the 3x3 branch, before and after its 3x3 convolution.
        five: channels of the 5x5 branch, likewise.
        pool: channels that the pooled branch is projected to.
    """

    def __init__(
        self, form: Form, in_channels: int, one: int, three: tuple[int, int], five: tuple[int, int], pool: int
    ) -> None:
        super().__init__()
        conv, wide = form.conv, form.wide
        self.branch1 = conv(in_channels, one, 1, 1, 0)
        self.branch2 = nn.Sequential(conv(in_channels, three[0], 1, 1, 0), conv(*three, 3, 1, 1))
        self.branch3 = nn.Sequential(conv(in_channels, five[0], 1, 1, 0), conv(*five, wide, 1, wide // 2))
        self.branch4 = nn.Sequential(nn.MaxPool2d(3, stride=1, padding=1), conv(in_channels, pool, 1, 1, 0))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.branch1(x), self.branch2(x), self.branch3(x), self.branch4(x)], dim=1)


class SideBranch(nn.Module):
    """A small classifier on a map in the middle: pooling to 4x4, 1x1 convolution, two linear layers (sec. 5)."""

    def __init__(self, form: Form, in_channels: int, num_classes: int) -> None:
        super().__init__()
        self.pool = form.side_pool
        self.conv = form.conv(in_channels, 128, 1, 1, 0)
        self.fc1 = nn.Linear(128 * 4 * 4, 1024)
        self.fc2 = nn.Linear(1024, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(self.pool(x)).flatten(1)  # (N, 2048)
        y = dropout(relu(self.fc1(y)), 0.7, self.training)
        logits: Tensor = self.fc2(y)
        return logits


class GoogLeNet(nn.Module):
    """A stem, nine Inception blocks, global average pooling, one linear layer; two side branches while training.

    Args:
        form: torchvision's or the paper's.
        side_branches: without them `branches` gives the main logits alone, and the keys `aux1.*` and `aux2.*` are
            absent from the state dict.
    """

    stages: tuple[str, ...] = ("conv1", "conv2", "conv3", "inception3a", "inception3b")
    stages += ("inception4a", "inception4b", "inception4c", "inception4d", "inception4e", "inception5a", "inception5b")
    head = "fc"
    explained_layer = "inception5b"
    image_size = 224

    def __init__(
        self, form: Form, *, num_classes: int = 1000, in_channels: int = 3, side_branches: bool = True
    ) -> None:
        super().__init__()
        self.form = form
        self.conv1 = form.conv(in_channels, 64, 7, 2, 3)
        self.conv2 = form.conv(64, 64, 1, 1, 0)
        self.conv3 = form.conv(64, 192, 3, 1, 1)
        block = partial(Inception, form)
        self.inception3a = block(192, 64, (96, 128), (16, 32), 32)
        self.inception3b = block(256, 128, (128, 192), (32, 96), 64)
        self.inception4a = block(480, 192, (96, 208), (16, 48), 64)
        self.inception4b = block(512, 160, (112, 224), (24, 64), 64)
        self.inception4c = block(512, 128, (128, 256), (24, 64), 64)
        self.inception4d = block(512, 112, (144, 288), (32, 64), 64)
        self.inception4e = block(528, 256, (160, 320), (32, 128), 128)
        self.inception5a = block(832, 256, (160, 320), (32, 128), 128)
        self.inception5b = block(832, 384, (192, 384), (48, 128), 128)
        self.branch_weights: tuple[float, ...] = ()
        self.other_heads: tuple[str, ...] = ()
        if side_branches:
            self.other_heads = ("aux1.fc2", "aux2.fc2")
            self.branch_weights = (0.3, 0.3)  # of their losses beside the main one's 1 (sec. 5)
            self.aux1 = SideBranch(form, 512, num_classes)
            self.aux2 = SideBranch(form, 528, num_classes)
        self.dropout = nn.Dropout(form.dropout)
        self.fc = nn.Linear(1024, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def _maps(self, images: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """The feature maps, and those that the side branches see; sizes are of a 224x224 image."""
        c1 = self.conv1(images)  # (N, 64, 112, 112)
        x = self.form.normalise(max_pool2d(c1, 3, stride=2, ceil_mode=True))
        c2 = self.form.normalise(self.conv3(self.conv2(x)))  # (N, 192, 56, 56)
        x = max_pool2d(c2, 3, stride=2, ceil_mode=True)
        c3 = self.inception3b(self.inception3a(x))  # (N, 480, 28, 28)
        side1 = self.inception4a(max_pool2d(c3, 3, stride=2, ceil_mode=True))  # (N, 512, 14, 14)
        side2 = self.inception4d(self.inception4c(self.inception4b(side1)))  # (N, 528, 14, 14)
        c4 = self.inception4e(side2)  # (N, 832, 14, 14)
        x = max_pool2d(c4, self.form.last_pool, stride=2, ceil_mode=True)
        c5 = self.inception5b(self.inception5a(x))  # (N, 1024, 7, 7)
        return [c1, c2, c3, c4, c5], [side1, side2]

    def _classify(self, c5: Tensor) -> Tensor:
        logits: Tensor = self.fc(self.dropout(c5.mean(dim=(2, 3))))
        return logits

    def features(self, images: Tensor) -> list[Tensor]:
        """Feature maps C1..C5, at strides 2, 4, 8, 16 and 32."""
        return self._maps(images)[0]

    def branches(self, images: Tensor) -> list[Tensor]:
        """The main logits, then those of each side branch from input to output, all (N, num_classes)."""
        maps, seen = self._maps(images)
        main = self._classify(maps[-1])
        return [main, self.aux1(seen[0]), self.aux2(seen[1])] if self.branch_weights else [main]

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, num_classes) of normalised RGB images (N, 3, H, W); the side branches are idle."""
        return self._classify(self.features(images)[-1])


VARIANTS = {"googlenet": partial(GoogLeNet, TORCHVISION), "googlenet_paper": partial(GoogLeNet, PAPER)}
