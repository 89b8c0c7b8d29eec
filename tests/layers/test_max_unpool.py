import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import max_pool2d, max_unpool2d

from striate.layers.max_unpool import max_pool_positions, max_unpool

quick = settings(deadline=None, max_examples=40)
sides = st.integers(3, 11)
kernel_sizes = st.integers(1, 3)


@quick
@given(sides, sides, kernel_sizes)
def test_agrees_with_torch(height: int, width: int, kernel_size: int) -> None:
    x = torch.randn(2, 3, height, width)
    pooled, positions = max_pool_positions(x, kernel_size)
    assert torch.equal(pooled, max_pool2d(x, kernel_size))
    expected = max_unpool2d(pooled, positions, (kernel_size, kernel_size), output_size=(height, width))
    assert torch.equal(max_unpool(pooled, positions, (height, width)), expected)


@quick
@given(sides, sides, kernel_sizes)
def test_maxima_stay_in_place_and_all_else_is_zero(height: int, width: int, kernel_size: int) -> None:
    x = torch.rand(2, 3, height, width) + 1
    pooled, positions = max_pool_positions(x, kernel_size)
    back = max_unpool(pooled, positions, (height, width))
    kept = back != 0
    assert torch.equal(back[kept], x[kept])
    assert kept.sum() == pooled.numel()
    assert torch.equal(max_pool2d(back, kernel_size), pooled)


def test_gradient_flows_to_the_maxima_alone() -> None:
    x = torch.tensor([[[[1.0, 4.0], [3.0, 2.0]]]], requires_grad=True)
    back = max_unpool(*max_pool_positions(x), (2, 2))
    assert back.tolist() == [[[[0, 4], [0, 0]]]]
    torch.autograd.backward(back.sum())
    assert x.grad is not None
    assert x.grad.tolist() == [[[[0, 1], [0, 0]]]]


def test_other_values_take_the_remembered_places() -> None:
    _, positions = max_pool_positions(torch.tensor([[[[1.0, 4.0, 0.0], [3.0, 2.0, 9.0], [5.0, 6.0, 7.0]]]]))
    assert max_unpool(torch.tensor([[[[8.0]]]]), positions, (3, 3)).tolist() == [[[[0, 8, 0], [0, 0, 0], [0, 0, 0]]]]
