"""Convolution padded as TensorFlow pads it, at any stride."""

from torch import Tensor, nn
from torch.nn.functional import conv2d, pad

from striate.arithmetic import same_padding


class SameConv2d(nn.Conv2d):
    """A convolution to ceil(H / stride) x ceil(W / stride), whose odd pixel of padding is at the bottom and right.

    So a 3x3 filter of stride 2 pads an even input at the bottom and right only; PyTorch's padding=1 gives the same size
    there and other values, and its padding="same" takes no stride.

    Source: TensorFlow's "SAME" (tf.nn, notes on padding), by `striate.arithmetic.same_padding`.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int = 1,
        *,
        dilation: int = 1,
        groups: int = 1,
        bias: bool = True,
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride, dilation=dilation, groups=groups, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) to (N, out_channels, ceil(H / stride), ceil(W / stride))."""
        (top, bottom), (left, right) = (
            same_padding(n, kernel_size, stride, dilation)
            for n, kernel_size, stride, dilation in zip(
                x.shape[2:], self.kernel_size, self.stride, self.dilation, strict=True
            )
        )
        if (top, left) == (bottom, right):  # the convolution pads without a copy
            return conv2d(x, self.weight, self.bias, self.stride, (top, left), self.dilation, self.groups)
        x = pad(x, (left, right, top, bottom))
        return conv2d(x, self.weight, self.bias, self.stride, 0, self.dilation, self.groups)
