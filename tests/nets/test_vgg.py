import pytest
import torch
from torch import nn
from torch.nn.functional import max_pool2d

from striate.nets.vgg import VARIANTS, VGG


@pytest.mark.parametrize("name", sorted(VARIANTS))
def test_the_name_counts_the_layers_with_weights(name: str) -> None:
    with torch.device("meta"):
        net = VARIANTS[name]()
    counted = [module for module in net.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    assert f"vgg{len(counted)}" == name.removesuffix("_bn")
    assert any(isinstance(module, nn.BatchNorm2d) for module in net.modules()) == name.endswith("_bn")


def test_each_stage_is_a_layer_with_parameters() -> None:
    with torch.device("meta"):
        plain, norm = VGG((1, 1, 1, 1, 1), False), VGG((1, 1, 1, 1, 1), True)
    convs = tuple(f"features.{i}" for i in (0, 3, 6, 9, 12))
    assert plain.stages == (*convs, "classifier.0", "classifier.3")
    assert norm.stages[:4] == ("features.0", "features.1", "features.4", "features.5")
    assert isinstance(norm.get_submodule(norm.explained_layer), nn.ReLU)


def test_five_of_the_maps_are_what_each_pooling_is_fed() -> None:
    torch.manual_seed(0)
    net = VGG((1, 1, 1, 1, 1), True, num_classes=2).eval()
    maps = net.features(torch.randn(2, 3, 32, 32))
    x = max_pool2d(maps[2], 2)
    for i in (12, 13, 14):
        x = net.features[i](x)
    torch.testing.assert_close(x, maps[3])
    torch.testing.assert_close(max_pool2d(maps[4], 2), maps[5])
    assert all(x.min() == 0 for x in maps)


def test_initial_values() -> None:
    torch.manual_seed(0)
    net = VGG((1, 1, 1, 1, 1), True, num_classes=100)
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            assert module.weight.std().item() == pytest.approx((2 / (9 * module.out_channels)) ** 0.5, rel=0.05)
        if isinstance(module, nn.Linear):
            assert module.weight.std().item() == pytest.approx(0.01, rel=0.01)
        if isinstance(module, nn.BatchNorm2d):
            assert (module.weight == 1).all()
        if isinstance(module, nn.Conv2d | nn.Linear | nn.BatchNorm2d):
            assert module.bias is not None
            assert module.bias.count_nonzero() == 0


def test_depths_are_five() -> None:
    with pytest.raises(ValueError, match="argument 2 is longer than argument 1"):
        VGG((1, 1, 1, 1), False)
