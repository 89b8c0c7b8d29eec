import pytest
import torch
from torch import nn
from torch.nn.functional import avg_pool2d, linear, max_pool2d

from striate.nets.nin import VARIANTS, NiN, NiNCifar, mlpconv


def test_mlpconv_is_one_perceptron_at_each_place() -> None:
    torch.manual_seed(0)
    layer = mlpconv(3, (8, 6, 4), 5, stride=2, padding=2).double()
    x = torch.randn(2, 3, 9, 9, dtype=torch.float64)
    y = torch.nn.functional.pad(x, (2, 2, 2, 2)).unfold(2, 5, 2).unfold(3, 5, 2)  # (N, 3, 5, 5, 5, 5)
    y = y.permute(0, 2, 3, 1, 4, 5).flatten(3)  # (N, 5, 5, 75), one window a place
    for conv in layer:
        if isinstance(conv, nn.Conv2d):
            y = torch.relu(linear(y, conv.weight.flatten(1), conv.bias))
    torch.testing.assert_close(layer(x), y.permute(0, 3, 1, 2))


@pytest.mark.parametrize("name", sorted(VARIANTS))
def test_no_layer_is_dense(name: str) -> None:
    with torch.device("meta"):
        net = VARIANTS[name]()
    assert not any(isinstance(module, nn.Linear) for module in net.modules())
    assert {type(module) for module in net.modules() if not list(module.children())} == {nn.Conv2d, nn.ReLU}


def test_sizes_for_imagenet() -> None:
    with torch.device("meta"):
        maps = NiN().features(torch.zeros(1, 3, 224, 224, device="meta"))
    assert [tuple(x.shape[1:]) for x in maps] == [(96, 54, 54), (256, 27, 27), (384, 13, 13), (1024, 6, 6)]


def test_smallest_size() -> None:
    with torch.device("meta"):
        net = NiN()
    assert net(torch.zeros(1, 3, 39, 39, device="meta")).shape == (1, 1000)
    with pytest.raises(RuntimeError, match="too small"):
        net(torch.zeros(1, 3, 38, 39, device="meta"))


def test_the_logits_are_the_means_of_rectified_class_maps() -> None:
    torch.manual_seed(0)
    net, images = NiN(num_classes=5).eval(), torch.randn(2, 3, 80, 80)
    maps, logits = net.features(images), net(images)
    torch.testing.assert_close(maps[3], net.mlpconv4(max_pool2d(maps[2], 3, stride=2, ceil_mode=True)))
    torch.testing.assert_close(logits, torch.relu(net.classifier(maps[3])).mean(dim=(2, 3)))


def test_cifar_pools_by_the_maximum_and_then_by_the_mean() -> None:
    torch.manual_seed(0)
    net, images = NiNCifar().eval(), torch.randn(2, 3, 32, 32)
    c1, c2, c3 = net.features(images)
    torch.testing.assert_close(c2, net.mlpconv2(max_pool2d(c1, 3, stride=2, ceil_mode=True)))
    torch.testing.assert_close(c3, net.mlpconv3(avg_pool2d(c2, 3, stride=2, ceil_mode=True)))
    torch.testing.assert_close(net(images), torch.relu(net.classifier(c3)).mean(dim=(2, 3)))


@pytest.mark.parametrize("variant", [NiN, NiNCifar])
def test_dropout_acts_while_training_only(variant: type[NiN] | type[NiNCifar]) -> None:
    torch.manual_seed(0)
    net, images = variant(), torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        assert not torch.equal(net(images), net(images))
        net.eval()
        assert torch.equal(net(images), net(images))


def test_initial_values() -> None:
    torch.manual_seed(0)
    for module in NiNCifar(num_classes=100).modules():
        if isinstance(module, nn.Conv2d):
            assert module.weight.std().item() == pytest.approx((2 / module.weight[0].numel()) ** 0.5, rel=0.05)
            assert module.bias is not None
            assert module.bias.count_nonzero() == 0
