import doctest

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.signal import convolve2d, correlate2d
from torch import Tensor, nn

from striate.errors import SizeError, UsageError
from striate.layers import convolution
from striate.layers.convolution import convolve, cross_correlate

quick = settings(deadline=None, max_examples=50)  # torch's first call of a kind is slow
# Small whole numbers: sums of products are exact in float64, in any order.
grids = arrays.arrays(np.int64, st.tuples(st.integers(1, 6), st.integers(1, 6)), elements=st.integers(-9, 9)).map(
    lambda grid: torch.from_numpy(grid).double()
)
# The notes' filter and the same turned by 180 degrees.
NOTES = torch.tensor([[3.0, 4, 5], [1, 0, 2], [-1, 9, 7]])
TURNED = torch.tensor([[7.0, 9, -1], [2, 0, 1], [5, 4, 3]])


def test_doctests_run() -> None:
    result = doctest.testmod(convolution)
    assert result.attempted == 4
    assert result.failed == 0


@quick
@given(grids, grids)
def test_agrees_with_scipy(a: Tensor, b: Tensor) -> None:
    assert torch.equal(convolve(a, b), torch.from_numpy(convolve2d(a.numpy(), b.numpy())))
    assert torch.equal(cross_correlate(a, b), torch.from_numpy(correlate2d(a.numpy(), b.numpy())))


@quick
@given(grids, grids)
def test_convolution_is_commutative(a: Tensor, b: Tensor) -> None:
    assert torch.equal(convolve(a, b), convolve(b, a))


@quick
@given(grids, grids, grids)
def test_convolution_is_associative(a: Tensor, b: Tensor, c: Tensor) -> None:
    assert torch.equal(convolve(convolve(a, b), c), convolve(a, convolve(b, c)))


@quick
@given(grids, grids, grids)
def test_two_correlations_in_turn_are_one_with_the_convolved_filters(a: Tensor, b: Tensor, c: Tensor) -> None:
    assert torch.equal(cross_correlate(cross_correlate(a, b), c), cross_correlate(a, convolve(b, c)))


@quick
@given(grids, grids)
def test_correlation_in_the_other_order_is_turned(a: Tensor, b: Tensor) -> None:
    assert torch.equal(cross_correlate(a, b), cross_correlate(b, a).flip(0, 1))


def test_correlation_is_neither_commutative_nor_associative() -> None:
    a, b, c = torch.tensor([[1.0, 2.0]]), torch.tensor([[1.0, 3.0]]), torch.tensor([[1.0, 4.0]])
    assert cross_correlate(a, b).tolist() == [[3, 7, 2]]
    assert cross_correlate(b, a).tolist() == [[2, 7, 3]]
    assert cross_correlate(cross_correlate(a, b), c).tolist() == [[12, 31, 15, 2]]
    assert cross_correlate(a, cross_correlate(b, c)).tolist() == [[3, 19, 30, 8]]


@quick
@given(grids, grids)
def test_the_two_differ_by_a_turned_filter_and_valid_is_the_inside_of_full(a: Tensor, b: Tensor) -> None:
    assert torch.equal(convolve(a, b), cross_correlate(a, b.flip(0, 1)))
    (height, width), (h, w) = a.shape, b.shape
    if h <= height and w <= width:
        for operator in (convolve, cross_correlate):
            assert torch.equal(operator(a, b, "valid"), operator(a, b)[h - 1 : height, w - 1 : width])


def test_the_filter_of_the_notes() -> None:
    image = torch.randn(6, 6, dtype=torch.float64)
    notes, turned = NOTES.double(), TURNED.double()
    torch.testing.assert_close(convolve(image, notes, "valid"), cross_correlate(image, turned, "valid"))
    assert convolve(image, notes, "valid").shape == (4, 4)


def test_a_convolutional_layer_correlates() -> None:
    layer = nn.Conv2d(1, 1, 3, bias=False)
    image = torch.randn(6, 6)
    actual = cross_correlate(image, layer.weight[0, 0], "valid")
    torch.testing.assert_close(actual, layer(image[None, None])[0, 0])


@pytest.mark.parametrize("operator", [convolve, cross_correlate])
def test_errors_say_what_to_try(operator: object) -> None:
    assert callable(operator)
    small, large = torch.ones(2, 3), torch.ones(3, 3)
    with pytest.raises(
        SizeError, match=r"^`kernel`: expected at most \[2, 3\], .*; got \[3, 3\]\. Try mode=\"full\"\.$"
    ):
        operator(small, large, "valid")
    with pytest.raises(SizeError, match=r"^`image`: expected the shape \(H, W\); got \[1, 2, 3\]\. Try one channel"):
        operator(small[None], large)
    with pytest.raises(SizeError, match=r"^`kernel`: expected the shape \(H, W\); got \[3\]\. Try one channel"):
        operator(small, large[0])
    with pytest.raises(UsageError, match=r"^`mode`: expected full or valid; got 'fill'\. Did you mean `full`\?$"):
        operator(large, small, "fill")
