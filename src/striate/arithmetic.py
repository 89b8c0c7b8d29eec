"""The arithmetic of convolutional networks: sizes, receptive fields, parameters, multiplications.

    sizes             conv_size, same_padding, unseen_pixels, pool_size, transposed_conv_size
    receptive fields  receptive_field of a chain of Window
    parameters        conv_params, dense_params, replaced_dense_params, POOL_PARAMS
    multiplications   conv_macs, transposed_conv_macs, dense_macs, POOL_MACS

Sizes are those of one side, in pixels: call once for H and once for W. Everything is a whole number and exact.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import gcd, prod

from striate.errors import SizeError, nearest

Side = int | tuple[int, ...]  # of a square, or (height, width)
Padding = int | tuple[int, int] | str  # on both ends, or (before, after), or "valid" or "same"

POOL_PARAMS = 0  # pooling has nothing to learn
POOL_MACS = 0  # a maximum compares and an average adds; its one division an output is not counted


def conv_size(n: int, kernel_size: int, stride: int = 1, padding: Padding = 0, dilation: int = 1) -> int:
    """Output size of a convolution: floor((n + padding - span) / stride) + 1, span = dilation * (kernel_size - 1) + 1.

    Args:
        n, kernel_size, stride: >= 1.
        padding: >= 0 on both ends; or a pair (before, after); or "valid", none; or "same", see `same_padding`.
        dilation: >= 1, the distance between neighbouring taps; 1 leaves no holes.

    Raises:
        SizeError: a number is out of its range, or the filter does not fit into the padded input.

    Source: Dumoulin and Visin 2016, arXiv:1603.07285, relationships 6 and 15.

    >>> conv_size(39, 3), conv_size(37, 5, stride=2), conv_size(17, 5, stride=2)
    (37, 17, 7)
    >>> conv_size(28, 5, padding="same"), conv_size(28, 5, stride=2, padding=(1, 2))
    (28, 14)
    """
    pair = _resolve(n, kernel_size, stride, padding, dilation)
    return _count_windows(n, kernel_size, stride, pair, dilation)


def same_padding(n: int, kernel_size: int, stride: int = 1, dilation: int = 1) -> tuple[int, int]:
    """The pair (before, after) that makes the output size ceil(n / stride); an odd pixel goes after.

    Args:
        n, kernel_size, stride, dilation: >= 1. Where stride > 1 the pair depends on n.

    Raises:
        SizeError: a number is out of its range.

    Source: TensorFlow's "SAME" (tf.nn, notes on padding); at stride 1 PyTorch's padding="same" agrees.

    >>> same_padding(28, 5), same_padding(28, 4), same_padding(224, 3, stride=2)
    ((2, 2), (1, 2), (0, 1))
    """
    _check(1, n=n, kernel_size=kernel_size, stride=stride, dilation=dilation)
    outputs = -(-n // stride)
    total = max((outputs - 1) * stride + _span(kernel_size, dilation) - n, 0)
    return total // 2, total - total // 2


def unseen_pixels(n: int, kernel_size: int, stride: int = 1, padding: Padding = 0, dilation: int = 1) -> list[int]:
    """Indices of the input pixels that no window reads, ascending.

    They are the remainder at the end that no stride reaches, the gaps where stride > kernel_size, and what lies in
    the holes of every dilated filter.

    Args:
        n, kernel_size, stride, dilation: >= 1.
        padding: as in `conv_size`.

    Raises:
        SizeError: a number is out of its range, or the filter does not fit into the padded input.

    >>> unseen_pixels(8, 3, stride=2), unseen_pixels(7, 1, stride=3), unseen_pixels(5, 2, dilation=4)
    ([7], [1, 2, 4, 5], [1, 2, 3])
    """
    pair = _resolve(n, kernel_size, stride, padding, dilation)
    outputs = _count_windows(n, kernel_size, stride, pair, dilation)
    starts = range(-pair[0], outputs * stride - pair[0], stride)
    seen = {start + tap * dilation for start in starts for tap in range(kernel_size)}
    return [pixel for pixel in range(n) if pixel not in seen]


def pool_size(
    n: int,
    kernel_size: int,
    stride: int | None = None,
    padding: Padding = 0,
    dilation: int = 1,
    *,
    ceil_mode: bool = False,
) -> int:
    """Output size of max or average pooling, as PyTorch rounds it.

    Args:
        n, kernel_size, dilation: >= 1.
        stride: >= 1; None means kernel_size.
        padding: as in `conv_size`, and at most half of kernel_size, so that no window holds padding alone.
        ceil_mode: let the last window hang over the end, if it starts before the padding after the input.

    Raises:
        SizeError: a number is out of its range, or the window does not fit into the padded input.

    Source: PyTorch's MaxPool2d and AvgPool2d; checked against them.

    >>> pool_size(28, 2), pool_size(55, 3, 2), pool_size(6, 3, 2), pool_size(6, 3, 2, ceil_mode=True)
    (14, 27, 2, 3)
    """
    stride = kernel_size if stride is None else stride
    pair = _resolve(n, kernel_size, stride, padding, dilation)
    if max(pair) > kernel_size // 2:
        raise SizeError(
            f"`padding`: expected at most half of kernel_size={kernel_size} in pooling; "
            f"got {pair}, before and after. Try at most {kernel_size // 2}."
        )
    overhang = stride - 1 if ceil_mode else 0
    outputs = _count_windows(n, kernel_size, stride, pair, dilation, overhang)
    starts_too_late = ceil_mode and (outputs - 1) * stride >= n + pair[0]
    return outputs - 1 if starts_too_late else outputs


def transposed_conv_size(
    n: int, kernel_size: int, stride: int = 1, padding: int = 0, output_padding: int = 0, dilation: int = 1
) -> int:
    """Output size of a transposed convolution, the input size that a convolution would have turned into n.

    Args:
        n, kernel_size, dilation: >= 1.
        stride: >= 1, the factor by which the size grows.
        padding: >= 0, the pixels cut from both ends of the output.
        output_padding: >= 0 and < max(stride, dilation), the pixels added at the end: which of the input sizes that
            one stride maps onto n is meant.

    Raises:
        SizeError: a number is out of its range, or padding leaves no output.

    Source: PyTorch's ConvTranspose2d; Dumoulin and Visin 2016, arXiv:1603.07285, relationship 14.

    >>> transposed_conv_size(14, 2, stride=2), transposed_conv_size(14, 3, 2, padding=1, output_padding=1)
    (28, 28)
    """
    _check(1, n=n, kernel_size=kernel_size, stride=stride, dilation=dilation)
    _check(0, padding=padding, output_padding=output_padding)
    if output_padding >= max(stride, dilation):
        raise SizeError(
            f"`output_padding`: expected less than stride={stride} or dilation={dilation}; got {output_padding}. "
            f"Try at most {max(stride, dilation) - 1}."
        )
    uncut = (n - 1) * stride + _span(kernel_size, dilation) + output_padding
    if uncut <= 2 * padding:
        raise SizeError(
            f"`padding`: expected to leave some of the {uncut} pixels of the output; got {padding}, cut from both "
            f"ends. Try at most {(uncut - 1) // 2}."
        )
    return uncut - 2 * padding


@dataclass(frozen=True)
class Window:
    """One layer that reads its input through a window: a convolution or a pooling.

    Args:
        kernel_size, stride, dilation: >= 1.
        padding: as in `conv_size`, but not "same", a rule that needs the input size: give `same_padding(n, ...)` with
            the layer's own input size instead.

    Raises:
        SizeError: a number is out of its range, or padding is "same".

    >>> Window(3, stride=2, padding=same_padding(224, 3, stride=2))
    Window(kernel_size=3, stride=2, padding=(0, 1), dilation=1)
    """

    kernel_size: int
    stride: int = 1
    padding: Padding = 0
    dilation: int = 1

    def __post_init__(self) -> None:
        _check(1, kernel_size=self.kernel_size, stride=self.stride, dilation=self.dilation)
        if self.padding == "same":
            raise SizeError(
                '`padding`: expected a number or a pair (before, after) in a chain; got "same", which depends on the '
                "input size. Try same_padding(n, kernel_size, stride, dilation)."
            )
        _padding_pair(self.padding)


@dataclass(frozen=True)
class ReceptiveField:
    """What the outputs of a chain of windows read, in pixels of the chain's input.

    Args:
        size: pixels from the first to the last that one output reads.
        jump: distance between what neighbouring outputs read.
        start: index of the first pixel that output 0 reads; negative inside the padding.
    """

    size: int
    jump: int
    start: int

    def span(self, i: int) -> range:
        """The pixels from the first to the last that output i reads; those below 0 or past the end are padding.

        Where windows have holes or gaps, some pixels between may go unread.

        >>> ReceptiveField(size=5, jump=2, start=-1).span(3)
        range(5, 10)
        """
        first = self.start + i * self.jump
        return range(first, first + self.size)


def receptive_field(windows: Iterable[Window]) -> ReceptiveField:
    """The receptive field of a chain of windows, given from input to output.

    Args:
        windows: any number; none leaves each pixel to itself.

    Source: Araujo, Norris and Sim 2019, Computing Receptive Fields of Convolutional Neural Networks, Distill.

    >>> receptive_field([Window(7, stride=2, padding=3), Window(3, stride=2, padding=1)])
    ReceptiveField(size=11, jump=4, start=-5)
    """
    size, jump, start = 1, 1, 0
    for window in windows:
        size += (_span(window.kernel_size, window.dilation) - 1) * jump
        start -= _padding_pair(window.padding)[0] * jump
        jump *= window.stride
    return ReceptiveField(size, jump, start)


def conv_params(in_channels: int, out_channels: int, kernel_size: Side, *, groups: int = 1, bias: bool = True) -> int:
    """Parameters of a convolution, transposed or not: each filter's weights, and one bias for each output channel.

    Args:
        in_channels, out_channels: >= 1.
        kernel_size: >= 1, of a square filter, or (height, width).
        groups: a divisor of both channel counts; in_channels makes it depthwise.
        bias: count the biases.

    Raises:
        SizeError: a number is out of its range, or groups does not divide the channels.

    >>> conv_params(3, 10, 3), conv_params(3, 6, 5), conv_params(32, 32, 3, groups=32, bias=False)
    (280, 456, 288)
    """
    weights = _conv_weights(in_channels, out_channels, kernel_size, groups)
    return weights + out_channels if bias else weights


def conv_macs(in_channels: int, out_channels: int, kernel_size: Side, output_size: Side, *, groups: int = 1) -> int:
    """Multiplications of a convolution for one image: every weight once at each output position.

    Products with padding count, since the usual implementations compute them; adding the bias does not.

    Args:
        in_channels, out_channels: >= 1.
        kernel_size, output_size: >= 1, of a square, or (height, width).
        groups: a divisor of both channel counts; in_channels makes it depthwise.

    Raises:
        SizeError: a number is out of its range, or groups does not divide the channels.

    >>> conv_macs(192, 32, 5, 28), conv_macs(192, 16, 1, 28) + conv_macs(16, 32, 5, 28)
    (120422400, 12443648)
    """
    return _conv_weights(in_channels, out_channels, kernel_size, groups) * _area("output_size", output_size)


def transposed_conv_macs(
    in_channels: int, out_channels: int, kernel_size: Side, input_size: Side, *, groups: int = 1
) -> int:
    """Multiplications of a transposed convolution for one image: every weight once at each input position.

    Products that `padding` cuts off afterwards count too.

    Args:
        in_channels, out_channels, kernel_size, groups: as in `conv_macs`.
        input_size: >= 1, of a square input, or (height, width).

    Raises:
        SizeError: a number is out of its range, or groups does not divide the channels.

    >>> transposed_conv_macs(64, 32, 2, 14)
    1605632
    """
    return _conv_weights(in_channels, out_channels, kernel_size, groups) * _area("input_size", input_size)


def dense_params(in_features: int, out_features: int, *, bias: bool = True) -> int:
    """Parameters of a dense layer: a weight for every pair of input and output, and one bias for each output.

    Raises:
        SizeError: a number of features is under 1.

    >>> dense_params(400, 120), dense_params(120, 84), dense_params(84, 10)
    (48120, 10164, 850)
    """
    weights = dense_macs(in_features, out_features)
    return weights + out_features if bias else weights


def dense_macs(in_features: int, out_features: int) -> int:
    """Multiplications of a dense layer for one image: one for each weight.

    Raises:
        SizeError: a number of features is under 1.

    >>> dense_macs(400, 120)
    48000
    """
    _check(1, in_features=in_features, out_features=out_features)
    return in_features * out_features


def replaced_dense_params(in_channels: int, out_channels: int, input_size: Side, output_size: Side) -> tuple[int, int]:
    """Parameters (weights, biases) of the dense layer between the same input and output as a convolution's.

    Args:
        in_channels, out_channels, input_size, output_size: >= 1.

    Raises:
        SizeError: a number is out of its range.

    >>> replaced_dense_params(3, 6, 32, 28)
    (14450688, 4704)
    """
    _check(1, in_channels=in_channels, out_channels=out_channels)
    outputs = out_channels * _area("output_size", output_size)
    return in_channels * _area("input_size", input_size) * outputs, outputs


def _span(kernel_size: int, dilation: int) -> int:
    """Pixels from a filter's first tap to its last."""
    return dilation * (kernel_size - 1) + 1


