import dataclasses
import doctest
from collections.abc import Callable
from itertools import accumulate, pairwise

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (the field's name for it)
from torch.utils.flop_counter import FlopCounterMode

from striate import arithmetic
from striate.arithmetic import (
    POOL_MACS,
    POOL_PARAMS,
    Padding,
    ReceptiveField,
    Side,
    Window,
    conv_macs,
    conv_params,
    conv_size,
    dense_macs,
    dense_params,
    pool_size,
    receptive_field,
    replaced_dense_params,
    same_padding,
    transposed_conv_macs,
    transposed_conv_size,
    unseen_pixels,
)
from striate.errors import SizeError, UsageError

quick = settings(deadline=None, max_examples=60)  # torch's first call of a kind is slow
sizes = st.integers(1, 24)
kernel_sizes = st.integers(1, 5)
strides = st.integers(1, 4)
dilations = st.integers(1, 3)
pairs = st.tuples(st.integers(0, 4), st.integers(0, 4))
channels = st.integers(1, 4)
windows = st.builds(Window, kernel_sizes, st.integers(1, 3), pairs, dilations)


def test_doctests_run() -> None:
    result = doctest.testmod(arithmetic)
    assert result.attempted > 10
    assert result.failed == 0


# The figures of the course notes and of the papers ----------------------------------------------------------------


def chain_sizes(n: int, layers: list[tuple[int, int, int]]) -> list[int]:
    """Sizes from the input on, through (kernel_size, stride, padding) layers."""
    return list(accumulate(layers, lambda side, layer: conv_size(side, *layer), initial=n))


def dense_stack(*features: int) -> int:
    return sum(dense_params(a, b) for a, b in pairwise(features))


def lenet5_params() -> int:
    side = chain_sizes(32, [(5, 1, 0), (2, 2, 0), (5, 1, 0), (2, 2, 0)])[-1]
    return conv_params(1, 6, 5) + conv_params(6, 16, 5) + dense_stack(16 * side**2, 120, 84, 10)


def alexnet_params(n: int, stem_padding: int, widths: tuple[int, int, int, int, int], groups: int) -> int:
    side = chain_sizes(n, [(11, 4, stem_padding), (3, 2, 0), (5, 1, 2), (3, 2, 0), *[(3, 1, 1)] * 3, (3, 2, 0)])[-1]
    c1, c2, c3, c4, c5 = widths
    convs = [
        conv_params(3, c1, 11),
        conv_params(c1, c2, 5, groups=groups),
        conv_params(c2, c3, 3),
        conv_params(c3, c4, 3, groups=groups),
        conv_params(c4, c5, 3, groups=groups),
    ]
    return sum(convs) + dense_stack(c5 * side**2, 4096, 4096, 1000)


def vgg_params(depths: tuple[int, ...]) -> int:
    total, in_channels, side = 0, 3, 224
    for width, depth in zip((64, 128, 256, 512, 512), depths, strict=True):
        for _ in range(depth):
            total += conv_params(in_channels, width, 3)
            in_channels = width
            side = conv_size(side, 3, padding="same")
        side = pool_size(side, 2)
    return total + dense_stack(in_channels * side**2, 4096, 4096, 1000)


WIDE = (96, 256, 384, 384, 256)  # the paper's AlexNet
NARROW = (64, 192, 384, 256, 256)  # torchvision's, after arXiv:1404.5997
TABLE = [
    conv_params(3, 8, 5),
    POOL_PARAMS,
    conv_params(8, 16, 5),
    POOL_PARAMS,
    dense_params(400, 120),
    dense_params(120, 84),
    dense_params(84, 10),
]

FIGURES: dict[str, tuple[object, object]] = {
    "ten 3x3x3 filters": (conv_params(3, 10, 3), 280),
    "table of the notes, layer by layer": (TABLE, [608, 0, 3216, 0, 48_120, 10_164, 850]),
    "table of the notes, together": (sum(TABLE), 62_958),
    "table of the notes, sizes": (chain_sizes(32, [(5, 1, 0), (2, 2, 0)] * 2), [32, 28, 14, 10, 5]),
    "six 5x5 filters on 32x32x3, parameters": (conv_params(3, 6, 5), 456),
    "six 5x5 filters on 32x32x3, outputs": (6 * conv_size(32, 5) ** 2, 4704),
    "six 5x5 filters on 32x32x3, dense instead": (replaced_dense_params(3, 6, 32, 28), (14_450_688, 4704)),
    "first dense layer on 1000x1000x3": (dense_params(1000 * 1000 * 3, 1000, bias=False), 3_000_000_000),
    "5x5 on 300x300": (conv_params(1, 1, 5), 26),
    "5x5 on 300x300, size": (conv_size(300, 5, padding="same"), 300),
    "5x5 on 300x300, dense instead": (replaced_dense_params(1, 1, 300, 300), (8_100_000_000, 90_000)),
    "5x5 on 28x28x192 to 32, multiplications": (conv_macs(192, 32, 5, 28), 120_422_400),
    "bottleneck, 1x1": (conv_macs(192, 16, 1, 28), 2_408_448),
    "bottleneck, 5x5": (conv_macs(16, 32, 5, 28), 10_035_200),
    "bottleneck, together": (conv_macs(192, 16, 1, 28) + conv_macs(16, 32, 5, 28), 12_443_648),
    "39x39x3, sizes": (chain_sizes(39, [(3, 1, 0), (5, 2, 0), (5, 2, 0)]), [39, 37, 17, 7]),
    "39x39x3, unrolled": (40 * chain_sizes(39, [(3, 1, 0), (5, 2, 0), (5, 2, 0)])[-1] ** 2, 1960),
    "7x7 strided": (conv_size(7, 3, stride=2), 3),
    "6x6 padded to 8x8": (conv_size(6, 3, padding=1), 6),
    "AlexNet, 227 to 55": (conv_size(227, 11, stride=4), 55),
    "LeNet-5": (lenet5_params(), 61_706),
    "AlexNet in two groups": (alexnet_params(227, 0, WIDE, 2), 60_965_224),
    "AlexNet in one group": (alexnet_params(227, 0, WIDE, 1), 62_378_344),
    "AlexNet of torchvision": (alexnet_params(224, 2, NARROW, 1), 61_100_840),
    "VGG-16": (vgg_params((2, 2, 3, 3, 3)), 138_357_544),
    "VGG-19": (vgg_params((2, 2, 4, 4, 4)), 143_667_240),
    "pooling multiplies nothing": (POOL_MACS, 0),
}


@pytest.mark.parametrize("name", FIGURES)
def test_figure(name: str) -> None:
    computed, expected = FIGURES[name]
    assert computed == expected


@pytest.mark.parametrize("n", range(1, 12))
def test_receptive_field_of_n_3x3_layers_is_2n_plus_1(n: int) -> None:
    assert receptive_field([Window(3)] * n) == ReceptiveField(size=2 * n + 1, jump=1, start=0)
    assert receptive_field([Window(3, padding=1)] * n).start == -n


def test_two_3x3_layers_read_what_one_5x5_layer_reads() -> None:
    assert receptive_field([Window(3)] * 2) == receptive_field([Window(5)])


def test_an_empty_chain_leaves_each_pixel_to_itself() -> None:
    assert receptive_field([]) == ReceptiveField(size=1, jump=1, start=0)
    assert receptive_field([]).span(7) == range(7, 8)


def test_a_chain_with_same_padding_is_given_as_pairs() -> None:
    assert receptive_field([Window(3, 2, same_padding(224, 3, 2))]).start == 0
    assert receptive_field([Window(3, 2, same_padding(223, 3, 2))]).start == -1
    assert receptive_field([Window(3, padding="valid")]).start == 0


def test_windows_and_fields_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Window(3).stride = 2  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError):
        receptive_field([]).size = 2  # type: ignore[misc]


