"""Activation functions by name, and how to find units that are always zero."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import elu, gelu, leaky_relu, relu, silu

from striate.errors import SizeError, UsageError, nearest

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


def dead_units(outputs: Tensor) -> Tensor:
    """Which units are zero for every input of a batch: `.sum()` counts them, `.float().mean()` is their share.

    A unit of a linear layer is a feature. A unit of a convolution is a channel; it is dead if it is zero everywhere.

    Args:
        outputs: those of an activation function, (N, C) or (N, C, H, W), for a batch large enough to judge by.

    Returns:
        (C,), bool.

    Raises:
        SizeError: `outputs` has other dimensions, or no inputs.

    >>> dead_units(torch.tensor([[0.0, 1.0], [0.0, 0.0]]))
    tensor([ True, False])
    """
    if outputs.dim() not in (2, 4) or not len(outputs):
        raise SizeError(
            f"`outputs`: expected the shape (N, C) or (N, C, H, W), N at least 1; got {list(outputs.shape)}. "
            "Try the outputs of a whole batch."
        )
    return (outputs == 0).transpose(0, 1).flatten(1).all(dim=1)
