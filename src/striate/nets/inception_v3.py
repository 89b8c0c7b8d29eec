"""Inception v3: rethinking the Inception architecture for computer vision (Szegedy et al. 2015, arXiv:1512.00567).

Large filters are factorised: a 5x5 into two 3x3 (sec. 3.1), an nxn into a 1xn and an nx1 (sec. 3.2). As in
torchvision's net each of the first three blocks also keeps a branch with a real 5x5; names and shapes are torchvision's
too, so its checkpoints load unchanged. It can also change the normalisation of its input (`transform_input`): that is
preprocessing, and left out here. Initial values are He's (2015, arXiv:1502.01852), which keep the logits of an
untrained net in evaluation of moderate size, as torchvision's, of deviation 0.1, do not.

`inception_v3_tf` averages as TensorFlow and Keras do, whose windows at the border leave out what lies beyond it;
torchvision's count it as zeros, though its weights came from TensorFlow.
"""

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, avg_pool2d, max_pool2d

from striate.blocks import ConvBnRelu
from striate.errors import SizeError


def means(count_include_pad: bool) -> nn.AvgPool2d:
    """The means over 3x3 windows, the size kept; at the border of all nine values, or of those inside."""
    return nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=count_include_pad)


class InceptionA(nn.Module):
    """Blocks 5b to 5d: one branch has a 5x5 convolution, another the two 3x3 that can replace it (fig. 5)."""

    def __init__(self, in_channels: int, pool_channels: int, pool: nn.Module) -> None:
        super().__init__()
        self.pool = pool
        self.branch1x1 = ConvBnRelu(in_channels, 64, 1)
        self.branch5x5_1 = ConvBnRelu(in_channels, 48, 1)
        self.branch5x5_2 = ConvBnRelu(48, 64, 5, padding=2)
        self.branch3x3dbl_1 = ConvBnRelu(in_channels, 64, 1)
        self.branch3x3dbl_2 = ConvBnRelu(64, 96, 3, padding=1)
        self.branch3x3dbl_3 = ConvBnRelu(96, 96, 3, padding=1)
        self.branch_pool = ConvBnRelu(in_channels, pool_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        five = self.branch5x5_2(self.branch5x5_1(x))
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch1x1(x), five, double, self.branch_pool(self.pool(x))], dim=1)


class ReductionA(nn.Module):
    """Block 6a: halves H and W by convolution beside pooling (fig. 10)."""

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.branch3x3 = ConvBnRelu(in_channels, 384, 3, stride=2)
        self.branch3x3dbl_1 = ConvBnRelu(in_channels, 64, 1)
        self.branch3x3dbl_2 = ConvBnRelu(64, 96, 3, padding=1)
        self.branch3x3dbl_3 = ConvBnRelu(96, 96, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch3x3(x), double, max_pool2d(x, 3, stride=2)], dim=1)


class InceptionB(nn.Module):
    """Blocks 6b to 6e: each 7x7 is a 1x7 and a 7x1 (fig. 6)."""

    def __init__(self, width: int, pool: nn.Module) -> None:
        super().__init__()
        self.pool = pool
        self.branch1x1 = ConvBnRelu(768, 192, 1)
        self.branch7x7_1 = ConvBnRelu(768, width, 1)
        self.branch7x7_2 = ConvBnRelu(width, width, (1, 7), padding=(0, 3))
        self.branch7x7_3 = ConvBnRelu(width, 192, (7, 1), padding=(3, 0))
        self.branch7x7dbl_1 = ConvBnRelu(768, width, 1)
        self.branch7x7dbl_2 = ConvBnRelu(width, width, (7, 1), padding=(3, 0))
        self.branch7x7dbl_3 = ConvBnRelu(width, width, (1, 7), padding=(0, 3))
        self.branch7x7dbl_4 = ConvBnRelu(width, width, (7, 1), padding=(3, 0))
        self.branch7x7dbl_5 = ConvBnRelu(width, 192, (1, 7), padding=(0, 3))
        self.branch_pool = ConvBnRelu(768, 192, 1)

    def forward(self, x: Tensor) -> Tensor:
        seven = self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(x)))
        double = self.branch7x7dbl_3(self.branch7x7dbl_2(self.branch7x7dbl_1(x)))
        double = self.branch7x7dbl_5(self.branch7x7dbl_4(double))
        return torch.cat([self.branch1x1(x), seven, double, self.branch_pool(self.pool(x))], dim=1)