def _conv_weights(in_channels: int, out_channels: int, kernel_size: Side, groups: int) -> int:
    _check(1, in_channels=in_channels, out_channels=out_channels, groups=groups)
    common = gcd(in_channels, out_channels)
    if common % groups:
        divisors = ", ".join(str(d) for d in range(1, common + 1) if common % d == 0)
        raise SizeError(
            f"`groups`: expected a divisor of in_channels={in_channels} and out_channels={out_channels}; "
            f"got {groups}. Try one of: {divisors}."
        )
    return in_channels // groups * out_channels * _area("kernel_size", kernel_size)


def _area(name: str, side: Side) -> int:
    lengths = side if isinstance(side, tuple) else (side, side)
    for length in lengths:
        _check(1, **{name: length})
    return prod(lengths)


def _resolve(n: int, kernel_size: int, stride: int, padding: Padding, dilation: int) -> tuple[int, int]:
    """The padding as a pair, once all the numbers are known to be in range."""
    _check(1, n=n, kernel_size=kernel_size, stride=stride, dilation=dilation)
    return same_padding(n, kernel_size, stride, dilation) if padding == "same" else _padding_pair(padding)


def _padding_pair(padding: Padding) -> tuple[int, int]:
    if padding == "valid":
        return 0, 0
    match padding if isinstance(padding, tuple) else (padding, padding):
        case (int(before), int(after)) if min(before, after) >= 0:
            return before, after
    raise SizeError(
        '`padding`: expected a whole number of at least 0, a pair (before, after) of them, "valid" or "same"; '
        f"got {padding!r}. {nearest(padding, ['same', 'valid']) if isinstance(padding, str) else 'Try 0.'}"
    )


def _count_windows(
    n: int, kernel_size: int, stride: int, pair: tuple[int, int], dilation: int, overhang: int = 0
) -> int:
    """How many windows fit, when the last may hang `overhang` pixels over the end."""
    room = n + sum(pair) + overhang
    span = _span(kernel_size, dilation)
    if span > room:
        raise SizeError(
            f"`kernel_size`: expected to span at most {room} pixels (n={n}, padding {pair[0]} before and {pair[1]} "
            f"after{f', overhang {overhang}' if overhang else ''}); got {span} (kernel_size={kernel_size}, "
            f"dilation={dilation}). Try a smaller filter, or padding={(span - n + 1) // 2}."
        )
    return (room - span) // stride + 1


def _check(least: int, **values: int) -> None:
    for name, value in values.items():
        if not isinstance(value, int) or value < least:
            raise SizeError(f"`{name}`: expected a whole number of at least {least}; got {value!r}. Try {least}.")