# Sizes, against torch ---------------------------------------------------------------------------------------------


def size_or_error(call: Callable[[], int]) -> int | None:
    try:
        return call()
    except SizeError:
        return None


def last_side(call: Callable[[], Tensor]) -> int | None:
    try:
        return call().shape[-1] or None  # some of torch's kernels return an empty tensor where others raise
    except RuntimeError:  # torch's word for a filter that does not fit
        return None


@quick
@given(sizes, kernel_sizes, strides, pairs, dilations)
def test_conv_size_is_conv1ds(n: int, kernel_size: int, stride: int, padding: tuple[int, int], dilation: int) -> None:
    def torchs() -> Tensor:
        image, weight = torch.ones(1, 1, n), torch.ones(1, 1, kernel_size)
        return F.conv1d(F.pad(image, padding), weight, stride=stride, dilation=dilation)

    assert size_or_error(lambda: conv_size(n, kernel_size, stride, padding, dilation)) == last_side(torchs)


@quick
@given(sizes, sizes, kernel_sizes, kernel_sizes, strides, st.integers(0, 3), dilations)
def test_conv_size_is_conv2ds_on_each_side(
    h: int, w: int, kernel_h: int, kernel_w: int, stride: int, padding: int, dilation: int
) -> None:
    expected = [
        size_or_error(lambda: conv_size(h, kernel_h, stride, padding, dilation)),
        size_or_error(lambda: conv_size(w, kernel_w, stride, padding, dilation)),
    ]
    assume(None not in expected)
    weight = torch.ones(1, 1, kernel_h, kernel_w)
    y = F.conv2d(torch.ones(1, 1, h, w), weight, stride=stride, padding=padding, dilation=dilation)
    assert list(y.shape[2:]) == expected


