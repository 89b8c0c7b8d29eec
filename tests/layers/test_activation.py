import doctest

import pytest
import torch
from torch import nn

from striate.errors import UsageError
from striate.layers import activation as module
from striate.layers.activation import ACTIVATIONS, activation_named

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
    assert result.attempted == 1
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
