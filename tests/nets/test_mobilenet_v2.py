from typing import Any

import pytest
import torch
from torch import nn

from striate.nets import create
from striate.nets.mobilenet_v2 import InvertedResidual


@pytest.mark.parametrize(
    ("in_channels", "out_channels", "stride", "residual"), [(8, 8, 1, True), (8, 8, 2, False), (8, 12, 1, False)]
)
def test_the_identity_stands_beside_where_shapes_agree(
    in_channels: int, out_channels: int, stride: int, residual: bool
) -> None:
    block = InvertedResidual(in_channels, out_channels, stride, 6).eval()
    last = block.conv[-1]
    assert isinstance(last, nn.BatchNorm2d)
    nn.init.zeros_(last.weight)
    x = torch.randn(2, in_channels, 6, 6)
    expected = x if residual else torch.zeros(2, out_channels, 6 // stride, 6 // stride)
    torch.testing.assert_close(block(x), expected)


def test_the_bottleneck_is_linear_and_the_rest_is_cut_at_6() -> None:
    torch.manual_seed(0)
    block, x = InvertedResidual(8, 12, 1, 6), 20 * torch.randn(2, 8, 6, 6)
    assert block(x).min() < 0
    wide = block.conv[1](block.conv[0](x))
    assert wide.shape == (2, 48, 6, 6)
    assert wide.min() == 0
    assert 2 < wide.max() <= 6


def test_the_first_block_does_not_expand() -> None:
    block = InvertedResidual(32, 16, 1, 1)
    assert [module.weight.shape[:2] for module in block.modules() if isinstance(module, nn.Conv2d)] == [
        (32, 1),
        (16, 32),
    ]


def test_initial_values() -> None:
    torch.manual_seed(0)
    net: Any = create("mobilenet_v2")
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            fan_out = module.out_channels * module.kernel_size[0] ** 2
            assert module.weight.std().item() == pytest.approx((2 / fan_out) ** 0.5, rel=0.2)
    assert net.classifier[1].weight.std().item() == pytest.approx(0.01, rel=0.01)
    assert net.classifier[1].bias.count_nonzero() == 0
