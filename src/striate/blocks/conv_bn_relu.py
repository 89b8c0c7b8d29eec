"""Convolution, batch norm and relu: what the Inception family is built from."""

from torch import Tensor, nn
from torch.nn.functional import relu

Size = int | tuple[int, int]  # of a square, or (height, width)


class ConvBnRelu(nn.Module):
    """A convolution without bias, batch norm with an epsilon of 1e-3 and relu; children `conv` and `bn`.

    Source: the names and the epsilon of torchvision's and timm's Inception nets, both from TensorFlow.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Size, stride: int = 1, padding: Size = 0
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(out_channels, eps=1e-3)

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) to (N, out_channels, ...), by the convolution's own sizes."""
        return relu(self.bn(self.conv(x)))
