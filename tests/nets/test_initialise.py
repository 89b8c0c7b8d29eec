import doctest
from collections.abc import Callable
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from striate.errors import UsageError
from striate.nets import CATALOGUE, create, initialise
from striate.nets.initialise import INITIALISERS, known, reinitialise

STD: dict[str, Callable[[int, int], float]] = {
    "he": lambda fan_in, fan_out: (2 / fan_in) ** 0.5,
    "small_random": lambda fan_in, fan_out: 0.01,
    "xavier": lambda fan_in, fan_out: (2 / (fan_in + fan_out)) ** 0.5,
}


def test_doctests_run() -> None:
    result = doctest.testmod(initialise)
    assert result.attempted == 2
    assert result.failed == 0


@pytest.mark.parametrize("name", sorted(STD))
@pytest.mark.parametrize(
    ("layer", "fan_in", "fan_out"),
    [
        (nn.Linear(300, 200), 300, 200),
        (nn.Conv2d(64, 32, 3), 64 * 9, 32 * 9),
        (nn.Conv2d(128, 64, 3, groups=4), 32 * 9, 16 * 9),
        (nn.ConvTranspose2d(64, 32, 4, stride=2), 64 * 4, 32 * 16),
    ],
    ids=["linear", "conv", "grouped", "transposed"],
)
def test_the_mean_and_variance_of_each(name: str, layer: nn.Module, fan_in: int, fan_out: int) -> None:
    reinitialise(layer, name, seed=0)
    weight, std = layer.get_parameter("weight"), STD[name](fan_in, fan_out)
    assert weight.std().item() == pytest.approx(std, rel=0.03)
    assert abs(weight.mean().item()) < 4 * std / weight.numel() ** 0.5
    assert not layer.get_parameter("bias").any()


@pytest.mark.parametrize("net_name", ["lenet5", "resnet20_cifar", "nin_cifar", "squeezenet1_1"])
def test_a_seed_settles_every_value_and_leaves_the_global_generator(net_name: str) -> None:
    first, second = create(net_name), create(net_name)
    state = torch.get_rng_state()
    reinitialise(first, "he", seed=5)
    reinitialise(second, "he", seed=5)
    assert torch.equal(torch.get_rng_state(), state)
    for (name, a), b in zip(first.named_parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b), name
    reinitialise(second, "he", seed=6)
    for (name, a), b in zip(first.named_parameters(), second.parameters(), strict=True):
        assert a.dim() == 1 or not torch.equal(a, b), name


@pytest.mark.parametrize("name", sorted(CATALOGUE))
def test_knows_whatever_holds_parameters_in_the_catalogue(name: str) -> None:
    with torch.device("meta"):
        net = create(name)
    owners = [module for module in net.modules() if any(True for _ in module.parameters(recurse=False))]
    assert owners
    assert [type(module).__name__ for module in owners if not known(module)] == []


def test_batch_norm_starts_anew() -> None:
    net = create("resnet20_cifar")
    net(torch.randn(2, 3, 8, 8))
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.fill_(3)
    reinitialise(net, "xavier", seed=0)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert (module.weight == 1).all()
            assert not module.bias.any()
            assert module.running_mean is not None
            assert not module.running_mean.any()


def train(net: nn.Module, steps: int) -> None:
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    generator = torch.Generator().manual_seed(0)
    for _ in range(steps):
        images = torch.randn(8, 1, 32, 32, generator=generator)
        optimizer.zero_grad()
        torch.autograd.backward(cross_entropy(net(images), torch.arange(8)))
        optimizer.step()


@pytest.mark.parametrize(("name", "alike"), [("zeros", True), ("small_random", False), ("xavier", False)])
def test_zeros_keep_the_units_of_a_layer_alike_however_long_it_trains(name: str, alike: bool) -> None:
    net = create("lenet5")
    reinitialise(net, name, seed=0)
    train(net, steps=5)
    for layer in ("conv1", "conv2", "fc1", "fc2"):
        weight = net.get_parameter(f"{layer}.weight")
        assert torch.equal(weight, weight[:1].expand_as(weight)) is alike
    assert net.get_parameter("fc3.bias").std() > 0  # it did train


def powers(name: str) -> list[float]:
    """The mean square of what goes into each of 20 linear layers and relus."""
    net = nn.Sequential(*(nn.Linear(256, 256, bias=False) for _ in range(20)))
    reinitialise(net, name, seed=0)
    x: Tensor = torch.randn(64, 256, generator=torch.Generator().manual_seed(0))
    result = []
    for layer in net:
        result.append(x.square().mean().item())
        x = torch.relu(layer(x))
    return result


@torch.no_grad()
def test_through_relu_he_keeps_the_power_xavier_halves_it_and_small_random_loses_it() -> None:
    kept, halved, lost = powers("he"), powers("xavier"), powers("small_random")
    assert 0.2 < kept[-1] / kept[0] < 5
    assert halved[-1] / halved[0] == pytest.approx(2.0**-19, rel=0.8)
    assert lost[-1] / lost[0] < 1e-30
    assert all(after < before for before, after in pairwise(lost))


@torch.no_grad()
def test_he_keeps_the_power_through_a_transposed_convolution() -> None:
    layer = nn.ConvTranspose2d(64, 64, 4, stride=2, padding=1)
    reinitialise(layer, "he", seed=0)
    y = torch.relu(layer(torch.randn(2, 64, 16, 16, generator=torch.Generator().manual_seed(0))))
    assert y.square().mean().item() == pytest.approx(1, rel=0.2)


def test_an_unknown_name_names_the_choices() -> None:
    with pytest.raises(UsageError) as caught:
        reinitialise(nn.Linear(2, 2), "zero", seed=0)
    assert str(caught.value) == (
        "`name`: expected one of he, small_random, xavier, zeros; got 'zero'. Did you mean `zeros`?"
    )
    assert sorted(INITIALISERS) == ["he", "small_random", "xavier", "zeros"]


def test_a_layer_of_another_kind_is_named_before_anything_changes() -> None:
    net = nn.Sequential(nn.Linear(2, 2), nn.PReLU())
    before = net[0].get_parameter("weight").clone()
    with pytest.raises(UsageError, match=r"^`net`: expected parameters in .*; got also 1 \(PReLU\)\. Try a net of the"):
        reinitialise(net, "zeros", seed=0)
    assert torch.equal(net[0].get_parameter("weight"), before)