@given(sizes, kernel_sizes, strides, dilations)
def test_same_keeps_ceil_n_over_stride_with_the_odd_pixel_after(
    n: int, kernel_size: int, stride: int, dilation: int
) -> None:
    before, after = same_padding(n, kernel_size, stride, dilation)
    assert after - before in (0, 1)
    assert conv_size(n, kernel_size, stride, "same", dilation) == (n + stride - 1) // stride
    assert conv_size(n, kernel_size, stride, (before, after), dilation) == (n + stride - 1) // stride
    if before + after:  # and no less would do
        fewer = size_or_error(lambda: conv_size(n, kernel_size, stride, (before, after - 1), dilation))
        assert fewer != (n + stride - 1) // stride


@pytest.mark.filterwarnings(
    "ignore:Using padding='same' with even kernel lengths:UserWarning"
)  # torch copies the input
@quick
@given(sizes, kernel_sizes, dilations)
def test_same_at_stride_1_is_torchs(n: int, kernel_size: int, dilation: int) -> None:
    image = torch.arange(1.0, n + 1).reshape(1, 1, n)
    weight = torch.arange(1.0, kernel_size + 1).reshape(1, 1, kernel_size)
    padded = F.pad(image, same_padding(n, kernel_size, 1, dilation))
    assert torch.equal(
        F.conv1d(padded, weight, dilation=dilation), F.conv1d(image, weight, padding="same", dilation=dilation)
    )


@given(sizes, kernel_sizes, strides, dilations)
def test_valid_is_no_padding(n: int, kernel_size: int, stride: int, dilation: int) -> None:
    valid = size_or_error(lambda: conv_size(n, kernel_size, stride, "valid", dilation))
    assert valid == size_or_error(lambda: conv_size(n, kernel_size, stride, 0, dilation))


@settings(deadline=None, max_examples=150)
@given(sizes, kernel_sizes, st.none() | strides, st.integers(0, 2), dilations, st.booleans())
def test_pool_size_is_max_pool2ds(
    n: int, kernel_size: int, stride: int | None, padding: int, dilation: int, ceil_mode: bool
) -> None:
    def torchs() -> Tensor:
        y: Tensor = F.max_pool2d(torch.ones(1, 1, n, n), kernel_size, stride, padding, dilation, ceil_mode)
        return y

    ours = size_or_error(lambda: pool_size(n, kernel_size, stride, padding, dilation, ceil_mode=ceil_mode))
    assert ours == last_side(torchs)


@quick
@given(sizes, kernel_sizes, strides)
def test_same_pooling_fits_beside_same_convolution(n: int, kernel_size: int, stride: int) -> None:
    assert pool_size(n, kernel_size, stride, "same") == conv_size(n, 1, stride)


@settings(deadline=None, max_examples=150)
@given(st.integers(1, 8), kernel_sizes, strides, st.integers(0, 5), st.integers(0, 3), dilations)
def test_transposed_conv_size_is_conv_transpose2ds(
    n: int, kernel_size: int, stride: int, padding: int, output_padding: int, dilation: int
) -> None:
    def torchs() -> Tensor:
        image, weight = torch.ones(1, 1, n, n), torch.ones(1, 1, kernel_size, kernel_size)
        return F.conv_transpose2d(image, weight, None, stride, padding, output_padding, 1, dilation)

    ours = size_or_error(lambda: transposed_conv_size(n, kernel_size, stride, padding, output_padding, dilation))
    assert ours == last_side(torchs)


