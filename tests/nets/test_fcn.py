import pytest
import torch
from torch import nn
from torch.nn.functional import conv2d, interpolate

from striate.nets import create
from striate.nets.fcn import FCN, Upsampling


@pytest.mark.parametrize("factor", [2, 4, 8, 16, 32])
def test_upsampling_starts_as_bilinear_interpolation(factor: int) -> None:
    x = torch.randn(2, 3, 5, 6)
    expected = interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)
    actual = Upsampling(3, factor)(x)
    assert actual.shape == expected.shape
    inside = slice(factor // 2, -(factor // 2))  # at the border interpolation repeats pixels, and this sees none
    torch.testing.assert_close(actual[:, :, inside, inside], expected[:, :, inside, inside])
    assert not torch.allclose(actual, expected)


def test_upsampling_keeps_the_classes_apart_and_is_learned() -> None:
    layer = Upsampling(3, 2)
    x = torch.zeros(1, 3, 4, 4)
    x[0, 1] = 1
    y = layer(x)
    assert not y[0, [0, 2]].any()
    assert y[0, 1].any()
    assert layer.weight.requires_grad


@pytest.mark.parametrize(("name", "stride"), [("fcn32s", 32), ("fcn16s", 16), ("fcn8s", 8)])
def test_the_name_is_the_stride_of_the_last_upsampling(name: str, stride: int) -> None:
    with torch.device("meta"):
        net = create(name)
    assert isinstance(net, FCN)
    assert net.upsample.stride == (stride, stride)
    assert len(net.doublings) == len(net.skip_scores) == {32: 0, 16: 1, 8: 2}[stride]


def test_parameters_are_the_papers_134_million() -> None:
    with torch.device("meta"):
        net = create("fcn32s")
    assert round(sum(p.numel() for p in net.parameters()) / 1e6) == 134  # table 1
    assert sum(isinstance(m, nn.Conv2d) for m in net.modules()) == 16  # VGG-16's layers with weights


def test_the_wide_layers_hold_vggs_linear_ones() -> None:
    with torch.device("meta"):
        net = FCN(0)
    assert net.fc6.weight.numel() == 4096 * 512 * 7 * 7
    assert net.fc7.weight.numel() == 4096 * 4096


def without_the_body(skips: int) -> FCN:
    """An FCN whose scores come from its poolings alone: its wide layers are narrow and give zeros."""
    with torch.device("meta"):
        net = FCN(skips, num_classes=2)
    net.fc6, net.fc7 = nn.Conv2d(512, 4, 7, padding=3, device="meta"), nn.Conv2d(4, 4, 1, device="meta")
    net.score = nn.Conv2d(4, 2, 1, device="meta")
    torch.manual_seed(0)
    net.to_empty(device="cpu")
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
            nn.init.zeros_(module.bias if module.bias is not None else torch.empty(0))
    for layer in (*net.doublings, net.upsample):
        fresh = Upsampling(2, layer.stride[0])
        layer.load_state_dict(fresh.state_dict())
    return net.eval()


@torch.no_grad()
def test_fcn8s_adds_scores_of_two_poolings_at_their_places() -> None:
    net = without_the_body(2)
    images = torch.randn(1, 3, 70, 90)
    maps = net.features(images)
    assert [tuple(x.shape[2:]) for x in maps] == [(35, 45), (18, 23), (9, 12), (5, 6), (3, 3)]
    assert net(images).shape == (1, 2, 70, 90)

    nn.init.zeros_(net.score.weight)
    third = net.get_parameter("skip_scores.1.weight")
    nn.init.zeros_(net.get_parameter("skip_scores.0.weight"))
    expected = interpolate(conv2d(maps[2], third), scale_factor=8, mode="bilinear")[:, :, :70, :90]
    torch.testing.assert_close(net(images)[:, :, 4:-6, 4:-6], expected[:, :, 4:-6, 4:-6], rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_dropout_follows_both_wide_layers_while_training_only() -> None:
    net = without_the_body(0)
    images = torch.randn(1, 3, 64, 64)
    assert torch.equal(net(images), net(images))
    net.train()
    assert not torch.equal(net(images), net(images))
