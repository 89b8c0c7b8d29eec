"""Activation functions by name."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import elu, gelu, leaky_relu, relu, silu

from striate.errors import UsageError, nearest

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "elu": elu,
    "gelu": gelu,
    "leaky_relu": leaky_relu,
    "relu": relu,
    "sigmoid": torch.sigmoid,
    "silu": silu,
    "tanh": torch.tanh,
}


def activation_named(name: str) -> Callable[[Tensor], Tensor]:
    """The function of that name.

    Raises:
        UsageError: `name` is not in `ACTIVATIONS`.

    >>> activation_named("relu")(torch.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """
    if name not in ACTIVATIONS:
        choices = ", ".join(ACTIVATIONS)
        raise UsageError(f"`activation`: expected one of {choices}; got `{name}`. {nearest(name, ACTIVATIONS)}")
    return ACTIVATIONS[name]