@given(sizes, kernel_sizes, strides, st.integers(0, 4), dilations)
def test_transposed_conv_size_undoes_conv_size(
    n: int, kernel_size: int, stride: int, padding: int, dilation: int
) -> None:
    outputs = size_or_error(lambda: conv_size(n, kernel_size, stride, padding, dilation))
    assume(outputs is not None)
    assert outputs is not None
    unread = (n + 2 * padding - dilation * (kernel_size - 1) - 1) % stride
    assert transposed_conv_size(outputs, kernel_size, stride, padding, unread, dilation) == n


# What is read, against gradients ----------------------------------------------------------------------------------


def pixels_read(n: int, chain: list[Window], output: int | None = None) -> list[int]:
    """The input pixels that move one output, or the sum of all, of a chain of filters of ones."""
    image = torch.ones(1, 1, n, dtype=torch.float64, requires_grad=True)
    x = image
    for window in chain:
        assert isinstance(window.padding, tuple)
        weight = torch.ones(1, 1, window.kernel_size, dtype=torch.float64)
        x = F.conv1d(F.pad(x, window.padding), weight, stride=window.stride, dilation=window.dilation)
    (gradient,) = torch.autograd.grad(x.sum() if output is None else x[0, 0, output], image)
    read: list[int] = gradient.flatten().nonzero().flatten().tolist()
    return read


@quick
@given(sizes, kernel_sizes, st.integers(1, 7), pairs, dilations)
def test_unseen_pixels_have_no_gradient(
    n: int, kernel_size: int, stride: int, padding: tuple[int, int], dilation: int
) -> None:
    assume(size_or_error(lambda: conv_size(n, kernel_size, stride, padding, dilation)) is not None)
    read = pixels_read(n, [Window(kernel_size, stride, padding, dilation)])
    unseen = unseen_pixels(n, kernel_size, stride, padding, dilation)
    assert sorted(read + unseen) == list(range(n))
    assert unseen == sorted(unseen)


@pytest.mark.parametrize(
    ("arguments", "unseen"),
    [
        pytest.param((7, 3, 2), [], id="nothing"),
        pytest.param((8, 3, 2), [7], id="the remainder"),
        pytest.param((8, 3, 2, "same"), [], id="the remainder, reached by same"),
        pytest.param((9, 2, 3), [2, 5, 8], id="gaps of a stride"),
        pytest.param((5, 2, 1, 0, 4), [1, 2, 3], id="holes of a dilation"),
        pytest.param((2, 1, 2, (3, 0)), [0], id="a stride from the padding"),
    ],
)
def test_unseen_pixels(arguments: tuple[int, ...], unseen: list[int]) -> None:
    assert unseen_pixels(*arguments) == unseen


