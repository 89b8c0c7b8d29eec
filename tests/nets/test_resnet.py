import pytest
import torch
from torch import nn
from torch.nn.functional import relu

from striate.errors import UsageError
from striate.layers.zero_shortcut import ZeroPaddedShortcut
from striate.nets import create
from striate.nets.resnet import BasicBlock, Bottleneck, BottleneckV1, ResNet, shortcut


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


def test_the_papers_bottleneck_strides_in_its_first_convolution() -> None:
    block = BottleneckV1(256, 512, 2).eval()
    assert [conv.stride for conv in (block.conv1, block.conv2, block.conv3)] == [(2, 2), (1, 1), (1, 1)]
    x = torch.randn(1, 256, 8, 8)
    seen = torch.zeros_like(x)
    seen[..., ::2, ::2] = x[..., ::2, ::2]
    torch.testing.assert_close(block(seen), block(x))


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


@pytest.mark.parametrize(
    ("option", "same", "other"), [("A", nn.Identity, ZeroPaddedShortcut), ("C", nn.Sequential, nn.Sequential)]
)
def test_the_other_shortcuts(option: str, same: type[nn.Module], other: type[nn.Module]) -> None:
    assert isinstance(shortcut(64, 64, 1, option), same)
    assert isinstance(shortcut(64, 128, 2, option), other)


@pytest.mark.parametrize(
    ("name", "option", "parameters"),
    [
        ("resnet18", "A", 11_515_688),  # plain18's
        ("resnet18", "B", 11_689_512),
        ("resnet34", "A", 21_623_848),
        # 3, 3, 5 and 2 more projections of 64, 128, 256 and 512 channels, each with two numbers a channel
        ("resnet34", "C", 21_797_672 + 3 * 4_224 + 3 * 16_640 + 5 * 66_048 + 2 * 263_168),
        ("resnet50", "A", 25_557_032 - (16_896 + 132_096 + 526_336 + 2_101_248)),
    ],
)
def test_parameters_by_shortcut(name: str, option: str, parameters: int) -> None:
    with torch.device("meta"):
        net = create(name, shortcut=option).eval()
        assert net(torch.empty(1, 3, 65, 65)).shape == (1, 1000)
    assert sum(parameter.numel() for parameter in net.parameters()) == parameters


def test_an_unknown_shortcut_names_the_options() -> None:
    with pytest.raises(UsageError) as caught:
        create("resnet18", shortcut="D")
    assert str(caught.value) == (
        "`shortcut`: expected A, B or C; got 'D'. Try one of: A, zero padding where shapes differ, no parameters; "
        "B, a 1x1 projection where shapes differ; C, a 1x1 projection everywhere."
    )
