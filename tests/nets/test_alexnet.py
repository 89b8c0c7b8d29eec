import pytest
import torch
from torch import nn
from torch.nn.functional import max_pool2d, relu

from striate.errors import SizeError
from striate.layers.lrn import local_response_norm
from striate.nets.alexnet import AlexNet, AlexNetPaper


def on_meta(groups: int) -> AlexNetPaper:
    with torch.device("meta"):
        return AlexNetPaper(groups)


def test_two_groups_halve_the_filters_of_three_layers() -> None:
    grouped, joined = (
        {name: parameter.numel() for name, parameter in on_meta(groups).named_parameters()} for groups in (2, 1)
    )
    assert {name for name in joined if joined[name] == 2 * grouped[name]} == {
        "conv2.weight",
        "conv4.weight",
        "conv5.weight",
    }
    assert sum(joined.values()) - sum(grouped.values()) == 62_378_344 - 60_965_224


def test_the_towers_meet_in_the_third_convolution() -> None:
    torch.manual_seed(0)
    net = AlexNetPaper(2, num_classes=2)
    x = torch.randn(1, 96, 8, 8)
    other = x.clone()
    other[:, 48:] = 0.0  # the second tower's half
    changed = (net.conv2(x) != net.conv2(other)).flatten(2).any(dim=2).squeeze(0)
    assert changed.tolist() == [False] * 128 + [True] * 128
    y, other = net.conv2(x), net.conv2(other)
    assert (net.conv3(y) != net.conv3(other)).flatten(2).any(dim=2).all()


def test_normalisation_comes_before_pooling_and_windows_overlap() -> None:
    torch.manual_seed(0)
    net = AlexNetPaper(2, num_classes=2)
    c1, c2, c5, pooled = net.features(torch.randn(1, 3, 227, 227))
    torch.testing.assert_close(c2, relu(net.conv2(max_pool2d(local_response_norm(c1), 3, stride=2))))
    torch.testing.assert_close(pooled, max_pool2d(c5, 3, stride=2))


def test_initial_values_of_the_paper() -> None:
    torch.manual_seed(0)
    net = AlexNetPaper(2, num_classes=10)
    for name in ("conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7", "fc8"):
        layer = net.get_submodule(name)
        assert isinstance(layer, nn.Conv2d | nn.Linear)
        assert layer.weight.std().item() == pytest.approx(0.01, rel=0.02)
        assert layer.bias is not None
        assert set(layer.bias.tolist()) == {0.0 if name in ("conv1", "conv3", "fc8") else 1.0}


def test_dropout_acts_while_training_only() -> None:
    net = AlexNetPaper(2, num_classes=3)
    images = torch.randn(1, 3, 227, 227)
    with torch.inference_mode():
        assert not torch.equal(net(images), net(images))
        net.eval()
        assert torch.equal(net(images), net(images))


def test_another_image_size_is_refused() -> None:
    with pytest.raises(SizeError) as caught:
        on_meta(2)(torch.zeros(2, 3, 224, 224, device="meta"))
    assert str(caught.value) == (
        "`images`: expected H and W of 227; got the shape [2, 3, 224, 224]. "
        "Try resizing them to 227 x 227, or `alexnet`, which takes any size from 63."
    )


def test_63_is_the_smallest_size_of_torchvisions_form() -> None:
    with torch.device("meta"):
        net = AlexNet(num_classes=2)
    assert net(torch.zeros(1, 3, 63, 63, device="meta")).shape == (1, 2)
    with pytest.raises(RuntimeError, match="too small"):
        net(torch.zeros(1, 3, 62, 63, device="meta"))


def test_the_maps_are_what_each_pooling_is_fed() -> None:
    net = AlexNet(num_classes=2).eval()
    maps = net.features(torch.randn(1, 3, 64, 64))
    torch.testing.assert_close(maps[-1], max_pool2d(maps[-2], 3, stride=2))
    torch.testing.assert_close(maps[1], relu(net.features[3](max_pool2d(maps[0], 3, stride=2))))
