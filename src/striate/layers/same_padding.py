"""Convolution padded as TensorFlow pads it, at any stride, and the choice between that and padding evenly."""

from torch import Tensor, nn
from torch.nn.functional import conv2d, pad

from striate.arithmetic import same_padding
from striate.errors import UsageError, nearest

PADDINGS = ("same", "symmetric")


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


def padded_conv(
    in_channels: int, out_channels: int, kernel_size: int, stride: int = 1, *, padding: str, groups: int = 1
) -> nn.Conv2d:
    """A convolution without bias to ceil(H / stride) x ceil(W / stride).

    Args:
        in_channels, out_channels, stride, groups: of the convolution.
        kernel_size: odd.
        padding: "same", as TensorFlow pads, or "symmetric", as many pixels on either side.

    Raises:
        UsageError: `padding` is neither.
    """
    if padding not in PADDINGS:
        raise UsageError(
            f"`padding`: expected one of {', '.join(PADDINGS)}; got `{padding}`. {nearest(padding, PADDINGS)}"
        )
    if padding == "same":
        return SameConv2d(in_channels, out_channels, kernel_size, stride, groups=groups, bias=False)
    return nn.Conv2d(in_channels, out_channels, kernel_size, stride, kernel_size // 2, groups=groups, bias=False)
