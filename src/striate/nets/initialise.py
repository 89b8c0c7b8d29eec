"""Initial values by name, for any net.

zeros         every weight 0: units of a layer start alike, get the same gradient and stay alike
small_random  N(0, 0.01^2), as AlexNet's (Krizhevsky et al. 2012, sec. 5): signals shrink from layer to layer
xavier        variance 2 / (fan_in + fan_out) (Glorot and Bengio 2010, eq. 12): right for units that are linear near 0
he            variance 2 / fan_in (He et al. 2015, arXiv:1502.01852, eq. 10): right for relu, which halves the power

All are normal; fan_in is the number of values that one output adds up, fan_out of the outputs that one value goes to.
Biases start at 0, batch norm at scale 1, shift 0 and no statistics.
This is a file of `nets` and not of `layers`, as it works on a whole net and those who import `nets` will call it.
"""

from collections.abc import Callable
from math import prod

import torch
from torch import nn

from striate.errors import UsageError, nearest

INITIALISERS: dict[str, Callable[[float, float], float]] = {  # (fan_in, fan_out) to the standard deviation
    "he": lambda fan_in, _: (2 / fan_in) ** 0.5,
    "small_random": lambda *_: 0.01,
    "xavier": lambda fan_in, fan_out: (2 / (fan_in + fan_out)) ** 0.5,
    "zeros": lambda *_: 0.0,
}
WEIGHTED = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)


def reinitialise(net: nn.Module, name: str, seed: int) -> None:
    """Draws every weight of `net` anew, in place; the same seed gives the same values on every device.

    What a net starts in a way of its own, as FCN's upsampling does, is drawn anew as well.

    Args:
        net: its parameters are those of convolutions, linear layers and batch norm, as in the whole catalogue.
        name: a key of `INITIALISERS`.
        seed: of a generator of its own; PyTorch's global one is not touched.

    Raises:
        UsageError: `name` is not in `INITIALISERS`, or other modules of `net` hold parameters; nothing has changed.
    """
    if name not in INITIALISERS:
        choices = ", ".join(INITIALISERS)
        raise UsageError(f"`name`: expected one of {choices}; got {name!r}. {nearest(name, INITIALISERS)}")
    owners = {path: m for path, m in net.named_modules() if any(True for _ in m.parameters(recurse=False))}
    foreign = [f"{path} ({type(m).__name__})" for path, m in owners.items() if not known(m)]
    if foreign:
        raise UsageError(
            "`net`: expected parameters in convolutions, linear layers and batch norm alone; got also "
            f"{', '.join(foreign)}. Try a net of the catalogue."
        )
    generator = torch.Generator().manual_seed(seed)
    for owner in owners.values():
        if isinstance(owner, WEIGHTED):
            std = INITIALISERS[name](*fans(owner))
            with torch.no_grad():
                owner.weight.copy_(std * torch.randn(owner.weight.shape, generator=generator))
                if owner.bias is not None:
                    owner.bias.zero_()
        elif isinstance(owner, nn.BatchNorm2d):
            owner.reset_parameters()


def known(module: nn.Module) -> bool:
    """Whether `reinitialise` can draw the parameters that this module itself holds."""
    return isinstance(module, (*WEIGHTED, nn.BatchNorm2d))


def fans(layer: nn.Conv2d | nn.ConvTranspose2d | nn.Linear) -> tuple[float, float]:
    """How many values one output adds up, and how many outputs one value goes to, away from borders.

    >>> fans(nn.Conv2d(8, 16, 3, groups=2))
    (36.0, 72.0)
    >>> fans(nn.ConvTranspose2d(8, 16, 4, stride=2))
    (32.0, 256.0)
    """
    if isinstance(layer, nn.Linear):
        return float(layer.in_features), float(layer.out_features)
    area = prod(layer.kernel_size)
    fan_in, fan_out = (float(channels // layer.groups * area) for channels in (layer.in_channels, layer.out_channels))
    if isinstance(layer, nn.ConvTranspose2d):
        return fan_in / prod(layer.stride), fan_out  # each output meets every stride-th row and column of the filter
    return fan_in, fan_out  # after Glorot and Bengio a stride does not count
