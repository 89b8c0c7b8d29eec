import pytest
import torch
from torch import nn
from torch.nn.functional import relu

from striate.nets.resnet import BasicBlock, Bottleneck, ResNet, shortcut


@pytest.mark.parametrize("block", [BasicBlock, Bottleneck])
def test_a_block_whose_last_norm_is_zero_passes_its_shortcut(block: type[BasicBlock] | type[Bottleneck]) -> None:
    x = torch.randn(2, 64, 8, 8)
    same, halved = block(64, 64, 1).eval(), block(64, 128, 2).eval()
    for module in (same, halved):
        last = module.bn3 if isinstance(module, Bottleneck) else module.bn2
        nn.init.zeros_(last.weight)
    torch.testing.assert_close(same(x), relu(x))
    torch.testing.assert_close(halved(x), relu(halved.downsample(x)))
    assert halved(x).shape == (2, 128, 4, 4)


def test_the_shortcut_is_the_identity_only_where_shapes_agree() -> None:
    assert isinstance(shortcut(64, 64, 1), nn.Identity)
    assert isinstance(shortcut(64, 128, 1), nn.Sequential)
    assert isinstance(shortcut(64, 64, 2), nn.Sequential)


def test_a_bottleneck_strides_in_its_3x3_convolution() -> None:
    block = Bottleneck(256, 512, 2)
    assert [conv.stride for conv in (block.conv1, block.conv2, block.conv3)] == [(1, 1), (2, 2), (1, 1)]


def test_initial_values() -> None:
    net = ResNet(BasicBlock, 512, (1, 1, 1, 1))
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            fan_out = module.out_channels * module.kernel_size[0] * module.kernel_size[1]
            assert module.weight.std().item() == pytest.approx((2 / fan_out) ** 0.5, rel=0.05)
            assert module.bias is None
        if isinstance(module, nn.BatchNorm2d):
            assert (module.weight == 1).all()
            assert (module.bias == 0).all()


def test_depths_are_one_a_stage() -> None:
    with pytest.raises(ValueError, match=r"^`depths`: expected 4, one a stage; got 3: \(2, 2, 2\)$"):
        ResNet(BasicBlock, 512, (2, 2, 2))
