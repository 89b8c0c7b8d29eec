import doctest

import pytest
import torch
from torch import nn

from striate.errors import SizeError, UsageError
from striate.layers import activation as module
from striate.layers.activation import ACTIVATIONS, activation_named, dead_units

MODULES = {
    "elu": nn.ELU(),
    "gelu": nn.GELU(),
    "leaky_relu": nn.LeakyReLU(),
    "relu": nn.ReLU(),
    "sigmoid": nn.Sigmoid(),
    "silu": nn.SiLU(),
    "tanh": nn.Tanh(),
}


def test_doctests_run() -> None:
    result = doctest.testmod(module)
    assert result.attempted == 2
    assert result.failed == 0


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_each_name_means_what_pytorch_means(name: str) -> None:
    x = torch.linspace(-3, 3, 31)
    assert torch.equal(activation_named(name)(x), MODULES[name](x))


def test_an_unknown_name_names_the_choices() -> None:
    with pytest.raises(UsageError) as caught:
        activation_named("leakyrelu")
    assert str(caught.value) == (
        "`activation`: expected one of elu, gelu, leaky_relu, relu, sigmoid, silu, tanh; got `leakyrelu`. "
        "Did you mean `leaky_relu`?"
    )


def test_a_channel_is_dead_only_if_it_is_zero_everywhere_for_every_image() -> None:
    outputs = torch.zeros(3, 4, 2, 2)
    outputs[2, 1, 0, 1] = 0.5
    outputs[:, 3] = 1
    assert dead_units(outputs).tolist() == [True, False, True, False]


def test_relu_dies_of_a_negative_bias_and_leaky_relu_does_not() -> None:
    layer = nn.Linear(8, 10)
    x = torch.rand(50, 8)
    with torch.no_grad():
        layer.bias[:4] = -100
        assert dead_units(torch.relu(layer(x)))[:4].all()
        assert not dead_units(ACTIVATIONS["leaky_relu"](layer(x))).any()
        layer.bias[4:] = 100
        dead = dead_units(torch.relu(layer(x)))
    assert dead.sum() == 4
    assert dead.float().mean().item() == pytest.approx(0.4)


@pytest.mark.parametrize("shape", [(3,), (2, 3, 4), (0, 3)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(SizeError) as caught:
        dead_units(torch.zeros(shape))
    assert str(caught.value) == (
        f"`outputs`: expected the shape (N, C) or (N, C, H, W), N at least 1; got {list(shape)}. "
        "Try the outputs of a whole batch."
    )
