from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.functional import max_pool2d

from striate.nets import create
from striate.nets.squeezenet import Fire


def test_a_fire_module_squeezes_before_it_expands() -> None:
    torch.manual_seed(0)
    fire, x = Fire(96, 16, 128), torch.randn(2, 96, 5, 5)
    squeezed = torch.relu(fire.squeeze(x))
    y = fire(x)
    torch.testing.assert_close(y[:, :64], torch.relu(fire.expand1x1(squeezed)))
    torch.testing.assert_close(y[:, 64:], torch.relu(fire.expand3x3(squeezed)))
    direct = nn.Conv2d(96, 128, 3)
    assert 11_920 == sum(p.numel() for p in fire.parameters()) < 0.11 * sum(p.numel() for p in direct.parameters())


@pytest.mark.parametrize(("name", "pools"), [("squeezenet1_0", (2, 6, 11)), ("squeezenet1_1", (2, 5, 8))])
def test_the_maps_are_what_each_pooling_is_fed_and_the_last(name: str, pools: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    net: Any = create(name, num_classes=5).eval()
    maps = net.features(torch.randn(1, 3, 64, 64))
    assert tuple(i for i, layer in enumerate(net.features) if isinstance(layer, nn.MaxPool2d)) == pools
    for i, pool in enumerate(pools):
        x = max_pool2d(maps[i], 3, stride=2, ceil_mode=True)
        for layer in net.features[pool + 1 : (*pools, 13)[i + 1]]:
            x = layer(x)
        torch.testing.assert_close(x, maps[i + 1])


def test_the_logits_are_the_means_of_rectified_class_maps() -> None:
    torch.manual_seed(0)
    net: Any = create("squeezenet1_1", num_classes=5).eval()
    images = torch.randn(2, 3, 64, 64)
    logits = net(images)
    class_maps = torch.relu(net.classifier[1](net.features(images)[-1]))
    torch.testing.assert_close(logits, class_maps.mean(dim=(2, 3)))
    assert logits.min() >= 0


def test_initial_values() -> None:
    torch.manual_seed(0)
    net = create("squeezenet1_0")
    for name, module in net.named_modules():
        if isinstance(module, nn.Conv2d):
            assert module.bias is not None
            assert module.bias.count_nonzero() == 0
            expected = 0.01 if name == "classifier.1" else (2 / module.weight[0].numel()) ** 0.5
            assert module.weight.std().item() == pytest.approx(expected, rel=0.1)


@pytest.mark.parametrize(("name", "size"), [("squeezenet1_0", 21), ("squeezenet1_1", 17)])
def test_smallest_size(name: str, size: int) -> None:
    with torch.device("meta"):
        net = create(name)
    assert net(torch.zeros(1, 3, size, size, device="meta")).shape == (1, 1000)
    with pytest.raises(RuntimeError, match="too small"):
        net(torch.zeros(1, 3, size, size - 1, device="meta"))