@settings(deadline=None, max_examples=80)
@given(st.lists(windows, min_size=1, max_size=4))
def test_receptive_field_is_where_the_gradient_is(chain: list[Window]) -> None:
    field = receptive_field(chain)
    inner = -(field.start // field.jump)  # the first output that reads no padding at the start
    n = field.span(inner + 1).stop  # and the next reads none at the end
    for i in (inner, inner + 1):
        read = pixels_read(n, chain, i)
        assert (read[0], read[-1]) == (field.span(i)[0], field.span(i)[-1])
    first = pixels_read(n, chain, 0)
    assert set(first) <= set(field.span(0))


@given(st.lists(windows, max_size=3), st.lists(windows, max_size=3))
def test_receptive_fields_compose(near: list[Window], far: list[Window]) -> None:
    a, b, both = receptive_field(near), receptive_field(far), receptive_field(near + far)
    assert both.jump == a.jump * b.jump
    assert both.size == a.size + (b.size - 1) * a.jump
    assert both.start == a.span(b.start).start


# Parameters and multiplications, against torch --------------------------------------------------------------------


def count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def macs(module: nn.Module, image: Tensor) -> int:
    with FlopCounterMode(display=False) as counter:
        module(image)
    flops: int = counter.get_total_flops()
    return flops // 2


@quick
@given(channels, channels, channels, kernel_sizes, kernel_sizes, st.booleans())
def test_conv_params_are_torchs(a: int, b: int, groups: int, kernel_h: int, kernel_w: int, bias: bool) -> None:
    for layer in (nn.Conv2d, nn.ConvTranspose2d):
        module = layer(a * groups, b * groups, (kernel_h, kernel_w), groups=groups, bias=bias, device="meta")
        ours = conv_params(a * groups, b * groups, (kernel_h, kernel_w), groups=groups, bias=bias)
        assert ours == count(module)


@settings(deadline=None, max_examples=20)
@given(channels, channels, channels, kernel_sizes, kernel_sizes, strides)
def test_conv_macs_are_half_of_torchs_flops(
    a: int, b: int, groups: int, kernel_h: int, kernel_w: int, stride: int
) -> None:
    kernel, image = (kernel_h, kernel_w), torch.ones(1, a * groups, 9, 7, device="meta")
    conv = nn.Conv2d(a * groups, b * groups, kernel, stride, groups=groups, device="meta")
    output = (conv_size(9, kernel_h, stride), conv_size(7, kernel_w, stride))
    assert conv_macs(a * groups, b * groups, kernel, output, groups=groups) == macs(conv, image)
    transposed = nn.ConvTranspose2d(a * groups, b * groups, kernel, stride, groups=groups, device="meta")
    assert transposed_conv_macs(a * groups, b * groups, kernel, (9, 7), groups=groups) == macs(transposed, image)


@settings(deadline=None, max_examples=20)
@given(sizes, sizes, st.booleans())
def test_dense_counts_are_torchs(in_features: int, out_features: int, bias: bool) -> None:
    module = nn.Linear(in_features, out_features, bias=bias, device="meta")
    assert dense_params(in_features, out_features, bias=bias) == count(module)
    assert dense_macs(in_features, out_features) == macs(module, torch.ones(1, in_features, device="meta"))


@given(channels, channels, sizes, kernel_sizes)
def test_a_dense_layer_holds_at_least_the_convolution_it_replaces(a: int, b: int, n: int, kernel_size: int) -> None:
    output = conv_size(n, kernel_size, padding="same")
    weights, biases = replaced_dense_params(a, b, n, output)
    assert weights + biases == dense_params(a * n * n, b * output * output)
    one_to_one = conv_size(n, n)  # a filter as large as its input is a dense layer
    assert sum(replaced_dense_params(a, b, n, one_to_one)) == conv_params(a, b, n)


@pytest.mark.parametrize("kernel_size", [3, (3, 3)])
def test_depthwise_then_pointwise_is_cheaper(kernel_size: Side) -> None:
    depthwise = conv_macs(64, 64, kernel_size, 28, groups=64)
    pointwise = conv_macs(64, 128, 1, 28)
    assert depthwise == 9 * 64 * 28 * 28
    assert (depthwise + pointwise) * 9 * 128 == conv_macs(64, 128, kernel_size, (28, 28)) * (9 + 128)


# Errors -----------------------------------------------------------------------------------------------------------

WHOLE = "expected a whole number of at least"
PAIR = f'`padding`: {WHOLE} 0, a pair (before, after) of them, "valid" or "same"; got '


def padded(padding: Padding) -> Callable[[], object]:
    return lambda: conv_size(8, 3, padding=padding)


ERRORS: list[tuple[Callable[[], object], str]] = [
    (lambda: conv_size(0, 3), f"`n`: {WHOLE} 1; got 0. Try 1."),
    (lambda: conv_size(8, 0), f"`kernel_size`: {WHOLE} 1; got 0. Try 1."),
    (lambda: conv_size(8, 3, stride=0), f"`stride`: {WHOLE} 1; got 0. Try 1."),
    (lambda: conv_size(8, 3, dilation=0), f"`dilation`: {WHOLE} 1; got 0. Try 1."),
    (lambda: conv_size(8, 2.5), f"`kernel_size`: {WHOLE} 1; got 2.5. Try 1."),  # type: ignore[arg-type]
    (padded(-1), PAIR + "-1. Try 0."),
    (padded((1, -1)), PAIR + "(1, -1). Try 0."),
    (padded((1, 1, 1)), PAIR + "(1, 1, 1). Try 0."),  # type: ignore[arg-type]
    (padded("sane"), PAIR + "'sane'. Did you mean `same`?"),
    (
        lambda: conv_size(4, 5),
        "`kernel_size`: expected to span at most 4 pixels (n=4, padding 0 before and 0 after); "
        "got 5 (kernel_size=5, dilation=1). Try a smaller filter, or padding=1.",
    ),
    (
        lambda: unseen_pixels(3, 3, padding=(0, 1), dilation=3),
        "`kernel_size`: expected to span at most 4 pixels (n=3, padding 0 before and 1 after); "
        "got 7 (kernel_size=3, dilation=3). Try a smaller filter, or padding=2.",
    ),
    (lambda: same_padding(0, 3), f"`n`: {WHOLE} 1; got 0. Try 1."),
    (
        lambda: pool_size(8, 3, padding=2),
        "`padding`: expected at most half of kernel_size=3 in pooling; got (2, 2), before and after. Try at most 1.",
    ),
    (
        lambda: pool_size(1, 4, 2, ceil_mode=True),
        "`kernel_size`: expected to span at most 2 pixels (n=1, padding 0 before and 0 after, overhang 1); "
        "got 4 (kernel_size=4, dilation=1). Try a smaller filter, or padding=2.",
    ),
    (lambda: transposed_conv_size(4, 3, padding=-1), f"`padding`: {WHOLE} 0; got -1. Try 0."),
    (lambda: transposed_conv_size(4, 3, output_padding=-1), f"`output_padding`: {WHOLE} 0; got -1. Try 0."),
    (
        lambda: transposed_conv_size(4, 3, 2, output_padding=2),
        "`output_padding`: expected less than stride=2 or dilation=1; got 2. Try at most 1.",
    ),
    (
        lambda: transposed_conv_size(4, 3, padding=3),
        "`padding`: expected to leave some of the 6 pixels of the output; got 3, cut from both ends. Try at most 2.",
    ),
    (lambda: Window(0), f"`kernel_size`: {WHOLE} 1; got 0. Try 1."),
    (lambda: Window(3, padding=(-1, 0)), PAIR + "(-1, 0). Try 0."),
    (
        lambda: Window(3, padding="same"),
        '`padding`: expected a number or a pair (before, after) in a chain; got "same", which depends on the input '
        "size. Try same_padding(n, kernel_size, stride, dilation).",
    ),
    (lambda: conv_params(0, 8, 3), f"`in_channels`: {WHOLE} 1; got 0. Try 1."),
    (lambda: conv_params(8, 0, 3), f"`out_channels`: {WHOLE} 1; got 0. Try 1."),
    (lambda: conv_params(8, 8, (3, 0)), f"`kernel_size`: {WHOLE} 1; got 0. Try 1."),
    (
        lambda: conv_params(8, 12, 3, groups=3),
        "`groups`: expected a divisor of in_channels=8 and out_channels=12; got 3. Try one of: 1, 2, 4.",
    ),
    (lambda: conv_macs(8, 8, 3, 0), f"`output_size`: {WHOLE} 1; got 0. Try 1."),
    (lambda: transposed_conv_macs(8, 8, 3, 0), f"`input_size`: {WHOLE} 1; got 0. Try 1."),
    (lambda: dense_params(0, 8), f"`in_features`: {WHOLE} 1; got 0. Try 1."),
    (lambda: dense_macs(8, 0), f"`out_features`: {WHOLE} 1; got 0. Try 1."),
    (lambda: replaced_dense_params(0, 8, 3, 3), f"`in_channels`: {WHOLE} 1; got 0. Try 1."),
]


@pytest.mark.parametrize(("call", "message"), ERRORS, ids=[message[:60] for _, message in ERRORS])
def test_error(call: Callable[[], object], message: str) -> None:
    with pytest.raises(SizeError) as caught:
        call()
    assert str(caught.value) == message
    assert isinstance(caught.value, UsageError)


@given(sizes, st.integers(1, 30), dilations)
def test_the_padding_that_an_error_suggests_fits(n: int, kernel_size: int, dilation: int) -> None:
    try:
        conv_size(n, kernel_size, dilation=dilation)
    except SizeError as error:
        suggested = int(str(error).rpartition("padding=")[2].rstrip("."))
        assert conv_size(n, kernel_size, padding=suggested, dilation=dilation) >= 1
