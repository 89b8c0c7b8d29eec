from typing import Any

import pytest
import torch
from torch import nn

from striate.errors import UsageError
from striate.nets import create
from striate.nets.mobilenet_v2 import InvertedResidual, MobileNetV2, scaled


@pytest.mark.parametrize(
    ("in_channels", "out_channels", "stride", "residual"), [(8, 8, 1, True), (8, 8, 2, False), (8, 12, 1, False)]
)
def test_the_identity_stands_beside_where_shapes_agree(
    in_channels: int, out_channels: int, stride: int, residual: bool
) -> None:
    block = InvertedResidual(in_channels, out_channels, stride, 6, "symmetric").eval()
    last = block.conv[-1]
    assert isinstance(last, nn.BatchNorm2d)
    nn.init.zeros_(last.weight)
    x = torch.randn(2, in_channels, 6, 6)
    expected = x if residual else torch.zeros(2, out_channels, 6 // stride, 6 // stride)
    torch.testing.assert_close(block(x), expected)


def test_the_bottleneck_is_linear_and_the_rest_is_cut_at_6() -> None:
    torch.manual_seed(0)
    block, x = InvertedResidual(8, 12, 1, 6, "symmetric"), 20 * torch.randn(2, 8, 6, 6)
    assert block(x).min() < 0
    wide = block.conv[1](block.conv[0](x))
    assert wide.shape == (2, 48, 6, 6)
    assert wide.min() == 0
    assert 2 < wide.max() <= 6


def test_the_first_block_does_not_expand() -> None:
    block = InvertedResidual(32, 16, 1, 1, "symmetric")
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


def test_paddings_differ_on_even_images_alone_and_share_their_parameters() -> None:
    torch.manual_seed(0)
    symmetric: Any
    same: Any
    symmetric, same = create("mobilenet_v2").eval(), create("mobilenet_v2_tf_100").eval()
    symmetric.load_state_dict(same.state_dict())
    odd, even = torch.randn(1, 3, 33, 33), torch.randn(1, 3, 32, 32)
    torch.testing.assert_close(same.features(odd), symmetric.features(odd))
    for ours, theirs in zip(same.features(even), symmetric.features(even), strict=True):
        assert torch.linalg.vector_norm(ours - theirs) > 0.01 * torch.linalg.vector_norm(theirs)


@pytest.mark.parametrize(
    ("channels", "width", "expected"), [(32, 0.35, 16), (16, 0.35, 8), (96, 0.75, 72), (24, 1.3, 32), (1280, 1.4, 1792)]
)
def test_channels_are_multiples_of_8_and_no_less_than_nine_tenths(channels: int, width: float, expected: int) -> None:
    assert scaled(channels, width) == expected


@pytest.mark.parametrize(
    ("argument", "value", "sentence"),
    [
        ("width", 0.0, "`width`: expected a number above 0; got 0.0. Try 0.35, 0.5, 0.75, 1.0, 1.3 or 1.4."),
        ("padding", "sames", "`padding`: expected one of same, symmetric; got `sames`. Did you mean `same`?"),
    ],
)
def test_an_argument_out_of_range_is_refused(argument: str, value: Any, sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        MobileNetV2(**{argument: value})
    assert str(caught.value) == sentence