class ReductionB(nn.Module):
    """Block 7a: halves H and W, with a 1x7 and a 7x1 before one of its strides."""

    def __init__(self) -> None:
        super().__init__()
        self.branch3x3_1 = ConvBnRelu(768, 192, 1)
        self.branch3x3_2 = ConvBnRelu(192, 320, 3, stride=2)
        self.branch7x7x3_1 = ConvBnRelu(768, 192, 1)
        self.branch7x7x3_2 = ConvBnRelu(192, 192, (1, 7), padding=(0, 3))
        self.branch7x7x3_3 = ConvBnRelu(192, 192, (7, 1), padding=(3, 0))
        self.branch7x7x3_4 = ConvBnRelu(192, 192, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        three = self.branch3x3_2(self.branch3x3_1(x))
        seven = self.branch7x7x3_4(self.branch7x7x3_3(self.branch7x7x3_2(self.branch7x7x3_1(x))))
        return torch.cat([three, seven, max_pool2d(x, 3, stride=2)], dim=1)


class InceptionC(nn.Module):
    """Blocks 7b and 7c: a 1x3 and a 3x1 side by side, which widens the coarsest maps (fig. 7)."""

    def __init__(self, in_channels: int, pool: nn.Module) -> None:
        super().__init__()
        self.pool = pool
        self.branch1x1 = ConvBnRelu(in_channels, 320, 1)
        self.branch3x3_1 = ConvBnRelu(in_channels, 384, 1)
        self.branch3x3_2a = ConvBnRelu(384, 384, (1, 3), padding=(0, 1))
        self.branch3x3_2b = ConvBnRelu(384, 384, (3, 1), padding=(1, 0))
        self.branch3x3dbl_1 = ConvBnRelu(in_channels, 448, 1)
        self.branch3x3dbl_2 = ConvBnRelu(448, 384, 3, padding=1)
        self.branch3x3dbl_3a = ConvBnRelu(384, 384, (1, 3), padding=(0, 1))
        self.branch3x3dbl_3b = ConvBnRelu(384, 384, (3, 1), padding=(1, 0))
        self.branch_pool = ConvBnRelu(in_channels, 192, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.branch3x3_1(x)
        three = [self.branch3x3_2a(y), self.branch3x3_2b(y)]
        y = self.branch3x3dbl_2(self.branch3x3dbl_1(x))
        double = [self.branch3x3dbl_3a(y), self.branch3x3dbl_3b(y)]
        return torch.cat([self.branch1x1(x), *three, *double, self.branch_pool(self.pool(x))], dim=1)


class SideBranch(nn.Module):
    """A small classifier on the last 17x17 map: pooling to 5x5, 1x1 and 5x5 convolution, linear layer (fig. 8).

    Maps under 17x17, of images under 299x299, have no 5x5 windows of pooling at stride 3 to give: adaptive windows pool
    those to 5x5, a departure without which smaller images could not train.
    """

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.conv0 = ConvBnRelu(768, 128, 1)
        self.conv1 = ConvBnRelu(128, 768, 5)
        self.fc = nn.Linear(768, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        y = avg_pool2d(x, 5, stride=3) if min(x.shape[2:]) >= 17 else adaptive_avg_pool2d(x, 5)
        y = self.conv1(self.conv0(y))  # (N, 768, 1, 1) of a 17x17 map
        logits: Tensor = self.fc(y.mean(dim=(2, 3)))
        return logits


class InceptionV3(nn.Module):
    """A stem without padding, eleven blocks, global average pooling, one linear layer; a side branch while training.

    Args:
        side_branches: without it `branches` gives the main logits alone, and the keys `AuxLogits.*` are absent from the
            state dict.
        count_include_pad: whether means at the border are of zeros beyond it too, as torchvision's are.
    """

    stages: tuple[str, ...] = ("Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "Conv2d_3b_1x1", "Conv2d_4a_3x3")
    stages += ("Mixed_5b", "Mixed_5c", "Mixed_5d", "Mixed_6a", "Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e")
    stages += ("Mixed_7a", "Mixed_7b", "Mixed_7c")
    head = "fc"
    explained_layer = "Mixed_7c"
    image_size = 299

    def __init__(
        self,
        *,
        count_include_pad: bool = True,
        num_classes: int = 1000,
        in_channels: int = 3,
        side_branches: bool = True,
    ) -> None:
        super().__init__()
        pool = means(count_include_pad)
        self.Conv2d_1a_3x3 = ConvBnRelu(in_channels, 32, 3, stride=2)
        self.Conv2d_2a_3x3 = ConvBnRelu(32, 32, 3)
        self.Conv2d_2b_3x3 = ConvBnRelu(32, 64, 3, padding=1)
        self.Conv2d_3b_1x1 = ConvBnRelu(64, 80, 1)
        self.Conv2d_4a_3x3 = ConvBnRelu(80, 192, 3)
        self.Mixed_5b = InceptionA(192, 32, pool)
        self.Mixed_5c = InceptionA(256, 64, pool)
        self.Mixed_5d = InceptionA(288, 64, pool)
        self.Mixed_6a = ReductionA(288)
        self.Mixed_6b = InceptionB(128, pool)
        self.Mixed_6c = InceptionB(160, pool)
        self.Mixed_6d = InceptionB(160, pool)
        self.Mixed_6e = InceptionB(192, pool)
        self.branch_weights: tuple[float, ...] = ()
        self.other_heads: tuple[str, ...] = ()
        if side_branches:
            self.other_heads = ("AuxLogits.fc",)
            self.branch_weights = (0.4,)  # beside the main loss's 1: TensorFlow-Slim's, the paper gives none
            self.AuxLogits = SideBranch(num_classes)
        self.Mixed_7a = ReductionB()
        self.Mixed_7b = InceptionC(1280, pool)
        self.Mixed_7c = InceptionC(2048, pool)
        self.dropout = nn.Dropout(0.5)
        self.fc = nn.Linear(2048, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")

    def features(self, images: Tensor) -> list[Tensor]:
        """Feature maps C1..C5, at about strides 2, 4, 8, 16 and 32; sizes are of a 299x299 image.

        Raises:
            SizeError: H or W is under 75.
        """
        if min(images.shape[2:]) < 75:
            raise SizeError(
                f"`images`: expected H and W of at least 75; got the shape {list(images.shape)}. "
                "Try resizing them to 299 x 299, or a net that takes smaller ones, such as `resnet18`."
            )
        c1 = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(images)))  # (N, 64, 147, 147)
        c2 = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(max_pool2d(c1, 3, stride=2)))  # (N, 192, 71, 71)
        c3 = self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(max_pool2d(c2, 3, stride=2))))  # (N, 288, 35, 35)
        x = self.Mixed_6c(self.Mixed_6b(self.Mixed_6a(c3)))
        c4 = self.Mixed_6e(self.Mixed_6d(x))  # (N, 768, 17, 17)
        c5 = self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(c4)))  # (N, 2048, 8, 8)
        return [c1, c2, c3, c4, c5]

    def _classify(self, c5: Tensor) -> Tensor:
        logits: Tensor = self.fc(self.dropout(c5.mean(dim=(2, 3))))
        return logits

    def branches(self, images: Tensor) -> list[Tensor]:
        """The main logits and those of the side branch, both (N, num_classes)."""
        *_, c4, c5 = self.features(images)
        main = self._classify(c5)
        return [main, self.AuxLogits(c4)] if self.branch_weights else [main]

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, num_classes) of normalised RGB images (N, 3, H, W), H and W >= 75; the side branch is idle."""
        return self._classify(self.features(images)[-1])


VARIANTS = {
    "inception_v3": partial(InceptionV3, count_include_pad=True),
    "inception_v3_tf": partial(InceptionV3, count_include_pad=False),
}
