import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from striate.errors import SizeError
from striate.layers.lrn import local_response_norm


@settings(deadline=None, max_examples=40)
@given(
    size=st.integers(1, 7),
    channels=st.integers(1, 9),
    alpha=st.floats(1e-3, 1.0),
    beta=st.floats(0.25, 1.5),
    k=st.floats(0.5, 3.0),
)
def test_agrees_with_pytorch_whose_alpha_is_size_times_ours(
    size: int, channels: int, alpha: float, beta: float, k: float
) -> None:
    x = torch.randn(2, channels, 3, 4, dtype=torch.float64)
    theirs = nn.LocalResponseNorm(size, alpha * size, beta, k)
    torch.testing.assert_close(local_response_norm(x, size, alpha, beta, k), theirs(x))


@pytest.mark.parametrize("shape", [(2, 6), (2, 6, 5), (2, 6, 2, 3, 4)])
def test_any_number_of_dimensions(shape: tuple[int, ...]) -> None:
    x = torch.randn(shape, dtype=torch.float64)
    flat = x.reshape(2, 6, -1, 1)
    torch.testing.assert_close(
        local_response_norm(x, alpha=0.1).reshape(flat.shape), local_response_norm(flat, alpha=0.1)
    )


def test_the_paper_sums_over_five_channels_at_one_place() -> None:
    x = torch.zeros(1, 9, 1, 2)
    x[0, 4, 0, 0] = 3.0
    x[0, 6, 0, 0] = 2.0  # two channels away: inside the window of 5
    x[0, 7, 0, 0] = 9.0  # three away: outside
    x[0, 4, 0, 1] = 7.0  # another place
    y = local_response_norm(x)
    assert y[0, 4, 0, 0].item() == pytest.approx(3.0 / (2 + 1e-4 * (9 + 4)) ** 0.75)
    assert y[0, 4, 0, 1].item() == pytest.approx(7.0 / (2 + 1e-4 * 49) ** 0.75)


def test_gradient() -> None:
    x = torch.randn(1, 6, 2, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: local_response_norm(x, alpha=0.5), (x,))


def test_a_window_of_no_channel_is_refused() -> None:
    with pytest.raises(SizeError) as caught:
        local_response_norm(torch.zeros(1, 2, 1, 1), size=0)
    assert str(caught.value) == "`size`: expected at least 1 channel; got 0. Try 5, the paper's."
