import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.functional import conv2d, pad

from striate.errors import UsageError
from striate.layers.same_padding import SameConv2d, padded_conv


@settings(deadline=None, max_examples=60)
@given(
    height=st.integers(1, 12),
    width=st.integers(1, 12),
    kernel_size=st.integers(1, 5),
    stride=st.integers(1, 4),
    dilation=st.integers(1, 3),
)
def test_gives_one_output_for_each_stride_begun(
    height: int, width: int, kernel_size: int, stride: int, dilation: int
) -> None:
    layer = SameConv2d(1, 2, kernel_size, stride, dilation=dilation)
    expected = (1, 2, -(-height // stride), -(-width // stride))
    assert layer(torch.zeros(1, 1, height, width)).shape == expected


# PyTorch's own copy of the input in the expected value, which is what is compared with
@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths and odd dilation:UserWarning")
@settings(deadline=None, max_examples=40)
@given(height=st.integers(1, 9), width=st.integers(1, 9), kernel_size=st.integers(1, 5), dilation=st.integers(1, 2))
def test_agrees_with_pytorch_at_stride_1(height: int, width: int, kernel_size: int, dilation: int) -> None:
    x = torch.randn(2, 4, height, width, dtype=torch.float64)
    layer = SameConv2d(4, 6, kernel_size, dilation=dilation, groups=2).double()
    expected = conv2d(x, layer.weight, layer.bias, padding="same", dilation=dilation, groups=2)
    torch.testing.assert_close(layer(x), expected)


@pytest.mark.parametrize(
    ("height", "width", "border"),  # left, right, top, bottom
    [(6, 8, (0, 1, 0, 1)), (6, 7, (1, 1, 0, 1)), (7, 6, (0, 1, 1, 1)), (5, 7, (1, 1, 1, 1))],
)
def test_pads_an_even_input_at_the_bottom_and_right_only(
    height: int, width: int, border: tuple[int, int, int, int]
) -> None:
    layer = SameConv2d(3, 5, 3, stride=2).double()
    x = torch.randn(2, 3, height, width, dtype=torch.float64)
    padded = nn.ZeroPad2d(border)(x)
    torch.testing.assert_close(layer(x), conv2d(padded, layer.weight, layer.bias, stride=2))


def test_differs_from_even_padding_where_the_input_is_even() -> None:
    layer = SameConv2d(1, 1, 3, stride=2, bias=False)
    even, odd = torch.randn(1, 1, 8, 8), torch.randn(1, 1, 7, 7)
    torch.testing.assert_close(layer(odd), conv2d(odd, layer.weight, stride=2, padding=1))
    assert not torch.allclose(layer(even), conv2d(even, layer.weight, stride=2, padding=1))


def test_a_filter_narrower_than_its_stride_pads_nothing() -> None:
    layer = SameConv2d(1, 1, 1, stride=2, bias=False)
    x = torch.randn(1, 1, 6, 6)
    torch.testing.assert_close(layer(x), x[:, :, ::2, ::2] * layer.weight)


@pytest.mark.parametrize(("padding", "before"), [("same", 0), ("symmetric", 1)])
def test_an_even_input_at_stride_2_by_either_padding(padding: str, before: int) -> None:
    layer, x = padded_conv(2, 4, 3, stride=2, padding=padding, groups=2), torch.randn(1, 2, 8, 8)
    expected = conv2d(pad(x, (before, 1, before, 1)), layer.weight, stride=2, groups=2)
    torch.testing.assert_close(layer(x), expected[:, :, :4, :4])
    assert layer.bias is None


def test_another_padding_is_refused() -> None:
    with pytest.raises(UsageError, match="expected one of same, symmetric; got `sames`"):
        padded_conv(2, 4, 3, padding="sames")
